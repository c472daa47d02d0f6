// Package gcloud has nothing but scripts, and their tests: what they tell gcloud to do in a project that has nothing, and in one that has all.
package gcloud

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/commands.txt anew")

// scripts are all of them, in the order that docs/deploy.md has them in.
var scripts = []string{"accounts.sh", "firestore.sh", "image.sh", "service.sh", "functions.sh", "sign-in.sh"}

// world is a project, and the programs that know it.
type world struct {
	*testing.T
	bin, file string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, bin: t.TempDir(), file: filepath.Join(t.TempDir(), "project.json")}
	for _, name := range []string{"gcloud", "curl", "firebase"} {
		if err := os.Symlink(self, filepath.Join(w.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	w.change(func(p *project) { p.Config = json.RawMessage("{}") })
	return w
}

// change edits the project.
func (w *world) change(edit func(*project)) {
	w.Helper()
	p := &project{Exists: make(map[string]bool)}
	if _, err := os.Stat(w.file); err == nil {
		p = w.project()
	}
	edit(p)
	if err := writeProject(w.file, p); err != nil {
		w.Fatal(err)
	}
}

func (w *world) project() *project {
	w.Helper()
	p, err := readProject(w.file)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// try runs a script and returns all that it prints.
func (w *world) try(script string, environment ...string) (string, error) {
	w.Helper()
	words := strings.Fields(script)
	cmd := exec.CommandContext(w.Context(), "./"+words[0], words[1:]...)
	cmd.Env = append([]string{
		"PATH=" + w.bin + ":" + os.Getenv("PATH"), "HOME=" + w.TempDir(), "FAKE_PROJECT=" + w.file, "GORACE=atexit_sleep_ms=0",
		"FIREBASE=" + filepath.Join(w.bin, "firebase"),
	}, environment...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var parameters = []string{"PROJECT_ID=demo", "REGION=europe-west4", "TAG=v1", "DATABASE_LOCATION=eur3"}

// run runs a script that has to succeed, and returns the calls that it has made.
func (w *world) run(script string, environment ...string) []called {
	w.Helper()
	before := len(w.project().Calls)
	if out, err := w.try(script, append(slices.Clone(parameters), environment...)...); err != nil {
		w.Fatalf("%s: %v\n%s", script, err, out)
	}
	return w.project().Calls[before:]
}

func (w *world) runAll(environment ...string) (calls []called) {
	w.Helper()
	for _, script := range scripts {
		calls = append(calls, w.run(script, environment...)...)
	}
	return calls
}

// plain are the characters that need no quotes.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// line is a call as one would type it.
func (c called) line() string {
	words := []string{c.Program}
	for _, arg := range c.Args {
		if !plain.MatchString(arg) {
			arg = "'" + arg + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// TestCommands keeps what is run in an empty project where it can be read, and be looked at by gcloud's own linter (make lint-deploy).
func TestCommands(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, c := range newWorld(t).runAll() {
		line := strings.ReplaceAll(c.line(), root, ".")
		got.WriteString(regexp.MustCompile(`/\S*/tmp\.\w+`).ReplaceAllString(line, "FILE") + "\n")
	}
	const golden = "testdata/commands.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the commands are not those of %s (go test ./deploy/gcloud -update writes it anew):\n%s", golden, got.String())
	}
}

// What is there is neither made again nor fallen over.
func TestRunningAgainMakesNothing(t *testing.T) {
	w := newWorld(t)
	first := w.runAll()
	again := w.runAll()
	for _, c := range again {
		if slices.Contains(c.Args, "create") {
			t.Errorf("made again: %s", c.line())
		}
	}
	deployed := func(calls []called) (all []string) {
		for _, c := range calls {
			if line := c.line(); strings.HasPrefix(line, "gcloud run deploy") || strings.HasPrefix(line, "gcloud pubsub") {
				all = append(all, regexp.MustCompile(`--env-vars-file=\S+`).ReplaceAllString(line, ""))
			}
		}
		return all
	}
	if !slices.Equal(deployed(first), deployed(again)) {
		t.Errorf("deployed first %q, then %q", deployed(first), deployed(again))
	}
}

// Each account has the roles that docs/deploy.md lists, and no others.
func TestRolesAreThoseDocumented(t *testing.T) {
	granted := make(map[string][]string)
	for _, c := range newWorld(t).runAll() {
		if slices.Contains(c.Args, "add-iam-policy-binding") {
			name, _, _ := strings.Cut(strings.TrimPrefix(after(c.Args, "--member="), "serviceAccount:"), "@")
			granted[name] = append(granted[name], strings.TrimPrefix(after(c.Args, "--role="), "projects/demo/roles/"))
		}
		if slices.Contains(c.Args, "service-accounts") && slices.Contains(c.Args, "create") {
			name := c.Args[slices.Index(c.Args, "create")+1]
			granted[name] = nil
		}
	}
	text, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string][]string)
	role := regexp.MustCompile("`(roles/[^`]+|vigilAccount[^`]*)`")
	_, section, _ := strings.Cut(string(text), "\n## Accounts and roles\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if rest, ok := strings.CutPrefix(line, "| `vigil-"); ok {
			name, rest, _ := strings.Cut(rest, "` | ")
			roles, _, _ := strings.Cut(rest, " | ")
			documented["vigil-"+name] = nil
			for _, found := range role.FindAllStringSubmatch(roles, -1) {
				documented["vigil-"+name] = append(documented["vigil-"+name], found[1])
			}
		}
	}
	if len(granted) != len(documented) {
		t.Errorf("%d accounts, %d documented", len(granted), len(documented))
	}
	for name, roles := range granted {
		slices.Sort(roles)
		slices.Sort(documented[name])
		if !slices.Equal(roles, documented[name]) {
			t.Errorf("%s has %v, documented are %v", name, roles, documented[name])
		}
	}
	if roles := granted["vigil-signin"]; len(roles) > 0 {
		t.Errorf("the account of the public function has roles: %v", roles)
	}
}

func TestMissingParameters(t *testing.T) {
	w := newWorld(t)
	for _, script := range scripts {
		out, err := w.try(script)
		if err == nil || !strings.Contains(out, script+": ") || !strings.Contains(out, "PROJECT_ID: ") || !strings.Contains(out, "REGION: ") {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
	if out, err := w.try("firestore.sh", "PROJECT_ID=demo", "REGION=europe-west4"); err == nil || !strings.Contains(out, "DATABASE_LOCATION: ") {
		t.Errorf("firestore.sh: %v\n%s", err, out)
	}
	for script, setting := range map[string]string{"firestore.sh": "RULES=yes", "functions.sh": "USER_EVENTS=maybe"} {
		if out, err := w.try(script, append(slices.Clone(parameters), setting)...); err == nil || !strings.Contains(out, setting[:5]) {
			t.Errorf("%s with %s: %v\n%s", script, setting, err, out)
		}
	}
	if calls := w.project().Calls; len(calls) != 1 { // the look for the database
		t.Errorf("done all the same: %v", calls)
	}
}

// The service and the functions go by the same settings, and those that decide who is believed are not to be had.
func TestSettings(t *testing.T) {
	w := newWorld(t)
	w.change(func(p *project) { p.Exists["firestore databases"], p.Location = true, "eur3" })
	file := filepath.Join(t.TempDir(), "settings.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`IDLE_TIMEOUT: "10m"`)
	const want = "IDLE_TIMEOUT: \"10m\"\nFIREBASE_PROJECT_ID: \"demo\"\n"
	deployed := 0
	for _, script := range []string{"service.sh", "functions.sh"} {
		for _, c := range w.run(script, "SETTINGS="+file) {
			if got, ok := c.Files["env-vars"]; ok {
				deployed++
				if got != want {
					t.Errorf("%s: %q, want %q", script, got, want)
				}
			}
		}
	}
	if deployed != 2 {
		t.Errorf("%d deployed", deployed)
	}
	for _, variable := range []string{"ALLOW_EMULATORS", "FIRESTORE_EMULATOR_HOST", "FIREBASE_AUTH_EMULATOR_HOST", "FIREBASE_PROJECT_ID", "PORT", "ADDR"} {
		write(variable + `: "x"`)
		before := len(w.project().Calls)
		out, err := w.try("service.sh", append(slices.Clone(parameters), "SETTINGS="+file)...)
		if err == nil || !strings.Contains(out, "SETTINGS: ") || len(w.project().Calls) != before {
			t.Errorf("%s: %v\n%s", variable, err, out)
		}
	}
}

// Deploying rules would put an application's own out of force: nobody does that by running a script.
func TestRulesAreLeftAloneUnlessAskedFor(t *testing.T) {
	for environment, want := range map[string]string{"RULES=": "firestore:indexes", "RULES=replace": "firestore"} {
		calls := newWorld(t).run("firestore.sh", environment)
		last := calls[len(calls)-1]
		if i := slices.Index(last.Args, "--only"); last.Program != "firebase" || i < 0 || last.Args[i+1] != want {
			t.Errorf("%s: %s", environment, last.line())
		}
	}
}

func TestTriggersStandWhereTheirEventsComeFrom(t *testing.T) {
	for database, want := range map[string]string{"nam5": "us-central1", "eur3": "europe-west4", "southamerica-east1": "southamerica-east1"} {
		w := newWorld(t)
		w.change(func(p *project) { p.Exists["firestore databases"], p.Location = true, database })
		got := make(map[string]string)
		for _, c := range w.run("functions.sh") {
			if c.Args[0] == "eventarc" && c.Args[2] == "create" {
				got[c.Args[3]] = after(c.Args, "--location=")
			}
		}
		if got["vigil-revocation"] != want || got["vigil-user-deleted"] != "global" {
			t.Errorf("%s: %v", database, got)
		}
	}
}

func TestSignIn(t *testing.T) {
	const ours, theirs = "https://vigil-signin-123456789012.europe-west4.run.app", "https://their.example.com/before"
	for name, c := range map[string]struct{ config, script, want, says string }{
		"registered":               {`{}`, "sign-in.sh", `{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + ours + `"}}}}`, ""},
		"another event's is kept":  {`{"blockingFunctions":{"triggers":{"beforeCreate":{"functionUri":"x","updateTime":"t"}},"forwardInboundCredentials":{"idToken":true}}}`, "sign-in.sh", `{"blockingFunctions":{"triggers":{"beforeCreate":{"functionUri":"x"},"beforeSignIn":{"functionUri":"` + ours + `"}},"forwardInboundCredentials":{"idToken":true}}}`, ""},
		"another's is not":         {`{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, "sign-in.sh", `{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, theirs},
		"unregistered":             {`{"blockingFunctions":{"triggers":{"beforeCreate":{"functionUri":"x"},"beforeSignIn":{"functionUri":"` + ours + `"}}}}`, "sign-in.sh off", `{"blockingFunctions":{"triggers":{"beforeCreate":{"functionUri":"x"}}}}`, ""},
		"unregistered, not theirs": {`{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, "sign-in.sh off", `{"blockingFunctions":{"triggers":{"beforeSignIn":{"functionUri":"` + theirs + `"}}}}`, theirs},
		"neither on nor off":       {`{}`, "sign-in.sh maybe", `{}`, "on or off"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.change(func(p *project) { p.Config = json.RawMessage(c.config) })
			out, err := w.try(c.script, parameters...)
			if (err != nil) != (c.says != "") || !strings.Contains(out, c.says) {
				t.Errorf("%v\n%s", err, out)
			}
			p := w.project()
			if got := strings.TrimSpace(string(p.Config)); got != c.want {
				t.Errorf("registered is now\n%s, want\n%s", got, c.want)
			}
			for _, call := range p.Calls {
				if strings.Contains(call.line(), "a-secret-token") {
					t.Errorf("the token is there for every process to see: %s", call.line())
				}
				if call.Program == "curl" && call.Input != "Authorization: Bearer a-secret-token\n" {
					t.Errorf("the token is not handed over: %q", call.Input)
				}
				if err != nil && call.Args[0] == "run" {
					t.Errorf("deployed all the same: %s", call.line())
				}
			}
		})
	}
}

// A sign-in goes to the function only once it is there: registered earlier, it would keep everybody out.
func TestTheFunctionIsThereBeforeItIsRegistered(t *testing.T) {
	calls := newWorld(t).run("sign-in.sh")
	deployed := slices.IndexFunc(calls, func(c called) bool { return strings.HasPrefix(c.line(), "gcloud run deploy vigil-signin ") })
	registered := slices.IndexFunc(calls, func(c called) bool { return slices.Contains(c.Args, "PATCH") })
	if deployed < 0 || registered < deployed {
		t.Errorf("deployed %d., registered %d.", deployed, registered)
	}
}
