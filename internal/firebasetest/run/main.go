// Command run is `make run-emulators`: it starts Firebase's official emulators of Authentication and Firestore with the repository's
// firebase.json, and `vigil serve` against them, with two users to sign in as. Arguments after -- are the service's flags, but for its
// address, which is the variable ADDR. Ctrl-C ends all of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/vigilhq/vigil/internal/firebasetest"
	"github.com/vigilhq/vigil/internal/tied"
)

// drainTimeout is how long the service may take to end, which it does within 30 seconds.
const drainTimeout = 40 * time.Second

func main() {
	program := flag.String("vigil", "bin/vigil", "the service's program")
	freePorts := flag.Bool("free-ports", false, "start the emulators on any free ports instead of those of firebase.json")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	if err := run(ctx, append([]string{*program, "serve"}, flag.Args()...), *freePorts, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "vigil:", strings.TrimPrefix(err.Error(), "firebasetest: "))
		os.Exit(1)
	}
}

func run(ctx context.Context, command []string, freePorts bool, stdout io.Writer) error {
	if _, err := fmt.Fprintln(stdout, "Starting Firebase's emulators, which takes up to half a minute …"); err != nil {
		return err
	}
	emulators, err := firebasetest.Launch(ctx, firebasetest.Options{Firestore: true, FreePorts: freePorts})
	if err != nil {
		return unlessInterrupted(ctx, err)
	}
	defer emulators.Stop()
	if err := seed(ctx, emulators.AuthHost()); err != nil {
		return unlessInterrupted(ctx, err)
	}
	if err := warm(ctx, emulators.FirestoreHost()); err != nil {
		return unlessInterrupted(ctx, err)
	}
	service, err := serve(ctx, command, emulators)
	if err != nil {
		return err
	}
	defer service.stop()
	if err := service.await(ctx); err != nil {
		return unlessInterrupted(ctx, err)
	}
	if err := introduce(stdout, service.url, emulators); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-service.exited:
		return errors.New("the service has ended")
	case <-emulators.Exited():
		return fmt.Errorf("the emulators have ended:\n%s", emulators.Output())
	}
}

// unlessInterrupted is err, or nothing when the user wanted it to end.
func unlessInterrupted(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// service is a running `vigil serve`.
type service struct {
	process *exec.Cmd
	exited  <-chan struct{}
	url     string
}

// serve starts the service on the emulators. What the environment sets for it holds, apart from where Firebase is.
func serve(ctx context.Context, command []string, emulators *firebasetest.Emulators) (*service, error) {
	addr := defaults("ADDR", "127.0.0.1:8080")
	port := "3000" // the dashboard's
	if set := os.Getenv("PORT"); set != "" {
		port = set
	}
	s := &service{url: "http://" + strings.TrimPrefix(addr, "ADDR=")}
	s.process = exec.CommandContext(context.WithoutCancel(ctx), command[0], command[1:]...)
	s.process.Env = append(os.Environ(), addr,
		"FIREBASE_PROJECT_ID="+firebasetest.Project, "ALLOW_EMULATORS=true",
		"FIREBASE_AUTH_EMULATOR_HOST="+emulators.AuthHost(), "FIRESTORE_EMULATOR_HOST="+emulators.FirestoreHost(),
		defaults("ALLOWED_ORIGINS", "http://localhost:"+port+",http://127.0.0.1:"+port+",http://localhost:5173,http://127.0.0.1:5173"),
		defaults("LOG_FORMAT", "text"))
	s.process.Stdout, s.process.Stderr = os.Stderr, os.Stderr
	var err error
	if s.exited, err = tied.Start(s.process, syscall.SIGTERM); err != nil {
		return nil, fmt.Errorf("start the service: %w", err)
	}
	return s, nil
}

// defaults is a variable of the environment, with a value where it has none.
func defaults(variable, value string) string {
	if set, ok := os.LookupEnv(variable); ok {
		value = set
	}
	return variable + "=" + value
}

// await returns when the service is ready.
func (s *service) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for !ready(ctx, s.url) {
		select {
		case <-s.exited:
			return errors.New("the service has ended at once")
		case <-ctx.Done():
			return fmt.Errorf("the service is not ready at %s: %w", s.url, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

func (s *service) stop() {
	tied.Stop(s.process, s.exited, drainTimeout)
}
