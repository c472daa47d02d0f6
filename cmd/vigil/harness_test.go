package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/handlers/openapitest"
	"github.com/vigilhq/vigil/internal/identity"
	"github.com/vigilhq/vigil/internal/socket"
	"github.com/vigilhq/vigil/internal/wire"
)

// The end-to-end tests run the real program in processes of its own, against the Firestore emulator and a local identity
// server, over real sockets.

var (
	program    string   // the program under test
	buildFlags []string // -race where the tests have it
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vigil")
	if err == nil {
		program = filepath.Join(dir, "vigil")
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

// world is what the instances of a test share.
type world struct {
	testing.TB
	project  string
	accounts *identity.Server
	identity *httptest.Server
	// before is called with every request to the identity server; it may keep it waiting, or refuse it by reporting false.
	before atomic.Pointer[func(*http.Request) bool]
}

const adminPass, userPass = "an admin's password", "a user's password"

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, project: firestoretest.ProjectID(t)}
	var err error
	if w.accounts, err = identity.New(identity.Options{ProjectID: w.project}); err != nil {
		t.Fatal(err)
	}
	w.identity = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if before := w.before.Load(); before != nil && !(*before)(r) {
			panic(http.ErrAbortHandler)
		}
		w.accounts.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.identity.Close)
	w.createUser("ana", userPass, nil)
	w.createUser("ben", userPass, nil)
	w.createUser("boss", adminPass, map[string]any{"admin": true})
	return w
}

func (w *world) createUser(uid, password string, claims map[string]any) {
	w.Helper()
	_, err := w.accounts.CreateUser(identity.NewUser{UID: uid, Email: uid + "@example.com", Password: password, Claims: claims})
	if err != nil {
		w.Fatal(err)
	}
}

// intercept has every request to the identity server seen first; nil: no more.
func (w *world) intercept(before func(*http.Request) bool) {
	if before == nil {
		w.before.Store(nil)
		return
	}
	w.before.Store(&before)
}

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
	p := launch(w.TB, w, append([]string{"serve"}, flags...), append([]string{
		"FIREBASE_PROJECT_ID=" + w.project, "ALLOW_EMULATORS=true", "FIRESTORE_EMULATOR_HOST=" + firestoreHost,
		"FIREBASE_AUTH_EMULATOR_HOST=" + strings.TrimPrefix(w.identity.URL, "http://"),
		"ALLOWED_ORIGINS=https://dashboard.example.com",
	}, settings...)...)
	p.awaitReady()
	return p
}

// awaitReady waits until the instance tells its address and says that it is ready.
func (p *process) awaitReady() {
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
	eventually(p.TB, "the instance is ready", func() bool {
		response, err := http.Get(p.api + "/readyz") //nolint:noctx // bounded by eventually
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
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

// user is a signed-in user: what a browser holds.
type user struct {
	*world
	browser
}

// signIn signs a user in, in a second of its own: without a sid claim the second names the sign-in.
func (w *world) signIn(uid, password string) *user {
	w.Helper()
	nextSecond()
	u := &user{world: w, browser: browser{identity: w.identity.URL, key: "test", email: uid + "@example.com", password: password}}
	if err := u.browser.signIn(w.Context()); err != nil {
		w.Fatal(err)
	}
	return u
}

// renewed returns a token refreshed from the held one, or the held one where that is refused.
func (u *user) renewed() string {
	if err := u.refresh(u.Context(), true); err != nil {
		return u.idToken
	}
	return u.idToken
}

// register begins the user's session and returns its id.
func (u *user) register(p *process) string {
	u.Helper()
	return p.want(http.StatusCreated, "", http.MethodPost, "/v1/sessions", u.idToken, nil).id()
}

// tab is an open socket. Its frames are read all the time.
type tab struct {
	testing.TB
	client *socket.Client
	frames chan map[string]any
	closed chan wire.CloseCode // 0: lost without a word
	at     atomic.Int64        // of the close: Unix nanoseconds
}

// dial opens a socket that says nothing.
func (p *process) dial() *tab {
	p.Helper()
	client, err := socket.Dial(p.Context(), "ws"+strings.TrimPrefix(p.api, "http")+"/v1/ws", "https://dashboard.example.com")
	if err != nil {
		p.Fatal(err)
	}
	t := &tab{TB: p.TB, client: client, frames: make(chan map[string]any, 100), closed: make(chan wire.CloseCode, 1)}
	p.Cleanup(func() { _ = client.Close() })
	go t.read()
	return t
}

func (u *user) open(p *process) *tab {
	u.Helper()
	t := p.dial()
	t.send(wire.Request{Type: wire.TypeAuth, Token: u.idToken})
	return t
}

// connect opens a socket and waits until it is ready.
func (u *user) connect(p *process) *tab {
	u.Helper()
	t := u.open(p)
	t.want(wire.TypeReady)
	return t
}

func (t *tab) read() {
	for {
		frame, err := t.client.Read()
		if err != nil {
			t.at.Store(time.Now().UnixNano())
			var closed *socket.ClosedError
			if errors.As(err, &closed) {
				t.closed <- closed.Code
			} else {
				t.closed <- 0
			}
			return
		}
		var f map[string]any
		if json.Unmarshal(frame, &f) == nil {
			t.frames <- f
		}
	}
}

func (t *tab) send(message any) {
	t.Helper()
	if err := t.client.Write(message); err != nil {
		t.Fatal(err)
	}
}

// want waits for a frame of this type, past news of other sessions.
func (t *tab) want(want wire.Type) map[string]any {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case f := <-t.frames:
			switch f["type"] {
			case string(want):
				return f
			case string(wire.TypeSessionStarted), string(wire.TypeSessionClosed):
			default:
				t.Fatalf("received %v, want %s", f, want)
			}
		case <-timeout:
			t.Fatalf("no %s", want)
		}
	}
}

// wantClose waits for the close.
func (t *tab) wantClose(code wire.CloseCode) {
	t.Helper()
	select {
	case got := <-t.closed:
		if got != code {
			t.Fatalf("closed with %d, want %d", got, code)
		}
	case <-time.After(patience):
		t.Fatalf("not closed, want %d", code)
	}
}

// wantEnd waits for session_revoked with the reason, and then the close.
func (t *tab) wantEnd(reason string, code wire.CloseCode) {
	t.Helper()
	if f := t.want(wire.TypeSessionRevoked); f["reason"] != reason {
		t.Fatalf("revoked for %v, want %s", f["reason"], reason)
	}
	t.wantClose(code)
}

// stillOpen makes sure that the socket answers.
func (t *tab) stillOpen() {
	t.Helper()
	t.send(wire.Request{Type: wire.TypePing})
	t.want(wire.TypePong)
}

// nextSecond waits for the wall clock's next second.
func nextSecond() {
	now := time.Now()
	<-time.After(now.Truncate(time.Second).Add(time.Second).Sub(now) + 5*time.Millisecond)
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if holds() {
			return
		}
	}
	t.Fatalf("in vain: %s", what)
}
