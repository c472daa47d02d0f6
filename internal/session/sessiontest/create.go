package sessiontest

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var createCases = []testCase{
	{"a created session reads as it was stored", createRoundTrip},
	{"what is unknown about a session stays unknown", createSparse},
	{"a taken id is left as it is", createTaken},
	{"an ended session keeps its id", createEnded},
	{"a revoked sign-in is refused", createRevoked},
	{"of twenty tabs one creates", createTwentyTabs},
	{"simultaneous sign-ins of one user are all there, in one order", createSimultaneous},
	{"a sign-in cannot slip past a revocation", createAgainstRevoke},
}

func createRoundTrip(t *testing.T, a, b Backend) {
	for _, idle := range []time.Duration{30 * time.Minute, 1500 * time.Millisecond} {
		s := NewSession("ana", SignIn.Add(idle))
		s.IdleTimeout = idle
		stored := MustCreate(t, a.Store, s)
		if stored.Version.IsZero() {
			t.Error("the stored session has no version")
		}
		s.Version = stored.Version
		equal(t, "created", stored, s)
		equal(t, "read by another instance", read(t, b.Store, s.ID), stored)
	}
}

func createSparse(t *testing.T, a, b Backend) {
	s := NewSession("ana", SignIn)
	s.Device, s.Location, s.UserAgent, s.IPAddress = session.Device{Type: "other"}, nil, "", ""
	stored := MustCreate(t, a.Store, s)
	s.Version = stored.Version
	equal(t, "created", stored, s)
	equal(t, "read", read(t, b.Store, s.ID), s)
}

func createTaken(t *testing.T, a, b Backend) {
	first := MustCreate(t, a.Store, NewSession("ana", SignIn))
	again := NewSession("ana", SignIn)
	again.UserAgent, again.CreatedAt = "another tab", again.CreatedAt.Add(time.Minute)
	stored, created, err := b.Store.Create(t.Context(), again, session.Record{})
	if err != nil || created {
		t.Fatalf("created %t, error %v", created, err)
	}
	equal(t, "answer", stored, first)
	equal(t, "read", read(t, a.Store, first.ID), first)
}

func createEnded(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	ended := mustEnd(t, a.Store, s.ID, session.End{Reason: session.ReasonLogout, By: "ana"})
	stored, created, err := b.Store.Create(t.Context(), NewSession("ana", SignIn), session.Record{})
	if err != nil || created {
		t.Fatalf("created %t, error %v", created, err)
	}
	equal(t, "answer", stored, ended)
}

func createRevoked(t *testing.T, a, b Backend) {
	existing := MustCreate(t, a.Store, NewSession("ana", SignIn))
	revokedAt := mustRevoke(t, a.Users, "ana", session.ReasonAdminRevoked, "boss")
	for _, c := range []struct {
		name     string
		uid      session.UserID
		authTime time.Time
		want     session.Code
	}{
		{"a sign-in before it", "ana", revokedAt.Add(-time.Hour), session.CodeTokenRevoked},
		{"a sign-in at its moment", "ana", revokedAt, session.CodeTokenRevoked},
		{"a sign-in that had registered", "ana", existing.AuthTime, session.CodeTokenRevoked},
		{"a sign-in after it", "ana", revokedAt.Add(time.Microsecond), ""},
		{"another user's sign-in", "bea", SignIn, ""},
	} {
		s := NewSession(c.uid, c.authTime)
		s.ID = session.NewID(c.uid, c.name, c.authTime) // as a token with a sid: these are closer than a second
		_, created, err := b.Store.Create(t.Context(), s, session.Record{})
		code(t, c.name, err, c.want)
		equal(t, c.name+": created", created, c.want == "")
	}
}

func createTwentyTabs(t *testing.T, a, b Backend) {
	var created atomic.Int32
	instances := []Backend{a, b}
	stored := make([]session.Session, 20)
	together(len(stored), func(i int) {
		rec := newRecord("ana")
		rec.Mail = &session.Mail{To: "ana@example.com", Subject: "A new sign-in", Device: "ana's laptop"}
		s, own, err := instances[i%2].Store.Create(t.Context(), NewSession("ana", SignIn), rec)
		if err != nil {
			t.Errorf("tab %d: %v", i, err)
		}
		if own {
			created.Add(1)
		}
		stored[i] = s
	})
	equal(t, "tabs that created", created.Load(), 1)
	for _, s := range stored {
		equal(t, "answer", s, stored[0])
	}
	equal(t, "sessions", ids(userSessions(t, a.Store, "ana", true)), []session.ID{stored[0].ID})
	equal(t, "mails", a.Mails(t), []string{"A new sign-in"})
	equal(t, "events", len(events(t, b)), 1)
}

func createSimultaneous(t *testing.T, a, b Backend) {
	const simultaneous = 12
	first := MustCreate(t, a.Store, NewSession("ana", SignIn.Add(time.Hour)))
	instances := []Backend{a, b}
	together(simultaneous, func(i int) {
		s := NewSession("ana", SignIn.Add(time.Duration(i)*time.Minute))
		if _, created, err := instances[i%2].Store.Create(t.Context(), s, session.Record{}); err != nil || !created {
			t.Errorf("sign-in %d: created %t, error %v", i, created, err)
		}
	})
	last := MustCreate(t, b.Store, NewSession("ana", SignIn.Add(-time.Hour)))

	order := ids(userSessions(t, a.Store, "ana", false))
	equal(t, "order as another instance sees it", ids(userSessions(t, b.Store, "ana", false)), order)
	if len(order) != simultaneous+2 || order[0] != first.ID || order[len(order)-1] != last.ID {
		t.Errorf("%d sessions in the order %v, want %d from %s to %s", len(order), order, simultaneous+2, first.ID, last.ID)
	}
	for i := range simultaneous {
		if id := session.NewID("ana", "", SignIn.Add(time.Duration(i)*time.Minute)); !slices.Contains(order, id) {
			t.Errorf("sign-in %d is missing", i)
		}
	}
}

// createAgainstRevoke has one instance register a sign-in while another revokes its user. Either the sign-in is refused, or
// it came before: then whoever revoked finds it when the revocation is done.
func createAgainstRevoke(t *testing.T, a, b Backend) {
	for i := range 10 {
		uid := session.UserID(rune('a' + i))
		var refused bool
		var found []session.Session
		together(2, func(part int) {
			if part == 0 {
				_, _, err := a.Store.Create(t.Context(), NewSession(uid, SignIn), session.Record{})
				refused = session.CodeOf(err) == session.CodeTokenRevoked
				if err != nil && !refused {
					t.Errorf("Create: %v", err)
				}
				return
			}
			if _, err := b.Users.Revoke(t.Context(), session.NewNotice(session.NoticeEnded, uid, session.ReasonRevoked), session.Decree{By: "boss"}); err != nil {
				t.Errorf("Revoke: %v", err)
			}
			var err error
			if found, err = b.Store.UserSessions(t.Context(), uid, false); err != nil {
				t.Errorf("UserSessions: %v", err)
			}
		})
		equal(t, "sessions after the revocation", len(found) == 0, refused)
		equal(t, "sessions in the end", len(userSessions(t, a.Store, uid, true)), len(found))
	}
}
