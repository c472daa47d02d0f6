package swarm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"time"
)

// Options is one run.
type Options struct {
	Plan
	Processes int
	Command   func() *exec.Cmd // starts a worker: a program that calls [Work] on its standard input and output
	Settle    time.Duration    // between the last one's arrival and the steady time
	Duration  time.Duration    // of the steady time
	Revoke    int              // users to revoke one after the other, once that is over
	Mass      bool             // and then everybody at once
	Collect   bool             // force a garbage collection before the server's memory is read
	Enroll    bool             // begin all sessions before the first socket, and read the server's memory in between
	Server    Server
	// Renew returns another token for a browser, by number. It is called only if the plan says that there are any.
	Renew func(browser int) string
	// Admin returns the token of an administrator who signs in just now. It is needed to revoke.
	Admin func() string
	// Died is closed when there is no server any more; nil: nobody knows.
	Died <-chan struct{}
	// Progress is told how far it is, now and then.
	Progress func(stage string, counts Counts)
}

const (
	progressEvery = 250 * time.Millisecond // how often workers are asked
	arriveTimeout = 30 * time.Second       // after the last browser has set out
	revokeEvery   = 50 * time.Millisecond  // so that timers have some time to be late in
	massTimeout   = 60 * time.Second
	massEvery     = 20 * time.Millisecond
	baselineTime  = 2 * time.Second // without connections
	finishTimeout = 20 * time.Second
)

var errDied = errors.New("the server has ended")

// Run lets browsers loose on a server, and reports. When ctx ends, it ends what it is at and reports what there is. With an error, too,
// there is a report of what was found up to then.
func Run(ctx context.Context, o Options) (Report, error) {
	r := &run{Options: o, report: Report{
		Protocol: o.Protocol, Browsers: o.Browsers, Processes: o.Processes, Sources: len(o.Sources), Seconds: make(map[string]float64),
		Latencies: make(map[Kind]Latency), Closes: make(map[string]int), Failures: make(map[string]int),
	}}
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if o.Died != nil {
		go func() {
			select {
			case <-o.Died:
				cancel(errDied)
			case <-watched.Done():
			}
		}()
	}
	err := r.baseline(watched)
	if err == nil {
		r.fleet, err = launch(watched, o.Plan, o.Processes, o.Command, o.Renew)
	}
	if err == nil {
		defer r.fleet.close()
		err = errors.Join(r.measure(watched), r.finish(context.WithoutCancel(ctx)))
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		r.report.Interrupted, err = true, nil
	}
	return r.report, err
}

// run is one under way.
type run struct {
	Options
	fleet  *fleet
	report Report
}

// measure goes through the parts of a run.
func (r *run) measure(ctx context.Context) error {
	for _, part := range []struct {
		name   phase
		wanted bool
		do     func(context.Context) error
	}{
		{"enrolling", r.Enroll, r.enroll}, {connecting, true, r.connect}, {"settling", r.Settle > 0, r.settle}, {steady, true, r.hold},
		{revoking, r.Revoke > 0, r.revoke}, {mass, r.Mass, r.massRevoke},
	} {
		if !part.wanted {
			continue
		}
		began := time.Now()
		if err := part.do(ctx); err != nil {
			return err
		}
		if part.name != steady { // which has noted the time that was measured, and goes on for longer
			r.report.Seconds[string(part.name)] = time.Since(began).Seconds()
		}
	}
	return nil
}

// baseline reads what the server takes without any connection.
func (r *run) baseline(ctx context.Context) error {
	if r.Server.PID == 0 {
		return nil
	}
	r.Progress("the server without connections", Counts{})
	live, err := r.collect(ctx)
	if err != nil {
		return err
	}
	resident, err := r.Server.Settled(ctx)
	if err != nil {
		return fmt.Errorf("memory of the server: %w", err)
	}
	before, err := r.Server.CPU()
	if err != nil {
		return fmt.Errorf("CPU time of the server: %w", err)
	}
	began := time.Now()
	if err := wait(ctx, baselineTime); err != nil {
		return err
	}
	after, err := r.Server.CPU()
	r.report.Server = &Usage{
		PID: r.Server.PID, BaselineResident: resident, BaselineLive: live, BaselineCPU: (after - before).Seconds() / time.Since(began).Seconds(), Collected: r.Collect,
	}
	return err
}

// collect returns what a forced garbage collection leaves, zero if nobody wants one.
func (r *run) collect(ctx context.Context) (live int64, err error) {
	if !r.Collect {
		return 0, nil
	}
	return r.Server.Collect(ctx)
}

// enroll has the browsers begin their sessions, and reads what these take alone.
func (r *run) enroll(ctx context.Context) error {
	if _, _, err := r.fleet.all(ctx, order{Do: doEnroll}); err != nil {
		return err
	}
	err := r.until(ctx, "beginning sessions", r.ramp(), progressEvery, func(c Counts) bool { return c.Registered+c.Failed >= r.Browsers })
	if err != nil || r.report.Server == nil {
		return err
	}
	if _, err := r.collect(ctx); err != nil {
		return err
	}
	resident, err := r.Server.Settled(ctx)
	r.report.Server.EnrolledResident = &resident
	return err
}

// ramp is how long browsers may take to be there.
func (r *run) ramp() time.Duration {
	return time.Duration(float64(r.Browsers)/r.Rate*float64(time.Second)) + arriveTimeout
}

// connect has the browsers come, and waits until each is there or has given up.
func (r *run) connect(ctx context.Context) error {
	if _, _, err := r.fleet.all(ctx, order{Do: doBegin}); err != nil {
		return err
	}
	return r.until(ctx, "connecting", r.ramp(), progressEvery, func(c Counts) bool { return c.Connected+c.Failed >= r.Browsers })
}

// until asks for counts again and again, until they are as they should be or the time is over.
func (r *run) until(ctx context.Context, stage string, within, every time.Duration, holds func(Counts) bool) error {
	for deadline := time.Now().Add(within); ; {
		counts, _, err := r.fleet.all(ctx, order{Do: doCount})
		if err != nil {
			return err
		}
		r.Progress(stage, counts)
		left := time.Until(deadline)
		if left <= 0 || holds(counts) {
			return nil
		}
		if err := wait(ctx, min(every, left)); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settle leaves the browsers to themselves, so that what follows an arrival is over.
func (r *run) settle(ctx context.Context) error {
	return r.until(ctx, "settling", r.Settle, progressEvery, func(Counts) bool { return false })
}

// hold is the steady time: it reads what the server takes meanwhile, and in the end what is alive.
func (r *run) hold(ctx context.Context) error {
	before, _, err := r.fleet.all(ctx, order{Do: doSteady})
	if err != nil {
		return err
	}
	server, clients, began := r.cpu(), r.clientsCPU(), time.Now()
	stopped := r.until(ctx, "holding", r.Duration, progressEvery, func(Counts) bool { return false })
	if stopped != nil && (ctx.Err() == nil || errors.Is(stopped, errDied)) {
		return stopped
	}
	ctx = context.WithoutCancel(ctx) // an interruption ends the steady time: what it was like can still be read
	spent, took := r.cpu()-server, time.Since(began)
	if r.report.Server != nil {
		r.report.Clients = &Clients{CPU: (r.clientsCPU() - clients).Seconds()}
	}
	r.report.Seconds[string(steady)] = took.Seconds()
	after, _, err := r.fleet.all(ctx, order{Do: doCount})
	if err != nil {
		return err
	}
	r.report.Alive.Clients = after.Open
	if open, err := r.Server.Sockets(ctx); err == nil {
		r.report.Alive.Server = &open
	} else if r.Server.Ops != "" && r.Protocol == Vigil {
		return fmt.Errorf("sockets of the server: %w", err)
	}
	return errors.Join(stopped, r.usage(ctx, spent, took, after.Open, after.Pongs-before.Pongs))
}

// cpu is the server's CPU time, zero if it is not known.
func (r *run) cpu() time.Duration {
	took, _ := r.Server.CPU()
	return took
}

func (r *run) clientsCPU() time.Duration {
	took, _ := r.fleet.cpu()
	return took
}

// usage completes what the server took.
func (r *run) usage(ctx context.Context, spent, in time.Duration, open, pings int) error {
	u := r.report.Server
	if u == nil {
		return nil
	}
	live, err := r.collect(ctx)
	if err != nil {
		return err
	}
	resident, err := r.Server.Settled(ctx)
	if err != nil {
		return fmt.Errorf("memory of the server: %w", err)
	}
	u.Resident, u.Live, u.CPU, u.Pings = resident, live, max(0, spent.Seconds()-u.BaselineCPU*in.Seconds()), pings
	if open > 0 {
		u.PerConnection = PerUnit{
			Resident: float64(resident-u.BaselineResident) / float64(open), Live: float64(live-u.BaselineLive) / float64(open),
			CPU: u.CPU * 1e6 / float64(open) / in.Seconds(),
		}
		if u.EnrolledResident != nil {
			socket := float64(resident-*u.EnrolledResident) / float64(open)
			u.PerConnection.Socket = &socket
		}
	}
	if pings > 0 {
		each := u.CPU * 1e6 / float64(pings)
		u.CPUPerPing = &each
	}
	return nil
}

// revoke has users revoked one after the other.
func (r *run) revoke(ctx context.Context) error {
	admin, err := r.admin(ctx)
	if err != nil {
		return err
	}
	r.report.Revocations = &Revocations{}
	began := time.Now()
	for i := range min(r.Revoke, r.Browsers) {
		if err := wait(ctx, time.Until(began.Add(time.Duration(i)*revokeEvery))); err != nil {
			return err
		}
		closed, err := r.fleet.revoke(ctx, i*r.Browsers/min(r.Revoke, r.Browsers), admin)
		if err != nil {
			return err
		}
		r.report.Revocations.Asked++
		if closed {
			r.report.Revocations.Closed++
		}
		r.Progress("revoking one after the other", Counts{})
	}
	return nil
}

// massRevoke has everybody revoked at once.
func (r *run) massRevoke(ctx context.Context) error {
	admin, err := r.admin(ctx)
	if err != nil {
		return err
	}
	counts, _, err := r.fleet.all(ctx, order{Do: doMass})
	if err != nil {
		return err
	}
	r.report.Mass = &MassClose{Open: counts.Open}
	if err := r.post(ctx, "/v1/admin/revocations", admin, `{"all":true,"reason":"vigil swarm"}`); err != nil {
		return fmt.Errorf("mass revocation: %w", err)
	}
	return r.until(ctx, "closing all", massTimeout, massEvery, func(c Counts) bool {
		r.report.Mass.Left = c.Open
		return c.Open == 0
	})
}

// admin has an administrator sign in, and begins the session that goes with it.
func (r *run) admin(ctx context.Context) (token string, err error) {
	token = r.Admin()
	if err := r.post(ctx, "/v1/sessions", token, `{"deviceName":"vigil swarm"}`); err != nil {
		return "", fmt.Errorf("session of an administrator: %w", err)
	}
	return token, nil
}

// post sends one request to the service.
func (r *run) post(ctx context.Context, path, token, body string) error {
	api := newSource(r.Origin, netip.Addr{})
	defer api.http.CloseIdleConnections()
	return api.post(ctx, r.URL+path, token, body, nil)
}

// finish ends the browsers and takes over what they have measured.
func (r *run) finish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	counts, replies, err := r.fleet.all(ctx, order{Do: doFinish})
	r.report.Counts, r.report.Unanswered = counts, counts.Unanswered()
	var all []results
	for _, reply := range replies {
		if reply.Results != nil {
			all = append(all, *reply.Results)
		}
	}
	r.report.measured(all)
	if m := r.report.Mass; m != nil {
		m.Seconds = r.report.Latencies[Mass].Max / 1000
	}
	return err
}
