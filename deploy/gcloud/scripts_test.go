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
	folder    string // of the scripts
}

// refused is what BeforeSignIn answers to a request that Google has not signed, and its status.
const refused = `{"error":{"message":"The request does not come from whom it has to come from.","status":"UNAUTHENTICATED"}} 401`

func newWorld(t *testing.T) *world {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, bin: t.TempDir(), file: filepath.Join(t.TempDir(), "project.json"), folder: "."}
	for _, name := range []string{"gcloud", "curl", "firebase", "sleep"} {
		if err := os.Symlink(self, filepath.Join(w.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	w.change(func(p *project) { p.Config, p.Number, p.Serves = json.RawMessage("{}"), "123456789012", refused })
	return w
}

// change edits the project.
func (w *world) change(edit func(*project)) {
	w.Helper()
	p := &project{Exists: make(map[string]bool), Deleted: make(map[string]bool)}
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
	cmd.Dir = w.folder
	cmd.Env = append([]string{
		"PATH=" + w.bin + ":" + os.Getenv("PATH"), "HOME=" + w.TempDir(), "FAKE_PROJECT=" + w.file, "GORACE=atexit_sleep_ms=0",
		"FIREBASE=" + filepath.Join(w.bin, "firebase"),
	}, environment...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

var parameters = []string{"PROJECT_ID=demo", "REGION=europe-west4", "TAG=v1", "DATABASE_LOCATION=eur3", "SETTINGS=none"}

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
	for script, setting := range map[string]string{
		"firestore.sh": "RULES=yes", "functions.sh": "USER_EVENTS=maybe", "service.sh": "SETTINGS=", "accounts.sh": "PROJECT_ID=my project",
		"image.sh": "REGION=Nowhere",
	} {
		if out, err := w.try(script, append(slices.Clone(parameters), setting)...); err == nil || !strings.Contains(out, setting[:5]) {
			t.Errorf("%s with %s: %v\n%s", script, setting, err, out)
		}
	}
	if out, err := w.try("accounts.sh --help", parameters...); err == nil || !strings.Contains(out, "no arguments") {
		t.Errorf("accounts.sh --help: %v\n%s", err, out)
	}
	if calls := w.project().Calls; len(calls) != 1 { // the look for the database
		t.Errorf("done all the same: %v", calls)
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
