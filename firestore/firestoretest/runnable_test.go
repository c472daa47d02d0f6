package firestoretest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunnableJar(t *testing.T) {
	jar, err := RunnableJar(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// Without a main class Java says so. The emulator says what it cannot read, and ends.
	out, err := exec.CommandContext(t.Context(), "java", "-jar", jar, "--rules=/nowhere").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "/nowhere") {
		t.Errorf("java -jar: %v\n%s", err, out)
	}

	t.Setenv("FIRESTORE_EMULATOR_JAR", filepath.Join(t.TempDir(), "missing.jar"))
	if _, err := RunnableJar(t.TempDir()); err == nil {
		t.Error("a jar that does not exist can be run")
	}
	t.Setenv("FIRESTORE_EMULATOR_JAR", jar)
	if _, err := RunnableJar(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a jar is written into a folder that does not exist")
	}
}

func TestManifest(t *testing.T) {
	path := "/" + strings.Repeat("a folder/", 12) + "emulator.jar"
	text := manifest(path)
	for line := range strings.Lines(text) {
		if len(strings.TrimSuffix(line, "\r\n")) > 72 {
			t.Errorf("%d bytes: %q", len(line), line)
		}
	}
	want := "Class-Path: file://" + strings.ReplaceAll(path, " ", "%20") + "\r\n"
	if unfolded := strings.ReplaceAll(text, "\r\n ", ""); !strings.HasSuffix(unfolded, want) {
		t.Errorf("got %q, want it to end in %q", unfolded, want)
	}
}
