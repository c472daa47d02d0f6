package firestore

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// never is an interval of catch-ups that no test lives to see.
const never = time.Hour

func publish(t *testing.T, s *Store) session.Notice {
	t.Helper()
	n := session.NewNotice(session.NoticeStarted, "ana", "", session.NewID("ana", "", sessiontest.SignIn))
	if err := s.Publish(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return n
}

// heard waits until the listener brings a notice. What is written between the first answer of a listener and its watching the emulator
// loses, about once in a hundred times; so with no catch-up to help, the next one counts as well.
func heard(t *testing.T, recorder *sessiontest.Recorder, s *Store) {
	t.Helper()
	for range 10 {
		n := publish(t, s)
		late := time.After(5 * time.Second)
		for waiting := true; waiting; {
			if _, ok := recorder.Notice(n.ID); ok {
				return
			}
			select {
			case <-late:
				waiting = false
			case <-time.After(time.Millisecond):
			}
		}
	}
	t.Fatal("the listener brings nothing")
}

// brittle returns a feed whose listener alone goes through a proxy, and a store beside it.
func brittle(t *testing.T, resync time.Duration, log *logbook) (*Feed, *firestoretest.Proxy, *Store) {
	t.Helper()
	host, project := firestoretest.Start(t), firestoretest.ProjectID(t)
	proxy := firestoretest.NewProxy(t, host)
	feed := connect(t, host, project).Feed()
	feed.store.resync, feed.store.log = resync, slog.New(log)
	feed.client = connect(t, proxy.Host(), project).client
	return feed, proxy, connect(t, host, project)
}

// TestListener: with no catch-up to help it, the listener brings every notice, whatever happens to its connection.
func TestListener(t *testing.T) {
	t.Run("while all is well", func(t *testing.T) {
		feed, _, store := brittle(t, never, &logbook{})
		recorder := sessiontest.RunFeed(t, feed)
		heard(t, recorder, store)
	})
	t.Run("after its connection was cut", func(t *testing.T) {
		feed, proxy, store := brittle(t, never, &logbook{})
		recorder := sessiontest.RunFeed(t, feed)
		for range 2 {
			heard(t, recorder, store)
			proxy.Cut()
			missed := publish(t, store)
			proxy.Restore()
			recorder.AwaitNotice(t, missed.ID)
		}
	})
	t.Run("while it ages", func(t *testing.T) {
		feed, _, store := brittle(t, never, &logbook{})
		feed.life = 50 * time.Millisecond
		recorder := sessiontest.RunFeed(t, feed)
		for range 10 {
			heard(t, recorder, store)
		}
	})
}

// TestListenerFails: a listener that is refused is tried again, and one is opened anew after an outage.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	var down, refused atomic.Int32
	opened := make(chan struct{}, 10)
	s, beside := intercepted(t, func(_ context.Context, method string, call func() error) error {
		if down.Load() > 0 || method == "Listen" && refused.Add(1) <= 3 {
			return status.Error(codes.PermissionDenied, "refused")
		}
		if method == "Listen" {
			opened <- struct{}{}
		}
		return call()
	})
	log := &logbook{}
	s.resync, s.log = resync, slog.New(log)
	recorder := sessiontest.RunFeed(t, s.Feed())
	<-opened
	log.await(t, "listener fails")
	recorder.AwaitNotice(t, publish(t, beside).ID)

	down.Store(1)
	log.await(t, "catch-up fails")
	down.Store(0)
	<-opened
	recorder.AwaitNotice(t, publish(t, beside).ID)
}

// TestFullListener: a listener keeps all that it has shown, so one that has shown much makes room for another.
func TestFullListener(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	s, beside := intercepted(t, func(_ context.Context, method string, call func() error) error {
		if method == "Listen" {
			opened.Add(1)
		}
		return call()
	})
	s.resync = time.Second
	feed := s.Feed()
	feed.room = 2
	recorder := sessiontest.RunFeed(t, feed)
	for range 40 {
		recorder.AwaitNotice(t, publish(t, beside).ID)
	}
	// Each listener begins with all that came before, and takes as many again: 2, 4, 12 and 36.
	if n := opened.Load(); n < 3 || n > 20 { // some more where one is slow
		t.Errorf("%d listeners", n)
	}
}

// TestSilentListener: the catch-up brings what a listener that has stalled does not, and has it replaced.
func TestSilentListener(t *testing.T) {
	t.Parallel()
	log := &logbook{}
	feed, proxy, store := brittle(t, resync, log)
	recorder := sessiontest.RunFeed(t, feed)
	recorder.AwaitNotice(t, publish(t, store).ID)
	proxy.Pause()
	recorder.AwaitNotice(t, publish(t, store).ID)
	log.await(t, "fallen silent")
	proxy.Restore()
	recorder.AwaitNotice(t, publish(t, store).ID)
	recorder.AwaitProof(t)
}

// TestFeedStalls: no proof comes while Firestore does not answer, and proofs go on when it does.
func TestFeedStalls(t *testing.T) {
	t.Parallel()
	host, project := firestoretest.Start(t), firestoretest.ProjectID(t)
	proxy, log := firestoretest.NewProxy(t, host), &logbook{}
	behind, beside := connect(t, proxy.Host(), project), connect(t, host, project)
	behind.log = slog.New(log)
	recorder := sessiontest.RunFeed(t, behind.Feed())
	proxy.Pause()
	if err := beside.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	missed := publish(t, beside)
	log.await(t, "catch-up fails")
	if _, ok := recorder.Notice(missed.ID); ok {
		t.Error("the pause lets notices pass")
	}
	proxy.Restore()
	recorder.AwaitProof(t)
	if _, ok := recorder.Notice(missed.ID); !ok {
		t.Error("the proof came before the notice")
	}
	log.await(t, "catch-up works again")
}

// TestCatchUpPages: a catch-up of several pages delivers all of them before its proof, and nothing stops it.
func TestCatchUpPages(t *testing.T) {
	t.Parallel()
	log := &logbook{}
	feed, proxy, store := brittle(t, never, log)
	proxy.Pause()
	const notices = 2*pageSize + 1
	for from := 0; from < notices; from += pageSize {
		writes := make([]write, min(pageSize, notices-from))
		for i := range writes {
			n := session.NewNotice(session.NoticeStarted, "ana", "")
			writes[i] = write{ref: store.notices().Doc(strconv.Itoa(from + i)), do: create, data: store.noticeFields(n)}
		}
		if _, err := store.commit(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	foreign := map[string]any{"at": time.Now(), "kind": 7}
	if _, err := store.notices().Doc("foreign").Set(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	recorder := sessiontest.RunFeed(t, feed)
	for i := range notices {
		if _, ok := recorder.Notice(strconv.Itoa(i)); !ok {
			t.Fatalf("notice %d was not delivered", i)
		}
	}
	log.await(t, "unreadable notice")
}

// TestOutage kills the emulator: everything fails with unavailable in its time, and works again when it is back.
func TestOutage(t *testing.T) {
	t.Parallel()
	emulator := firestoretest.New(t)
	s := connect(t, emulator.Host(), firestoretest.ProjectID(t))
	recorder := sessiontest.RunFeed(t, s.Feed())
	from := sessiontest.NewSession("ana", sessiontest.SignIn)
	stored := sessiontest.MustCreate(t, s, from)
	recorder.AwaitNotice(t, publish(t, s).ID)

	emulator.Kill()
	n := session.NewNotice(session.NoticeEnded, "ana", session.ReasonRevoked)
	var calls sync.WaitGroup
	for name, call := range map[string]func(context.Context) error{
		"Ping":         s.Ping,
		"Create":       func(ctx context.Context) error { _, _, err := s.Create(ctx, from, session.Record{}); return err },
		"Session":      func(ctx context.Context) error { _, err := s.Session(ctx, from.ID); return err },
		"UserSessions": func(ctx context.Context) error { _, err := s.UserSessions(ctx, "ana", false); return err },
		"Touch":        func(ctx context.Context) error { _, err := s.Touch(ctx, stored, time.Now(), nil); return err },
		"End": func(ctx context.Context) error {
			_, _, err := s.End(ctx, from.ID, session.End{}, session.Record{})
			return err
		},
		"Withdraw":       func(ctx context.Context) error { return s.Withdraw(ctx, from.ID, session.Record{}) },
		"User":           func(ctx context.Context) error { _, err := s.User(ctx, "ana"); return err },
		"RecentSessions": func(ctx context.Context) error { _, err := s.RecentSessions(ctx, "ana", 1); return err },
		"Move": func(ctx context.Context) error {
			_, _, err := s.Move(ctx, stored, session.Networks{}, session.Record{})
			return err
		},
		"Enable": func(ctx context.Context) error { return s.Enable(ctx, "ana") },
		"Erase":  func(ctx context.Context) error { return s.Erase(ctx, "ana") },
		"Search": func(ctx context.Context) error {
			_, _, err := s.Search(ctx, session.Filter{}, session.Cursor{}, 1)
			return err
		},
		"Count": func(ctx context.Context) error { _, err := s.Count(ctx, session.Filter{}); return err },
		"Count by shard": func(ctx context.Context) error {
			_, err := s.Count(ctx, session.Filter{ActiveBefore: from.AuthTime})
			return err
		},
		"ActiveByUser": func(ctx context.Context) error { _, err := s.ActiveByUser(ctx, session.Session{}, 1); return err },
		"Purge":        func(ctx context.Context) error { _, _, err := s.Purge(ctx, time.Now(), 1); return err },
		"SaveCensus":   func(ctx context.Context) error { return s.SaveCensus(ctx, session.Census{}) },
		"Census":       func(ctx context.Context) error { _, err := s.Census(ctx); return err },
		"Append":       func(ctx context.Context) error { return s.Append(ctx, started("one")) },
		"UserEvents": func(ctx context.Context) error {
			_, err := s.UserEvents(ctx, "ana", session.EventCursor{}, 1)
			return err
		},
		"AllEvents": func(ctx context.Context) error { _, err := s.AllEvents(ctx, session.EventCursor{}, 1); return err },
		"CreateJob": func(ctx context.Context) error {
			_, err := s.CreateJob(ctx, session.MassRevocation{ID: "job"})
			return err
		},
		"Job": func(ctx context.Context) error { _, err := s.Job(ctx, "job"); return err },
		"UpdateJob": func(ctx context.Context) error {
			_, _, err := s.UpdateJob(ctx, session.MassRevocation{ID: "job"})
			return err
		},
		"RunningJobs": func(ctx context.Context) error { _, err := s.RunningJobs(ctx, 1); return err },
		"JobEnds": func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second) // as Revoke below
			defer cancel()
			_, err := s.JobEnds(ctx, "job")
			return err
		},
		"TokensRevoked": func(ctx context.Context) error { return s.TokensRevoked(ctx, "ana", time.Now()) },
		"PendingUsers":  func(ctx context.Context) error { _, err := s.PendingUsers(ctx, time.Now(), 1); return err },
		"Publish":       func(ctx context.Context) error { return s.Publish(ctx, n) },
		"Revoke": func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second) // it would try for longer than a test should take
			defer cancel()
			_, err := s.Revoke(ctx, n, session.Decree{By: "boss"})
			return err
		},
	} {
		calls.Go(func() {
			if err := call(t.Context()); session.CodeOf(err) != session.CodeUnavailable {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	calls.Wait()

	emulator.Restart(t)
	recorder.AwaitProof(t)
	if _, err := s.Session(t.Context(), from.ID); session.CodeOf(err) != session.CodeNotFound {
		t.Errorf("Session of an empty store: %v", err)
	}
	recorder.AwaitNotice(t, publish(t, s).ID)
	recorder.AwaitProof(t)
}

// logbook is a log handler that a test waits for messages of.
type logbook struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

func (l *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logbook) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logbook) WithGroup(string) slog.Handler            { return l }

func (l *logbook) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(r.Message + "\n")
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return nil
}

// await waits for a message that contains text.
func (l *logbook) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		l.mu.Lock()
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		said, changed := l.text.String(), l.changed
		l.mu.Unlock()
		if strings.Contains(said, text) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("nothing says %q in the log:\n%s", text, said)
		}
	}
}
