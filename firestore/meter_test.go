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
