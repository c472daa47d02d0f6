package sessiontest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// retention is that of the stores under test.
const retention = 30 * 24 * time.Hour

var purgeCases = []testCase{
	{"what has been over for the retention is purged, and nothing else", purgeDue},
	{"purging at the same time harms nothing and counts once", purgeTogether},
	{"a purge keeps to its limit and says whether there is more", purgeLimit},
	{"personal data of a user is erased, and what was decided stands", eraseUser},
	{"a user's mails are erased, and still keep others back", eraseMails},
	{"an erasure neither revives nor un-ends", eraseRace},
}

// past stores sessions of ana that ended at SignIn plus their number in hours.
func past(t *testing.T, a Backend, n int) {
	t.Helper()
	for i := range n {
		s := MustCreate(t, a.Store, NewSession("ana", SignIn.Add(-time.Duration(i)*time.Minute)))
		mustEnd(t, a.Store, s.ID, session.End{Reason: session.ReasonLogout, By: "ana", At: SignIn.Add(time.Duration(i) * time.Hour)})
	}
}

func mustPurge(t *testing.T, b Backend, now time.Time, limit int) (sessions int, more bool) {
	t.Helper()
	sessions, more, err := b.Archive.Purge(t.Context(), now, limit)
	if err != nil {
		t.Fatalf("Purge: %v", err)
	}
	return sessions, more
}

func purgeDue(t *testing.T, a, b Backend) {
	past(t, a, 6)
	live := MustCreate(t, a.Store, NewSession("bea", SignIn))
	code(t, "Append", a.Trail.Append(t.Context(), newEvent(session.EventSessionEnded, "ana")), "")
	mustCreateJob(t, a, newJob("one"))
	owed := mustRevoke(t, a.Users, "owed", session.ReasonRevoked, "boss")
	settled := mustRevoke(t, a.Users, "settled", session.ReasonRevoked, "boss")
	code(t, "TokensRevoked", a.Users.TokensRevoked(t.Context(), "settled", settled), "")

	for _, c := range []struct {
		now      time.Time
		sessions int
	}{
		{SignIn.Add(retention - time.Microsecond), 0},
		{SignIn.Add(retention), 1},
		{SignIn.Add(retention + 2*time.Hour), 2},
		{SignIn.Add(retention + 2*time.Hour), 0},
	} {
		sessions, more := mustPurge(t, b, c.now, 100)
		equal(t, fmt.Sprintf("purged at %s", c.now), sessions, c.sessions)
		equal(t, "more", more, false)
	}
	equal(t, "sessions left", len(userSessions(t, a.Store, "ana", true)), 3)
	equal(t, "events left", len(events(t, a)), 1)
	equal(t, "settled", user(t, a.Users, "settled").RevokedAt, settled)

	sessions, more := mustPurge(t, b, settled.Add(retention+time.Hour), 100)
	equal(t, "purged in the end", sessions, 3)
	equal(t, "more", more, false)
	equal(t, "events left", len(events(t, a)), 0)
	equal(t, "settled", user(t, a.Users, "settled"), session.User{ID: "settled"})
	equal(t, "owed", user(t, a.Users, "owed").RevokedAt, owed)
	_, err := b.Jobs.Job(t.Context(), "one")
	code(t, "Job", err, session.CodeNotFound)
	equal(t, "live", read(t, b.Store, live.ID), live)
}

func purgeTogether(t *testing.T, a, b Backend) {
	const n = 60
	past(t, a, n)
	live := MustCreate(t, a.Store, NewSession("bea", SignIn))
	var total atomic.Int32
	instances := []Backend{a, b}
	together(4, func(i int) {
		for range n {
			sessions, more, err := instances[i%2].Archive.Purge(t.Context(), SignIn.Add(2*retention), 25)
			if err != nil {
				t.Errorf("Purge: %v", err)
			}
			total.Add(int32(sessions)) //nolint:gosec // a handful
			if !more {
				return
			}
		}
	})
	equal(t, "purged", int(total.Load()), n)
	equal(t, "left", len(userSessions(t, a.Store, "ana", true)), 0)
	equal(t, "live", read(t, b.Store, live.ID), live)
}

func purgeLimit(t *testing.T, a, b Backend) {
	past(t, a, 10)
	purged := 0
	for round := range 3 {
		sessions, more := mustPurge(t, b, SignIn.Add(2*retention), 4)
		purged += sessions
		equal(t, fmt.Sprintf("more after %d", purged), more, round < 2)
		equal(t, "left", len(userSessions(t, a.Store, "ana", true)), 10-purged)
	}
	equal(t, "purged", purged, 10)
}

func eraseUser(t *testing.T, a, b Backend) {
	live := MustCreate(t, a.Store, NewSession("ana", SignIn))
	ended := MustCreate(t, a.Store, NewSession("ana", SignIn.Add(time.Minute)))
	ended = mustEnd(t, a.Store, ended.ID, session.End{Reason: session.ReasonUserDeleted, By: "ana"})
	other := MustCreate(t, a.Store, NewSession("bea", SignIn))
	bare := newEvent(session.EventSessionEnded, "ana")
	bare.Details = nil
	code(t, "Append", a.Trail.Append(t.Context(), newEvent(session.EventSessionEnded, "ana"), newEvent(session.EventSessionEnded, "bea"), bare), "")
	before := events(t, b)
	for range 2 {
		code(t, "Erase", b.Users.Erase(t.Context(), "ana"), "")
		for _, s := range []session.Session{live, ended} {
			want := s
			want.IPAddress, want.Networks, want.UserAgent, want.Location, want.Device.Name = "", session.Networks{}, "", nil, ""
			got := read(t, a.Store, s.ID)
			want.Version = got.Version
			equal(t, "session", got, want)
		}
		equal(t, "another's session", read(t, a.Store, other.ID), other)
		after := events(t, a)
		for i, e := range before {
			if e.UserID == "ana" {
				e.IPAddress = ""
				if e.Details != nil {
					e.Details = map[string]string{session.DetailReason: "logout"}
				}
			}
			equal(t, "event", after[i], e)
		}
	}
}

func eraseMails(t *testing.T, a, b Backend) {
	create := func(uid session.UserID, device, subject string) {
		t.Helper()
		s := NewSession(uid, SignIn.Add(time.Duration(len(subject))*time.Minute))
		mail := &session.Mail{UserID: uid, To: string(uid) + "@example.com", Subject: subject, Text: "Chrome in Mexico", Device: device}
		if _, created, err := a.Store.Create(t.Context(), s, session.Record{Mail: mail}); err != nil || !created {
			t.Fatalf("created %t, error %v", created, err)
		}
	}
	create("ana", "ana's phone", "one")
	create("bea", "bea's phone", "two")
	create("ana", "ana's laptop", "three")
	for range 2 {
		code(t, "Erase", b.Users.Erase(t.Context(), "ana"), "")
		equal(t, "mails", a.Mails(t), []string{"two"})
	}
	create("ana", "ana's phone", "within the hour")
	equal(t, "mails", b.Mails(t), []string{"two"})
}

func eraseRace(t *testing.T, a, b Backend) {
	ended := MustCreate(t, a.Store, NewSession("ana", SignIn))
	gone := MustCreate(t, a.Store, NewSession("ana", SignIn.Add(time.Minute)))
	together(4, func(i int) {
		switch i {
		case 0:
			_, own, err := a.Store.End(t.Context(), ended.ID, session.End{Reason: session.ReasonUserDeleted, By: "ana"}, session.Record{})
			if err != nil || !own {
				t.Errorf("ended %t, error %v", own, err)
			}
		case 1:
			code(t, "Withdraw", b.Store.Withdraw(t.Context(), gone.ID, session.Record{}), "")
		default:
			code(t, "Erase", []Backend{a, b}[i%2].Users.Erase(t.Context(), "ana"), "")
		}
	})
	got := read(t, b.Store, ended.ID)
	equal(t, "status", got.Status, session.StatusEnded)
	equal(t, "address", got.IPAddress, "")
	_, err := a.Store.Session(t.Context(), gone.ID)
	code(t, "what was withdrawn", err, session.CodeNotFound)
}
