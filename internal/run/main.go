// Command run is what `make run` and `make run-emulators` start where there is Node.js: a program that runs Vigil, whose command line
// stands after --, and the dashboard, which takes from what that program prints where to find it. Ctrl-C ends both, and neither outlives
// the other or this one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/vigilhq/vigil/internal/tied"
)

const (
	// startTimeout is how long the dashboard may take to answer: a second or two, more on a machine that compiles beside it.
	startTimeout = time.Minute
	// stopTimeout is how long a process may take to end in order: Vigil with open sockets up to 30 seconds, and emulators behind it.
	stopTimeout = time.Minute
)

func main() {
	folder := flag.String("dashboard", "examples/dashboard", "the dashboard's folder, where it is built")
	node := flag.String("node", "node", "Node.js")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	port := "3000"
	if set := os.Getenv("PORT"); set != "" {
		port = set
	}
	// What Next.js itself starts with `next start`, without npm between it and our signals. On loopback only, as everything here.
	dashboard := exec.CommandContext(context.WithoutCancel(ctx), *node, "node_modules/next/dist/bin/next", "start", "--hostname", "127.0.0.1", "--port", port)
	dashboard.Dir = *folder
	if err := run(ctx, flag.Args(), dashboard, net.JoinHostPort("127.0.0.1", port), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "vigil:", err)
		os.Exit(exitCode(err))
	}
}

// exitCode is that of the program which ended, so that 2 still says that its settings are wrong.
func exitCode(err error) int {
	var ended endedError
	if errors.As(err, &ended) && ended.code > 0 {
		return ended.code
	}
	return 1
}

// endedError says that a process which was to run until Ctrl-C has ended.
type endedError struct {
	name, output string
	code         int
}

func (e endedError) Error() string {
	if e.output == "" {
		return e.name + " has ended"
	}
	return fmt.Sprintf("%s has ended:\n%s", e.name, e.output)
}

// run starts a command, then the dashboard at host, and returns when both have ended: without an error if the context ended first.
func run(ctx context.Context, command []string, dashboard *exec.Cmd, host string, stdout io.Writer) error {
	if len(command) == 0 {
		return errors.New("usage: run [-dashboard FOLDER] -- COMMAND [ARGUMENT …]")
	}
	if err := vacant(ctx, host); err != nil {
		return err
	}
	printed := newIntroduction(stdout)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = printed, os.Stderr
	backend, err := start("the service", cmd)
	if err != nil {
		return err
	}
	defer backend.stop()
	select {
	case <-ctx.Done():
		return nil
	case <-backend.exited:
		return backend.ended()
	case <-printed.complete:
	}

	var said tied.Tail // the address that it would print is ours to print
	dashboard.Env = append(os.Environ(), printed.environment()...)
	dashboard.Stdout, dashboard.Stderr = &said, io.MultiWriter(&said, os.Stderr)
	frontend, err := start("the dashboard", dashboard)
	if err != nil {
		return err
	}
	defer frontend.stop()
	if err := frontend.await(ctx, host, &said); err != nil {
		return err
	}
	if ctx.Err() == nil {
		if err := printed.invite(stdout, host); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return nil
	case <-backend.exited:
		return backend.ended()
	case <-frontend.exited:
		return frontend.ended()
	}
}

// vacant fails when somebody else has the dashboard's port, which is better said before anything starts.
func vacant(ctx context.Context, host string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("the dashboard cannot have %s: PORT=3001 gives it another port, DASHBOARD=off does without: %w", host, err)
	}
	return listener.Close()
}

// process is one of the two.
type process struct {
	name   string
	cmd    *exec.Cmd
	exited <-chan struct{}
}

func start(name string, cmd *exec.Cmd) (*process, error) {
	exited, err := tied.Start(cmd, syscall.SIGTERM)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &process{name, cmd, exited}, nil
}

func (p *process) ended() error {
	return endedError{name: p.name, code: p.cmd.ProcessState.ExitCode()}
}

// await returns when the dashboard answers, or there is nothing to wait for any more.
func (p *process) await(ctx context.Context, host string, said *tied.Tail) error {
	waiting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !answers(waiting, host) {
		select {
		case <-ctx.Done():
			return nil
		case <-p.exited:
			return endedError{name: p.name, code: p.cmd.ProcessState.ExitCode(), output: said.String()}
		case <-waiting.Done():
			return fmt.Errorf("%s does not answer at %s:\n%s", p.name, host, said)
		case <-tick.C:
		}
	}
	return nil
}

func answers(ctx context.Context, host string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "http://"+host+"/", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultTransport.RoundTrip(request) // a redirection is an answer
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return true
}

// stop ends the process, unless it has ended, and returns when it is gone.
func (p *process) stop() {
	tied.Stop(p.cmd, p.exited, stopTimeout)
}
