package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/vigilhq/vigil/internal/swarm"
	"github.com/vigilhq/vigil/internal/tied"
)

const (
	// The core that servers have for themselves, the one of those who load them, and of those who start both.
	serverCore, loadCore, bothCores = "0", "1", "0,1"

	startTimeout = 30 * time.Second
	stopTimeout  = 40 * time.Second // Vigil gives its sockets up to 26 seconds
	pollInterval = 20 * time.Millisecond
)

// process is a child that ends with this one.
type process struct {
	name   string
	cmd    *exec.Cmd
	exited <-chan struct{}
	stderr *os.File
}

// start runs a program on one core. What it says goes to a file, as cheap for it as it gets, and is quoted when it fails.
func (b *bench) start(ctx context.Context, core, name string, stdout io.Writer, environ []string, program string, args ...string) (*process, error) {
	stderr, err := os.CreateTemp(b.dir, "log-*")
	if err != nil {
		return nil, err
	}
	if b.pinned {
		program, args = "taskset", append([]string{"-c", core, program}, args...)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, args...) // stop ends it, in order
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	exited, err := tied.Start(cmd, syscall.SIGTERM)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), stderr.Close())
	}
	return &process{name: name, cmd: cmd, exited: exited, stderr: stderr}, nil
}

// stop asks the process to end and returns when it is gone.
func (p *process) stop() {
	tied.Stop(p.cmd, p.exited, stopTimeout)
	_ = p.stderr.Close() // what is in it has been read, or is of no interest
	_ = os.Remove(p.stderr.Name())
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// wait returns when the process has ended by itself, with an error unless all went well.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.exited:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !p.cmd.ProcessState.Success() {
		return p.failed("has ended: " + p.cmd.ProcessState.String())
	}
	return nil
}

// failed quotes the last words.
func (p *process) failed(what string) error {
	var last tied.Tail
	if said, err := os.Open(p.stderr.Name()); err == nil {
		_, _ = io.Copy(&last, said)
		_ = said.Close()
	}
	return fmt.Errorf("%s %s\n%s", p.name, what, &last)
}

// server is a process that is measured.
type server struct {
	*process
	addr, ops string // host:port
}

// vigil starts `vigil serve` as in production, but for the store, which is its memory.
func (b *bench) vigil(ctx context.Context, settings ...string) (*server, error) {
	addr, ops := freePort(), freePort()
	settings = append([]string{"STORE=memory", "ADDR=" + addr, "OPS_ADDR=" + ops, "PPROF=true", "ALLOWED_ORIGINS=" + origin}, settings...)
	return b.serve(ctx, "vigil", addr, ops, settings, b.program("vigil"), "serve")
}

// baseline starts one of the servers that Vigil is compared with.
func (b *bench) baseline(ctx context.Context, mode string) (*server, error) {
	addr, ops := freePort(), freePort()
	return b.serve(ctx, mode, addr, ops, nil, b.program("baseline"), "-mode", mode, "-addr", addr, "-ops", ops)
}

func (b *bench) serve(ctx context.Context, name, addr, ops string, settings []string, program string, args ...string) (*server, error) {
	p, err := b.start(ctx, serverCore, name, nil, append(b.google.Environ(), settings...), program, args...)
	if err != nil {
		return nil, err
	}
	s := &server{p, addr, ops}
	if err := s.await(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// await returns when the server takes connections.
func (s *server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := poll(ctx, func() (bool, error) {
		if s.ended() {
			return false, s.failed("has ended")
		}
		for _, address := range []string{s.addr, s.ops} {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return false, nil //nolint:nilerr // not yet
			}
			_ = c.Close()
		}
		return true, nil
	})
	if ctx.Err() != nil {
		return s.failed("does not answer")
	}
	return err
}

// poll returns when a condition holds or cannot be told.
func poll(ctx context.Context, holds func() (bool, error)) error {
	for {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		if err := pause(ctx, pollInterval); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// freePort is an address on loopback that nobody has at the moment.
func freePort() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return "127.0.0.1:0" // whoever is given it says what is wrong
	}
	_ = listener.Close()
	return listener.Addr().String()
}

// cpu is what the server has taken so far.
func (s *server) cpu() (time.Duration, error) { return swarm.Server{PID: s.cmd.Process.Pid}.CPU() }

// profile fetches one of the server's profiles.
func (s *server) profile(ctx context.Context, name string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.ops+"/debug/pprof/"+name, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", request.URL, response.Status)
	}
	return io.ReadAll(response.Body)
}
