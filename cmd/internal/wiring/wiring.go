// Package wiring opens what commands are made of, from one set of settings: the log, the store, Firebase Authentication, and the domain
// on top of them. What is a command's own, such as its listeners, is wired by the command.
package wiring

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/firestore"
	"github.com/vigilhq/vigil/internal/fireauth"
	"github.com/vigilhq/vigil/internal/geoip"
	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/metrics"
	"github.com/vigilhq/vigil/internal/session"
)

// Parts are what a process is wired from.
type Parts struct {
	Clock   *session.Clock
	Auth    *fireauth.Verifier
	Metrics *metrics.Metrics
	Backend Backend
	Places  *geoip.Database // nil: places are unknown
}

// Backend is a store with its feed.
type Backend struct {
	Data interface {
		session.Store
		session.Users
		session.Publisher
		session.Archive
		session.Trail
		session.Jobs
	}
	Feed  session.Feed
	Ping  func(context.Context) error
	Close func() error
}

// OpenBackend opens the store that the settings name. Whoever opens it closes it.
func OpenBackend(ctx context.Context, c config.Config, clock *session.Clock, m *metrics.Metrics, log *slog.Logger) (Backend, error) {
	if c.Store == "memory" {
		log.Warn("the store is this process's memory: run one instance only, and expect every session to be forgotten at its end")
		return Memory(c, clock), nil
	}
	store, err := firestore.Open(ctx, firestore.Options{
		ProjectID: c.ProjectID, EmulatorHost: c.FirestoreEmul, Retention: c.Retention, ResyncInterval: c.FeedResync,
		MailCollection: c.MailCollection, Meter: m, Clock: clock, Logger: log,
	})
	if err != nil {
		return Backend{}, fmt.Errorf("open firestore: %w", err)
	}
	return Backend{Data: store, Feed: store.Feed(), Ping: store.Ping, Close: store.Close}, nil
}

// Memory is a store that ends with the process.
func Memory(c config.Config, clock *session.Clock) Backend {
	store := memory.Open(clock)
	store.Retention = c.Retention
	return Backend{
		Data: store, Feed: store.Feed(),
		Ping: func(context.Context) error { return nil }, Close: func() error { return nil },
	}
}

// OpenAuth opens Firebase Authentication, or the emulator of it where that is not empty.
func OpenAuth(
	ctx context.Context, c config.Config, emulator string, clock *session.Clock, m *metrics.Metrics, log *slog.Logger,
) (*fireauth.Verifier, error) {
	auth, err := fireauth.Open(ctx, fireauth.Options{
		ProjectID: c.ProjectID, TenantID: c.TenantID, EmulatorHost: emulator, Now: clock.Now, Log: log, Meter: m,
	})
	if err != nil {
		return nil, fmt.Errorf("open Firebase Authentication: %w", err)
	}
	return auth, nil
}

// OpenPlaces opens the file that says where addresses are, nil if there is to be none. One that cannot be used is a fault of the setting.
func OpenPlaces(c config.Config) (*geoip.Database, error) {
	if c.GeoIPDB == "" {
		return nil, nil
	}
	places, err := geoip.Open(c.GeoIPDB)
	if err != nil {
		return nil, config.UsageError{Err: config.Fault{Variable: "GEOIP_DB", Text: err.Error()}}
	}
	return places, nil
}

// Registry builds the domain on what was opened. Of the ports it sets those that Parts have; the caller gives the others.
func (p Parts) Registry(c config.Config, others session.Ports) *session.Registry {
	data := p.Backend.Data
	others.Store, others.Users, others.Publisher, others.Archive, others.Trail, others.Jobs = data, data, data, data, data, data
	others.Accounts, others.Editor, others.Clock = p.Auth, p.Auth, p.Clock
	return session.NewRegistry(c.Domain(), others)
}
