package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/vigilhq/vigil/internal/localgoogle"
	"github.com/vigilhq/vigil/internal/swarm"
	"github.com/vigilhq/vigil/internal/tied"
)

const (
	swarmProject = "demo-vigil"
	swarmOrigin  = "https://dashboard.example.com"
	swarmAdmin   = "swarm-admin"

	serverStartTimeout = 30 * time.Second
	serverStopTimeout  = 30 * time.Second
	readyEvery         = 50 * time.Millisecond
)

// local is a server of our own, and what stands in for Google to it.
type local struct {
	dir    string // temporary
	google *localgoogle.Server
	cmd    *exec.Cmd
	exited <-chan struct{}
	said   addressReader
}

// addressReader reads where a server listens from its log, and keeps the last of that.
type addressReader struct {
	tied.Tail
	found     chan struct{} // closed when both addresses are known
	line      []byte
	addr, ops string
}

// Write implements [io.Writer].
func (r *addressReader) Write(p []byte) (int, error) {
	_, _ = r.Tail.Write(p) // it never fails
	if r.addr != "" && r.ops != "" {
		return len(p), nil
	}
	r.line = append(r.line, p...)
	for {
		line, rest, complete := bytes.Cut(r.line, []byte("\n"))
		if !complete {
			return len(p), nil
		}
		r.line = rest
		var entry struct{ Message, Address string }
		_ = json.Unmarshal(line, &entry) // what is no entry is of no interest
		switch entry.Message {
		case "serving":
			r.addr = entry.Address
		case "metrics":
			r.ops = entry.Address
		}
		if r.addr != "" && r.ops != "" {
			close(r.found)
			return len(p), nil
		}
	}
}

// startLocal starts a server and gives every browser a token of a user of its own.
func (f *swarmFlags) startLocal(ctx context.Context, program string) (*local, error) {
	l := &local{said: addressReader{found: make(chan struct{})}}
	var err error
	if l.dir, err = os.MkdirTemp("", "vigil-swarm-"); err != nil {
		return nil, err
	}
	if l.google, err = localgoogle.Start(ctx, localgoogle.Options{ProjectID: swarmProject, Dir: l.dir}); err != nil {
		l.close()
		return nil, err
	}
	if err := l.startServer(ctx, f, program); err != nil {
		l.close()
		return nil, err
	}
	o := &f.options
	o.URL, o.Origin, o.Died = "http://"+l.said.addr, swarmOrigin, l.exited
	o.Server.PID, o.Server.Ops = l.cmd.Process.Pid, "http://"+l.said.ops
	o.Progress("signing tokens", swarm.Counts{})
	l.giveTokens(f)
	return l, nil
}

// giveTokens signs users in, and an administrator.
func (l *local) giveTokens(f *swarmFlags) {
	o := &f.options
	uids := make([]string, o.Browsers)
	for i := range uids {
		uids[i] = "swarm-" + strconv.Itoa(i)
	}
	signedIn := time.Now().Unix()
	lifetime := func() map[string]any {
		now := time.Now()
		return map[string]any{"auth_time": signedIn, "iat": now.Unix(), "exp": now.Add(f.lifetime).Unix()}
	}
	o.Tokens, o.Renewable = l.google.Tokens(uids, lifetime()), true
	o.Renew = func(browser int) string { return l.google.Token(uids[browser], lifetime()) }
	l.google.SetClaims(swarmAdmin, map[string]any{"admin": true})
	o.Admin = func() string { return l.google.Token(swarmAdmin, nil) }
}

// startServer starts `vigil serve` as in production, but for its store, for limits that would be in the way, and for Google.
func (l *local) startServer(ctx context.Context, f *swarmFlags, program string) error {
	cmd := on(ctx, f.serverCPUs, program, append([]string{"serve"}, f.serve...)...)
	cmd.Env = append([]string{
		"STORE=memory", "ADDR=127.0.0.1:0", "OPS_ADDR=127.0.0.1:0", "PPROF=true", "RATE_LIMITS=off", "ALLOWED_ORIGINS=" + swarmOrigin,
	}, l.google.Environ()...)
	for _, variable := range []string{"GOGC", "GOMEMLIMIT", "GODEBUG"} { // which change what is measured
		if value, ok := os.LookupEnv(variable); ok {
			cmd.Env = append(cmd.Env, variable+"="+value)
		}
	}
	cmd.Stderr = &l.said
	var err error
	if l.exited, err = tied.Start(cmd, syscall.SIGTERM); err != nil {
		return err
	}
	l.cmd = cmd
	ctx, cancel := context.WithTimeoutCause(ctx, serverStartTimeout, errors.New("the server does not become ready"))
	defer cancel()
	select {
	case <-l.said.found:
		err = l.awaitReady(ctx)
	case <-l.exited:
		err = errors.New("the server does not start")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, &l.said)
	}
	return nil
}

func (l *local) awaitReady(ctx context.Context) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.said.addr+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close() // its status says everything
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(readyEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lastWords tells, if the server has ended by itself, what it has said.
func (l *local) lastWords() error {
	select {
	case <-l.exited:
		return fmt.Errorf("its last words:\n%s", &l.said)
	default:
		return nil
	}
}

// close ends the server, the stand-in and their files.
func (l *local) close() {
	if l.cmd != nil {
		tied.Stop(l.cmd, l.exited, serverStopTimeout)
	}
	if l.google != nil {
		l.google.Close()
	}
	_ = os.RemoveAll(l.dir) // a temporary folder
}
