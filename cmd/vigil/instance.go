package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/cmd/internal/wiring"
	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/metrics"
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
	// readyTimeout bounds the checks of readiness at a scrape.
	readyTimeout = 2 * time.Second
	// maxClockOffset is how far the local clock may be off before an instance says so: tokens are verified by it.
	maxClockOffset = time.Minute
)

// instance is one running service.
type instance struct {
	config config.Config
	log    *slog.Logger
	wiring.Parts
	inbox     *session.Inbox
	deadlines *live.Deadlines
	registry  *session.Registry
	gate      *session.Gate
	hub       *live.Hub
	sockets   *socket.Server
	hosts     func(host string) bool // that requests may be for; nil: any
	draining  atomic.Bool
}

// newInstance wires an instance; nothing runs before run.
func newInstance(c config.Config, log *slog.Logger, p wiring.Parts) *instance {
	i := &instance{
		Parts: p, config: c, log: log,
		inbox: session.NewInbox(c.FeedResync), deadlines: live.NewDeadlines(),
	}
	i.registry = p.Registry(c, session.Ports{
		Inbox: i.inbox, After: i.deadlines.After, SignInMail: c.SignInMail(), Meter: p.Metrics, Log: log,
	})
	i.gate = session.NewGate(i.registry, p.Auth)
	sockets := c.Sockets()
	sockets.Meter = p.Metrics
	i.hub = live.NewHub(sockets, i.gate, i.registry, i.inbox, i.deadlines, log)
	i.sockets = socket.New(i.hub, c.AllowedOrigin)
	p.Metrics.Watch(metrics.Gauges{Sockets: i.hub.Sockets, FeedAge: i.inbox.Age, Ready: i.ready, ClockOffset: p.Clock.Offset})
	return i
}

// ready reports whether all checks hold.
func (i *instance) ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	var group errgroup.Group
	for _, c := range i.checks() {
		group.Go(func() error { return c.Check(ctx) })
	}
	return group.Wait() == nil
}

func (i *instance) handler() http.Handler {
	return handlers.New(handlers.Options{
		Gate: i.gate, Registry: i.registry, Socket: i.sockets.Serve,
		OriginAllowed: i.config.AllowedOrigin, HostAllowed: i.hosts, TrustedProxies: i.config.TrustedProxies,
		GeoHeaders: handlers.GeoHeaders(i.config.GeoHeaders), Locate: i.Places.Locate,
		Limits: i.config.Limits(), Ready: i.checks(), Sockets: i.hub.Sockets, Log: i.log, Meter: i.Metrics,
	})
}

// checks are what has to hold for the instance to be given requests.
func (i *instance) checks() []handlers.Check {
	return []handlers.Check{
		{Name: "draining", Check: i.notDraining, Fresh: true},
		{Name: "store", Check: i.Backend.Ping},
		{Name: "feed", Check: i.feedIsCurrent},
		{Name: "identity", Check: i.Auth.Ready},
		{Name: "clock", Check: i.clockIsRight},
	}
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
	if offset := i.Clock.Offset(); offset.Abs() > maxClockOffset {
		return fmt.Errorf("the local clock differs from the store's by %s", offset.Round(time.Millisecond))
	}
	return nil
}

// run serves until ctx is done or the listener fails, and then shuts down in order: not ready, no new connections, sockets
// told, requests finished, activity stored, feed stopped, clients closed.
func (i *instance) run(ctx context.Context, listener net.Listener) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ticking, stopTicking := context.WithCancel(background)
	defer stopTicking()
	var running, clockwork sync.WaitGroup
	clockwork.Go(func() { i.deadlines.Run(ticking) })
	running.Go(func() { i.Auth.KeepKeys(background) })
	running.Go(func() { i.hub.CheckAccounts(background) })
	running.Go(func() { i.finishRevocations(background) })
	running.Go(func() { i.workOnMassRevocations(background) })
	running.Go(func() { i.sweep(background) })
	running.Go(func() { i.registry.NoteLimits(background) })
	running.Go(func() { _ = i.Backend.Feed.Run(background, i.inbox) }) // ends with background only

	server := &http.Server{
		Handler:           i.handler(), //nolint:contextcheck // each request brings its own
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleConnTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(i.log.Handler(), slog.LevelDebug),
		DisableGeneralOptionsHandler: true, // so that OPTIONS * is answered like everything else
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
	return errors.Join(failure, i.Backend.Close())
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
