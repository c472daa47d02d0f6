package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// measurement is what a simulated day has cost.
type measurement struct {
	Sessions  int
	LiveHours float64 // of all sessions, from their registration to their end
	Notices   int     // documents
	Events    int
	LookUps   float64 // calls to Firebase Authentication, with full batches
	singly    int     // those of them that were about one account
	requests  int
	reads     map[string]int // by purpose, as are writes
	writes    map[string]int
}

// simulate lets a day pass, with affinity or without.
func simulate(t *testing.T, instances int, affinity bool, seed uint64) (m measurement) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		f := newFleet(ctx, policy, instances)
		go f.sweep(ctx)
		all := crowd(ctx, f, affinity, seed)
		<-time.After(2 * sweepInterval) // until everything that is over is written down as over
		stop()
		synctest.Wait()
		m = f.measure(t, all)
	})
	return m
}

func (f *fleet) measure(t *testing.T, all []*visitor) measurement {
	t.Helper()
	b := &f.store.bill
	m := measurement{
		Sessions: len(all), Notices: b.notices, Events: b.events, LookUps: f.accounts.calls(), singly: int(f.accounts.single.Load()),
		reads: b.reads, writes: b.writes,
	}
	users := make(map[session.UserID]struct{})
	for _, v := range all {
		m.requests += v.requests
		if _, done := users[v.uid]; done {
			continue
		}
		users[v.uid] = struct{}{}
		stored, err := f.store.Store.UserSessions(context.WithoutCancel(t.Context()), v.uid, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range stored {
			if s.Status != session.StatusEnded {
				t.Errorf("a session of %s has not ended", v.uid)
			}
			m.LiveHours += s.EndedAt.Sub(s.CreatedAt).Hours()
		}
	}
	return m
}

// Hourly is a number of the day's by the hour of a session.
func (m measurement) Hourly(n int) float64 { return float64(n) / m.LiveHours }

// MeanHours is how long a session lives.
func (m measurement) MeanHours() float64 { return m.LiveHours / float64(m.Sessions) }

// ForRequests is the reads for requests and for sockets that open.
func (m measurement) ForRequests() int { return m.reads[forRequests] }

// MissingShare is the share of the requests that had an account looked up, beyond those that register.
func (m measurement) MissingShare() float64 { return float64(m.singly-people) / float64(m.requests) }
