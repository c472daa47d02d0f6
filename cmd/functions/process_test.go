package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/identity"
)

// The tests run the real program in processes of its own.

var (
	program    string   // the program under test
	buildFlags []string // -race where the tests have it
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "functions")
	if err == nil {
		program = filepath.Join(dir, "functions")
		var out []byte
		build := append(append([]string{"build"}, buildFlags...), "-o", program, ".")
		if out, err = exec.Command("go", build...).CombinedOutput(); err != nil { //nolint:noctx // go test's timeout covers it
			err = fmt.Errorf("%w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the program under test:", err)
		os.Exit(1)
	}
	code := firestoretest.Run(m)
	_ = os.RemoveAll(dir) // a temporary folder
	os.Exit(code)
}

// patience is how long a test waits for what must come: a failure's delay, not an assertion about speed.
const patience = 30 * time.Second

// process is a running `functions`.
type process struct {
	*testing.T
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer // to be read when it has exited
	exited         chan struct{}
	address        string // host:port
}

// launch starts the program with these settings, variables or flags, on top of an environment without any, credentials included.
func launch(t *testing.T, settings ...string) *process {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{T: t, exited: make(chan struct{}), address: listener.Addr().String()}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(p.address)
	p.cmd = exec.Command(program) //nolint:noctx // killed by the cleanup
	p.cmd.Env = []string{"HOME=" + t.TempDir(), "GOOGLE_APPLICATION_CREDENTIALS=none", "PORT=" + port}
	for _, setting := range settings {
		if strings.HasPrefix(setting, "--") {
			p.cmd.Args = append(p.cmd.Args, setting)
		} else {
			p.cmd.Env = append(p.cmd.Env, setting)
		}
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its state tells
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may be gone
		<-p.exited
		logs := p.stderr.String()
		if strings.Contains(logs, "eyJ") {
			t.Error("a token is in the log")
		}
		if strings.Contains(logs, "DATA RACE") || t.Failed() {
			t.Errorf("log:\n%s", logs)
		}
	})
	return p
}

// emulated starts the program on the emulators and waits until it listens.
func emulated(t *testing.T, settings ...string) *process {
	t.Helper()
	accounts, err := identity.New(identity.Options{ProjectID: "demo-functions"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(accounts)
	t.Cleanup(server.Close)
	p := launch(t, append([]string{
		"FIREBASE_PROJECT_ID=demo-functions", "ALLOW_EMULATORS=true", "FIRESTORE_EMULATOR_HOST=" + firestoretest.Start(t),
		"FIREBASE_AUTH_EMULATOR_HOST=" + strings.TrimPrefix(server.URL, "http://"),
	}, settings...)...)
	p.awaitListening()
	return p
}

func (p *process) awaitListening() {
	p.Helper()
	p.eventually("it listens", func() bool {
		conn, err := new(net.Dialer).DialContext(p.Context(), "tcp", p.address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// eventually waits until something holds, which cannot be any more once the process has ended.
func (p *process) eventually(what string, holds func() bool) {
	p.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if holds() {
			return
		}
		select {
		case <-tick.C:
		case <-p.exited:
			p.Fatalf("ended before this: %s", what)
		}
	}
	p.Fatalf("in vain: %s", what)
}

// exitCode waits for the process to end.
func (p *process) exitCode() int {
	p.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.Fatal("the process does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) terminate() {
	p.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.Fatal(err)
	}
}

// call posts a body and returns the status and the text of the answer.
func (p *process) call(path, body string, header ...string) (int, string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.address+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	for _, each := range header {
		name, value, _ := strings.Cut(each, ": ")
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.Fatal(err)
	}
	return response.StatusCode, string(text)
}
