package main

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
)

// full is for `make faults`.
var full = flag.Bool("full", false, "the tests of faults in full: many minutes")

// severity is how hard a trial is.
type severity struct {
	revocations int
	sockets     int           // sign-ins that hold one
	rounds      int           // of all faults, each with other instances
	resync      time.Duration // FEED_RESYNC
	pause, hold time.Duration // of a stopped process, and of every other fault: longer than the bound
	probes      int           // requests a second, at each instance
}

var (
	usual   = severity{revocations: 240, sockets: 240, rounds: 1, resync: 1500 * time.Millisecond, pause: 6 * time.Second, hold: 4 * time.Second, probes: 40}
	hardest = severity{revocations: 10_000, sockets: 3000, rounds: 3, resync: 3 * time.Second, pause: 30 * time.Second, hold: 20 * time.Second, probes: 60}
)

// R1 of docs/security.md. Revocations are acknowledged by three instances that are killed, stopped and cut off from Firestore meanwhile.
// Whatever happens, nothing that has begun later than an acknowledgement and twice FEED_RESYNC is accepted.
//
// There is no tolerance in that, and no noise of a machine that could break it. An instance accepts only if it began a catch-up, which has
// since been completed, at most twice FEED_RESYNC before it looks; it looks after the request was begun; so a request that was begun later
// than that after an acknowledgement is looked at by an instance whose catch-up began after the commit, and found its notice. All of these
// are moments of the machine's one monotonic clock. The instance that acknowledges does not need the feed: there the bound is zero.
// That the others refuse within a second while their listeners work is a matter of the machine's speed, and is logged, not demanded.
func TestR1NothingIsAcceptedBeyondTheBound(t *testing.T) {
	size := usual
	if *full {
		size = hardest
	}
	tr := newTrial(t, size)
	tr.enroll()
	setUp := tr.now()
	for _, r := range tr.replicas {
		tr.running.Go(func() { tr.probe(r) })
	}
	tr.running.Go(tr.ping)
	phases := len(faults) / 2 * size.rounds
	for n := range phases {
		tr.scatter()
		tr.suffer(n, tr.acts[n*len(tr.acts)/phases:(n+1)*len(tr.acts)/phases])
	}
	tr.verdict()
	tr.stop()
	tr.report(setUp)
}

// suffer has the next two faults happen to two of the instances, and as many ends asked for meanwhile. It returns when the instances have
// recovered and all ends are acknowledged.
func (tr *trial) suffer(n int, acts []*act) {
	began, holdFor := tr.now(), tr.hold
	two := faults[2*n%len(faults):][:2]
	victims := []*replica{tr.replicas[n%len(tr.replicas)], tr.replicas[(n+1)%len(tr.replicas)]}
	for k, f := range two {
		victims[k].upset.Store(true)
		f.begin(victims[k])
		if f.name == stopped {
			holdFor = tr.pause
		}
	}
	acknowledged := make(chan struct{})
	tr.running.Go(func() { defer close(acknowledged); tr.revokeAll(acts, holdFor) })
	tr.pass(holdFor)
	for k, f := range two {
		f.see(victims[k])
	}
	for k, f := range two {
		f.end(victims[k])
		tr.Logf("%5.1f s: instance %d was %s for %.1f s", began.Seconds(), victims[k].number, f.name, (tr.now() - began).Seconds())
		tr.faults[f.name]++
	}
	for _, r := range victims {
		r.awaitRecovery()
		r.upset.Store(false)
	}
	<-acknowledged
}

// newTrial starts the instances, each with its own way to Firestore.
func newTrial(t *testing.T, size severity) *trial {
	t.Helper()
	tr := &trial{world: newWorld(t), severity: size, bound: 2 * size.resync, began: time.Now(), faults: make(map[string]int), answers: make(map[int]int)}
	tr.client = newProber(size)
	host := firestoretest.Start(t)
	for n := range 3 {
		r := &replica{trial: tr, number: n, proxy: firestoretest.NewProxy(t, host)}
		r.start()
		tr.replicas = append(tr.replicas, r)
	}
	tr.prepare()
	t.Cleanup(tr.stop)
	return tr
}

func (tr *trial) anyReplica() *replica { return tr.replicas[rand.N(len(tr.replicas))] }
