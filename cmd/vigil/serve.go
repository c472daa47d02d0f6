package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/cmd/internal/wiring"
	"github.com/vigilhq/vigil/internal/geoip"
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
	flag := config.Flags(cmd.Flags(), config.Serve)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := config.Load(cmd.Context(), config.Serve, flag, env.lookup)
		places, unusable := wiring.OpenPlaces(c)
		if err := errors.Join(err, unusable); err != nil {
			return err
		}
		defer func() { _ = places.Close() }() // it is only read from
		log, flush := wiring.NewServerLogger(c, env.stderr)
		defer flush()
		return serve(cmd.Context(), c, places, log)
	}
	return cmd
}

func serve(ctx context.Context, c config.Config, places *geoip.Database, log *slog.Logger) error {
	clock, m := session.NewClock(), metrics.New()
	auth, err := wiring.OpenAuth(ctx, c, c.AuthEmulator, clock, m, log)
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
	store, err := wiring.OpenBackend(ctx, c, clock, m, log)
	if err != nil {
		return err
	}
	return newInstance(c, log, wiring.Parts{Clock: clock, Auth: auth, Metrics: m, Backend: store, Places: places}).run(ctx, listener)
}
