package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/vigilhq/vigil"

// A row says what one package may import. Paths of ours are relative to the module.
type row struct {
	ours      []string // packages of ours
	anyOfOurs bool     // all of them, except those made for tests
	libraries []string // if not nil: the only modules outside the standard library
	never     []string // packages of the standard library that are not for this one
	forTests  bool     // only tests and other packages made for tests may import it
	why       string
}

var rooms = map[string]row{
	"internal/session": {
		libraries: []string{"golang.org/x/sync"},
		why:       "the domain outlives every library around it: it imports nothing of ours and is built on the standard library",
	},
	"internal/session/sessiontest": {
		ours:     []string{"internal/session"},
		forTests: true,
		why:      "the contract suites hold every adapter to the same words, so they know the ports and no adapter",
	},
	"internal/wire": {
		libraries: []string{},
		why:       "messages and close codes are a contract with the outside: they depend on nothing that could move them",
	},
	"internal/live": {
		ours:  []string{"internal/session", "internal/wire"},
		never: []string{"net", "net/http"},
		why:   "hub, peers and deadlines know no network library, so that they run in a synctest bubble",
	},
	"internal/memory": {
		ours: []string{"internal/session"},
		why:  "an adapter knows the domain and no other adapter",
	},
	"firestore": {
		ours: []string{"internal/session"},
		why:  "an adapter knows the domain and no other adapter",
	},
	"firestore/firestoretest": {
		ours:     []string{"internal/tied"},
		forTests: true,
		why:      "it starts the emulator for anybody's tests, so it knows nobody's package",
	},
	"internal/firebasetest": {
		ours:     []string{"firestore/firestoretest", "internal/tied"},
		forTests: true,
		why:      "it starts the official emulators for anybody's tests, so it knows nobody's package",
	},
	"internal/firebasetest/run": {
		ours:     []string{"internal/firebasetest", "internal/tied"},
		forTests: true,
		why:      "it runs the service as a program beside the official emulators, as a user does: it knows none of its packages",
	},
	"internal/run": {
		ours:     []string{"internal/tied"},
		forTests: true,
		why:      "it runs the service and the dashboard as programs, as a user does: it knows none of their packages",
	},
	"internal/tied": {
		libraries: []string{},
		why:       "whoever starts processes starts them by it, and it knows none of them",
	},
	"internal/swarm": {
		ours: []string{"internal/live", "internal/socket", "internal/tied", "internal/wire"},
		why:  "it is the browsers' side: it knows the protocol and the client, and of the service no more than an address",
	},
	"internal/fireauth": {
		ours: []string{"internal/session"},
		why:  "an adapter knows the domain and no other adapter",
	},
	"internal/mail": {
		ours:      []string{"internal/session"},
		libraries: []string{"golang.org/x/text"},
		never:     []string{"net", "net/http", "net/smtp"},
		why:       "it composes messages from sessions and sends none: a store commits them for others to send",
	},
	"functions": {
		ours: []string{"internal/session"},
		why:  "an adapter knows the domain and no other adapter; cmd/functions gives it its store",
	},
	"internal/socket": {
		ours: []string{"internal/session", "internal/live", "internal/wire"},
		why:  "the transport carries messages between the hub and a browser; it neither stores nor serves HTTP",
	},
	"handlers": {
		ours: []string{"internal/session", "internal/wire"},
		why:  "the HTTP edge decodes, asks the domain and encodes; sockets and stores are handed to it as interfaces",
	},
	"internal/geoip": {
		ours: []string{"internal/session"},
		why:  "an adapter knows the domain and no other adapter",
	},
	"handlers/openapitest": {
		forTests: true,
		why:      "it holds anybody's requests and answers to any OpenAPI document, so it depends on nobody",
	},
	"internal/identity": {
		ours: []string{"internal/session"},
		why:  "the local identity server stands where Firebase stands: outside, speaking its protocol",
	},
	"internal/localgoogle": {
		libraries: []string{},
		why:       "it stands where Google stands: outside, speaking its protocols",
	},
	"internal/metrics": {
		ours: []string{"internal/session", "internal/wire"},
		why:  "it knows the domain's words and the close codes, which are its labels; whoever counts is handed it as an interface",
	},
	"internal/house": {why: "it looks at the other packages from outside"},
	"rules":          {why: "security rules stand on their own: the client, not the service, meets them"},
	"cmd/vigil":      {anyOfOurs: true, why: "cmd alone wires"},
	"cmd/functions":  {anyOfOurs: true, why: "cmd alone wires"},
	"cmd/internal/config": {
		ours: []string{"handlers", "internal/live", "internal/mail", "internal/session"},
		why:  "it knows what can be set, and opens nothing",
	},
	"examples/proxy":      {forTests: true, why: "configuration of proxies and its tests: there is nothing in it to import"},
	"deploy/gcloud":       {forTests: true, why: "scripts and their tests: there is nothing in it to import"},
	"cmd/internal/wiring": {anyOfOurs: true, why: "cmd alone wires, and what two commands wire alike is here"},
}

// A vendor is a library that one package keeps from all others. Path is a prefix in whole elements; so is an owner that ends in a slash.
type vendor struct {
	path  string
	owner string
	why   string
}

// has reports whether the package is the vendor's owner.
func (v vendor) has(name string) bool {
	return name == v.owner || strings.HasSuffix(v.owner, "/") && strings.HasPrefix(name, v.owner)
}

var vendors = []vendor{
	{"github.com/labstack", "handlers", "the move to echo's next major version has to be one folder"},
	{"cloud.google.com/go/firestore", "firestore", "nobody else sees a Firestore type: the adapter builds its own client"},
	{"firebase.google.com/go", "internal/fireauth", "the domain knows verified identities, not Firebase"},
	{"github.com/gorilla/websocket", "internal/socket", "the hub knows peers, not connections"},
	{"github.com/oschwald", "internal/geoip", "the domain knows places, not the files that tell them"},
	{"github.com/GoogleCloudPlatform/functions-framework-go", "functions", "what a function does is the domain's to decide"},
	{"github.com/cloudevents", "functions", "the domain knows what happened, not the envelope that the news came in"},
	{"github.com/googleapis/google-cloudevents-go", "functions", "the domain knows what happened, not the envelope that the news came in"},
	{"github.com/go-jose", "functions", "only what Google itself calls has tokens to verify that the Admin SDK has no verifier for"},
	{"github.com/HdrHistogram", "internal/swarm", "only what makes the load knows when what it measures began"},
	{"github.com/prometheus", "internal/metrics", "who counts says what happened, and knows neither series nor labels"},
	{"github.com/swaggest", "handlers", "what the API looks like is described where it is served"},
	{"github.com/santhosh-tekuri/jsonschema", "handlers/openapitest", "the product refuses requests by hand, with better words; only tests hold it to schemas"},
	{"pgregory.net/rapid", "internal/session/sessiontest", "one model of the policy, for every store; tests elsewhere are handed it"},
	{"github.com/spf13", "cmd/", "commands and flags are read where the process is wired"},
	{"github.com/caarlos0/env", "cmd/internal/config", "the environment is read once, in one struct"},
	{"github.com/schollz/progressbar", "cmd/vigil", "bars are for people at a shell: whoever does the work reports numbers"},
	{"golang.org/x/term", "cmd/vigil", "only a command can have a terminal"},
}

// pkg is what `go list` tells about a package. Imports leaves out what only test files import.
type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImports(t *testing.T) {
	for _, v := range violations(list(t)) {
		t.Error(v)
	}
}

// list returns the module's packages.
func list(t *testing.T) []pkg {
	t.Helper()
	gomod, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = filepath.Dir(strings.TrimSpace(string(gomod)))
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}

	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) == 0 {
		t.Fatal("go list found no packages: the rules were not checked")
	}
	return pkgs
}

// violations judges packages by the tables above and returns one sentence per offence, sorted.
func violations(pkgs []pkg) []string {
	var found []string
	for _, p := range pkgs {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if within(name, "bench") {
			continue
		}
		room, ok := rooms[name]
		if !ok {
			found = append(found, fmt.Sprintf("%s has no row in internal/house: say what it may import, and why", name))
			continue
		}
		for _, path := range p.Imports {
			if reason := objection(name, room, path); reason != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", name, strings.TrimPrefix(path, module+"/"), reason))
			}
		}
	}
	slices.Sort(found)
	return found
}

// objection is the reason why a package may not import path, or nothing.
func objection(name string, room row, path string) string {
	if ours, ok := strings.CutPrefix(path, module+"/"); ok {
		switch {
		case rooms[ours].forTests && !room.forTests:
			return "it is made for tests alone"
		case room.anyOfOurs, slices.Contains(room.ours, ours):
			return ""
		case len(room.ours) == 0:
			return "it may import nothing of ours: " + room.why
		default:
			return fmt.Sprintf("of ours it may import %s alone: %s", strings.Join(room.ours, ", "), room.why)
		}
	}
	for _, v := range vendors {
		if within(path, v.path) && !v.has(name) {
			return fmt.Sprintf("only %s does: %s", v.owner, v.why)
		}
	}
	if slices.Contains(room.never, path) {
		return room.why
	}
	if room.libraries != nil && !standard(path) &&
		!slices.ContainsFunc(room.libraries, func(library string) bool { return within(path, library) }) {
		return room.why
	}
	return ""
}

// within reports whether path is parent or lies below it.
func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// standard reports whether path is in the standard library: its first element has no dot, as no host is without one.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// The checker is itself checked, on packages made up for it.
func TestViolations(t *testing.T) {
	tests := map[string]struct {
		pkg     string
		imports []string
		want    []string // parts of the sentences, in order; none: allowed
	}{
		"domain on the standard library":     {"internal/session", []string{"context", "crypto/sha256", "golang.org/x/sync/errgroup"}, nil},
		"domain with another library":        {"internal/session", []string{"golang.org/x/text/language"}, []string{"imports golang.org/x/text/language: the domain"}},
		"domain with a look-alike library":   {"internal/session", []string{"golang.org/x/synctest"}, []string{"imports golang.org/x/synctest"}},
		"domain with something of ours":      {"internal/session", []string{module + "/internal/wire"}, []string{"nothing of ours"}},
		"domain with a vendor":               {"internal/session", []string{"firebase.google.com/go/v4/auth"}, []string{"only internal/fireauth does"}},
		"wire with a library":                {"internal/wire", []string{"github.com/google/uuid"}, []string{"imports github.com/google/uuid"}},
		"live with domain and messages":      {"internal/live", []string{"sync", module + "/internal/session", module + "/internal/wire"}, nil},
		"live with the network":              {"internal/live", []string{"net", "net/http", "net/netip"}, []string{"imports net/http: hub", "imports net: hub"}},
		"live with its transport":            {"internal/live", []string{module + "/internal/socket"}, []string{"internal/session, internal/wire alone"}},
		"messages that are sent":             {"internal/mail", []string{"net/mail", "golang.org/x/text/language", "net/smtp"}, []string{"imports net/smtp: it composes"}},
		"adapter with another adapter":       {"firestore", []string{module + "/internal/memory"}, []string{"internal/session alone: an adapter"}},
		"adapter with its vendor":            {"firestore", []string{"cloud.google.com/go/firestore", "cloud.google.com/go/firestore/apiv1/firestorepb", module + "/internal/session"}, nil},
		"adapter with another's vendor":      {"internal/fireauth", []string{"cloud.google.com/go/firestore"}, []string{"only firestore does"}},
		"test support with its own vendor":   {"firestore/firestoretest", []string{"cloud.google.com/go/firestore"}, []string{"only firestore does"}},
		"transport with hub and messages":    {"internal/socket", []string{"github.com/gorilla/websocket", module + "/internal/live", module + "/internal/wire"}, nil},
		"handlers with the hub":              {"handlers", []string{"github.com/labstack/echo/v4", module + "/internal/live"}, []string{"imports internal/live: of ours"}},
		"handlers with a store":              {"handlers", []string{module + "/firestore"}, []string{"imports firestore: of ours"}},
		"echo's next version elsewhere":      {"internal/socket", []string{"github.com/labstack/echo/v5"}, []string{"only handlers does"}},
		"cmd with everything of ours":        {"cmd/vigil", []string{module + "/handlers", module + "/firestore", module + "/internal/fireauth", "github.com/spf13/cobra"}, nil},
		"cmd with a vendor":                  {"cmd/vigil", []string{"github.com/labstack/echo/v4"}, []string{"only handlers does"}},
		"cmd with a test's package":          {"cmd/vigil", []string{module + "/internal/session/sessiontest"}, []string{"made for tests alone"}},
		"settings read in a second place":    {"cmd/vigil", []string{"github.com/caarlos0/env/v11"}, []string{"only cmd/internal/config does"}},
		"flags of any command":               {"cmd/functions", []string{"github.com/spf13/cobra"}, nil},
		"flags of no command":                {"handlers", []string{"github.com/spf13/pflag"}, []string{"only cmd/ does"}},
		"settings that open something":       {"cmd/internal/config", []string{module + "/firestore"}, []string{"opens nothing"}},
		"product with a validator of tests":  {"handlers", []string{module + "/handlers/openapitest", "github.com/santhosh-tekuri/jsonschema/v6"}, []string{"only handlers/openapitest does", "made for tests alone"}},
		"schemas elsewhere":                  {"internal/live", []string{"github.com/swaggest/jsonschema-go"}, []string{"only handlers does"}},
		"two offences, in order":             {"internal/memory", []string{module + "/internal/wire", module + "/firestore"}, []string{"imports firestore", "imports internal/wire"}},
		"a package without a row":            {"internal/helper", []string{"fmt"}, []string{"internal/helper has no row"}},
		"a package below one that has a row": {"internal/session/extra", nil, []string{"has no row"}},
		"benchmarks may look at anything":    {"bench/swarm", []string{"github.com/gorilla/websocket", module + "/internal/memory"}, nil},
		"but only benchmarks":                {"benchmark", nil, []string{"has no row"}},
		"nobody imports cmd":                 {"handlers", []string{module + "/cmd/vigil"}, []string{"imports cmd/vigil"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := violations([]pkg{{ImportPath: module + "/" + test.pkg, Imports: test.imports}})
			if len(got) != len(test.want) {
				t.Fatalf("got %d violations, want %d: %q", len(got), len(test.want), got)
			}
			for i, want := range test.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("got %q, want something with %q", got[i], want)
				}
			}
		})
	}
}

// The tables are held to their own form: a rule without a reason, or about a package that nobody has, protects nothing.
func TestTables(t *testing.T) {
	for name, room := range rooms {
		if room.why == "" {
			t.Errorf("the row of %s gives no reason", name)
		}
		for _, ours := range room.ours {
			if _, ok := rooms[ours]; !ok {
				t.Errorf("%s may import %s, which has no row", name, ours)
			}
		}
	}
	for _, v := range vendors {
		if v.why == "" {
			t.Errorf("the row of %s gives no reason", v.path)
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(rooms)), v.has) {
			t.Errorf("%s is kept by %s, which has no row", v.path, v.owner)
		}
	}
}
