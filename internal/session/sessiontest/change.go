package sessiontest

import (
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var touchCases = []testCase{
	{"activity is stored when it is later, whatever the caller last read", touchOrder},
	{"activity leaves an ended session as it is", touchEnded},
	{"simultaneous activity never moves back and ends at the latest", touchSimultaneous},
	{"activity does not resurrect", touchAgainstEnd},
}

var endCases = []testCase{
	{"an end is stored with its reason, its actor and its time", endOne},
	{"the first end wins", endTwice},
	{"an end on condition of no later activity respects later activity", endConditional},
	{"of simultaneous ends one wins", endSimultaneous},
	{"sessions that end together are all announced, on every instance", endTogether},
	{"sessions of which one has changed do not end together", endTogetherNot},
	{"of instances that end the same sessions together one wins", endTogetherRace},
}

func touchOrder(t *testing.T, a, b Backend) {
	unread := func(s session.Session) session.Session { s.Version = time.Time{}; return s }
	for _, c := range []struct {
		name  string
		known func(read, stale session.Session) session.Session
	}{
		{"just read", func(read, _ session.Session) session.Session { return read }},
		{"read before the last activity", func(_, stale session.Session) session.Session { return stale }},
		{"never read", func(read, _ session.Session) session.Session { return unread(read) }},
	} {
		for _, later := range []time.Duration{-time.Minute, 0, time.Microsecond, time.Minute} {
			t.Run(c.name+" "+later.String(), func(t *testing.T) {
				stale := MustCreate(t, a.Store, NewSession(session.UserID(t.Name()), SignIn))
				at := stale.LastActive.Add(time.Hour)
				current, err := b.Store.Touch(t.Context(), stale, at, nil)
				if err != nil || !current.LastActive.Equal(at) || current.Version.Equal(stale.Version) {
					t.Fatalf("stored %+v, error %v", current, err)
				}
				want := current
				if later > 0 {
					want.LastActive = at.Add(later)
				}
				got, err := a.Store.Touch(t.Context(), c.known(current, stale), at.Add(later), nil)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "read", read(t, b.Store, stale.ID), got)
				equal(t, "version changed", !got.Version.Equal(want.Version), later > 0)
				want.Version = got.Version
				equal(t, "stored", got, want)
			})
		}
	}
}

func touchEnded(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	ended := mustEnd(t, b.Store, s.ID, session.End{Reason: session.ReasonRevoked, By: "ana"})
	for _, known := range []session.Session{s, ended} {
		got, err := a.Store.Touch(t.Context(), known, s.LastActive.Add(time.Hour), nil)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "answer", got, ended)
	}
	equal(t, "read", read(t, a.Store, s.ID), ended)
}

func touchSimultaneous(t *testing.T, a, b Backend) {
	const touches = 15
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	instances := []Backend{a, b}
	var latest time.Time
	var mu sync.Mutex
	together(2, func(i int) {
		known, back := s, time.Duration(i)*7*time.Second
		for n := range touches {
			// The second instance lags behind the first, catches up, and lags again.
			at := s.LastActive.Add(time.Duration(n)*10*time.Second - back*time.Duration(n%3-1) + time.Minute)
			got, err := instances[i].Store.Touch(t.Context(), known, at, nil)
			if err != nil {
				t.Errorf("instance %d: %v", i, err)
				return
			}
			if got.LastActive.Before(at) || got.LastActive.Before(known.LastActive) {
				t.Errorf("instance %d: activity at %s was answered with %s", i, at, got.LastActive)
			}
			known = got
			mu.Lock()
			if at.After(latest) {
				latest = at
			}
			mu.Unlock()
		}
	})
	equal(t, "last activity", read(t, a.Store, s.ID).LastActive, latest)
}

func touchAgainstEnd(t *testing.T, a, b Backend) {
	for i := range 5 {
		s := MustCreate(t, a.Store, NewSession("ana", SignIn.Add(time.Duration(i)*time.Minute)))
		var ended session.Session
		together(2, func(part int) {
			if part == 0 {
				got, own, err := b.Store.End(t.Context(), s.ID, session.End{Reason: session.ReasonRevoked, By: "ana"}, session.Record{})
				if err != nil || !own {
					t.Errorf("End: ended %t, error %v", own, err)
				}
				ended = got
				return
			}
			known := s
			for n := range 5 {
				got, err := a.Store.Touch(t.Context(), known, known.LastActive.Add(time.Duration(n)*time.Second), nil)
				if err != nil {
					t.Errorf("Touch: %v", err)
					return
				}
				if known.Status == session.StatusEnded && got.Status != session.StatusEnded {
					t.Error("activity has resurrected the session")
				}
				known = got
			}
		})
		equal(t, "session", read(t, a.Store, s.ID), ended)
	}
}

func endOne(t *testing.T, a, b Backend) {
	for name, at := range map[string]time.Time{"at a given time": SignIn.Add(time.Hour), "at the store's time": {}} {
		t.Run(name, func(t *testing.T) {
			want := MustCreate(t, a.Store, NewSession(session.UserID(t.Name()), SignIn))
			got := mustEnd(t, b.Store, want.ID, session.End{Reason: session.ReasonIdleTimeout, By: session.ActorSystem, At: at})
			equal(t, "read", read(t, a.Store, want.ID), got)
			if got.EndedAt.IsZero() || (!at.IsZero() && !got.EndedAt.Equal(at)) || got.Version.Equal(want.Version) {
				t.Errorf("ended at %s in version %s", got.EndedAt, got.Version)
			}
			want.Status, want.EndReason, want.EndedBy = session.StatusEnded, session.ReasonIdleTimeout, session.ActorSystem
			want.EndedAt, want.Version = got.EndedAt, got.Version
			equal(t, "stored", got, want)
		})
	}
}

func endTwice(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	first := mustEnd(t, a.Store, s.ID, session.End{Reason: session.ReasonLogout, By: "ana"})
	second, ended, err := b.Store.End(t.Context(), s.ID, session.End{Reason: session.ReasonAdminRevoked, By: "boss"}, session.Record{})
	if err != nil || ended {
		t.Errorf("ended %t, error %v", ended, err)
	}
	equal(t, "answer", second, first)
	equal(t, "read", read(t, b.Store, s.ID), first)
}

func endConditional(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	touched, err := b.Store.Touch(t.Context(), s, s.LastActive.Add(time.Minute), nil)
	if err != nil {
		t.Fatal(err)
	}
	e := session.End{Reason: session.ReasonIdleTimeout, By: session.ActorSystem, IfLastActive: s.LastActive}
	got, ended, err := a.Store.End(t.Context(), s.ID, e, session.Record{})
	if err != nil || ended {
		t.Errorf("ended %t, error %v", ended, err)
	}
	equal(t, "answer", got, touched)
	equal(t, "read", read(t, a.Store, s.ID), touched)

	e.IfLastActive = touched.LastActive
	equal(t, "reason", mustEnd(t, a.Store, s.ID, e).EndReason, session.ReasonIdleTimeout)
}

func endSimultaneous(t *testing.T, a, b Backend) {
	const ends = 6
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	reasons := []session.Reason{session.ReasonLogout, session.ReasonRevoked, session.ReasonAdminRevoked}
	instances := []Backend{a, b}
	var winners []session.Reason
	var answers [ends]session.Session
	var mu sync.Mutex
	together(ends, func(i int) {
		e := session.End{Reason: reasons[i%len(reasons)], By: "ana"}
		got, ended, err := instances[i%2].Store.End(t.Context(), s.ID, e, session.Record{})
		if err != nil {
			t.Errorf("end %d: %v", i, err)
		}
		answers[i] = got
		if ended {
			mu.Lock()
			winners = append(winners, e.Reason)
			mu.Unlock()
		}
	})
	stored := read(t, a.Store, s.ID)
	equal(t, "winners", winners, []session.Reason{stored.EndReason})
	for _, got := range answers {
		equal(t, "answer", got, stored)
	}
}
