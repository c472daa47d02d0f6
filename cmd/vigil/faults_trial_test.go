package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/vigilhq/vigil/internal/identity"
	"github.com/vigilhq/vigil/internal/wire"
)

// trial is what three instances go through, and what is seen of it.
type trial struct {
	*world
	severity
	bound    time.Duration // after an acknowledgement
	began    time.Time
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
	client   *http.Client
	replicas []*replica
	faults   map[string]int
	admin    *witness

	acts    []*act
	begun   atomic.Int64 // how many of them
	all     []*witness
	holders []*witness // those with a socket

	pingsBeyond atomic.Int64 // sent beyond the bound

	mu         sync.Mutex
	done       []*act         // in the order of their acknowledgements
	again      int            // acknowledgements of what had been asked for more than once
	answers    map[int]int    // to requests, by status
	beyond     int            // requests that were begun beyond the bound
	pings      int            // after an acknowledgement
	stale      map[string]int // what was accepted after an acknowledgement, within the bound
	latest     time.Duration  // of that
	latestCalm time.Duration  // of that, by instances to which nothing was being done
	closes     map[wire.CloseCode]int
	blames     int
}

// act is a revocation.
type act struct {
	method, path string
	actor        *witness
	victims      []*witness
}

// now is the time since the trial began.
func (tr *trial) now() time.Duration { return time.Since(tr.began) }

func (tr *trial) note(what func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	what()
}

// blame reports a failure, unless there have been many.
func (tr *trial) blame(format string, args ...any) {
	many := false
	tr.note(func() { tr.blames++; many = tr.blames > 20 })
	if !many {
		tr.Errorf("%8.3f s: "+format, append([]any{tr.now().Seconds()}, args...)...)
	}
}

// prepare decides who signs in, and who ends what: for each revocation there is a user with two sign-ins. Some more are left alone.
func (tr *trial) prepare() {
	tr.ctx, tr.cancel = context.WithCancel(tr.Context())
	tr.stale, tr.closes = make(map[string]int), make(map[wire.CloseCode]int)
	tr.admin = tr.newWitness("boss", "trial")
	tr.admin.tokens[0] = tr.mint("boss", map[string]any{"sid": "trial", "admin": true})
	for n := range tr.revocations * 11 / 10 {
		uid := fmt.Sprint("user-", n)
		if _, err := tr.accounts.CreateUser(identity.NewUser{UID: uid}); err != nil {
			tr.Fatal(err)
		}
		one, two := tr.newWitness(uid, "one"), tr.newWitness(uid, "two")
		tr.all = append(tr.all, one, two)
		if n >= tr.revocations {
			continue
		}
		tr.acts = append(tr.acts, [...]*act{
			{http.MethodPost, "/v1/admin/users/" + uid + "/revoke", tr.admin, []*witness{one, two}},
			{http.MethodDelete, "/v1/admin/sessions/" + one.id, tr.admin, []*witness{one}},
			{http.MethodPost, "/v1/logout", one, []*witness{one}},
			{http.MethodDelete, "/v1/sessions/" + one.id, two, []*witness{one}},
			{http.MethodDelete, "/v1/sessions?scope=others", two, []*witness{one}},
		}[n%5])
	}
	for n, s := range tr.all {
		if (n+1)*tr.sockets/len(tr.all) > n*tr.sockets/len(tr.all) {
			tr.holders = append(tr.holders, s)
		}
	}
}

// enroll registers everybody, and has the sockets opened.
func (tr *trial) enroll() {
	const atOnce = 16
	tr.register(tr.admin)
	slots := make(chan struct{}, atOnce)
	var enrolling sync.WaitGroup
	holds := make(map[*witness]bool)
	for _, s := range tr.holders {
		holds[s] = true
	}
	for _, s := range tr.all {
		slots <- struct{}{}
		enrolling.Go(func() {
			tr.register(s)
			if holds[s] {
				tr.running.Go(func() { tr.holdSocket(s) })
			}
			<-slots
		})
	}
	enrolling.Wait()
}

// await is eventually for a machine that is busy with the trial itself.
func (tr *trial) await(what string, holds func() bool) {
	tr.Helper()
	within(tr.TB, 4*patience, what, holds)
}

// scatter has many sockets opened anew, since few are where something has just happened, and waits until everybody has one who should, and
// whose end nobody has asked for.
func (tr *trial) scatter() {
	for _, s := range tr.holders {
		s.mu.Lock()
		if s.socket != nil && rand.N(2) == 0 {
			_ = s.socket.Close() // its reader finds out
			s.socket = nil
		}
		s.mu.Unlock()
	}
	tr.await("the sockets are open", func() bool {
		for _, s := range tr.holders {
			s.mu.Lock()
			open := s.socket != nil
			s.mu.Unlock()
			if !open && s.tried.Load() == 0 {
				return false
			}
		}
		return true
	})
}

// revokeAll has ends asked for, a part of them at once, when what instances know is as fresh as it will be for long, the others spread over
// some time.
func (tr *trial) revokeAll(acts []*act, within time.Duration) {
	pace := rate.NewLimiter(rate.Limit(float64(len(acts))/within.Seconds()), max(len(acts)/4, 1))
	var revoking sync.WaitGroup
	for _, a := range acts {
		if pace.Wait(tr.ctx) != nil {
			break
		}
		tr.begun.Add(1)
		revoking.Go(func() { tr.revoke(a) })
	}
	revoking.Wait()
}

// revoke asks one instance after the other, until one of them acknowledges the end or says that it has come to pass.
func (tr *trial) revoke(a *act) {
	for _, s := range a.victims {
		s.tried.Store(int64(tr.now()))
	}
	tries := 0
	tr.insist(func() (answered bool) {
		tries++
		r := tr.anyReplica()
		ctx, cancel := context.WithTimeout(tr.ctx, time.Second<<min(tries, 4)) // the first time not for as long as an instance is stopped
		status, code := r.ask(ctx, a.method, a.path, a.actor.tokens[0])
		cancel()
		spent := a.actor == a.victims[0] && code == "session_ended"
		switch {
		case status/100 == 2, spent && tries > 1:
			tr.acknowledged(a, r, tries)
		case status == 0, status == http.StatusServiceUnavailable:
			return false
		default:
			tr.blame("%s %s is answered %d %s", a.method, a.path, status, code)
		}
		return true
	})
}

// insist tries until there is an answer.
func (tr *trial) insist(try func() (answered bool)) {
	for tr.ctx.Err() == nil && !try() {
		tr.pass(20 * time.Millisecond)
	}
}

func (tr *trial) acknowledged(a *act, r *replica, tries int) {
	now := int64(tr.now())
	for _, s := range a.victims {
		if tries == 1 {
			s.by.Store(r)
		}
		s.ended.Store(now)
	}
	tr.note(func() {
		tr.done = append(tr.done, a)
		if tries > 1 {
			tr.again++
		}
	})
}

// probe asks an instance at a steady rate, whether or not it answers, about those whose end has just been acknowledged or is about to be
// asked for, and about others.
func (tr *trial) probe(r *replica) {
	pace := rate.NewLimiter(rate.Limit(tr.probes), 1)
	for pace.Wait(tr.ctx) == nil {
		tr.running.Go(func() { tr.check(tr.ctx, tr.pick(), r) })
	}
}

func (tr *trial) pick() *witness {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	lately := min(len(tr.done), tr.revocations/(tr.rounds*len(faults)/2))
	soon := tr.acts[min(int(tr.begun.Load()), len(tr.acts)):]
	soon = soon[:min(len(soon), 50)]
	switch n := rand.N(10); {
	case n < 5 && lately > 0:
		a := tr.done[len(tr.done)-1-rand.N(lately)]
		return a.victims[rand.N(len(a.victims))]
	case n < 8 && len(soon) > 0:
		return soon[rand.N(len(soon))].victims[0]
	default:
		return tr.all[rand.N(len(tr.all))]
	}
}

// stop ends everything but the instances.
func (tr *trial) stop() {
	tr.cancel()
	tr.running.Wait()
	tr.client.CloseIdleConnections()
}

// verdict asks every instance about everybody, when the last acknowledgement is long enough ago: whose end was acknowledged is out, and
// all others are in.
func (tr *trial) verdict() {
	const atOnce = 16
	tr.pass(tr.bound)
	slots := make(chan struct{}, atOnce)
	var asking sync.WaitGroup
	for _, s := range tr.all {
		want := http.StatusNoContent
		if s.ended.Load() != 0 {
			want = http.StatusUnauthorized
		}
		for _, r := range tr.replicas {
			slots <- struct{}{}
			asking.Go(func() {
				defer func() { <-slots }()
				tr.insist(func() (answered bool) {
					status := tr.check(tr.ctx, s, r)
					if answered = status != 0 && status != http.StatusServiceUnavailable; answered && status != want {
						tr.blame("in the end %s is answered %d by instance %d, want %d", s.id, status, r.number, want)
					}
					return answered
				})
			})
		}
	}
	asking.Wait()
}

// report tells what was seen.
func (tr *trial) report(setUp time.Duration) {
	tr.Logf("%d sign-ins, %d sockets; faults: %v; set up in %.1f s, all in %.1f s", len(tr.all), len(tr.holders), tr.faults, setUp.Seconds(), tr.now().Seconds())
	tr.Logf("%d revocations acknowledged, %d of them asked for more than once", len(tr.done), tr.again)
	tr.Logf("requests by status: %v, %d of them begun beyond the bound; %d pings after an acknowledgement, %d of them beyond the bound; closes: %v",
		tr.answers, tr.beyond, tr.pings, tr.pingsBeyond.Load(), tr.closes)
	tr.Logf("accepted after an acknowledgement: %v, the latest %.3f s after it, which is %.2f of the bound; by an instance to which nothing was done: %.3f s",
		tr.stale, tr.latest.Seconds(), tr.latest.Seconds()/tr.bound.Seconds(), tr.latestCalm.Seconds())
	if len(tr.done) != tr.revocations || len(tr.faults) != len(faults) {
		tr.Errorf("%d of %d revocations are acknowledged, there were faults of %d kinds", len(tr.done), tr.revocations, len(tr.faults))
	}
}
