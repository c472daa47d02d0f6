package socket

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestMain(m *testing.M) {
	if what := os.Getenv(childKey); what != "" {
		childMain(what)
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	dashboard  = "https://dashboard.example.com"
	url        = "ws://vigil.test/v1/ws"
	ipHeader   = "X-Test-Ip" // names the client's address, as the handlers would find it
	home       = "203.0.113.7"
	feedResync = 15 * time.Second
)

var (
	policy = session.Policy{
		IdleTimeout: 30 * time.Minute, IdleWarning: 2 * time.Minute, Lifetime: 12 * time.Hour,
		TouchInterval: 5 * time.Minute, ReauthMaxAge: 5 * time.Minute, Retention: 720 * time.Hour,
		MaxSessions: 5, LimitPolicy: session.LimitEvict,
	}
	options = live.Options{
		HeartbeatInterval: 30 * time.Second, DisconnectTimeout: time.Minute, TokenCheckInterval: 5 * time.Minute,
		MaxTokenAge: time.Hour, AuthTimeout: 10 * time.Second, ReauthGrace: 10 * time.Second, SocketsPerSession: 1000,
	}
	ping = wire.Request{Type: wire.TypePing}
)

// world is an instance behind a real HTTP server, and the network to it.
type world struct {
	*testing.T
	accounts *sessiontest.Directory
	store    *sessiontest.Outage
	inbox    *session.Inbox
	registry *session.Registry
	gate     *session.Gate
	hub      *live.Hub
	server   *Server
	addr     net.Addr // of the listener
	dial     func(context.Context) (net.Conn, error)
	drain    func() // the hub, once
	counts   *counts
	returned chan error // of each request whose handler has returned
}

// onLoopback runs f over TCP.
func onLoopback(t *testing.T, f func(w *world)) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f(start(t, listener, func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}))
}

// inBubble runs f over connections without any buffer, in a bubble where time passes only when everybody waits.
func inBubble(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		f(start(t, listener, listener.dial))
	})
}

// pipes is a listener in memory.
type pipes struct {
	accept chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{accept: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) dial(context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.accept <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func start(t *testing.T, listener net.Listener, dial func(context.Context) (net.Conn, error)) *world {
	log := slog.New(slog.DiscardHandler)
	data, deadlines := memory.Open(session.NewClock()), live.NewDeadlines()
	w := &world{
		T: t, accounts: sessiontest.NewDirectory(), store: sessiontest.NewOutage(data), counts: new(counts),
		inbox: session.NewInbox(2 * feedResync), addr: listener.Addr(), dial: dial, returned: make(chan error, 10_000),
	}
	counted := options
	counted.Meter = w.counts
	settings := session.Settings{Policy: policy, AdminClaim: "admin", UserStateTTL: 5 * time.Minute, FeedResync: feedResync}
	w.registry = session.NewRegistry(settings, session.Ports{
		Store: w.store, Users: w.store, Publisher: w.store, Archive: w.store, Trail: w.store, Jobs: w.store,
		Accounts: w.accounts, Editor: w.accounts, Clock: session.NewClock(), Inbox: w.inbox,
		After: deadlines.After, Log: log,
	})
	w.gate = session.NewGate(w.registry, w.accounts)
	w.hub = live.NewHub(counted, w.gate, w.registry, w.inbox, deadlines, log)
	w.server = New(w.hub, func(origin string) bool { return origin == dashboard })
	w.drain = sync.OnceFunc(func() { w.hub.Drain(context.WithoutCancel(t.Context())) })
	w.inbox.Prove(time.Now())

	var running sync.WaitGroup
	running.Go(func() { deadlines.Run(t.Context()) })
	running.Go(func() { _ = data.Feed().Run(t.Context(), w.inbox) })
	web := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Request-Id", "request-1")
		ip, _ := netip.ParseAddr(r.Header.Get(ipHeader)) // without one, from nowhere
		err := w.server.Serve(rw, r, session.Origin{IP: ip})
		if err != nil {
			w.refuse(rw, err)
		}
		w.returned <- err
	})}
	running.Go(func() { _ = web.Serve(listener) })
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		w.drain()
		w.server.Close(ctx)
		if err := web.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		running.Wait()
	})
	return w
}

// refuse shows an error as it is. Under which status is the edge's to say.
func (w *world) refuse(rw http.ResponseWriter, err error) {
	var e *session.Error
	if !errors.As(err, &e) {
		w.Errorf("refused with %v", err)
		return
	}
	shown := *e
	shown.Err = nil
	rw.WriteHeader(http.StatusForbidden)
	_ = json.NewEncoder(rw).Encode(shown) // the client may be gone
}

// signIn registers a session and returns its token.
func (w *world) signIn(uid session.UserID) (string, session.ID) {
	w.Helper()
	token := w.accounts.SignIn(uid)
	registered, err := w.registry.Register(w.Context(), w.accounts.Identity(token), session.SignIn{})
	if err != nil {
		w.Fatal(err)
	}
	return token, registered.Session.ID
}

// upgrade opens a socket, if the server lets it.
func (w *world) upgrade(ip string) (*websocket.Conn, error) {
	d := websocket.Dialer{NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return w.dial(ctx) }}
	ws, answer, err := d.DialContext(w.Context(), url, http.Header{"Origin": {dashboard}, ipHeader: {ip}})
	if answer != nil {
		defer answer.Body.Close()
	}
	return ws, err
}

// open opens a socket that nobody reads yet.
func (w *world) open(ip string) *tab {
	w.Helper()
	ws, err := w.upgrade(ip)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = ws.Close() })
	return &tab{world: w, Conn: ws, frames: make(chan map[string]any, 10_000), closed: make(chan closed, 1), cut: make(chan time.Time, 1)}
}

// connect opens a socket and authenticates it. Nobody reads it after ready.
func (w *world) connect(token string) *tab {
	w.Helper()
	t := w.open(home)
	t.send(wire.Request{Type: wire.TypeAuth, Token: token})
	var f map[string]any
	if err := t.ReadJSON(&f); err != nil || f["type"] != string(wire.TypeReady) {
		w.Fatalf("%v, %v", f, err)
	}
	return t
}

// hold keeps whoever reads about a user waiting until release is called.
func (w *world) hold() (release func()) {
	held := make(chan struct{})
	w.store.Before(func(op string) {
		if op == "User" {
			<-held
		}
	})
	return func() { close(held) }
}

// push has n frames sent to every socket of the user.
func (w *world) push(uid session.UserID, n int) {
	ids := make([]session.ID, n)
	for i := range ids {
		ids[i] = session.NewID("somebody else", "", time.Unix(int64(i), 0))
	}
	w.inbox.Deliver(session.NewNotice(session.NoticeEnded, uid, session.ReasonLogout, ids...))
}

// end ends a session, as the feed would tell.
func (w *world) end(uid session.UserID, id session.ID) {
	w.inbox.Deliver(session.NewNotice(session.NoticeEnded, uid, session.ReasonAdminRevoked, id))
}

// eventually waits for something that nobody announces.
func (w *world) eventually(what string, ok func() bool) {
	w.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 20_000 {
		if ok() {
			return
		}
		<-tick.C
	}
	w.Fatalf("never: %s", what)
}

// tab is a browser tab: the client's end of a socket. Once browsing it reads and answers by itself, as browsers do.
type tab struct {
	*world
	*websocket.Conn
	frames chan map[string]any
	closed chan closed
	cut    chan time.Time // when TCP ended
}

type closed struct {
	code int // 1006: without a word
	at   time.Time
}

func (t *tab) browse() *tab {
	go func() {
		err := t.read()
		var goodbye *websocket.CloseError
		end := closed{code: websocket.CloseAbnormalClosure, at: time.Now()}
		if errors.As(err, &goodbye) {
			end.code = goodbye.Code
		}
		t.closed <- end
		_, _ = io.Copy(io.Discard, t.NetConn())
		t.cut <- time.Now()
		_ = t.Conn.Close()
	}()
	return t
}

func (t *tab) read() error {
	for {
		_, data, err := t.ReadMessage()
		if err != nil {
			return err
		}
		var f map[string]any
		if err := json.Unmarshal(data, &f); err != nil {
			t.Error(err)
		}
		t.frames <- f
	}
}

// mute has the tab answer neither pings nor a close.
func (t *tab) mute() *tab {
	t.SetPingHandler(func(string) error { return nil })
	t.SetCloseHandler(func(int, string) error { return nil })
	return t
}

func (t *tab) send(message any) {
	t.Helper()
	if err := t.WriteMessage(websocket.TextMessage, wire.Encode(message)); err != nil {
		t.Fatal(err)
	}
}

// raw writes bytes past gorilla. A failure is the server's good right.
func (t *tab) raw(frames ...[]byte) error {
	if err := t.NetConn().SetWriteDeadline(time.Time{}); err != nil { // gorilla leaves one behind
		return err
	}
	_, err := t.NetConn().Write(slices.Concat(frames...))
	return err
}

// want waits for a frame, which must be of this type.
func (t *tab) want(want wire.Type) map[string]any {
	t.Helper()
	f := <-t.frames
	if f["type"] != string(want) {
		t.Fatalf("received %v, want %s", f, want)
	}
	return f
}

// wantClosed waits for the close, which must have this code and come right after this last frame, if any.
func (t *tab) wantClosed(code int, last wire.Type, reason string) time.Time {
	t.Helper()
	end := <-t.closed
	if end.code != code {
		t.Fatalf("closed with %d, want %d", end.code, code)
	}
	if last != "" {
		if f := t.want(last); f["reason"] != reason {
			t.Errorf("last frame %v, want reason %s", f, reason)
		}
	}
	if n := len(t.frames); n > 0 {
		t.Errorf("%d frames more, first: %v", n, <-t.frames)
	}
	return end.at
}

// A client's frame: opcode with FIN and RSV bits, payload masked with zeros, that is, not at all.
func clientFrame(first byte, payload string) []byte {
	if len(payload) > 125 {
		panic("long frames are made by hand")
	}
	return append([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

const (
	fin         = 0x80
	opContinue  = 0x0
	opText      = 0x1
	opPing      = 0x9
	reservedOp  = 0x3
	reservedBit = 0x40
)
