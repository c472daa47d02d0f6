package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// What people are assumed to do. Times that are means are of exponential distributions.
const (
	people       = 300 // that sign in during the simulated day, each once, and some of them on a second device
	signInWindow = 10 * time.Hour
	secondDevice = 0.25 // share of the people who sign in on a second device, within an hour after the first

	stretch     = 20 * time.Minute // mean of a stretch of work
	pause       = 10 * time.Minute // mean of the pause after it; the tab stays open
	stretches   = 4                // mean number of stretches of a session, geometric
	leastSilent = 15 * time.Second // between reports of activity, as the client throttles them
	silent      = 15 * time.Second // mean of what goes beyond that
	request     = time.Minute      // mean between requests during a stretch that a back end asks /v1/check about

	logsOut   = 0.35 // share of the sessions that end with a logout
	closesTab = 0.35 // share that end with a closed browser: the clean-up finds them
	// The others leave the tab open, and the hub ends them for idleness.
	revoked = 0.01 // share of the sessions whose user an admin revokes, at some moment of the first two hours

	// reconnects is how long a socket lives: Cloud Run cuts each after an hour. Restarts come to less.
	reconnects = 55 * time.Minute
)

// visitor is one session: a sign-in on one device.
type visitor struct {
	*fleet
	affinity bool // sockets and requests of a user come to one instance
	rng      *rand.Rand
	uid      session.UserID
	home     int
	token    string
	at       *instance
	tab      *tab

	opened   time.Time // the socket
	requests int
}

// crowd lets everybody come and go, and returns them when the last one has.
func crowd(ctx context.Context, f *fleet, affinity bool, seed uint64) []*visitor {
	rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a simulation is to be repeatable
	var all []*visitor
	var out sync.WaitGroup
	come := func(uid session.UserID, home int, in time.Duration) {
		v := &visitor{fleet: f, affinity: affinity, uid: uid, home: home, rng: rand.New(rand.NewPCG(seed, uint64(len(all)+1)))} //nolint:gosec // the same
		all = append(all, v)
		out.Go(func() {
			<-time.After(in)
			v.live(ctx)
		})
	}
	for n := range people {
		uid, home, first := session.UserID(fmt.Sprint("user-", n)), rng.IntN(len(f.instances)), upTo(rng, signInWindow)
		come(uid, home, first)
		if rng.Float64() < secondDevice {
			come(uid, home, first+time.Minute+upTo(rng, time.Hour))
		}
	}
	out.Wait()
	return all
}

// upTo is a time below d.
func upTo(rng *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(d)))
}

// about is a time from an exponential distribution with this mean.
func (v *visitor) about(mean time.Duration) time.Duration {
	return time.Duration(v.rng.ExpFloat64() * float64(mean))
}

func (v *visitor) choose() *instance {
	if v.affinity {
		return v.instances[v.home]
	}
	return v.instances[v.rng.IntN(len(v.instances))]
}

// live is the session from the sign-in on.
func (v *visitor) live(ctx context.Context) {
	v.token, v.at = v.accounts.SignIn(v.uid), v.choose()
	registering := during(ctx, forRegistration)
	id, err := v.at.gate.Authenticate(registering, v.token)
	if err == nil {
		_, err = v.at.registry.Register(registering, id, session.SignIn{Device: session.Device{Type: "desktop", Kind: "desktop/chrome/linux"}})
	}
	if err != nil {
		panic(err) // nothing fails here
	}
	if v.rng.Float64() < revoked {
		admin := v.at.registry
		time.AfterFunc(upTo(v.rng, 2*time.Hour), func() {
			if _, err := admin.RevokeUser(during(ctx, forEnds), v.uid, session.Actor{By: "boss"}); err != nil {
				panic(err)
			}
		})
	}
	v.connect(ctx)
	defer func() { v.tab.leave() }()
	for v.work(ctx, v.about(stretch)) {
		if v.rng.Float64() >= 1.0/stretches {
			if !v.wait(ctx, v.about(pause)) {
				return
			}
			continue
		}
		switch how := v.rng.Float64(); {
		case how < logsOut:
			v.logOut(ctx)
		case how < logsOut+closesTab:
		default:
			v.wait(ctx, policy.Lifetime)
		}
		return
	}
}

// work is a stretch of work; it reports whether the session is still there at its end.
func (v *visitor) work(ctx context.Context, d time.Duration) bool {
	end := time.Now().Add(d)
	activity, asked := time.Now(), time.Now().Add(v.about(request))
	for time.Now().Before(end) {
		next := activity
		if asked.Before(next) {
			next = asked
		}
		if !v.wait(ctx, min(time.Until(next), time.Until(end))) {
			return false
		}
		if now := time.Now(); !now.Before(activity) {
			v.tab.send(during(ctx, forActivity), wire.Request{Type: wire.TypeActivity})
			activity = now.Add(leastSilent + v.about(silent))
		}
		if now := time.Now(); !now.Before(asked) {
			v.requests++
			if _, err := v.choose().gate.Admit(during(ctx, forRequests), v.token, session.Origin{}); err != nil {
				return false
			}
			asked = now.Add(v.about(request))
		}
	}
	return true
}

// wait lets time pass, and the socket be cut and come back; it reports whether the session is still there.
func (v *visitor) wait(ctx context.Context, d time.Duration) bool {
	end := time.Now().Add(d)
	for {
		cut := time.Until(v.opened.Add(reconnects))
		select {
		case <-v.tab.over:
			return false
		case <-time.After(min(time.Until(end), cut)):
		}
		if time.Now().Before(v.opened.Add(reconnects)) {
			return true
		}
		v.tab.leave()
		v.token, v.at = v.accounts.Refresh(v.token), v.choose()
		v.connect(ctx)
	}
}

func (v *visitor) connect(ctx context.Context) {
	v.opened = time.Now()
	v.tab = v.at.open(ctx, v.token)
}

func (v *visitor) logOut(ctx context.Context) {
	admitted, err := v.at.gate.Admit(during(ctx, forRequests), v.token, session.Origin{})
	if err != nil {
		return // it has just ended
	}
	if err := v.at.registry.EndOwn(during(ctx, forEnds), admitted, admitted.Session.ID); err != nil {
		panic(err)
	}
}
