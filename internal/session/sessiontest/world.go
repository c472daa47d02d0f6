package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// World is where the real thing and its model are driven together: an empty store.
type World struct {
	// Connect returns the store and the feed of one more instance.
	Connect func() (Data, session.Feed)
	// Pass lets time go by, and everybody come to rest. Nil where time cannot be made to: then the steps that need it are left out, and what
	// instances learn from each other is waited for.
	Pass func(time.Duration)
}

// ModelRetention is how long a [World]'s store keeps what is over: never a whole number of seconds from anything that happens there.
const ModelRetention = time.Hour + time.Second/2

// modelResync is the period of the feed of a [World].
const modelResync = 10 * time.Second

// modelPolicy is short, so that a few steps see all of a session's life.
var modelPolicy = session.Policy{
	IdleTimeout: 10 * time.Minute, IdleWarning: time.Minute, Lifetime: 40 * time.Minute, TouchInterval: time.Minute,
	ReauthMaxAge: time.Minute, Retention: ModelRetention, MaxSessions: 3, LimitPolicy: session.LimitEvict,
}

// process is one running instance.
type process struct {
	store    *Outage
	inbox    *session.Inbox
	registry *session.Registry
	gate     *session.Gate
	dead     atomic.Bool
	stop     func()
}

// run starts a process and waits until it knows that it is current.
func (w World) run(ctx context.Context, d *Directory, p session.Policy) (*process, error) {
	data, feed := w.Connect()
	i := &process{store: NewOutage(data), inbox: session.NewInbox(modelResync)}
	i.registry = session.NewRegistry(session.Settings{Policy: p, AdminClaim: "admin", UserStateTTL: 5 * time.Minute, FeedResync: modelResync}, session.Ports{
		Store: i.store, Users: i.store, Publisher: i.store, Archive: i.store, Trail: i.store, Jobs: i.store,
		Accounts: d, Editor: d, Clock: session.NewClock(), Inbox: i.inbox, Log: slog.New(slog.DiscardHandler),
		After: func(wait time.Duration, f func()) {
			time.AfterFunc(wait, func() {
				if !i.dead.Load() {
					f()
				}
			})
		},
	})
	i.gate = session.NewGate(i.registry, d)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = feed.Run(ctx, i.inbox) // ends with its context
	}()
	i.stop = func() { cancel(); <-done }
	return i, w.eventually(func() error {
		if !i.inbox.Current() {
			return errors.New("the feed of an instance is not proven")
		}
		return nil
	})
}

// crash kills a process with all that it has not stored.
func (i *process) crash() {
	i.dead.Store(true)
	i.store.SetDown(true)
	i.stop()
}

// eventually waits for something that is true at once where time can be made to pass.
func (w World) eventually(check func() error) error {
	if w.Pass != nil {
		w.Pass(0)
		return check()
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-deadline.C:
			return fmt.Errorf("%w, for %s", err, patience)
		case <-again.C:
		}
	}
}
