package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/firestore"
	"github.com/vigilhq/vigil/internal/fireauth"
	"github.com/vigilhq/vigil/internal/geoip"
	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/metrics"
	"github.com/vigilhq/vigil/internal/session"
)

func newServe(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service against Firebase",
		Long: "Run the service against Firebase: with the production credentials of the environment, or with the emulators when their\n" +
			"variables are set and ALLOW_EMULATORS=true. Every flag is also a variable, --idle-timeout is IDLE_TIMEOUT. Durations\n" +
			"are 30s or 5m; a bare number is milliseconds.",
		Args: noArgs,
	}
	flag := configFlags(cmd.Flags(), false)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := loadConfig(cmd.Context(), false, flag, env.lookup)
		if err != nil {
			return err
		}
		return serve(cmd.Context(), c, newLogger(c, env.stderr))
	}
	return cmd
}

func serve(ctx context.Context, c config, log *slog.Logger) error {
	places, err := openPlaces(c)
	if err != nil {
		return err
	}
	defer func() { _ = places.Close() }() // it is only read from
	clock, m := session.NewClock(), metrics.New()
	auth, err := openAuth(ctx, c, c.AuthEmulator, clock, m, log)
	if err != nil {
		return err
	}
	_, stopOps, err := startOps(ctx, c, m.Handler(), log)
	if err != nil {
		return err
	}
	defer stopOps()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("ADDR: %w", err)
	}
	store, err := openBackend(ctx, c, clock, m, log)
	if err != nil {
		return err
	}
	return newInstance(c, log, parts{clock, auth, m, store, places}).run(ctx, listener)
}

// openBackend opens the store that the settings name.
func openBackend(ctx context.Context, c config, clock *session.Clock, m *metrics.Metrics, log *slog.Logger) (backend, error) {
	if c.Store == "memory" {
		log.Warn("the store is this process's memory: run one instance only, and expect every session to be forgotten at its end")
		return memoryBackend(c, clock), nil
	}
	store, err := firestore.Open(ctx, firestore.Options{
		ProjectID: c.ProjectID, EmulatorHost: c.FirestoreEmul, Retention: c.Retention, ResyncInterval: c.FeedResync,
		MailCollection: c.MailCollection, Meter: m, Clock: clock, Logger: log,
	})
	if err != nil {
		return backend{}, fmt.Errorf("open firestore: %w", err)
	}
	return backend{data: store, feed: store.Feed(), ping: store.Ping, close: store.Close}, nil
}

func openAuth(
	ctx context.Context, c config, emulator string, clock *session.Clock, m *metrics.Metrics, log *slog.Logger,
) (*fireauth.Verifier, error) {
	auth, err := fireauth.Open(ctx, fireauth.Options{
		ProjectID: c.ProjectID, TenantID: c.TenantID, EmulatorHost: emulator, Now: clock.Now, Log: log, Meter: m,
	})
	if err != nil {
		return nil, fmt.Errorf("open Firebase Authentication: %w", err)
	}
	return auth, nil
}

// openPlaces opens the file that says where addresses are, nil if there is to be none.
func openPlaces(c config) (*geoip.Database, error) {
	if c.GeoIPDB == "" {
		return nil, nil
	}
	places, err := geoip.Open(c.GeoIPDB)
	if err != nil {
		return nil, usageError{settingError{"GEOIP_DB", err.Error()}}
	}
	return places, nil
}

func memoryBackend(c config, clock *session.Clock) backend {
	store := memory.Open(clock)
	store.Retention = c.Retention
	return backend{
		data: store, feed: store.Feed(),
		ping: func(context.Context) error { return nil }, close: func() error { return nil },
	}
}
