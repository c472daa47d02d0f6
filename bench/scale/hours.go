package main

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// hour is what the sessions of an instance cost while nothing begins and nothing ends: each the only one of its user, with one
// socket, a heartbeat every thirty seconds, and a fresh token before the old one expires.
type hour struct {
	Writes, Reads float64 // per session; nothing of the instance's own and no clean-up
	LookUps       float64 // calls to Firebase Authentication per session, which is a user
}

// anHour lets an hour pass after the sockets have opened. Activity is reported every fifteen seconds, or never.
func anHour(t *testing.T, p session.Policy, sessions int, active bool) (h hour) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		f := newFleet(ctx, p, 1)
		at := f.instances[0]
		var tabs []*tab
		var tokens []string
		for n := range sessions {
			<-time.After(heartbeat / time.Duration(sessions)) // so that they do not stay in step
			token := f.accounts.SignIn(session.UserID(fmt.Sprint("user-", n)))
			id, err := at.gate.Authenticate(ctx, token)
			if err == nil {
				_, err = at.registry.Register(ctx, id, session.SignIn{})
			}
			if err != nil {
				t.Fatal(err)
			}
			tabs, tokens = append(tabs, at.open(ctx, token)), append(tokens, token)
		}
		reads, writes := f.store.bill.total()
		lookUps := f.accounts.LookUps()
		for beat := range int(time.Hour / heartbeat) {
			for n, tab := range tabs {
				ping := wire.Request{Type: wire.TypePing}
				if beat == int((reconnects / heartbeat)) {
					ping.Token = f.accounts.Refresh(tokens[n])
				}
				tab.send(ctx, ping)
				if active {
					tab.send(ctx, wire.Request{Type: wire.TypeActivity})
				}
			}
			<-time.After(heartbeat / 2)
			for _, tab := range tabs {
				if active {
					tab.send(ctx, wire.Request{Type: wire.TypeActivity})
				}
			}
			<-time.After(heartbeat/2 + time.Millisecond) // so that nobody is active at the very moment at which what came before is written
		}
		if open := at.hub.Sockets(); open != sessions {
			t.Errorf("%d of %d sockets are open after an hour", open, sessions)
		}
		after, written := f.store.bill.total()
		h.Reads, h.Writes = float64(after-reads)/float64(sessions), float64(written-writes)/float64(sessions)
		h.LookUps = float64(f.accounts.LookUps()-lookUps) / float64(sessions)
		for _, tab := range tabs {
			tab.leave()
		}
		stop()
		synctest.Wait()
	})
	return h
}

// patient lets a session be idle for more than an hour.
func patient() session.Policy {
	p := policy
	p.IdleTimeout, p.TouchInterval = 2*time.Hour, 20*time.Minute
	return p
}

// crowded is how many people work in the quiet hour: accounts are looked up in full batches.
const crowded = 2 * accountsAtOnce

// ReadsAnHour is what a connected session comes to beyond its registration in such an hour, with what its instance reads by itself and the
// clean-up, which looks at it once.
func (h hour) ReadsAnHour(d design) float64 {
	return h.Reads + backgroundReads/d.sockets + 1/d.sweepsIn
}
