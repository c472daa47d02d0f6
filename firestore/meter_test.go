package firestore

import (
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// tally is a [Meter].
type tally struct {
	mu  sync.Mutex
	ops map[string]int
}

func (m *tally) Operations(op string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ops[op] += n
}

func (m *tally) take() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := m.ops
	m.ops = make(map[string]int)
	return taken
}

func TestMeter(t *testing.T) {
	m := &tally{ops: make(map[string]int)}
	s, err := Open(t.Context(), Options{EmulatorHost: firestoretest.Start(t), ProjectID: firestoretest.ProjectID(t), Meter: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	from := sessiontest.NewSession("ana", sessiontest.SignIn)
	n := session.NewNotice(session.NoticeStarted, "ana", "", from.ID)
	for _, c := range []struct {
		name string
		do   func() error
		want map[string]int
	}{
		{"creation with a record", func() error {
			rec := session.Record{Notices: []session.Notice{n}, Events: []session.Event{started("one")}}
			_, _, err := s.Create(t.Context(), from, rec)
			return err
		}, map[string]int{"read": 1, "write": 3}},
		{"document", func() error { _, err := s.Session(t.Context(), from.ID); return err }, map[string]int{"read": 1}},
		{"missing document", func() error { _, err := s.User(t.Context(), "ana"); return err }, map[string]int{"read": 1}},
		{"query", func() error { _, err := s.UserSessions(t.Context(), "ana", true); return err }, map[string]int{"read": 1}},
		{"query that finds nothing", func() error { _, err := s.UserSessions(t.Context(), "bea", true); return err }, map[string]int{"read": 1}},
		{"count", func() error { _, err := s.Count(t.Context(), session.Filter{}); return err }, map[string]int{"read": 1}},
		{"withdrawal", func() error { return s.Withdraw(t.Context(), from.ID, session.Record{}) }, map[string]int{"read": 1, "delete": 1}},
	} {
		m.take()
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := m.take(); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}

	s.resync = never
	recorder := sessiontest.RunFeed(t, s.Feed())
	<-time.After(100 * time.Millisecond) // what the first catch-up and the listener's opening read
	m.take()
	recorder.AwaitNotice(t, publish(t, s).ID)
	if got := m.take(); got["read"] < 1 || got["write"] != 1 {
		t.Errorf("a notice that the listener brings: %v", got)
	}
}

// A catch-up costs one read while the listener brings everything, however many notices there are to be caught up with.
func TestCatchUpCost(t *testing.T) {
	t.Parallel()
	host, project, m := firestoretest.Start(t), firestoretest.ProjectID(t), &tally{ops: make(map[string]int)}
	s, err := Open(t.Context(), Options{EmulatorHost: host, ProjectID: project, Meter: m, ResyncInterval: resync})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	beside := connect(t, host, project)
	recorder := sessiontest.RunFeed(t, s.Feed())
	const notices, proofs = 50, 10
	for range notices {
		recorder.AwaitNotice(t, publish(t, beside).ID)
	}
	recorder.AwaitProof(t) // until then a catch-up may have been faster than the listener
	m.take()
	for range proofs {
		recorder.AwaitProof(t)
	}
	if got := m.take()["read"]; got < proofs || got >= proofs+notices {
		t.Errorf("%d reads", got)
	}
}

// Only what was visible at the moment of the count makes up for what was counted.
func TestBrought(t *testing.T) {
	t.Parallel()
	since := sessiontest.SignIn
	second := func(n int) time.Time { return since.Add(time.Duration(n) * time.Second) }
	r := &run{Feed: &Feed{store: &Store{resync: time.Millisecond}}, listens: true, since: since, shown: map[string]*showing{
		"before the cursor":     {at: since, visible: second(1)},
		"in time":               {at: second(1), visible: second(2)},
		"late":                  {at: second(2), visible: second(10)},
		"at the very moment":    {at: second(8), visible: second(9)},
		"after the count began": {at: second(8), visible: second(11)},
	}}
	for count, want := range []bool{false, false, true, false} {
		if got := r.brought(t.Context(), count, second(9)); got != want {
			t.Errorf("of %d counted: %t", count, got)
		}
	}
}
