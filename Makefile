# What is built, run and checked here. `make` alone lists the targets.

GO     ?= go
NPM    ?= npm
NODE   ?= node

# Extra arguments: make run ARGS="--idle-timeout 6s --idle-warning 3s", make test TESTFLAGS=-v.
ARGS      ?=
TESTFLAGS ?=
# The same for Playwright: make test-browser BROWSERFLAGS="idle --headed".
BROWSERFLAGS ?=
# And for the benchmarks: make bench BENCHFLAGS="-only check -rounds 7".
BENCHFLAGS ?=
# And how long a soak takes: make soak SOAK=8h.
SOAK ?= 1h

# Prints where Chromium, or its kin, is. Nothing downloads one.
CHROMIUM_PATH := { command -v "$${CHROMIUM:-chromium}" || command -v chromium-browser || command -v google-chrome; }

LINT    := $(GO) tool -modfile=tools/go.mod golangci-lint
PROFILE := coverage/go.coverprofile
JSSDK   := internal/identity/testdata/jssdk
REDOCLY := handlers/testdata/redocly
CLI     := tools/firebase
CLIENT  := client
SITE    := examples/dashboard
E2E     := $(SITE)/e2e
GUIDES  := examples/guides
# npm writes this file last, so it is there and new when node_modules is what package-lock.json says.
INSTALLED := $(addsuffix /node_modules/.package-lock.json,$(JSSDK) $(REDOCLY) $(CLI) $(CLIENT) $(SITE) $(E2E) $(GUIDES))

# What the client package and the dashboard are built from, so that they are built again when it has changed, and only then.
CLIENT_FILES := $(shell find $(CLIENT)/src -type f) $(CLIENT)/package.json $(wildcard $(CLIENT)/tsconfig*.json)
SITE_FILES   := $(shell find $(SITE) \( -name node_modules -o -name .next -o -path $(E2E) \) -prune -o -type f ! -name next-env.d.ts ! -name '*.tsbuildinfo' -print)
SITE_BUILT   := $(SITE)/.next/BUILD_ID

# What runs a program and the dashboard beside it, or nothing where there can be no dashboard: then the program runs alone.
WITH_DASHBOARD := run=; if scripts/can-dashboard.sh; then \
	if $(MAKE) --no-print-directory $(SITE_BUILT); then run='bin/run -node $(NODE) --'; \
	else echo "vigil: without the dashboard: it could not be built, for the reason above" >&2; fi; fi

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-23s %s\n", $$1, $$2 }' Makefile

# --- use -------------------------------------------------------------------------------------------------------------

.PHONY: run
run: ## the whole product on this machine: needs Go alone, and Node.js for the dashboard; settings come from the environment or ARGS
	@$(GO) build -o bin/ ./cmd/vigil ./internal/run
	@$(WITH_DASHBOARD); exec $$run bin/vigil dev $(ARGS)

.PHONY: run-emulators
run-emulators: can-node $(CLI)/node_modules/.package-lock.json can-emulate ## the same on Firebase's official emulators
	@$(GO) build -o bin/ ./cmd/vigil ./internal/run && $(GO) build -o bin/run-emulators ./internal/firebasetest/run
	@$(WITH_DASHBOARD); exec $$run bin/run-emulators -- $(ARGS)

.PHONY: build
build: ## the programs, into bin/
	$(GO) build -o bin/ ./cmd/...

.PHONY: client
client: can-node $(CLIENT)/dist/core/index.js ## the client package, into client/dist

.PHONY: bench
bench: ## Vigil against its baselines, into docs/benchmarks.md: some 25 minutes, on a machine that does nothing else
	@$(GO) build -o bin/bench ./bench
	bin/bench -document docs/benchmarks.md $(BENCHFLAGS)

# --- check -----------------------------------------------------------------------------------------------------------
# Cheap checks come first and the tests last, so that a run ends with their summary.

.PHONY: test
test: can-race can-node can-script can-proxy can-browse $(INSTALLED) can-emulate format vet lint lint-openapi test-client test-guides test-browser go-test ## everything, after installing what it needs

.PHONY: check
check: can-race can-emulate can-node can-script can-proxy can-browse is-installed format vet lint lint-openapi test-client test-guides test-browser go-test ## the same without npm ci

.PHONY: format
format: ## fail on files that gofmt would change
	@files=$$(find . -name node_modules -prune -o -name '.?*' -prune -o -name '*.go' -exec gofmt -l {} +) || exit 1; \
	if [ -n "$$files" ]; then echo "vigil: run 'make fmt', gofmt would change:" $$files >&2; exit 1; fi

.PHONY: fmt
fmt: ## format the Go files
	@find . -name node_modules -prune -o -name '.?*' -prune -o -name '*.go' -exec gofmt -w {} +

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: lint
lint: ## the linters of .golangci.yml; the first run compiles them, which takes minutes
	$(LINT) run ./...

.PHONY: lint-openapi
lint-openapi: $(REDOCLY)/node_modules/.package-lock.json ## an independent linter on the description that `vigil openapi` prints
	@mkdir -p bin && $(GO) run ./cmd/vigil openapi >bin/openapi.json
	cd $(REDOCLY) && REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(NODE) node_modules/@redocly/cli/bin/cli.js lint $(CURDIR)/bin/openapi.json

.PHONY: test-client
test-client: $(CLIENT)/node_modules/.package-lock.json ## the client package: tests, types, what it exports, its size, its API reference
	cd $(CLIENT) && $(NPM) test && GO=$(GO) $(NPM) run check

.PHONY: test-guides
test-guides: can-node can-browse $(CLIENT)/dist/core/index.js $(GUIDES)/node_modules/.package-lock.json ## the code in docs/nextjs.md and docs/without-react.md, word for word
	@$(GO) build -o bin/vigil ./cmd/vigil
	cd $(GUIDES) && VIGIL=$(CURDIR)/bin/vigil CHROMIUM="$$($(CHROMIUM_PATH))" $(NPM) test

.PHONY: lint-deploy
lint-deploy: ## the scripts of deploy/gcloud and their commands; needs ShellCheck and gcloud, and is not part of test
	@scripts/lint-deploy.sh

.PHONY: go-test
go-test:
	@mkdir -p $(dir $(PROFILE))
	@jar=$$(scripts/firestore-emulator.sh) || exit 1; \
	set -x; FIRESTORE_EMULATOR_JAR="$$jar" $(GO) test -race -shuffle=on -timeout=20m -coverprofile=$(PROFILE) $(TESTFLAGS) ./...
	@scripts/coverage.sh -q $(PROFILE)

.PHONY: test-browser
test-browser: can-node can-browse $(SITE_BUILT) $(E2E)/node_modules/.package-lock.json ## the dashboard in a real browser, against `vigil dev`
	@$(GO) build -o bin/vigil ./cmd/vigil
	cd $(E2E) && CHROMIUM="$$($(CHROMIUM_PATH))" $(NODE) node_modules/@playwright/test/cli.js test $(BROWSERFLAGS)

.PHONY: test-official-emulators
test-official-emulators: can-race can-node $(INSTALLED) can-emulate ## the tests on Firebase's official emulators alone, which are part of test
	@jar=$$(scripts/firestore-emulator.sh) || exit 1; \
	set -x; FIRESTORE_EMULATOR_JAR="$$jar" $(GO) test -race -shuffle=on -timeout=15m $(TESTFLAGS) ./internal/firebasetest/...

.PHONY: faults
faults: can-race can-emulate ## in full what the tests do in small for the sake of time: instances killed, stopped and cut off, cut sockets; some 25 minutes
	$(GO) test -race -count=1 -timeout=30m -v $(TESTFLAGS) ./internal/socket -run '^TestConnectAndAbortLeavesNothingBehind$$' -full
	@jar=$$(scripts/firestore-emulator.sh) || exit 1; \
	set -x; FIRESTORE_EMULATOR_JAR="$$jar" $(GO) test -race -count=1 -timeout=60m -v $(TESTFLAGS) ./cmd/vigil -run '^TestR(1|14)[A-Z]' -full

.PHONY: soak
soak: can-emulate ## the service in use for an hour, or SOAK=8h: does it use more and more of anything? Its profiles go into coverage
	@mkdir -p coverage
	@jar=$$(scripts/firestore-emulator.sh) || exit 1; \
	set -x; FIRESTORE_EMULATOR_JAR="$$jar" $(GO) test -timeout=0 -run='^TestR17SoakWithoutGrowth$$' -v -artifacts -outputdir=coverage ./cmd/vigil -soak=$(SOAK)

.PHONY: cover
cover: ## the last test run's coverage by package, and whether it is enough
	@scripts/coverage.sh $(PROFILE)

.PHONY: clean
clean: ## remove what the targets above have made
	rm -rf bin coverage $(CLIENT)/dist $(CLIENT)/docs $(SITE)/.next $(E2E)/test-results $(GUIDES)/try $(dir $(INSTALLED))

# --- what the tests need ---------------------------------------------------------------------------------------------

.PHONY: can-race
can-race:
	@command -v $$($(GO) env CC) >/dev/null || \
		{ echo "vigil: no C compiler: the tests run under Go's race detector, which needs one (gcc or clang)" >&2; exit 1; }

.PHONY: can-browse
can-browse:
	@$(CHROMIUM_PATH) >/dev/null || { echo "vigil: no Chromium: the dashboard's tests drive one (apt-get install chromium, or CHROMIUM=/path/to/chrome)" >&2; exit 1; }

.PHONY: can-emulate
can-emulate:
	@scripts/firestore-emulator.sh >/dev/null

.PHONY: can-node
can-node:
	@command -v $(NODE) >/dev/null && command -v $(NPM) >/dev/null || \
		{ echo "vigil: no Node.js: the client package, the Firebase CLI, the Firebase client SDK in tests and a linter need Node 20 or newer, with npm" >&2; exit 1; }
	@major=$$($(NODE) -p 'process.versions.node.split(".")[0]') && [ "$$major" -ge 20 ] || \
		{ echo "vigil: Node $$major is too old: the client package, the Firebase CLI, the Firebase client SDK in tests and a linter need Node 20 or newer" >&2; exit 1; }

.PHONY: can-script
can-script:
	@command -v jq >/dev/null || { echo "vigil: no jq: the tests run the deployment's scripts, which need it (apt-get install jq)" >&2; exit 1; }

.PHONY: can-proxy
can-proxy:
	@PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null || { echo "vigil: no nginx: the tests try the example's configuration with it (apt-get install nginx-light libnginx-mod-http-headers-more-filter)" >&2; exit 1; }

.PHONY: is-installed
is-installed:
	@for folder in $(INSTALLED:/node_modules/.package-lock.json=); do \
		[ -f $$folder/node_modules/.package-lock.json ] && [ ! $$folder/package-lock.json -nt $$folder/node_modules/.package-lock.json ] || \
		{ echo "vigil: $$folder/node_modules is not what package-lock.json says: run 'make test', which installs it" >&2; exit 1; }; done

$(INSTALLED): %/node_modules/.package-lock.json: %/package-lock.json
	cd $* && $(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@

# --- the dashboard and the package that it is built with ---------------------------------------------------------------

$(CLIENT)/dist/core/index.js: $(CLIENT)/node_modules/.package-lock.json $(CLIENT_FILES)
	cd $(CLIENT) && $(NPM) run --silent build
	@touch $@

$(SITE_BUILT): $(SITE)/node_modules/.package-lock.json $(CLIENT)/dist/core/index.js $(SITE_FILES)
	cd $(SITE) && NEXT_TELEMETRY_DISABLED=1 $(NPM) run --silent build
	@touch $@
