package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/identity"
	"github.com/vigilhq/vigil/internal/socket"
	"github.com/vigilhq/vigil/internal/wire"
)

// The end-to-end tests run the real program in processes of its own, against the Firestore emulator and a local identity
// server, over real sockets.

var (
	program    string   // the program under test
	functions  string   // the one that Google calls
	buildFlags []string // -race where the tests have it
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vigil")
	if err == nil {
		program, functions = filepath.Join(dir, "vigil"), filepath.Join(dir, "functions")
		var out []byte
		build := append(append([]string{"build"}, buildFlags...), "-o", dir, ".", "../functions")
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
	project := firestoretest.ProjectID(t)
	accounts, err := identity.New(identity.Options{ProjectID: project})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOf(t, project, accounts)
	w.accounts = accounts
	w.createUser("ana", userPass, nil)
	w.createUser("ben", userPass, nil)
	w.createUser("boss", adminPass, map[string]any{"admin": true})
	return w
}

// newWorldOf is a world without users around any server that speaks Firebase Authentication's protocols.
func newWorldOf(t testing.TB, project string, accounts http.Handler) *world {
	w := &world{TB: t, project: project}
	w.identity = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if before := w.before.Load(); before != nil && !(*before)(r) {
			panic(http.ErrAbortHandler)
		}
		accounts.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.identity.Close)
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
	within(t, patience, what, holds)
}

func within(t testing.TB, patience time.Duration, what string, holds func() bool) {
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
