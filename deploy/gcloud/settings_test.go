package gcloud

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

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
}

// settingsFile writes one.
func (w *world) settingsFile(text string) string {
	w.Helper()
	file := filepath.Join(w.TempDir(), "settings.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	return "SETTINGS=" + file
}

// What is not read as a setting is refused, since YAML has many ways to write one.
func TestSettingsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	lines := map[string]string{
		`"ALLOW_EMULATORS": "true"`: "line 2", `ALLOW_EMULATORS : "true"`: "line 2", `'ALLOW_EMULATORS': x`: "line 2", ` ALLOW_EMULATORS: x`: "line 2",
		`? ALLOW_EMULATORS`: "line 2", `{ALLOW_EMULATORS: "true"}`: "line 2", `"ALLOW\u005fEMULATORS": "true"`: "line 2", `<<: *x`: "line 2",
		`IDLE_TIMEOUT: |`: "line 2", `IDLE_TIMEOUT: !!str x`: "line 2", `IDLE_TIMEOUT: &x y`: "line 2", `IDLE_TIMEOUT: "a\nALLOW_EMULATORS: x"`: "line 2",
		`IDLE_TIMEOUT:`: "line 2", `IDLE_TIMEOUT: "10m`: "line 2", `IDLE_TIMEOUT: "10m" x`: "line 2", `---`: "line 2", `LOG_LEVEL: "debug"`: "twice",
	}
	for _, variable := range []string{
		"ALLOW_EMULATORS", "FIRESTORE_EMULATOR_HOST", "FIREBASE_AUTH_EMULATOR_HOST", "FIREBASE_PROJECT_ID", "PORT", "ADDR", "FUNCTION_TARGET",
		"SIGN_IN_URI", "SWEEP_AUDIENCE", "SWEEP_CALLER",
	} {
		lines[variable+`: "x"`] = variable
	}
	for line, says := range lines {
		for _, script := range []string{"service.sh", "functions.sh"} {
			out, err := w.try(script, append(slices.Clone(parameters), w.settingsFile("LOG_LEVEL: info\n"+line+"\n"))...)
			if err == nil || !strings.Contains(out, "SETTINGS: ") || !strings.Contains(out, says) {
				t.Errorf("%s: %s: %v\n%s", script, line, err, out)
			}
		}
	}
	if calls := w.project().Calls; len(calls) > 0 {
		t.Errorf("done all the same: %v", calls)
	}
}

// Cloud Run gets texts, whatever YAML would make of the words.
func TestSettingsAreTexts(t *testing.T) {
	w := newWorld(t)
	w.run("service.sh", w.settingsFile("# a comment\r\n\n  # another\nIP_POLICY: off # said\nIDLE_TIMEOUT: \"1:30\"\nTENANT_ID: \"\"\nPPROF: \"# no\"\r\nIP_PREFIX_V4: 024"))
	const want = "IP_POLICY: \"off\"\nIDLE_TIMEOUT: \"1:30\"\nTENANT_ID: \"\"\nPPROF: \"# no\"\nIP_PREFIX_V4: \"024\"\nFIREBASE_PROJECT_ID: \"demo\"\n"
	if got := w.project().Calls[0].Files["env-vars"]; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSettingsExample(t *testing.T) {
	w := newWorld(t)
	w.run("service.sh", "SETTINGS=settings.example.yaml")
	example, err := os.ReadFile("settings.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := w.project().Calls[0].Files["env-vars"]
	for line := range strings.Lines(string(example)) {
		if line != "\n" && !strings.HasPrefix(line, "#") && !strings.Contains(got, line) {
			t.Errorf("%q is not in %q", line, got)
		}
	}
}

// An event is waited for as long as FEED_RESYNC has the function take.
func TestEventsAreWaitedFor(t *testing.T) {
	for setting, want := range map[string]string{
		"": "90", "15s": "90", "1m30s": "240", "90000": "240", "1500": "64", "4m30s": "600", "08s": "76",
		"4m31s": "at most 4m30s", "1h": "at most 4m30s", "-5s": "1m30s", "1.5s": "1m30s", "1 minute": "1m30s",
	} {
		w := newWorld(t)
		w.change(func(p *project) { p.Exists["firestore databases"], p.Location = true, "eur3" })
		text := ""
		if setting != "" {
			text = `FEED_RESYNC: "` + setting + `"`
		}
		out, err := w.try("functions.sh", append(slices.Clone(parameters), w.settingsFile(text))...)
		calls := w.project().Calls
		if err != nil {
			if !strings.Contains(out, "FEED_RESYNC: ") || !strings.Contains(out, want) || len(calls) > 0 {
				t.Errorf("%s: %v after %d calls\n%s", setting, err, len(calls), out)
			}
			continue
		}
		waits := 0
		for _, c := range calls {
			if got := after(c.Args, "--ack-deadline="); got == want {
				waits++
			} else if got != "" {
				t.Errorf("%s: %s seconds, want %s", setting, got, want)
			}
		}
		if waits != 2 {
			t.Errorf("%s: %d subscriptions wait for %s seconds", setting, waits, want)
		}
	}
	config, err := os.ReadFile("../../cmd/internal/config/config.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(config), `env:"FEED_RESYNC" default:"15s"`) {
		t.Error("the default that functions.sh goes by is another")
	}
}
