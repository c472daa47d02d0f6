package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
	"github.com/vigilhq/vigil/internal/wire"
)

// The settings are the defaults of `vigil serve`.
const (
	feedResync     = 15 * time.Second
	userStateTTL   = 5 * time.Minute
	heartbeat      = 30 * time.Second
	sweepInterval  = time.Hour
	accountsAtOnce = session.MaxAccounts

	// fleetSize is how many instances the simulated day has.
	fleetSize = 3
)

var policy = session.Policy{
	IdleTimeout: 30 * time.Minute, IdleWarning: 2 * time.Minute, Lifetime: 12 * time.Hour,
	TouchInterval: 5 * time.Minute, ReauthMaxAge: 5 * time.Minute, Retention: 720 * time.Hour,
	MaxSessions: 5, LimitPolicy: session.LimitEvict, SuspiciousSessions: 3, SuspiciousDeviceTypes: 2,
	IPPolicy: session.IPWarn, IPv4: 32, IPv6: 64,
}

var sockets = live.Options{
	HeartbeatInterval: heartbeat, DisconnectTimeout: 2 * heartbeat, TokenCheckInterval: 5 * time.Minute,
	MaxTokenAge: time.Hour, AuthTimeout: 10 * time.Second, ReauthGrace: 10 * time.Second, SocketsPerSession: 50,
}

// accounts counts what Firebase Authentication is asked.
type accounts struct {
	*sessiontest.Directory
	single  atomic.Int64 // look-ups of one account
	batched atomic.Int64 // accounts that were looked up in batches
}

// Account implements [session.Accounts].
func (a *accounts) Account(ctx context.Context, uid session.UserID) (session.Account, error) {
	a.single.Add(1)
	return a.Directory.Account(ctx, uid)
}

// Accounts implements [session.Accounts].
func (a *accounts) Accounts(ctx context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
	a.batched.Add(int64(len(uids)))
	return a.Directory.Accounts(ctx, uids)
}

// calls is how many requests that comes to when the batches are full, as they are with thousands of users on an instance.
func (a *accounts) calls() float64 {
	return float64(a.single.Load()) + float64(a.batched.Load())/accountsAtOnce
}

// fleet is instances that share a store.
type fleet struct {
	store     *store
	accounts  *accounts
	instances []*instance
}

// instance is the domain and the hub of one process, as `vigil serve` wires them: without the network on either side.
type instance struct {
	registry *session.Registry
	gate     *session.Gate
	hub      *live.Hub
}

func newFleet(ctx context.Context, p session.Policy, instances int) *fleet {
	f := &fleet{store: newStore(), accounts: &accounts{Directory: sessiontest.NewDirectory()}}
	for range instances {
		f.instances = append(f.instances, f.start(ctx, p))
		<-time.After(time.Second / 3) // so that they do not stay in step
	}
	return f
}

func (f *fleet) start(ctx context.Context, p session.Policy) *instance {
	log := slog.New(slog.DiscardHandler)
	deadlines, inbox := live.NewDeadlines(), session.NewInbox(feedResync)
	i := new(instance)
	i.registry = session.NewRegistry(
		session.Settings{Policy: p, AdminClaim: "admin", UserStateTTL: userStateTTL, FeedResync: feedResync},
		session.Ports{
			Store: f.store, Users: f.store, Publisher: f.store, Archive: f.store, Trail: f.store, Jobs: f.store,
			Accounts: f.accounts, Editor: f.accounts, Clock: session.NewClock(), Inbox: inbox, After: deadlines.After, Log: log,
		})
	i.gate = session.NewGate(i.registry, f.accounts)
	i.hub = live.NewHub(sockets, i.gate, i.registry, inbox, deadlines, log)
	f.store.watch(inbox)
	inbox.Prove(time.Now())
	go deadlines.Run(ctx)
	go i.hub.CheckAccounts(ctx)
	go every(ctx, feedResync, func() { inbox.Prove(time.Now()) })
	return i
}

// sweep cleans up every hour, as one of the instances does.
func (f *fleet) sweep(ctx context.Context) {
	every(ctx, sweepInterval, func() {
		if _, err := f.instances[0].registry.Sweep(during(ctx, forSweep), session.SweepAll); err != nil && ctx.Err() == nil {
			panic(err) // the store does not fail
		}
	})
}

func every(ctx context.Context, d time.Duration, do func()) {
	ticker := time.NewTicker(d)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}

// tab is a browser tab with a socket. It implements [live.Conn]; as browsers do, it answers protocol pings by itself.
type tab struct {
	peer *live.Peer
	over chan struct{} // closed when the server has closed the socket
}

// open opens a socket and authenticates it.
func (i *instance) open(ctx context.Context, token string) *tab {
	t := &tab{over: make(chan struct{})}
	t.peer = i.hub.Connect(t, session.Origin{})
	t.send(during(ctx, forRequests), wire.Request{Type: wire.TypeAuth, Token: token})
	return t
}

func (t *tab) send(ctx context.Context, r wire.Request) { t.peer.Receive(ctx, wire.Encode(r)) }

// leave closes the socket from the browser's side.
func (t *tab) leave() { t.peer.Gone(wire.CloseNone) }

// Send implements [live.Conn].
func (t *tab) Send([]byte) {}

// Ping implements [live.Conn].
func (t *tab) Ping([]byte) { t.peer.Heard() }

// Close implements [live.Conn].
func (t *tab) Close(wire.CloseCode, []byte) { close(t.over) }
