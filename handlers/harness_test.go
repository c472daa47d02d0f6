package handlers_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/handlers/openapitest"
	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

const (
	ana    session.UserID = "ana"
	bob    session.UserID = "bob"
	boss   session.UserID = "boss" // an admin
	origin                = "https://app.example.com"
)

// world is the edge on top of the real domain, with a store and a directory that can be made to fail.
type world struct {
	t        *testing.T
	dir      *sessiontest.Directory
	editor   session.Editor  // nil: dir
	archive  session.Archive // nil: store
	store    *store
	inbox    *session.Inbox
	registry *session.Registry
	settings session.Settings
	options  handlers.Options
	log      *buffer
	tokens   []string
	handler  http.Handler
}

// inWorld runs a test in a bubble with a world in it, changed by the changes before it is built.
func inWorld(t *testing.T, test func(*world), changes ...func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newWorld(t, changes...)) })
}

func newWorld(t *testing.T, changes ...func(*world)) *world {
	t.Helper()
	clock := session.NewClock()
	w := &world{t: t, dir: sessiontest.NewDirectory(), store: &store{Store: memory.Open(clock)}, log: &buffer{}}
	w.settings = session.Settings{
		Policy: session.Policy{
			IdleTimeout: 30 * time.Minute, IdleWarning: 2 * time.Minute, Lifetime: 12 * time.Hour,
			TouchInterval: 5 * time.Minute, ReauthMaxAge: 5 * time.Minute, Retention: 720 * time.Hour,
			MaxSessions: 5, LimitPolicy: session.LimitEvict, IPPolicy: session.IPWarn, IPv4: 32, IPv6: 64,
		},
		AdminClaim: "admin", UserStateTTL: 5 * time.Minute, FeedResync: 15 * time.Second,
	}
	w.inbox = session.NewInbox(1000 * time.Hour)
	w.inbox.Prove(time.Now())
	w.options = handlers.Options{
		OriginAllowed:  func(o string) bool { return o == origin },
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")},
		Log:            slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, change := range changes {
		change(w)
	}
	if w.editor == nil {
		w.editor = w.dir
	}
	if w.archive == nil {
		w.archive = w.store
	}
	w.registry = session.NewRegistry(w.settings, session.Ports{
		Store: w.store, Users: w.store, Publisher: w.store, Archive: w.archive, Trail: w.store, Jobs: w.store,
		Accounts: w.dir, Editor: w.editor, Clock: clock, Inbox: w.inbox,
		After: func(d time.Duration, f func()) { time.AfterFunc(d, f) },
		Log:   slog.New(slog.DiscardHandler),
	})
	w.options.Registry, w.options.Gate = w.registry, session.NewGate(w.registry, w.dir)
	w.handler = handlers.New(w.options)
	w.dir.Change(boss, func(a *session.Account) { a.Claims = map[string]any{"admin": true} })
	t.Cleanup(func() {
		for _, token := range w.tokens {
			if strings.Contains(w.log.String(), token) {
				t.Error("a token is in the log")
			}
		}
	})
	return w
}

// signIn signs in at least a second after whatever was before: another sign-in, and so another session.
func (w *world) signIn(uid session.UserID) string {
	<-time.After(time.Second)
	token := w.dir.SignIn(uid)
	w.tokens = append(w.tokens, token)
	return token
}

// live signs in and registers.
func (w *world) live(uid session.UserID) string {
	w.t.Helper()
	token := w.signIn(uid)
	w.do("POST", "/v1/sessions", token).want(http.StatusCreated)
	return token
}

func (w *world) id(token string) string { return string(w.dir.Identity(token).SessionID) }

type edit func(*http.Request)

func header(name, value string) edit {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func from(peer string) edit { return func(r *http.Request) { r.RemoteAddr = peer } }

func body(s string) edit {
	return func(r *http.Request) {
		with := httptest.NewRequestWithContext(r.Context(), r.Method, "/", strings.NewReader(s))
		r.Body, r.ContentLength = with.Body, with.ContentLength
	}
}

// do sends a request, with the token unless it is empty, and checks of the answer what holds for every answer.
func (w *world) do(method, target, token string, edits ...edit) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, target, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, change := range edits {
		change(r)
	}
	sent := new(bytes.Buffer)
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, sent), r.Body}
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	document(w.t).Check(w.t, openapitest.Exchange{
		Request: r, RequestBody: sent.Bytes(), Status: recorder.Code, Header: recorder.Header(), Body: recorder.Body.Bytes(),
	})
	a := answer{w.t, method + " " + target, recorder.Code, recorder.Header(), recorder.Body.Bytes()}
	a.checkCommon(token)
	return a
}

var parseDocument = sync.OnceValues(func() (*openapitest.Document, error) { return openapitest.Parse(handlers.OpenAPI()) })

// document is the description that every exchange is held to.
func document(t *testing.T) *openapitest.Document {
	t.Helper()
	d, err := parseDocument()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// answer is what came back.
type answer struct {
	t      *testing.T
	what   string
	code   int
	header http.Header
	body   []byte
}

func (a answer) checkCommon(token string) {
	a.t.Helper()
	if id := a.header.Get("X-Request-Id"); id == "" || len(id) > 64 {
		a.t.Errorf("%s: X-Request-Id is %q", a.what, id)
	}
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		a.t.Errorf("%s: Cache-Control is %q", a.what, got)
	}
	if !slices.Contains(a.header.Values("Vary"), "Origin") {
		a.t.Errorf("%s: Vary does not name Origin", a.what)
	}
	if a.header.Get("Access-Control-Allow-Credentials") != "" {
		a.t.Errorf("%s: credentials are allowed", a.what)
	}
	if (a.code == http.StatusUnauthorized) != (a.header.Get("WWW-Authenticate") != "") {
		a.t.Errorf("%s: %d with WWW-Authenticate %q", a.what, a.code, a.header.Get("WWW-Authenticate"))
	}
	if (a.code == http.StatusServiceUnavailable || a.code == http.StatusTooManyRequests) != (a.header.Get("Retry-After") != "") {
		a.t.Errorf("%s: %d with Retry-After %q", a.what, a.code, a.header.Get("Retry-After"))
	}
	if token != "" && bytes.Contains(a.body, []byte(token)) {
		a.t.Errorf("%s: the token is in the answer", a.what)
	}
	want := "application/json"
	switch {
	case len(a.body) == 0:
		want = ""
	case a.code >= 400 && a.what != "GET /readyz":
		want = "application/problem+json"
	}
	if got := a.header.Get("Content-Type"); got != want {
		a.t.Errorf("%s: %d with Content-Type %q, want %q", a.what, a.code, got, want)
	}
}

// want checks the status.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.code != status {
		a.t.Fatalf("%s: got %d, want %d: %s", a.what, a.code, status, a.body)
	}
	return a
}

// object reads the body, strictly an object.
func (a answer) object() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.body, &v); err != nil || v == nil {
		a.t.Fatalf("%s: %d with a body that is no object: %s", a.what, a.code, a.body)
	}
	return v
}

// problem checks that the answer is this problem and returns it.
func (a answer) problem(status int, code session.Code) map[string]any {
	a.t.Helper()
	p := a.want(status).object()
	want := map[string]any{"type": "urn:vigil:problem:" + string(code), "status": float64(status), "code": string(code),
		"requestId": a.header.Get("X-Request-Id")}
	for name, value := range want {
		if p[name] != value {
			a.t.Errorf("%s: %s is %v, want %v", a.what, name, p[name], value)
		}
	}
	if p["title"] == "" || p["detail"] == "" {
		a.t.Errorf("%s: no title or no detail: %s", a.what, a.body)
	}
	return p
}

// faults checks that the answer is invalid_request for exactly these fields, in any order.
func (a answer) faults(fields ...string) {
	a.t.Helper()
	p := a.problem(http.StatusBadRequest, session.CodeInvalidRequest)
	var got []string
	list, _ := p["errors"].([]any)
	for _, each := range list {
		each, _ := each.(map[string]any)
		if text, _ := each["message"].(string); text == "" {
			a.t.Errorf("%s: a fault without a message: %s", a.what, a.body)
		}
		name, _ := each["field"].(string)
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(fields)
	if !slices.Equal(got, fields) {
		a.t.Errorf("%s: faults %q, want %q", a.what, got, fields)
	}
}

// keys checks the names of an object's members.
func keys(t *testing.T, object map[string]any, want ...string) {
	t.Helper()
	var got []string
	for name := range object {
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("members %q, want %q", got, want)
	}
}

func objects(t *testing.T, list any) []map[string]any {
	t.Helper()
	all, ok := list.([]any)
	if !ok {
		t.Fatalf("not a list: %v", list)
	}
	found := make([]map[string]any, len(all))
	for i := range all {
		found[i], _ = all[i].(map[string]any)
	}
	return found
}

// buffer is a log that may be written and read at once.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// last returns the last line of the log.
func (b *buffer) last(t *testing.T) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	var v map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
