package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore"
	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestMain(m *testing.M) { firestoretest.Main(m) }

// meter counts what goes over the connection to Firestore.
type meter struct {
	mu            sync.Mutex
	reads, writes int
}

// Operations implements [firestore.Meter].
func (m *meter) Operations(op string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch op {
	case "read":
		m.reads += n
	case "write":
		m.writes += n
	}
}

func (m *meter) total() (reads, writes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reads, m.writes
}

// shop is an instance without a feed on a store whose bill is looked at after each step.
type shop struct {
	*testing.T
	registry *session.Registry
	gate     *session.Gate
	accounts *sessiontest.Directory
	total    func() (reads, writes int)
	first    time.Time // sign-in
	admitted session.Admission
	stale    session.Session // as it was before it ended
}

func newShop(t *testing.T, data sessiontest.Data, clock *session.Clock, total func() (int, int)) *shop {
	t.Helper()
	s := &shop{T: t, accounts: sessiontest.NewDirectory(), total: total, first: time.Now().Add(-time.Hour).Truncate(time.Second)}
	p, inbox := policy, session.NewInbox(time.Hour)
	p.TouchInterval = time.Millisecond // every activity is stored at once
	inbox.Prove(time.Now())
	s.registry = session.NewRegistry(session.Settings{Policy: p, AdminClaim: "admin", UserStateTTL: userStateTTL, FeedResync: feedResync}, session.Ports{
		Store: data, Users: data, Publisher: data, Archive: data, Trail: data, Jobs: data,
		Accounts: s.accounts, Editor: s.accounts, Clock: clock, Inbox: inbox,
		After: func(time.Duration, func()) {}, Log: slog.New(slog.DiscardHandler),
	})
	s.gate = session.NewGate(s.registry, s.accounts)
	return s
}

// signIn registers the n-th sign-in of a user, and has the token admitted.
func (s *shop) signIn(ctx context.Context, uid session.UserID, n int) error {
	at := s.first.Add(time.Duration(n) * time.Second)
	s.accounts.Change(uid, func(*session.Account) {})
	token := s.accounts.Issue(session.Identity{
		UserID: uid, SessionID: session.NewID(uid, "", at), AuthTime: at, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	})
	id, err := s.gate.Authenticate(ctx, token)
	if err == nil {
		_, err = s.registry.Register(ctx, id, session.SignIn{Device: session.Device{Type: "desktop", Kind: "desktop/chrome/linux"}})
	}
	if err == nil {
		s.admitted, err = s.gate.Admit(ctx, token, session.Origin{})
	}
	return err
}

// steps are everything that happens in a simulated day.
var steps = []struct {
	name string
	do   func(ctx context.Context, s *shop) error
}{
	{"a user's first session", func(ctx context.Context, s *shop) error { return s.signIn(ctx, "ana", 1) }},
	{"a second one", func(ctx context.Context, s *shop) error { return s.signIn(ctx, "ana", 2) }},
	{"a third one", func(ctx context.Context, s *shop) error { return s.signIn(ctx, "ana", 3) }},
	{"a registration that is repeated", func(ctx context.Context, s *shop) error { return s.signIn(ctx, "ana", 3) }},
	{"activity", func(ctx context.Context, s *shop) (err error) {
		s.stale = s.admitted.Session
		_, err = s.registry.Touch(ctx, s.admitted.Session)
		return err
	}},
	{"a logout", func(ctx context.Context, s *shop) error {
		return s.registry.EndOwn(ctx, s.admitted, s.admitted.Session.ID)
	}},
	{"activity in a session that has ended", func(ctx context.Context, s *shop) error {
		if _, err := s.registry.Touch(ctx, s.stale); session.CodeOf(err) != session.CodeSessionEnded {
			return fmt.Errorf("activity: %w", err)
		}
		return nil
	}},
	{"another user", func(ctx context.Context, s *shop) error { return s.signIn(ctx, "bea", 4) }},
	{"a look", func(ctx context.Context, s *shop) error {
		_, err := s.registry.Look(ctx, s.admitted.Session)
		return err
	}},
	{"the end of all others, together", func(ctx context.Context, s *shop) error {
		if err := s.signIn(ctx, "bea", 5); err != nil {
			return err
		}
		if err := s.signIn(ctx, "bea", 6); err != nil {
			return err
		}
		_, err := s.registry.EndOthers(ctx, s.admitted)
		return err
	}},
	{"a clean-up", func(ctx context.Context, s *shop) error {
		_, err := s.registry.Sweep(ctx, session.SweepAll)
		return err
	}},
	{"the revocation of a user", func(ctx context.Context, s *shop) error {
		_, err := s.registry.RevokeUser(ctx, "ana", session.Actor{By: "boss"})
		return err
	}},
	{"looks for what is left undone", func(ctx context.Context, s *shop) error {
		if err := s.registry.FinishRevocations(ctx); err != nil {
			return err
		}
		return s.registry.WorkOnRevocations(ctx)
	}},
}

// TestPrices holds what the store in memory charges to what package firestore pays on the emulator, for everything that
// happens in a simulated day.
func TestPrices(t *testing.T) {
	t.Parallel()
	paid, clock := new(meter), session.NewClock()
	store, err := firestore.Open(t.Context(), firestore.Options{
		ProjectID: firestoretest.ProjectID(t), EmulatorHost: firestoretest.Start(t), Meter: paid, Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	charged := newStore()
	shops := []*shop{newShop(t, store, clock, paid.total), newShop(t, charged, charged.clock, charged.bill.total)}
	for _, step := range steps {
		var bills [2]string
		for n, s := range shops {
			reads, writes := s.total()
			if err := step.do(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			after, written := s.total()
			bills[n] = fmt.Sprintf("%d reads, %d writes", after-reads, written-writes)
		}
		if bills[0] != bills[1] {
			t.Errorf("%s: %s, charged for %s", step.name, bills[0], bills[1])
		}
	}
}
