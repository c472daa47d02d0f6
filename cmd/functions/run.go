package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/cmd/internal/wiring"
	"github.com/vigilhq/vigil/functions"
	"github.com/vigilhq/vigil/internal/metrics"
	"github.com/vigilhq/vigil/internal/session"
)

// shown are the settings that the help shows.
var shown = []string{
	"PORT", "FUNCTION_TARGET", "SIGN_IN_URI", "SWEEP_AUDIENCE", "SWEEP_CALLER", "FIREBASE_PROJECT_ID", "TENANT_ID",
	"FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST", "ALLOW_EMULATORS", "FEED_RESYNC", "SESSION_LIFETIME", "MAX_SESSIONS",
	"RETENTION", "LOG_FORMAT", "LOG_LEVEL",
}

// run executes the command line.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) error {
	cmd := &cobra.Command{
		Use:   "functions",
		Short: "Serve Vigil's functions",
		Long: "Serve what Google calls, each function at its name or, with FUNCTION_TARGET, that one at /:\n\n" +
			"  /BeforeSignIn   by Identity Platform at each sign-in: gives it the claim sid. Needs SIGN_IN_URI, and where it is the\n" +
			"                  FUNCTION_TARGET neither Firestore nor credentials\n" +
			"  /OnRevocation   by Eventarc when a document of sessionUsers is written: finishes what an instance leaves undone\n" +
			"  /OnUserDeleted  by Eventarc when an account is deleted: ends what is left of it\n" +
			"  /Sweep          by Cloud Scheduler: the clean-up, as vigil sweep. Outside of Cloud Run it needs SWEEP_AUDIENCE and SWEEP_CALLER\n\n" +
			"Only BeforeSignIn may be open to the public. Give it the settings of vigil serve: every flag is also a variable, those below\n" +
			"are what matters here, and all are checked. Durations are 30s or 5m; a bare number is milliseconds.",
		SilenceErrors: true, SilenceUsage: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.NoArgs(cmd, args); err != nil {
				return config.UsageError{Err: err}
			}
			return nil
		},
	}
	cmd.CompletionOptions.DisableDefaultCmd = true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return config.UsageError{Err: err} })
	flag := config.Flags(cmd.Flags(), config.Functions)
	config.ShowOnly(cmd.Flags(), config.Functions, shown)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { //nolint:contextcheck // the functions have one of their own, which Serve ends
		c, err := config.Load(cmd.Context(), config.Functions, flag, lookup)
		if err != nil {
			return err
		}
		return serve(cmd.Context(), c, wiring.NewLogger(c, stderr))
	}
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd.ExecuteContext(ctx)
}

// serve serves until ctx is done.
func serve(ctx context.Context, c config.Config, log *slog.Logger) error {
	if c.AuthEmulator != "" {
		log.Warn("the Auth emulator is believed, whose requests carry no signature: never where there is data")
	}
	options := functions.Options{
		SignInURI: c.SignInURI, ProjectID: c.ProjectID, Unsigned: c.AuthEmulator != "",
		TenantID: c.TenantID, SweepAudience: c.SweepAudience, SweepCaller: c.SweepCaller, Log: log,
	}
	closeStore := func() error { return nil }
	if c.FunctionTarget != functions.BeforeSignIn {
		registry, store, err := open(ctx, c, log)
		if err != nil {
			return err
		}
		options.Registry, closeStore = registry, store.Close
	}
	server, err := functions.New(options)
	if err == nil {
		// The framework goes by the process's environment: a flag counts, too.
		err = os.Setenv("FUNCTION_TARGET", c.FunctionTarget)
	}
	if err != nil {
		return errors.Join(err, closeStore())
	}
	log.Info("starting", "port", c.Port, "project", c.ProjectID, "function", c.FunctionTarget)
	return errors.Join(server.Serve(ctx, net.JoinHostPort("", strconv.Itoa(c.Port))), closeStore())
}

// open connects to Firebase and waits until Firestore has answered: from then on the clock tells store time. The registry hears no feed,
// so that whatever it knows is unproven; what functions ask of it reads the store and Firebase anew each time.
func open(ctx context.Context, c config.Config, log *slog.Logger) (*session.Registry, wiring.Backend, error) {
	clock, counted := session.NewClock(), metrics.New()
	quiet := slog.New(slog.DiscardHandler) // serve says itself that an emulator is believed
	auth, err := wiring.OpenAuth(ctx, c, c.AuthEmulator, clock, counted, quiet)
	if err != nil {
		return nil, wiring.Backend{}, err
	}
	store, err := wiring.OpenBackend(ctx, c, clock, counted, log)
	if err != nil {
		return nil, wiring.Backend{}, err
	}
	if err := store.Ping(ctx); err != nil {
		return nil, wiring.Backend{}, errors.Join(fmt.Errorf("wait for Firestore: %w", err), store.Close())
	}
	parts := wiring.Parts{Clock: clock, Auth: auth, Metrics: counted, Backend: store}
	return parts.Registry(c, session.Ports{
		Inbox: session.NewInbox(c.FeedResync), After: func(d time.Duration, f func()) { time.AfterFunc(d, f) }, Meter: counted, Log: log,
	}), store, nil
}
