package firebasetest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/tied"
)

func TestMain(m *testing.M) { Main(m) }

// oneLine fails unless an error has these words and no second line.
func oneLine(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want one line with %q, got: %v", word, err)
		}
	}
}

func launchFails(t *testing.T, options Options, words ...string) {
	t.Helper()
	e, err := Launch(t.Context(), options)
	if err == nil {
		e.Stop()
	}
	oneLine(t, err, words...)
}

func program(t *testing.T, folder, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsMissingIsSaidInOneLine(t *testing.T) {
	t.Run("emulator of Firestore", func(t *testing.T) {
		missing := filepath.Join(t.TempDir(), "missing.jar")
		t.Setenv("FIRESTORE_EMULATOR_JAR", missing)
		launchFails(t, Options{Firestore: true, FreePorts: true}, missing)
	})
	t.Run("Java", func(t *testing.T) {
		path := t.TempDir()
		program(t, path, "node", "echo v20.0.0")
		for _, tool := range []string{"/bin/sh", "/usr/bin/sed", "/usr/bin/head", "/usr/bin/dirname"} {
			if err := os.Symlink(tool, filepath.Join(path, filepath.Base(tool))); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", path)
		t.Setenv("FIRESTORE_EMULATOR_JAR", "")
		launchFails(t, Options{Firestore: true, FreePorts: true}, "no Java")
	})
	t.Run("the CLI", func(t *testing.T) {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "go.mod"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Chdir(folder)
		launchFails(t, Options{}, "the Firebase CLI is not installed", "npm ci --ignore-scripts", "tools/firebase")
	})
	t.Run("the repository", func(t *testing.T) {
		t.Chdir("/")
		launchFails(t, Options{}, "no go.mod")
	})
	t.Run("Node.js", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		launchFails(t, Options{}, "there is no Node.js", "npm ci --ignore-scripts")
	})
	for name, test := range map[string]struct{ script, word string }{
		"a newer Node.js":       {"echo v18.20.4", "Node.js v18.20.4 is too old"},
		"a Node.js that works":  {"exit 1", "node --version"},
		"a version of Node.js ": {"echo nonsense", "nonsense is too old"},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			program(t, path, "node", test.script)
			t.Setenv("PATH", path)
			launchFails(t, Options{}, test.word, "Node.js 20 or newer")
		})
	}
}

// An end of the context while the emulators start leaves nothing behind.
func TestLaunchEndsWithItsContext(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e, err := Launch(ctx, Options{FreePorts: true}); err == nil {
		e.Stop()
		t.Error("it starts")
	}
	if left, err := os.ReadDir(os.TempDir()); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A CLI that does not end when it is told to is killed, and Java with it, which has no other parent: also before anything answers.
func TestNothingOutlivesAStubbornCLI(t *testing.T) {
	folder := t.TempDir()
	alive := filepath.Join(folder, "alive") // what stands in for Java holds its other end for as long as it lives
	if err := syscall.Mkfifo(alive, 0o600); err != nil {
		t.Fatal(err)
	}
	program(t, folder, "node", "trap '' TERM\nsleep 60 >'"+alive+"' 2>&1 &\nwait")
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	e, started := &Emulators{folder: t.TempDir(), output: &tied.Tail{}}, make(chan error, 1)
	go func() {
		started <- e.start(ctx, cli{root: root, node: filepath.Join(folder, "node")}, Options{FreePorts: true})
	}()
	java, err := os.Open(alive) // when it has started
	if err != nil {
		t.Fatal(err)
	}
	defer java.Close()
	cancel()
	if err := <-started; !errors.Is(err, context.Canceled) {
		t.Errorf("started: %v", err)
	}
	e.end(0)
	if err := java.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := java.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("Java lives: %v", err)
	}
}

func shipped(t *testing.T, options Options) config {
	t.Helper()
	c, err := readConfig(t.Context(), "../../firebase.json", options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The service listens on 127.0.0.1:8080, its metrics are at 9464, and what `vigil dev` has at 9099 is where the SDKs' examples have it.
func TestShippedConfiguration(t *testing.T) {
	c := shipped(t, Options{})
	if c.host("auth") != "127.0.0.1:9099" || c.host("firestore") != "127.0.0.1:8081" {
		t.Errorf("auth at %s, firestore at %s", c.host("auth"), c.host("firestore"))
	}
	if _, ok := c.all["functions"]; ok {
		t.Error("the CLI can neither emulate nor deploy functions in Go")
	}
	if path, err := c.file(t.TempDir()); path != "../../firebase.json" || err != nil {
		t.Errorf("the configuration is %s, %v", path, err)
	}
}

func TestConfigurationOnFreePorts(t *testing.T) {
	c := shipped(t, Options{FreePorts: true})
	folder := t.TempDir()
	path, err := c.file(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rules/firestore.rules", "rules/firestore.indexes.json"} {
		want, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(folder, name)); string(got) != string(want) || err != nil {
			t.Errorf("%s is not the shipped one: %v", name, err)
		}
	}
	moved, err := readConfig(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, emulator := range []string{"auth", "firestore"} {
		if moved.host(emulator) != c.host(emulator) || moved.host(emulator) == shipped(t, Options{}).host(emulator) {
			t.Errorf("%s at %s", emulator, moved.host(emulator))
		}
	}
	if err := c.vacant(t.Context(), []string{"auth"}); err != nil {
		t.Error(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", c.host("auth"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = c.vacant(t.Context(), []string{"firestore", "auth"})
	oneLine(t, err, c.host("auth"), "is taken")
	if !taken(err) || !taken(errors.New("Could not start Authentication Emulator, port taken.")) || taken(errors.New("anything else")) {
		t.Error("a port that is taken is not known as such")
	}
}

func TestConfigurationsThatAreNone(t *testing.T) {
	const emulators = `"emulators":{"auth":{"host":"127.0.0.1","port":1},"firestore":{"host":"127.0.0.1","port":2}}`
	for name, text := range map[string]string{
		"no JSON":          `{`,
		"no emulators":     `{}`,
		"no Firestore":     `{"emulators":{"auth":{"host":"127.0.0.1","port":1}}}`,
		"no rules":         `{` + emulators + `}`,
		"no indexes":       `{"firestore":{"rules":"firebase.json"},` + emulators + `}`,
		"rules of nothing": `{"firestore":{"rules":"nothing","indexes":"nothing"},` + emulators + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "firebase.json")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := readConfig(t.Context(), path, Options{FreePorts: true})
			if err == nil {
				_, err = c.file(folder)
			}
			oneLine(t, err, "firebasetest: ")
		})
	}
	if _, err := readConfig(t.Context(), "/nowhere/firebase.json", Options{}); err == nil {
		t.Error("a file that does not exist is a configuration")
	}
}
