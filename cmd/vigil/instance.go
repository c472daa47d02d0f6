package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/fireauth"
	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/socket"
)

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	idleConnTimeout   = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	// drainTimeout is how long sockets and requests have to end at a shutdown, and flushTimeout how long activity has to be
	// stored after that: together less than the 30 seconds that platforms commonly give.
	drainTimeout = 18 * time.Second
	flushTimeout = 8 * time.Second
	// maxClockOffset is how far the local clock may be off before an instance says so: tokens are verified by it.
	maxClockOffset = time.Minute
)

// backend is a store with its feed.
type backend struct {
	data interface {
		session.Store
		session.Users
		session.Publisher
	}
	feed  session.Feed
	ping  func(context.Context) error
	close func() error
}

// instance is one running service.
type instance struct {
	config    config
	log       *slog.Logger
	clock     *session.Clock
	auth      *fireauth.Verifier
	backend   backend
	inbox     *session.Inbox
	deadlines *live.Deadlines
	registry  *session.Registry
	gate      *session.Gate
	hub       *live.Hub
	sockets   *socket.Server
	draining  atomic.Bool
}

// newInstance wires an instance; nothing runs before run.
func newInstance(c config, log *slog.Logger, clock *session.Clock, auth *fireauth.Verifier, b backend) *instance {
	i := &instance{
		config: c, log: log, clock: clock, auth: auth, backend: b,
		inbox: session.NewInbox(c.FeedResync), deadlines: live.NewDeadlines(),
	}
	i.registry = session.NewRegistry(c.settings(), session.Ports{
		Store: b.data, Users: b.data, Publisher: b.data, Accounts: auth,
		Clock: clock, Inbox: i.inbox, After: i.deadlines.After, Log: log,
	})
	i.gate = session.NewGate(i.registry, auth)
	i.hub = live.NewHub(c.sockets(), i.gate, i.registry, i.inbox, i.deadlines, log)
	i.sockets = socket.New(i.hub, c.allowedOrigin)
	return i
}

func (i *instance) handler() http.Handler {
	limits, _ := rateLimits(i.config.RateLimits) // loadConfig has refused what is wrong
	return handlers.New(handlers.Options{
		Gate: i.gate, Registry: i.registry, Socket: i.sockets.Serve,
		OriginAllowed: i.config.allowedOrigin, TrustedProxies: i.config.TrustedProxies,
		Ready: []handlers.Check{
			{Name: "draining", Check: i.notDraining},
			{Name: "store", Check: i.backend.ping},
			{Name: "feed", Check: i.feedIsCurrent},
			{Name: "identity", Check: i.auth.Ready},
			{Name: "clock", Check: i.clockIsRight},
		},
		Limits: limits, Log: i.log,
	})
}

func (i *instance) notDraining(context.Context) error {
	if i.draining.Load() {
		return errors.New("shutting down")
	}
	return nil
}

func (i *instance) feedIsCurrent(context.Context) error {
	switch age, proven := i.inbox.Age(); {
	case !proven:
		return errors.New("not caught up yet")
	case !i.inbox.Current():
		return fmt.Errorf("last proven %s ago", age.Round(time.Second))
	default:
		return nil
	}
}

func (i *instance) clockIsRight(context.Context) error {
	if offset := i.clock.Offset(); offset.Abs() > maxClockOffset {
		return fmt.Errorf("the local clock differs from the store's by %s", offset.Round(time.Millisecond))
	}
	return nil
}

// run serves until ctx is done or the listener fails, and then shuts down in order: not ready, no new connections, sockets
// told, requests finished, activity stored, feed stopped, clients closed.
func (i *instance) run(ctx context.Context, listener net.Listener) error {
	return i.serve(ctx, listener, i.handler()) //nolint:contextcheck // each request brings its own
}

func (i *instance) serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ticking, stopTicking := context.WithCancel(background)
	defer stopTicking()
	var running, clockwork sync.WaitGroup
	clockwork.Go(func() { i.deadlines.Run(ticking) })
	running.Go(func() { i.hub.CheckAccounts(background) })
	running.Go(func() { i.finishRevocations(background) })
	running.Go(func() { _ = i.backend.feed.Run(background, i.inbox) }) // ends with background only

	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleConnTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(i.log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	i.log.Info("serving", "address", listener.Addr().String(), "project", i.config.ProjectID, "store", i.config.Store)

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-failed:
	}
	i.log.Info("shutting down", "sockets", i.hub.Sockets())
	i.draining.Store(true)
	failure = errors.Join(failure, i.drain(background, server))
	stopTicking()
	clockwork.Wait()
	flush, cancel := context.WithTimeout(background, flushTimeout)
	defer cancel()
	failure = errors.Join(failure, i.registry.Flush(flush))
	stop()
	running.Wait()
	return errors.Join(failure, i.backend.close())
}

// drain ends the sockets and the requests, at the same time.
func (i *instance) drain(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	var sockets sync.WaitGroup
	sockets.Go(func() {
		i.hub.Drain(ctx)
		i.sockets.Close(ctx)
	})
	err := server.Shutdown(ctx)
	sockets.Wait()
	return err
}

// finishRevocations completes what other instances have left undone, at start and ever again.
func (i *instance) finishRevocations(ctx context.Context) {
	for {
		if err := i.registry.FinishRevocations(ctx); err != nil && ctx.Err() == nil {
			i.log.Warn("revocations not completed yet", "error", err)
		}
		wait := time.NewTimer(i.config.FeedResync + rand.N(i.config.FeedResync))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}
