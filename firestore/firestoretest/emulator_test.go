package firestoretest

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestEmulator(t *testing.T) {
	e := New(t)
	host := e.Host()
	wantAnswer(t, host, true)
	e.Kill()
	e.Kill()
	wantAnswer(t, host, false)
	e.Restart(t)
	if e.Host() != host {
		t.Errorf("after the restart at %s, before at %s", e.Host(), host)
	}
	wantAnswer(t, host, true)
}

func TestStart(t *testing.T) {
	host := Start(t)
	wantAnswer(t, host, true)
	if again := Start(t); again != host {
		t.Errorf("a second test gets %s, the first got %s", again, host)
	}
}

func wantAnswer(t *testing.T, host string, want bool) {
	t.Helper()
	if got := answers(t.Context(), "http://"+host); got != want {
		t.Errorf("%s answers: %t", host, got)
	}
}

func TestLaunchFails(t *testing.T) {
	if _, err := launch("--rules=/nowhere"); err == nil {
		t.Error("rules that do not exist start an emulator")
	}
	missing := filepath.Join(t.TempDir(), "missing.jar")
	t.Setenv("FIRESTORE_EMULATOR_JAR", missing)
	if _, err := launch(); err == nil || !strings.Contains(err.Error(), missing) || strings.Contains(err.Error(), "\n") {
		t.Errorf("a jar that does not exist: %v", err)
	}
	t.Setenv("FIRESTORE_EMULATOR_JAR", "")
	t.Setenv("PATH", t.TempDir()) // neither java nor a shell
	if _, err := launch(); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("no way to find a jar: %v", err)
	}
	if answers(context.Background(), ":") {
		t.Error("what is no address answers")
	}
}
