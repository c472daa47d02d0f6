package firestore

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// TestLostAnswers has every write committed and its answer lost: Google's client then repeats it, and the store
// has to recognise its own work in what it finds.
func TestLostAnswers(t *testing.T) {
	for _, fate := range []struct {
		name string
		code codes.Code
		kept bool // the write whose answer is lost was made
	}{
		{"lost answer", codes.Unavailable, true},
		{"lost request", codes.Unavailable, false},
		{"contention", codes.Aborted, false},
	} {
		for name, do := range lossyWrites {
			t.Run(fate.name+"/"+name, func(t *testing.T) {
				lose := func() error { return nil }
				s, plain := intercepted(t, func(_ context.Context, method string, call func() error) error {
					if method != "Commit" {
						return call()
					}
					lost := lose()
					if lost != nil && !fate.kept {
						return lost
					}
					if err := call(); err != nil {
						return err
					}
					return lost
				})
				do(t, s, plain, func() { lose = once(func() error { return status.Error(fate.code, "lost") }) })
			})
		}
	}
}

// lossyWrites are the writes, each of which arms the loss when it is prepared.
var lossyWrites = map[string]func(t *testing.T, s, plain *Store, arm func()){
	"Create": func(t *testing.T, s, plain *Store, arm func()) {
		arm()
		stored := sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn))
		wantSession(t, plain, stored)
	},
	"Touch": func(t *testing.T, s, plain *Store, arm func()) {
		stored := sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn))
		n := session.NewNotice(session.NoticeReset, "ana", "", stored.ID)
		arm()
		touched, err := s.Touch(t.Context(), stored, stored.LastActive.Add(time.Minute), &n)
		if err != nil || !touched.LastActive.Equal(stored.LastActive.Add(time.Minute)) {
			t.Errorf("last activity %s, error %v", touched.LastActive, err)
		}
		wantSession(t, plain, touched)
		wantNotices(t, plain, n.ID)
	},
	"End": func(t *testing.T, s, plain *Store, arm func()) {
		stored := sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn))
		arm()
		ended, own, err := s.End(t.Context(), stored.ID, session.End{Reason: session.ReasonLogout}, session.Record{})
		if err != nil || !own {
			t.Errorf("ended %t, error %v", own, err)
		}
		wantSession(t, plain, ended)
	},
	"End with a notice, twice": func(t *testing.T, s, plain *Store, arm func()) {
		stored := sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn))
		n := session.NewNotice(session.NoticeEnded, "ana", session.ReasonLogout, stored.ID)
		arm()
		for range 2 {
			rec := session.Record{Notices: []session.Notice{n}}
			if _, own, err := s.End(t.Context(), stored.ID, session.End{Reason: session.ReasonLogout}, rec); err != nil || !own {
				t.Errorf("ended %t, error %v", own, err)
			}
		}
		wantNotices(t, plain, n.ID)
	},
	"Withdraw": func(t *testing.T, s, plain *Store, arm func()) {
		stored := sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn))
		arm()
		if err := s.Withdraw(t.Context(), stored.ID, session.Record{}); err != nil {
			t.Error(err)
		}
		if _, err := plain.Session(t.Context(), stored.ID); session.CodeOf(err) != session.CodeNotFound {
			t.Errorf("session: %v", err)
		}
	},
	"Create with a record": func(t *testing.T, s, plain *Store, arm func()) {
		n := session.NewNotice(session.NoticeStarted, "ana", "")
		mail := &session.Mail{To: "ana@example.com", Subject: "hello", Device: "phone"}
		arm()
		_, created, err := s.Create(t.Context(), sessiontest.NewSession("ana", sessiontest.SignIn),
			session.Record{Notices: []session.Notice{n}, Events: []session.Event{started("one")}, Mail: mail})
		if err != nil || !created {
			t.Errorf("created %t, error %v", created, err)
		}
		wantNotices(t, plain, n.ID)
		wantEvents(t, plain, "one")
		if mails := subjects(t, plain); !slices.Equal(mails, []string{"hello"}) {
			t.Errorf("mails %v", mails)
		}
	},
	"Move": func(t *testing.T, s, plain *Store, arm func()) {
		stored := sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn))
		arm()
		moved, own, err := s.Move(t.Context(), stored, session.Networks{}, session.Record{Events: []session.Event{started("one")}})
		if err != nil || !own {
			t.Errorf("moved %t, error %v", own, err)
		}
		wantSession(t, plain, moved)
		wantEvents(t, plain, "one")
	},
	"Enable": func(t *testing.T, s, plain *Store, arm func()) {
		arm()
		if err := s.Enable(t.Context(), "ana", started("one")); err != nil {
			t.Error(err)
		}
		wantEvents(t, plain, "one")
	},
	"Append": func(t *testing.T, s, plain *Store, arm func()) {
		arm()
		if err := s.Append(t.Context(), started("one"), started("two")); err != nil {
			t.Error(err)
		}
		wantEvents(t, plain, "one", "two")
	},
	"CreateJob and UpdateJob": func(t *testing.T, s, plain *Store, arm func()) {
		arm()
		j, err := s.CreateJob(t.Context(), session.MassRevocation{ID: "job", State: session.JobRunning}, started("one"))
		if err != nil {
			t.Fatal(err)
		}
		arm()
		j.Ended = 7
		updated, ok, err := s.UpdateJob(t.Context(), j, started("two"))
		if err != nil || !ok {
			t.Errorf("updated %t, error %v", ok, err)
		}
		if stored, err := plain.Job(t.Context(), "job"); err != nil || stored != updated || stored.Ended != 7 {
			t.Errorf("job %+v, error %v", stored, err)
		}
		wantEvents(t, plain, "one", "two")
	},
	"SaveCensus": func(t *testing.T, s, plain *Store, arm func()) {
		arm()
		if err := s.SaveCensus(t.Context(), session.Census{Users: 7}); err != nil {
			t.Error(err)
		}
		if c, err := plain.Census(t.Context()); err != nil || c.Users != 7 {
			t.Errorf("census %+v, error %v", c, err)
		}
	},
	"Erase": func(t *testing.T, s, plain *Store, arm func()) {
		stored := sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn))
		arm()
		if err := s.Erase(t.Context(), "ana"); err != nil {
			t.Error(err)
		}
		if got, err := plain.Session(t.Context(), stored.ID); err != nil || got.IPAddress != "" {
			t.Errorf("session %+v, error %v", got, err)
		}
	},
	"Purge": func(t *testing.T, s, plain *Store, arm func()) {
		if err := plain.Append(t.Context(), started("one"), started("two")); err != nil {
			t.Fatal(err)
		}
		arm()
		if _, _, err := s.Purge(t.Context(), time.Now().Add(2*DefaultRetention), 10); err != nil {
			t.Error(err)
		}
		wantEvents(t, plain)
	},
	"Revoke, twice": func(t *testing.T, s, plain *Store, arm func()) {
		n := session.NewNotice(session.NoticeEnded, "ana", session.ReasonRevoked)
		arm()
		first, err := s.Revoke(t.Context(), n, session.Decree{By: "ana"})
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Revoke(t.Context(), n, session.Decree{By: "ana"})
		if err != nil || !second.Equal(first) {
			t.Errorf("revoked at %s, and then at %s, error %v", first, second, err)
		}
		wantNotices(t, plain, n.ID)
	},
	"TokensRevoked": func(t *testing.T, s, plain *Store, arm func()) {
		revokedAt, err := s.Revoke(t.Context(), session.NewNotice(session.NoticeEnded, "ana", session.ReasonRevoked), session.Decree{By: "ana"})
		if err != nil {
			t.Fatal(err)
		}
		arm()
		if err := s.TokensRevoked(t.Context(), "ana", revokedAt); err != nil {
			t.Error(err)
		}
		if u, err := plain.User(t.Context(), "ana"); err != nil || u.TokensPending {
			t.Errorf("user %+v, error %v", u, err)
		}
	},
}

func wantSession(t *testing.T, s *Store, want session.Session) {
	t.Helper()
	got, err := s.Session(t.Context(), want.ID)
	if err != nil || !got.Version.Equal(want.Version) || got.Status != want.Status || !got.EndedAt.Equal(want.EndedAt) {
		t.Errorf("got %+v, error %v\nwant %+v", got, err, want)
	}
}

// started returns an event.
func started(id string) session.Event {
	return session.Event{ID: id, Type: session.EventSessionStarted, Audience: session.AudienceUser, UserID: "ana"}
}

func wantEvents(t *testing.T, s *Store, ids ...string) {
	t.Helper()
	snaps, err := s.events().Documents(t.Context()).GetAll()
	var got []string
	for _, snap := range snaps {
		got = append(got, snap.Ref.ID)
	}
	if err != nil || !slices.Equal(got, ids) {
		t.Errorf("events %v, error %v, want %v", got, err, ids)
	}
}

func wantNotices(t *testing.T, s *Store, ids ...string) {
	t.Helper()
	snaps, err := s.notices().Documents(t.Context()).GetAll()
	if err != nil || len(snaps) != len(ids) {
		t.Fatalf("%d notices, error %v", len(snaps), err)
	}
	for i, snap := range snaps {
		if snap.Ref.ID != ids[i] {
			t.Errorf("notice %s, want %s", snap.Ref.ID, ids[i])
		}
	}
}
