package firestore

import (
	"context"
	"maps"
	"path"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// between is called in place of every unary call, by the method's name.
type between func(ctx context.Context, method string, call func() error) error

// intercepted returns a store on an empty project, calls of which go through an interceptor, and an ordinary one beside it.
func intercepted(t *testing.T, f between) (s, plain *Store) {
	t.Helper()
	o := Options{ProjectID: firestoretest.ProjectID(t), EmulatorHost: firestoretest.Start(t)}
	client, err := dial(t.Context(), o,
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return f(ctx, path.Base(method), func() error { return invoke(ctx, method, req, reply, conn, opts...) })
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (stream grpc.ClientStream, err error) {
			err = f(ctx, path.Base(method), func() error { stream, err = open(ctx, desc, conn, method, opts...); return err })
			return stream, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	s = connect(t, o.EmulatorHost, o.ProjectID)
	plain = connect(t, o.EmulatorHost, o.ProjectID)
	_ = s.client.Close()
	s.client = client
	return s, plain
}

// once lets only the first call of it through to f.
func once(f func() error) func() error {
	var first sync.Once
	return func() (err error) { first.Do(func() { err = f() }); return err }
}

// TestCalls says what the frequent operations cost.
func TestCalls(t *testing.T) {
	var mu sync.Mutex
	calls := make(map[string]int)
	s, _ := intercepted(t, func(_ context.Context, method string, call func() error) error {
		mu.Lock()
		calls[method]++
		mu.Unlock()
		return call()
	})
	from := sessiontest.NewSession("ana", sessiontest.SignIn)
	stored := sessiontest.MustCreate(t, s, from)
	n := session.NewNotice(session.NoticeReset, "ana", "", from.ID)
	for _, c := range []struct {
		name string
		do   func() error
		want map[string]int
	}{
		{"registering", func() error {
			_, _, err := s.Create(t.Context(), sessiontest.NewSession("bea", sessiontest.SignIn), session.Record{Notices: []session.Notice{n}})
			return err
		}, map[string]int{"BeginTransaction": 1, "BatchGetDocuments": 1, "Commit": 1}},
		{"registering what another tab has just registered", func() error {
			_, _, err := s.Create(t.Context(), from, session.Record{})
			return err
		}, map[string]int{"BeginTransaction": 1, "BatchGetDocuments": 2, "Commit": 1, "Rollback": 1}},
		{"reading", func() error { _, err := s.Session(t.Context(), from.ID); return err }, map[string]int{"BatchGetDocuments": 1}},
		{"listing", func() error { _, err := s.UserSessions(t.Context(), "ana", false); return err }, map[string]int{"RunQuery": 1}},
		{"activity", func() error {
			_, err := s.Touch(t.Context(), stored, stored.LastActive.Add(time.Minute), &n)
			return err
		}, map[string]int{"Commit": 1}},
		{"another network", func() error {
			current, err := s.Session(t.Context(), from.ID)
			clear(calls)
			if err == nil {
				_, _, err = s.Move(t.Context(), current, session.Networks{}, session.Record{Notices: []session.Notice{n}})
			}
			return err
		}, map[string]int{"Commit": 1}},
		{"counting", func() error { _, err := s.Count(t.Context(), session.Filter{Status: session.StatusActive}); return err },
			map[string]int{"RunAggregationQuery": 1}},
		{"counting what there is now", func() error {
			_, err := s.Count(t.Context(), session.Filter{UserID: "ana", CreatedBefore: time.Now()})
			return err
		}, map[string]int{"RunAggregationQuery": 1}},
	} {
		clear(calls)
		if err := c.do(); err != nil || !maps.Equal(calls, c.want) {
			t.Errorf("%s: calls %v, error %v, want %v", c.name, calls, err, c.want)
		}
	}
}

// TestJobEndsHasTime: counting very many takes longer than a call, and is all that a mass revocation has to go by.
func TestJobEndsHasTime(t *testing.T) {
	var left time.Duration
	s, _ := intercepted(t, func(ctx context.Context, _ string, call func() error) error {
		until, _ := ctx.Deadline()
		left = time.Until(until)
		return call()
	})
	if _, err := s.JobEnds(t.Context(), "job"); err != nil || left <= callTimeout {
		t.Errorf("%s left, error %v", left, err)
	}
}

// TestCreateReturnsWithItsContext: the roll-back that Google's client makes of a transaction is not waited for.
func TestCreateReturnsWithItsContext(t *testing.T) {
	release, began := make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(began) })
	s, _ := intercepted(t, func(ctx context.Context, method string, call func() error) error {
		switch method {
		case "Commit":
			begin()
			<-ctx.Done()
			return ctx.Err()
		case "Rollback":
			<-release
		}
		return call()
	})
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if _, _, err := s.Create(ctx, sessiontest.NewSession("ana", sessiontest.SignIn), session.Record{}); session.CodeOf(err) != session.CodeUnavailable {
		t.Errorf("Create: %v", err)
	}
}

// TestRevocationWaitsForRegistration stops a registration between its look at the user and its commit. A revocation then
// has to wait for it, and so to find the session.
func TestRevocationWaitsForRegistration(t *testing.T) {
	looked, proceed := make(chan struct{}), make(chan struct{})
	look := sync.OnceFunc(func() { close(looked) })
	s, beside := intercepted(t, func(_ context.Context, method string, call func() error) error {
		if method == "Commit" {
			look()
			<-proceed
		}
		return call()
	})
	found := make(chan int, 1)
	go func() {
		<-looked
		if _, err := beside.Revoke(t.Context(), session.NewNotice(session.NoticeEnded, "ana", session.ReasonRevoked), session.Decree{By: "ana"}); err != nil {
			t.Errorf("Revoke: %v", err)
		}
		sessions, err := beside.UserSessions(t.Context(), "ana", false)
		if err != nil {
			t.Errorf("UserSessions: %v", err)
		}
		found <- len(sessions)
	}()
	go func() {
		<-looked
		<-time.After(300 * time.Millisecond) // for a revocation that would not wait
		close(proceed)
	}()
	sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn))
	if n := <-found; n != 1 {
		t.Errorf("the revocation found %d sessions", n)
	}
}

// TestRevokeRaises has a revocation commit after one with a later time, as happens behind a lock.
func TestRevokeRaises(t *testing.T) {
	s := connect(t, firestoretest.Start(t), firestoretest.ProjectID(t))
	first, err := s.Revoke(t.Context(), session.NewNotice(session.NoticeEnded, "ana", session.ReasonRevoked), session.Decree{By: "ana"})
	if err != nil {
		t.Fatal(err)
	}
	for uid, later := range map[session.UserID]time.Duration{"ana": time.Hour, "bea": 2 * time.Hour} {
		n := session.NewNotice(session.NoticeEnded, uid, session.ReasonRevoked)
		n.Before = first.Add(later)
		if err := s.Publish(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	second, err := s.Revoke(t.Context(), session.NewNotice(session.NoticeEnded, "ana", session.ReasonRevoked), session.Decree{By: "ana"})
	if want := first.Add(time.Hour); err != nil || !second.Equal(want) {
		t.Errorf("revoked at %s, error %v, want %s", second, err, want)
	}
	if u, err := s.User(t.Context(), "ana"); err != nil || !u.RevokedAt.Equal(second) {
		t.Errorf("user %+v, error %v", u, err)
	}
}

func TestReadsTeachTheClock(t *testing.T) {
	host, project := firestoretest.Start(t), firestoretest.ProjectID(t)
	sessiontest.MustCreate(t, connect(t, host, project), sessiontest.NewSession("ana", sessiontest.SignIn))
	for name, read := range map[string]func(s *Store) error{
		"document": func(s *Store) error { return s.Ping(t.Context()) },
		"query":    func(s *Store) error { _, err := s.UserSessions(t.Context(), "ana", false); return err },
	} {
		s := connect(t, host, project)
		now := time.Now()
		s.clock.Observe(now.Add(-time.Hour), now, now)
		if err := read(s); err != nil || s.clock.Offset() < -time.Minute {
			t.Errorf("%s: the clock is %s off, error %v", name, s.clock.Offset(), err)
		}
	}
}

// TestForeignDocuments: what somebody else has broken is a failure, not an answer.
func TestForeignDocuments(t *testing.T) {
	s := connect(t, firestoretest.Start(t), firestoretest.ProjectID(t))
	from := sessiontest.NewSession("ana", sessiontest.SignIn)
	moved := session.NewID("cem", "", sessiontest.SignIn)
	for path, doc := range map[string]map[string]any{
		"activeSessions/" + string(from.ID): {"userId": "ana", "status": 7, "shard": shard(from.ID), "createdAt": time.Now()},
		"activeSessions/" + string(moved):   {"userId": "cem", "networks": []string{"everywhere"}},
		"securityEvents/1":                  {"userId": "ana", "audience": "user", "at": time.Now(), "shard": 3, "type": true},
		"sessionRevocations/job":            {"state": "running", "filter": map[string]any{"userId": 7}},
		"sessionSweeps/latest":              {"users": "many"},
		"sessionUsers/bea":                  {"tokensPending": true, "revokedAt": "yesterday"},
	} {
		if _, err := s.client.Doc(path).Set(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
	for name, call := range map[string]func() error{
		"Create":                       func() error { _, _, err := s.Create(t.Context(), from, session.Record{}); return err },
		"Session":                      func() error { _, err := s.Session(t.Context(), from.ID); return err },
		"Session with broken networks": func() error { _, err := s.Session(t.Context(), moved); return err },
		"Erase":                        func() error { return s.Erase(t.Context(), "ana") },
		"UserEvents":                   func() error { _, err := s.UserEvents(t.Context(), "ana", session.EventCursor{}, 1); return err },
		"AllEvents":                    func() error { _, err := s.AllEvents(t.Context(), session.EventCursor{}, 1); return err },
		"Job":                          func() error { _, err := s.Job(t.Context(), "job"); return err },
		"UpdateJob":                    func() error { _, _, err := s.UpdateJob(t.Context(), session.MassRevocation{ID: "job"}); return err },
		"RunningJobs":                  func() error { _, err := s.RunningJobs(t.Context(), 1); return err },
		"Census":                       func() error { _, err := s.Census(t.Context()); return err },
		"End":                          func() error { _, _, err := s.End(t.Context(), from.ID, session.End{}, session.Record{}); return err },
		"Create for a user": func() error {
			_, _, err := s.Create(t.Context(), sessiontest.NewSession("bea", sessiontest.SignIn), session.Record{})
			return err
		},
		"User":          func() error { _, err := s.User(t.Context(), "bea"); return err },
		"PendingUsers":  func() error { _, err := s.PendingUsers(t.Context(), time.Now(), 1); return err },
		"TokensRevoked": func() error { return s.TokensRevoked(t.Context(), "bea", time.Now()) },
	} {
		if err := call(); session.CodeOf(err) != session.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	from.ID = "x"
	if _, _, err := s.Create(t.Context(), from, session.Record{}); session.CodeOf(err) != session.CodeInvalidRequest {
		t.Errorf("Create without an id: %v", err)
	}
}

func TestOpen(t *testing.T) {
	host, project := firestoretest.Start(t), firestoretest.ProjectID(t)
	if _, err := Open(t.Context(), Options{EmulatorHost: host}); err == nil {
		t.Error("no project, no error")
	}
	t.Setenv("FIRESTORE_EMULATOR_HOST", host)
	for _, o := range []Options{
		{ProjectID: project},                     // the environment's emulator
		{ProjectID: project, EmulatorHost: host}, // one's own
	} {
		s, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
