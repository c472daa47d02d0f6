package firebasetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// cliFolder is where the Firebase CLI is pinned, below the repository's root.
const cliFolder = "tools/firebase"

const oldestNode = 20

// cli is the installed Firebase CLI.
type cli struct{ root, node, script string }

func findCLI(ctx context.Context) (cli, error) {
	const need = "the official emulators need Node.js 20 or newer and `npm ci --ignore-scripts` in " + cliFolder +
		"; `make run-emulators` and `make test-official-emulators` install the latter"
	root, err := moduleRoot()
	if err != nil {
		return cli{}, err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return cli{}, errors.New("firebasetest: there is no Node.js: " + need)
	}
	version, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return cli{}, fmt.Errorf("firebasetest: node --version: %w: %s", err, need)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestNode {
		return cli{}, fmt.Errorf("firebasetest: Node.js %s is too old: %s", strings.TrimSpace(string(version)), need)
	}
	script := filepath.Join(root, cliFolder, "node_modules/firebase-tools/lib/bin/firebase.js")
	if _, err := os.Stat(script); err != nil {
		return cli{}, errors.New("firebasetest: the Firebase CLI is not installed: " + need)
	}
	return cli{root: root, node: node, script: script}, nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("firebasetest: no go.mod above the working directory")
		}
	}
}

// config is a firebase.json.
type config struct {
	path      string
	all       map[string]any
	emulators map[string]any
	moved     bool // not as it is in its file
}

// readConfig reads a firebase.json, and moves its emulators to free ports if that is asked for.
func readConfig(ctx context.Context, path string, options Options) (config, error) {
	c := config{path: path}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &c.all)
	}
	if err != nil {
		return config{}, fmt.Errorf("firebasetest: read firebase.json: %w", err)
	}
	c.emulators, _ = c.all["emulators"].(map[string]any)
	if c.host("auth") == "" || c.host("firestore") == "" {
		return config{}, errors.New("firebasetest: firebase.json gives no host and port for the emulators of auth and firestore")
	}
	if !options.FreePorts {
		return c, nil
	}
	ports, err := freePorts(ctx, 5)
	if err != nil {
		return config{}, err
	}
	c.moved = true
	c.emulators["auth"].(map[string]any)["port"] = ports[0]
	firestore := c.emulators["firestore"].(map[string]any)
	firestore["port"], firestore["websocketPort"] = ports[1], ports[2]
	c.emulators["hub"] = map[string]any{"host": "127.0.0.1", "port": ports[3]}
	c.emulators["logging"] = map[string]any{"host": "127.0.0.1", "port": ports[4]}
	return c, nil
}

// host is the address of an emulator, host:port, empty if it is not configured.
func (c config) host(emulator string) string {
	e, _ := c.emulators[emulator].(map[string]any)
	host, _ := e["host"].(string)
	switch port := e["port"].(type) {
	case float64:
		return net.JoinHostPort(host, strconv.Itoa(int(port)))
	case int:
		return net.JoinHostPort(host, strconv.Itoa(port))
	}
	return ""
}

var errTaken = errors.New("is taken: another emulator runs, or `make run`")

// vacant fails with errTaken when somebody listens where one of the emulators is to be.
func (c config) vacant(ctx context.Context, emulators []string) error {
	for _, emulator := range emulators {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.host(emulator))
		if err != nil {
			return fmt.Errorf("firebasetest: %s, where firebase.json has the emulator of %s, %w", c.host(emulator), emulator, errTaken)
		}
		_ = l.Close()
	}
	return nil
}

// file returns the path of a file with this configuration: the one that it was read from, or a copy in folder. The CLI takes no rules
// from outside of the folder of its configuration, so these are copied too.
func (c config) file(folder string) (string, error) {
	if !c.moved {
		return c.path, nil
	}
	firestore, _ := c.all["firestore"].(map[string]any)
	for _, key := range []string{"rules", "indexes"} {
		name, ok := firestore[key].(string)
		if !ok {
			return "", fmt.Errorf("firebasetest: firebase.json names no %s of firestore", key)
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(c.path), name))
		if err != nil {
			return "", fmt.Errorf("firebasetest: firestore's %s: %w", key, err)
		}
		to := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, text, 0o600)); err != nil {
			return "", fmt.Errorf("firebasetest: %w", err)
		}
	}
	text, err := json.Marshal(c.all)
	if err != nil {
		return "", fmt.Errorf("firebasetest: %w", err)
	}
	path := filepath.Join(folder, "firebase.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return "", fmt.Errorf("firebasetest: %w", err)
	}
	return path, nil
}

// freePorts returns ports that nobody listens on now.
func freePorts(ctx context.Context, n int) (ports []int, err error) {
	for range n {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("firebasetest: no free port: %w", err)
		}
		defer func() { _ = l.Close() }() // held until all are known, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
