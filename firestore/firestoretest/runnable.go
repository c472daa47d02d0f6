package firestoretest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// RunnableJar writes a jar into dir that `java -jar` starts the emulator from, and returns its path. The emulator's own jar in the
// Google Cloud SDK has no main class, and the Firebase CLI starts only jars that have one.
func RunnableJar(dir string) (string, error) {
	jar, err := findJar()
	if err != nil {
		return "", err
	}
	if jar, err = filepath.Abs(jar); err != nil {
		return "", err
	}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	entry, err := w.Create("META-INF/MANIFEST.MF")
	if err != nil {
		return "", err
	}
	if _, err := entry.Write([]byte(manifest(jar))); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "cloud-firestore-emulator.jar")
	if err := os.WriteFile(path, archive.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("firestoretest: %w", err)
	}
	return path, nil
}

// manifest names the main class and another jar to take it from. A line of a manifest has at most 72 bytes, and goes on in the next
// one after a space (JAR File Specification).
func manifest(jar string) string {
	const longest = 72
	var lines strings.Builder
	for _, line := range []string{
		"Manifest-Version: 1.0",
		"Main-Class: " + mainClass,
		"Class-Path: " + (&url.URL{Scheme: "file", Path: filepath.ToSlash(jar)}).String(),
	} {
		for len(line) > longest {
			lines.WriteString(line[:longest] + "\r\n")
			line = " " + line[longest:]
		}
		lines.WriteString(line + "\r\n")
	}
	return lines.String()
}
