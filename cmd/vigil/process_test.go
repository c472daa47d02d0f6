package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/handlers/openapitest"
)

// process is a running `vigil`.
type process struct {
	*world
	cmd    *exec.Cmd
	api    string // base URL
	stdout lockedBuffer
	stderr lockedBuffer
	exited chan struct{}
}

// lockedBuffer is what a process has printed so far.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// launch starts the program with these arguments and settings, on top of an environment without any.
func launch(t testing.TB, w *world, args []string, settings ...string) *process {
	t.Helper()
	return launchProgram(t, w, program, args, settings...)
}

func launchProgram(t testing.TB, w *world, program string, args []string, settings ...string) *process {
	t.Helper()
	p := &process{world: w, exited: make(chan struct{})}
	p.cmd = exec.Command(program, args...) //nolint:noctx // killed by the cleanup
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "ADDR=127.0.0.1:0", "OPS_ADDR=127.0.0.1:0", "LOG_FORMAT=json", "LOG_LEVEL=debug"}, settings...)
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
			t.Error("14.2.1, 16.2.5: a token is in the log")
		}
		if strings.Contains(logs, "DATA RACE") || t.Failed() {
			t.Errorf("log of %v:\n%s", args, logs)
		}
	})
	return p
}

// serve starts an instance of the service on the store at firestoreHost and waits until it is ready.
func (w *world) serve(firestoreHost string, settings ...string) *process {
	w.Helper()
	return w.serveWith(nil, firestoreHost, settings...)
}

// serveWith is serve with flags.
func (w *world) serveWith(flags []string, firestoreHost string, settings ...string) *process {
	w.Helper()
	p := launch(w.TB, w, append([]string{"serve"}, flags...), append(w.settings(firestoreHost), settings...)...)
	p.awaitReady()
	return p
}

// settings have a program take part in this world, with the store at firestoreHost.
func (w *world) settings(firestoreHost string) []string {
	return []string{
		"FIREBASE_PROJECT_ID=" + w.project, "ALLOW_EMULATORS=true", "FIRESTORE_EMULATOR_HOST=" + firestoreHost,
		"FIREBASE_AUTH_EMULATOR_HOST=" + strings.TrimPrefix(w.identity.URL, "http://"),
		"ALLOWED_ORIGINS=https://dashboard.example.com",
	}
}

// awaitReady waits until the instance tells its address and says that it is ready.
func (p *process) awaitReady() {
	p.Helper()
	if p.api == "" {
		p.awaitAddress()
	}
	eventually(p.TB, "the instance is ready", func() bool {
		response, err := http.Get(p.api + "/readyz") //nolint:noctx // bounded by eventually
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (p *process) awaitAddress() {
	p.Helper()
	eventually(p.TB, "the instance serves", func() bool {
		for line := range strings.Lines(p.stderr.String()) {
			var entry struct{ Message, Address string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Message == "serving" {
				p.api = "http://" + entry.Address
			}
		}
		return p.api != ""
	})
}

// wait waits for the process to end and returns its exit code.
func (p *process) wait() int {
	p.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.Fatal("the process does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(s syscall.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Fatal(err)
	}
}

// document is the description that every answer is held to.
var document = sync.OnceValues(func() (*openapitest.Document, error) { return openapitest.Parse(handlers.OpenAPI()) })

// answer is a response of the API.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func (a answer) text(field string) string { s, _ := a.body[field].(string); return s }

// id is the id of the session in the answer.
func (a answer) id() string {
	s, _ := a.body["session"].(map[string]any)
	id, _ := s["id"].(string)
	return id
}

// call makes a request, with a JSON body unless it is nil.
func (p *process) call(method, path, token string, body any, edits ...func(*http.Request)) answer {
	p.Helper()
	a, err := p.tryCall(method, path, token, body, edits...)
	if err != nil {
		p.Fatal(err)
	}
	return a
}

func (p *process) tryCall(method, path, token string, body any, edits ...func(*http.Request)) (answer, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return answer{}, err
		}
	}
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, p.api+path, bytes.NewReader(payload))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	for _, edit := range edits {
		edit(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode, header: response.Header}
	got, err := io.ReadAll(response.Body)
	if err != nil {
		return a, err
	}
	d, err := document()
	if err != nil {
		return a, err
	}
	d.Check(p, openapitest.Exchange{Request: r, RequestBody: payload, Status: a.status, Header: a.header, Body: got})
	if len(got) > 0 {
		err = json.Unmarshal(got, &a.body)
	}
	return a, err
}

// want makes a request and expects a status and, for an error, its code.
func (p *process) want(status int, code, method, path, token string, body any, edits ...func(*http.Request)) answer {
	p.Helper()
	a := p.call(method, path, token, body, edits...)
	if a.status != status || a.text("code") != code {
		p.Fatalf("%s %s: %d %v, want %d %s", method, path, a.status, a.body, status, code)
	}
	return a
}
