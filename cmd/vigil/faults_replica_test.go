package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
)

// replica is an instance of a trial, in whatever process it is just now.
type replica struct {
	*trial
	number int
	proxy  *firestoretest.Proxy // to Firestore
	now    atomic.Pointer[process]
	upset  atomic.Bool   // something is being done to it
	over   chan struct{} // closed when no connection is to be reset any more; nil: none is
	resets atomic.Int64  // of connections, one after the other

	pingsBefore int64 // beyond the bound, when the process was stopped
}

func (r *replica) start() {
	r.Helper()
	r.now.Store(r.serve(r.proxy.Host(), "FEED_RESYNC="+r.resync.String(), "RATE_LIMITS=off", "REAUTH_MAX_AGE=1h", "IDLE_TIMEOUT=2h", "LOG_LEVEL=info"))
}

// newProber is a client for many requests that wait at once for an instance that is stopped.
func newProber(s severity) *http.Client {
	return &http.Client{
		Timeout: s.pause + patience, Transport: &http.Transport{MaxIdleConnsPerHost: 100},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask makes a request. Status 0: nothing was answered.
func (r *replica) ask(ctx context.Context, method, path, token string) (status int, code string) {
	request, err := http.NewRequestWithContext(ctx, method, r.now.Load().api+path, nil)
	if err != nil {
		r.Error(err)
		return 0, ""
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := r.client.Do(request)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	var problem struct{ Code string }
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, ""
	}
	_ = json.Unmarshal(body, &problem) // a success has none
	return response.StatusCode, problem.Code
}

// fault is something that happens to an instance.
type fault struct {
	name  string
	begin func(*replica)
	see   func(*replica) // waits for what has to be seen of it before it ends
	end   func(*replica)
}

const stopped = "stopped"

// faults come in pairs: two at the same time, to two instances.
var faults = []fault{
	{"killed", (*replica).kill, nothing, (*replica).start},
	{"without a byte from or to Firestore", func(r *replica) { r.proxy.Pause() }, (*replica).awaitDoubt, (*replica).reconnect},
	{"reset by Firestore again and again", (*replica).reset, (*replica).awaitResets, (*replica).reconnect},
	{stopped, (*replica).halt, (*replica).awaitPings, (*replica).resume},
	{"without answers from Firestore", func(r *replica) { r.proxy.Mute() }, (*replica).awaitDoubt, (*replica).reconnect},
	{"cut off from Firestore", (*replica).cut, (*replica).awaitDoubt, (*replica).reconnect},
}

func nothing(*replica) {}

func (r *replica) kill() {
	p := r.now.Load()
	p.signal(syscall.SIGKILL)
	if code := p.wait(); code != -1 {
		r.Errorf("the process was to be killed and has ended with %d", code)
	}
}

// halt has the process do nothing, and not notice.
func (r *replica) halt() {
	r.pingsBefore = r.pingsBeyond.Load()
	r.now.Load().signal(syscall.SIGSTOP)
	var state syscall.WaitStatus
	if _, err := syscall.Wait4(r.now.Load().cmd.Process.Pid, &state, syscall.WUNTRACED, nil); err != nil || !state.Stopped() {
		r.Fatalf("the process has not stopped: %v", err)
	}
}

// awaitPings waits until pings from beyond the bound are there for the process to find first.
func (r *replica) awaitPings() {
	r.await("there are pings from beyond the bound", func() bool { return r.pingsBeyond.Load() >= r.pingsBefore+10 })
}

func (r *replica) resume() { r.now.Load().signal(syscall.SIGCONT) }

func (r *replica) cut() {
	if r.proxy.Cut() == 0 {
		r.Error("there was no connection to cut")
	}
}

// reset has the connections with Firestore reset until it is over. New ones are there at once.
func (r *replica) reset() {
	over := make(chan struct{})
	r.over = over
	r.resets.Store(0)
	r.running.Go(func() {
		for {
			r.resets.Add(int64(r.proxy.Cut()))
			r.proxy.Restore()
			select {
			case <-time.After(r.hold / 10):
			case <-over:
				return
			case <-r.ctx.Done():
				return
			}
		}
	})
}

// awaitResets waits until the instance has lost more than the connections that it had.
func (r *replica) awaitResets() {
	eventually(r.TB, "connections are reset again and again", func() bool { return r.resets.Load() >= 3 })
}

func (r *replica) reconnect() {
	if r.over != nil {
		close(r.over)
		r.over = nil
	}
	r.proxy.Restore()
}

// awaitDoubt waits until the instance says by itself that it knows nothing.
func (r *replica) awaitDoubt() {
	r.await("the instance knows that it knows nothing", func() bool { return r.readiness() == http.StatusServiceUnavailable })
}

// awaitRecovery waits until nothing is wrong any more.
func (r *replica) awaitRecovery() {
	r.await("the instance is ready again", func() bool { return r.readiness() == http.StatusOK })
}

func (r *replica) readiness() (status int) {
	status, _ = r.ask(r.ctx, http.MethodGet, "/readyz", "")
	return status
}

// pass lets time go by.
func (tr *trial) pass(d time.Duration) {
	select {
	case <-time.After(d):
	case <-tr.ctx.Done():
	}
}
