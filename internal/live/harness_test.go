package live_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const feedResync = 15 * time.Second

var (
	policy = session.Policy{
		IdleTimeout: 30 * time.Minute, IdleWarning: 2 * time.Minute, Lifetime: 12 * time.Hour,
		TouchInterval: 5 * time.Minute, ReauthMaxAge: 5 * time.Minute, Retention: 720 * time.Hour,
		MaxSessions: 5, LimitPolicy: session.LimitEvict,
	}
	options = live.Options{
		HeartbeatInterval: 30 * time.Second, DisconnectTimeout: time.Minute, TokenCheckInterval: 5 * time.Minute,
		MaxTokenAge: time.Hour, AuthTimeout: 10 * time.Second, ReauthGrace: 10 * time.Second, SocketsPerSession: 50,
	}
)

// world is what instances share, in a bubble where time passes only when everybody waits.
type world struct {
	*testing.T
	accounts *sessiontest.Directory
	lookUps  session.Accounts // the accounts, unless a test counts
	data     *memory.Store
	settings session.Settings
	options  live.Options
}

type instance struct {
	store    *sessiontest.Outage
	registry *session.Registry
	gate     *session.Gate
	hub      *live.Hub
	stopFeed context.CancelFunc
	inbox    *session.Inbox
}

func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		accounts := sessiontest.NewDirectory()
		f(&world{
			T: t, accounts: accounts, lookUps: accounts, data: memory.Open(session.NewClock()), options: options,
			settings: session.Settings{Policy: policy, AdminClaim: "admin", UserStateTTL: 5 * time.Minute, FeedResync: feedResync},
		})
	})
}

func (w *world) start() *instance {
	log := slog.New(slog.DiscardHandler)
	deadlines := live.NewDeadlines()
	i := &instance{store: sessiontest.NewOutage(w.data), inbox: session.NewInbox(feedResync)}
	i.registry = session.NewRegistry(w.settings, session.Ports{
		Store: wholes{i.store, w.T}, Users: i.store, Publisher: i.store, Archive: i.store, Trail: i.store, Jobs: i.store,
		Accounts: w.lookUps, Editor: w.accounts, Clock: session.NewClock(), Inbox: i.inbox,
		After: deadlines.After, Log: log,
	})
	i.gate = session.NewGate(i.registry, w.accounts)
	i.hub = live.NewHub(w.options, i.gate, i.registry, i.inbox, deadlines, log)
	go deadlines.Run(w.Context())
	go i.hub.CheckAccounts(w.Context())
	i.runFeed(w)
	return i
}

func (i *instance) runFeed(w *world) {
	ctx, stop := context.WithCancel(w.Context())
	i.stopFeed = stop
	go func() { _ = w.data.Feed().Run(ctx, i.inbox) }()
	synctest.Wait()
}

func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *world) signIn(i *instance, uid session.UserID) (string, session.Session) {
	w.Helper()
	w.pass(time.Second)
	token := w.accounts.SignIn(uid)
	id, err := i.gate.Authenticate(w.Context(), token)
	if err != nil {
		w.Fatal(err)
	}
	reg, err := i.registry.Register(w.Context(), id, session.SignIn{})
	if err != nil {
		w.Fatal(err)
	}
	return token, reg.Session
}

// tab is a browser tab on a connection in memory. It implements live.Conn, and answers protocol pings unless it is mute.
type tab struct {
	*world
	peer *live.Peer
	mute atomic.Bool

	mu     sync.Mutex
	frames []map[string]any
	pings  int
	code   wire.CloseCode
	at     time.Time // of the close
}

func (w *world) open(i *instance) *tab {
	t := &tab{world: w}
	t.peer = i.hub.Connect(t, session.Origin{})
	w.Cleanup(func() { t.peer.Gone(wire.CloseNone) })
	return t
}

// connect opens a tab and authenticates it.
func (w *world) connect(i *instance, token string) *tab {
	w.Helper()
	t := w.open(i)
	t.send(wire.Request{Type: wire.TypeAuth, Token: token})
	t.want(wire.TypeReady)
	return t
}

func (t *tab) Send(frame []byte) {
	var f map[string]any
	if err := json.Unmarshal(frame, &f); err != nil {
		t.Error(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frames = append(t.frames, f)
}

func (t *tab) Ping(after []byte) {
	if after != nil {
		t.Send(after)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pings++
	if !t.mute.Load() {
		t.peer.Heard()
	}
}

func (t *tab) Close(code wire.CloseCode, last []byte) {
	if last != nil {
		t.Send(last)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.code == 0 {
		t.code, t.at = code, time.Now()
	}
}

// send sends a message and waits until it has had its effect.
func (t *tab) send(message any) {
	t.peer.Receive(t.Context(), wire.Encode(message))
	synctest.Wait()
}

// take returns the frames received since the last time.
func (t *tab) take() []map[string]any {
	t.mu.Lock()
	defer t.mu.Unlock()
	frames := t.frames
	t.frames = nil
	return frames
}

// want expects exactly these types of frames since the last time, and returns the last one.
func (t *tab) want(types ...wire.Type) map[string]any {
	t.Helper()
	frames := t.take()
	var got []wire.Type
	for _, f := range frames {
		name, _ := f["type"].(string)
		got = append(got, wire.Type(name))
	}
	if !slices.Equal(got, types) {
		t.Fatalf("received %v, want %v", frames, types)
	}
	if len(frames) == 0 {
		return nil
	}
	return frames[len(frames)-1]
}

// closed expects a close with this code, after the last frame with this reason, if there is one.
func (t *tab) closed(code wire.CloseCode, last wire.Type, reason string) {
	t.Helper()
	t.mu.Lock()
	got := t.code
	t.mu.Unlock()
	if got != code {
		t.Fatalf("closed with %d, want %d", got, code)
	}
	if last == "" {
		t.want()
		return
	}
	if f := t.want(last); f["reason"] != reason {
		t.Fatalf("last frame %v, want reason %s", f, reason)
	}
}

func (t *tab) open() {
	t.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.code != 0 {
		t.Fatalf("closed with %d", t.code)
	}
}

func (t *tab) when(f map[string]any, field string) time.Time {
	t.Helper()
	text, _ := f[field].(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatalf("%s of %v: %v", field, f, err)
	}
	return at
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
}

func (w *world) revoke(i *instance, uid session.UserID) {
	w.Helper()
	_, err := i.registry.RevokeUser(w.Context(), uid, session.Actor{By: "boss"})
	w.must(err)
}

// as is the admission of a request that comes with the session.
func as(s session.Session) session.Admission {
	return session.Admission{Identity: session.Identity{UserID: s.UserID, SessionID: s.ID}, Session: s}
}
