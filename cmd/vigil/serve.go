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
	clock := session.NewClock()
	auth, err := openAuth(ctx, c, c.AuthEmulator, clock, log)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("ADDR: %w", err)
	}
	if c.Store == "memory" {
		log.Warn("the store is this process's memory: run one instance only, and expect every session to be forgotten at its end")
		return newInstance(c, log, clock, auth, memoryBackend(clock), places).run(ctx, listener)
	}
	store, err := firestore.Open(ctx, firestore.Options{
		ProjectID: c.ProjectID, EmulatorHost: c.FirestoreEmul, Retention: c.Retention, ResyncInterval: c.FeedResync,
		Clock: clock, Logger: log,
	})
	if err != nil {
		return fmt.Errorf("open firestore: %w", err)
	}
	return newInstance(c, log, clock, auth, backend{
		data: store, feed: store.Feed(), ping: store.Ping, close: store.Close,
	}, places).run(ctx, listener)
}

func openAuth(ctx context.Context, c config, emulator string, clock *session.Clock, log *slog.Logger) (*fireauth.Verifier, error) {
	auth, err := fireauth.Open(ctx, fireauth.Options{
		ProjectID: c.ProjectID, TenantID: c.TenantID, EmulatorHost: emulator, Now: clock.Now, Log: log,
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
		return nil, settingError{"GEOIP_DB", err.Error()}
	}
	return places, nil
}

func memoryBackend(clock *session.Clock) backend {
	store := memory.Open(clock)
	return backend{
		data: store, feed: store.Feed(),
		ping: func(context.Context) error { return nil }, close: func() error { return nil },
	}
}
