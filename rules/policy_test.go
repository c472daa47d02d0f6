package rules

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	adapter "github.com/vigilhq/vigil/firestore"
	"github.com/vigilhq/vigil/internal/session"
)

// TestPolicy has the rules and [session.Policy] judge the same sessions, as the server stores them, around their deadlines: one
// rule in two languages.
func TestPolicy(t *testing.T) {
	t.Parallel()
	p := open(t, frozen(read(t, "example.rules")))
	server, err := adapter.Open(t.Context(), adapter.Options{ProjectID: p.id, EmulatorHost: p.host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })

	var judged, live atomic.Int32
	var together errgroup.Group
	together.SetLimit(8)
	sessions := borderline()
	for _, s := range sessions {
		p.write(t, "projects/p-"+string(s.UserID)+"/billing/plan", fields{"owner": string(s.UserID)})
	}
	for _, s := range sessions {
		together.Go(func() error {
			s, created, err := server.Create(t.Context(), s, session.Record{})
			if err != nil || !created {
				return fmt.Errorf("created %t: %w", created, err)
			}
			idle, window := s.IdleDeadline(), s.AuthTime.Add(301*time.Second)
			for _, deadline := range []time.Time{idle, s.ExpiresAt, window} {
				for _, step := range []time.Duration{-time.Nanosecond, 0} {
					judged.Add(1)
					if agree(t, p, s, deadline.Add(step), deadline == window) {
						live.Add(1)
					}
				}
			}
			return nil
		})
	}
	if err := together.Wait(); err != nil {
		t.Fatal(err)
	}
	if n, of := live.Load(), judged.Load(); n < of/10 || n > of*9/10 {
		t.Errorf("%d of %d judgements are live: that proves little", n, of)
	}
	t.Logf("%d judgements, %d live", judged.Load(), live.Load())
}

// borderline are sessions whose deadlines fall together or apart.
func borderline() (sessions []session.Session) {
	add := func(idle, later time.Duration, status session.Status) {
		n := len(sessions)
		uid, authTime := session.UserID(fmt.Sprintf("ana%d", n)), noon.Add(time.Duration(n)*time.Second)
		active := authTime.Add(time.Duration(n)*time.Minute + 123456789)
		sessions = append(sessions, session.Session{
			ID: session.NewID(uid, "", authTime), UserID: uid, Status: status, AuthTime: authTime, CreatedAt: authTime,
			LastActive: active, IdleTimeout: idle, ExpiresAt: active.Add(idle + later),
		})
	}
	for _, idle := range []time.Duration{
		30 * time.Minute, 5 * time.Minute, 90*time.Second + time.Millisecond,
		100*time.Second + 1, 1234567 * time.Microsecond, time.Second / 3,
	} {
		for _, later := range []time.Duration{-time.Microsecond, 0, time.Microsecond, time.Hour} {
			add(idle, later, session.StatusActive)
		}
		add(idle, time.Hour, session.StatusEnded)
	}
	return sessions
}

// agree holds that the rules judge a session as the policy does, or whether its sign-in is recent as well, and reports what they say.
func agree(t *testing.T, p project, stored session.Session, now time.Time, window bool) (allowed bool) {
	t.Helper()
	s := usual(string(stored.UserID))
	s.id, s.now, s.claims["auth_time"] = string(stored.ID), now, stored.AuthTime.Unix()
	phase, _ := session.Policy{}.Phase(stored, now)
	s.ask = get(own)
	want := phase.Live()
	if window {
		s.ask, want = get("projects/p-{uid}/billing/plan"), want && session.Recent(stored.AuthTime, now, 300*time.Second)
	}
	got, err := s.outcome(t.Context(), p)
	if err != nil || got != want {
		t.Errorf("%s at %s: allowed %t, %v; the policy says %t", stored.ID, now, got, err, want)
	}
	return got
}
