package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
	"google.golang.org/grpc/status"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/cmd/internal/wiring"
	"github.com/vigilhq/vigil/internal/metrics"
	"github.com/vigilhq/vigil/internal/session"
)

// maintenanceDefaults are those of the settings that differ for somebody who works from a shell.
var maintenanceDefaults = map[string]string{"LOG_FORMAT": "text", "LOG_LEVEL": "warn"}

// maintenanceSettings are those that the help of maintenance commands shows.
var maintenanceSettings = []string{
	"FIREBASE_PROJECT_ID", "TENANT_ID", "FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST", "ALLOW_EMULATORS", "STORE",
	"ADMIN_CLAIM", "SESSION_LIFETIME", "MAX_SESSIONS", "RETENTION", "LOG_FORMAT", "LOG_LEVEL",
}

// maxReason is how long a note for the audit may be, in characters, as in the admin API.
const maxReason = 256

// maintenance is a command that works on the store from a shell, and the flags that all of these have.
type maintenance struct {
	env    environment
	stdin  io.Reader
	json   bool
	yes    bool
	asks   bool // that it will, unless yes: known once the arguments have been checked
	reason string
}

// flags adds those of an action that is written down in the audit trail, and that asks before it does something.
func (m *maintenance) flags(flags *pflag.FlagSet) {
	flags.StringVar(&m.reason, "reason", "", "why, for the audit trail")
	flags.BoolVar(&m.yes, "yes", false, "do not ask")
}

// shell is what a maintenance command works with: the same rules and the same audit trail as the service, without its listeners.
type shell struct {
	*maintenance
	registry *session.Registry
	backend  wiring.Backend
	ended    *endCounter
}

// command completes cmd: check finds fault with the arguments, before anything is opened, and do does the work.
func (m *maintenance) command(
	cmd *cobra.Command, check func(args []string) error, do func(ctx context.Context, s *shell, args []string) error,
) *cobra.Command {
	flags := cmd.Flags()
	flags.BoolVar(&m.json, "json", false, "print JSON, one object per line")
	flag := config.Flags(flags, config.Serve)
	config.ShowOnly(flags, config.Serve, maintenanceSettings)
	for variable, value := range maintenanceDefaults {
		flags.Lookup(config.FlagName(variable)).DefValue = value
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		m.stdin = cmd.InOrStdin()
		err := check(args)
		if err == nil {
			err = m.checkReason()
		}
		if err != nil {
			return config.UsageError{Err: err}
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := m.settings(cmd.Context(), flag)
		if err := errors.Join(err, m.canAsk()); err != nil {
			return err
		}
		s, err := m.open(cmd.Context(), c)
		if err != nil {
			return err
		}
		return errors.Join(do(cmd.Context(), s, args), s.backend.Close())
	}
	return cmd
}

func (m *maintenance) checkReason() error {
	if utf8.RuneCountInString(m.reason) > maxReason || strings.ContainsFunc(m.reason, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("--reason must be at most %d printable characters", maxReason)
	}
	return nil
}

// settings reads the settings, all faults at once.
func (m *maintenance) settings(ctx context.Context, flag func(string) (string, bool)) (config.Config, error) {
	c, err := config.Load(ctx, config.Serve, flag, func(variable string) (string, bool) {
		if value, ok := m.env.lookup(variable); ok {
			return value, true
		}
		value, ok := maintenanceDefaults[variable]
		return value, ok
	})
	if c.Store == "memory" {
		fault := config.Fault{Variable: "STORE", Text: "these commands need STORE=firestore: another process's memory cannot be reached"}
		err = config.UsageError{Err: errors.Join(err, fault)}
	}
	return c, err
}

// open connects to Firebase, and waits until Firestore has answered: from then on the clock tells store time.
func (m *maintenance) open(ctx context.Context, c config.Config) (*shell, error) {
	log := wiring.NewLogger(c, m.env.stderr)
	quiet := slog.New(slog.DiscardHandler) // that tokens are unsigned does not matter where none is read
	clock, counted := session.NewClock(), metrics.New()
	auth, err := wiring.OpenAuth(ctx, c, c.AuthEmulator, clock, counted, quiet)
	if err != nil {
		return nil, err
	}
	store, err := wiring.OpenBackend(ctx, c, clock, counted, log)
	if err != nil {
		return nil, err
	}
	s := &shell{maintenance: m, backend: store, ended: &endCounter{}}
	if err := store.Ping(ctx); err != nil {
		return nil, errors.Join(s.told(ctx, "open", err), store.Close())
	}
	s.registry = wiring.Parts{Clock: clock, Auth: auth, Backend: store}.Registry(c, session.Ports{
		Inbox: session.NewInbox(c.FeedResync), After: func(d time.Duration, f func()) { time.AfterFunc(d, f) }, Meter: s.ended, Log: log,
	})
	return s, nil
}

// actor is whoever has the shell.
func (s *shell) actor() session.Actor { return session.Actor{By: session.ActorCLI, Note: s.reason} }

// print writes v as a line of JSON.
func (s *shell) print(v any) error {
	encoder := json.NewEncoder(s.env.stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// told says in one line what went wrong with what, and whose fault it is where something does not answer.
func (s *shell) told(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	var e *session.Error
	worded := errors.As(err, &e) && e.Message != ""
	switch code := session.CodeOf(err); {
	case ctx.Err() != nil && !worded:
		return fmt.Errorf("%s: %w", what, errInterrupted)
	case code == session.CodeNotFound:
		return fmt.Errorf("%s: not found", what)
	case code == session.CodeUnavailable:
		cause := strings.Join(strings.Fields(err.Error()), " ")
		return fmt.Errorf("%s: unavailable: %s cannot answer: %s", what, s.culprit(ctx, err), wiring.Redact([]byte(cause)))
	case worded:
		return fmt.Errorf("%s: %s", what, e.Message)
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
}

// culprit names the dependency that has failed. Only Firestore's errors are gRPC's; where there is none, because nobody has
// answered, Firestore is asked once more.
func (s *shell) culprit(ctx context.Context, err error) string {
	var grpc interface{ GRPCStatus() *status.Status }
	if errors.As(err, &grpc) || s.backend.Ping(ctx) != nil {
		return "Firestore"
	}
	return "Firebase Authentication"
}

// canAsk finds fault with a command that would have to ask and has nobody to ask.
func (m *maintenance) canAsk() error {
	if !m.asks || m.yes || isTerminal(m.stdin) {
		return nil
	}
	return config.UsageError{Err: errors.New("there is no terminal to ask on: --yes does it without asking")}
}

// confirm asks a question, unless --yes has answered it, and fails unless the answer is yes.
func (s *shell) confirm(ctx context.Context, question string) error {
	if s.yes {
		return nil
	}
	if _, err := fmt.Fprintf(s.env.stderr, "%s [y/N] ", question); err != nil {
		return err
	}
	answered := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(s.stdin).ReadString('\n') // an end of the input is no yes
		answered <- answer
	}()
	answer := ""
	select {
	case answer = <-answered:
	case <-ctx.Done():
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return errors.New("not confirmed: nothing was done")
	}
}

// isTerminal reports whether somebody sits at the other end of a stream.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// group is a command that only has others below it.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(commands...)
	return cmd
}
