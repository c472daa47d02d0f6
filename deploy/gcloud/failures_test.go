package gcloud

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whatever call fails, its script does, and does nothing more: in an empty project, and in one that has all.
func TestEveryFailureIsTheEnd(t *testing.T) {
	settled := newWorld(t)
	settled.runAll()
	for _, script := range append(slices.Clone(scripts), "sign-in.sh off") {
		for name, prepare := range map[string]func(*project){
			"in an empty project": func(p *project) {
				if script == "functions.sh" {
					p.Exists["firestore databases"], p.Location = true, "eur3"
				}
			},
			"in one that has all": func(p *project) { *p = *settled.project(); p.Calls = nil },
		} {
			w := newWorld(t)
			w.change(prepare)
			calls := w.run(script)
			if len(calls) == 0 {
				t.Errorf("%s %s calls nothing", script, name)
			}
			for i := range calls {
				t.Run(fmt.Sprintf("%s %s %d", script, name, i+1), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					w.change(func(p *project) { prepare(p); p.FailAt = i + 1 })
					out, err := w.try(script, parameters...)
					if err == nil {
						t.Errorf("no failure without %s\n%s", calls[i].line(), out)
					}
					if !strings.Contains(out, "PERMISSION_DENIED") {
						t.Errorf("it does not say what has failed:\n%s", out)
					}
					failed := w.project().Calls[i:]
					for _, c := range failed {
						if c.line() != failed[0].line() {
							t.Errorf("after %s:\n%s", failed[0].line(), c.line())
						}
					}
				})
			}
		}
	}
}

// A number that is none would make the URL of a host that is nobody's, or somebody else's.
func TestTheProjectsNumberIsOne(t *testing.T) {
	w := newWorld(t)
	w.change(func(p *project) { p.FailAt = 2 })
	if out, err := w.try("service.sh", parameters...); err == nil || !strings.Contains(out, "number is not to be had") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, number := range []string{"", "WARNING: x\n123", "12a"} {
		for _, script := range []string{"service.sh", "functions.sh", "sign-in.sh"} {
			w := newWorld(t)
			w.change(func(p *project) { p.Number, p.Exists["firestore databases"], p.Location = number, true, "eur3" })
			out, err := w.try(script, parameters...)
			if err == nil || !strings.Contains(out, "number is") {
				t.Errorf("%s with %q: %v\n%s", script, number, err, out)
			}
			p := w.project()
			if string(p.Config) != "{}" || p.Exists["scheduler jobs vigil-sweep"] {
				t.Errorf("%s with %q: %s, %v", script, number, p.Config, p.Exists)
			}
		}
	}
}

// Bash by itself goes on after a failure within $(…).
func TestFailuresWithinSubstitutions(t *testing.T) {
	w := newWorld(t)
	w.repository()
	w.write(filepath.Join(w.folder, "probe.sh"), "#!/usr/bin/env bash\nsource ./common.sh\nsaid=$(false; echo went on)\necho \"$said\"\n")
	if out, err := w.try("probe.sh", parameters...); err == nil {
		t.Errorf("no failure\n%s", out)
	}
}

// A role that somebody has deleted is still there for a week, and has to be had back before it can be changed.
func TestDeletedRoleIsHadBack(t *testing.T) {
	w := newWorld(t)
	w.run("accounts.sh")
	w.change(func(p *project) { p.Deleted["iam roles vigilAccounts"] = true })
	w.run("accounts.sh")
	if p := w.project(); len(p.Deleted) > 0 {
		t.Errorf("still deleted: %v", p.Deleted)
	}
}

// repository is a commit with the scripts and files of the build, in a folder of its own.
func (w *world) repository() {
	w.Helper()
	root := w.TempDir()
	w.folder = filepath.Join(root, "deploy/gcloud")
	for _, name := range []string{".gcloudignore", ".gitignore", "Dockerfile", "deploy/gcloud/common.sh", "deploy/gcloud/image.sh"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			w.Fatal(err)
		}
		w.write(filepath.Join(root, name), string(text))
	}
	w.write(filepath.Join(root, "cmd/main.go"), "package main\n")
	w.git("init", "--quiet")
	w.git("add", "--all")
	w.git("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--message=x")
}

func (w *world) git(args ...string) string {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), "git", append([]string{"-C", filepath.Join(w.folder, "../..")}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) write(file, text string) {
	w.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil { //nolint:gosec // scripts are run
		w.Fatal(err)
	}
}

// An image under a commit's name is of that commit.
func TestImageIsOfItsCommit(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		fails bool
	}{
		"clean":                        {"", false},
		"a change":                     {"cmd/main.go", true},
		"a new file":                   {"cmd/new.go", true},
		"one in a new folder":          {"internal/new/new.go", true},
		"what decides what is built":   {"Dockerfile", true},
		"what decides what is sent":    {".gcloudignore", true},
		"a new file, not uploaded":     {"my-settings.yaml", false},
		"a built program":              {"cmd/cmd.test", false},
		"one that git alone passes by": {"cmd/excluded.go", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.repository()
			root := filepath.Join(w.folder, "../..")
			w.write(filepath.Join(root, ".git/info/exclude"), "excluded.go\n")
			if c.file != "" {
				before, _ := os.ReadFile(filepath.Join(root, c.file))
				w.write(filepath.Join(root, c.file), string(before)+"\n# changed\n")
			}
			out, err := w.try("image.sh", "PROJECT_ID=demo", "REGION=europe-west4")
			calls := w.project().Calls
			if (err != nil) != c.fails || c.fails && (!strings.Contains(out, c.file) || len(calls) > 0) {
				t.Errorf("%v after %d calls\n%s", err, len(calls), out)
			}
			if !c.fails && !strings.HasSuffix(strings.TrimSpace(out), "/vigil:"+w.git("rev-parse", "--short=12", "HEAD")) {
				t.Errorf("another name: %s", out)
			}
			w.run("image.sh") // TAG names it
		})
	}
}

func TestImageNeedsAName(t *testing.T) {
	w := newWorld(t)
	w.repository()
	if err := os.RemoveAll(filepath.Join(w.folder, "../../.git")); err != nil {
		t.Fatal(err)
	}
	out, err := w.try("image.sh", "PROJECT_ID=demo", "REGION=europe-west4")
	if err == nil || !strings.Contains(out, "set TAG") || len(w.project().Calls) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// What the Dockerfile takes from the upload is uploaded, and nothing else.
func TestWhatIsUploadedIsWhatIsBuilt(t *testing.T) {
	entries := func(file, prefix string) (all []string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok {
				all = append(all, name)
			}
		}
		return all
	}
	uploaded := entries("../../.gcloudignore", "!/")
	want := append([]string{".dockerignore", "Dockerfile"}, entries("../../.dockerignore", "!")...)
	if !slices.Equal(uploaded, want) {
		t.Errorf("uploaded are %v, built from are %v", uploaded, want)
	}
}
