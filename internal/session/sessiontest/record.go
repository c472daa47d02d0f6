package sessiontest

import (
	"crypto/rand"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var recordCases = []testCase{
	{"a record is committed with a creation, and only with one", recordCreate},
	{"of simultaneous ends only the one that ended has a record", recordEnd},
	{"a record is committed with a withdrawal, and only with one", recordWithdraw},
	{"of two instances one moves a session", moveOnce},
	{"a move follows activity, but no other move", moveStale},
	{"an ended session does not move", moveEnded},
	{"a mail is stored once for a device, whoever is first", mailOnce},
}

// newEvent returns an event with an id of its own.
func newEvent(kind session.EventType, uid session.UserID) session.Event {
	return session.Event{
		ID: rand.Text(), Type: kind, Audience: session.AudienceUser, UserID: uid, SessionID: session.NewID(uid, "", SignIn),
		Actor: string(uid), IPAddress: "203.0.113.7", Details: map[string]string{"reason": "logout", "device": "Chrome on Windows"},
	}
}

// newRecord returns a record with a notice and an event.
func newRecord(uid session.UserID) session.Record {
	return session.Record{
		Notices: []session.Notice{session.NewNotice(session.NoticeStarted, uid, "", session.NewID(uid, "", SignIn))},
		Events:  []session.Event{newEvent(session.EventSessionStarted, uid)},
	}
}

// events reads all events, newest first.
func events(t *testing.T, b Backend) []session.Event {
	t.Helper()
	found, err := b.Trail.AllEvents(t.Context(), session.EventCursor{}, 1000)
	if err != nil {
		t.Fatalf("AllEvents: %v", err)
	}
	return found
}

// committed demands that just these records are.
func committed(t *testing.T, b Backend, feed *Recorder, records ...session.Record) {
	t.Helper()
	var got, want []string
	for _, e := range events(t, b) {
		got = append(got, e.ID)
	}
	equal(t, "notices", feed.AwaitProof(t), len(records))
	for _, rec := range records {
		want = append(want, rec.Events[0].ID)
		feed.AwaitNotice(t, rec.Notices[0].ID)
	}
	slices.Sort(got)
	slices.Sort(want)
	equal(t, "events", got, want)
}

func recordCreate(t *testing.T, a, b Backend) {
	feed, instances := RunFeed(t, a.Feed), []Backend{a, b}
	var won []session.Record
	var mu sync.Mutex
	together(6, func(i int) {
		rec := newRecord("ana")
		_, created, err := instances[i%2].Store.Create(t.Context(), NewSession("ana", SignIn), rec)
		if err != nil {
			t.Errorf("Create: %v", err)
		}
		if created {
			mu.Lock()
			won = append(won, rec)
			mu.Unlock()
		}
	})
	equal(t, "creations", len(won), 1)
	committed(t, b, feed, won...)
	if _, created, err := b.Store.Create(t.Context(), NewSession("ana", SignIn), newRecord("ana")); err != nil || created {
		t.Errorf("created %t, error %v", created, err)
	}
	revokedAt := mustRevoke(t, b.Users, "bea", session.ReasonRevoked, "boss")
	_, _, err := b.Store.Create(t.Context(), NewSession("bea", revokedAt), newRecord("bea"))
	code(t, "a revoked sign-in", err, session.CodeTokenRevoked)
	equal(t, "events", len(events(t, a)), 1)
}

func recordEnd(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	feed, instances := RunFeed(t, b.Feed), []Backend{a, b}
	var won []session.Record
	var mu sync.Mutex
	together(6, func(i int) {
		rec := newRecord("ana")
		_, ended, err := instances[i%2].Store.End(t.Context(), s.ID, session.End{Reason: session.ReasonLogout, By: "ana"}, rec)
		if err != nil {
			t.Errorf("End: %v", err)
		}
		if ended {
			mu.Lock()
			won = append(won, rec)
			mu.Unlock()
		}
	})
	equal(t, "ends", len(won), 1)
	committed(t, a, feed, won...)
	_, err := a.Store.Touch(t.Context(), s, s.LastActive.Add(time.Minute), &newRecord("ana").Notices[0])
	code(t, "Touch", err, "")
	committed(t, a, feed, won...)
}

func recordWithdraw(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	feed, rec := RunFeed(t, a.Feed), newRecord("ana")
	code(t, "Withdraw", b.Store.Withdraw(t.Context(), s.ID, rec), "")
	code(t, "Withdraw again", b.Store.Withdraw(t.Context(), s.ID, newRecord("ana")), "")
	ended := MustCreate(t, a.Store, NewSession("bea", SignIn))
	mustEnd(t, a.Store, ended.ID, session.End{Reason: session.ReasonLogout, By: "bea"})
	code(t, "Withdraw what has ended", a.Store.Withdraw(t.Context(), ended.ID, newRecord("bea")), "")
	committed(t, a, feed, rec)
}

func networks(v4 string) session.Networks {
	return session.Networks{0: netip.MustParsePrefix(v4), 2: netip.MustParsePrefix("2001:db8::/64")}
}

func moveOnce(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	feed, instances := RunFeed(t, a.Feed), []Backend{a, b}
	targets := []session.Networks{networks("198.51.100.1/32"), networks("198.51.100.2/32"), networks("198.51.100.3/32"), {}}
	answers := make([]session.Session, len(targets))
	var won []session.Record
	var target session.Networks
	var mu sync.Mutex
	together(len(targets), func(i int) {
		rec := newRecord("ana")
		got, moved, err := instances[i%2].Store.Move(t.Context(), s, targets[i], rec)
		if err != nil {
			t.Errorf("Move: %v", err)
		}
		answers[i] = got
		if moved {
			mu.Lock()
			won, target = append(won, rec), targets[i]
			mu.Unlock()
		}
	})
	equal(t, "moves", len(won), 1)
	stored := read(t, b.Store, s.ID)
	for _, got := range answers {
		equal(t, "answer", got, stored)
	}
	s.Networks, s.Version = target, stored.Version
	equal(t, "stored", stored, s)
	committed(t, b, feed, won...)
}

func moveStale(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	if _, err := b.Store.Touch(t.Context(), s, s.LastActive.Add(time.Minute), nil); err != nil {
		t.Fatal(err)
	}
	got, moved, err := a.Store.Move(t.Context(), s, networks("198.51.100.1/32"), session.Record{})
	if err != nil || !moved {
		t.Errorf("moved %t, error %v", moved, err)
	}
	want := s
	want.Networks, want.LastActive, want.Version = networks("198.51.100.1/32"), s.LastActive.Add(time.Minute), got.Version
	equal(t, "after activity", got, want)
	equal(t, "read", read(t, b.Store, s.ID), want)

	got, moved, err = b.Store.Move(t.Context(), s, networks("198.51.100.2/32"), newRecord("ana"))
	if err != nil || moved {
		t.Errorf("moved %t, error %v", moved, err)
	}
	equal(t, "after another move", got, want)
	equal(t, "events", len(events(t, a)), 0)
}

func moveEnded(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	ended := mustEnd(t, b.Store, s.ID, session.End{Reason: session.ReasonRevoked, By: "ana"})
	for _, known := range []session.Session{s, ended} {
		got, moved, err := a.Store.Move(t.Context(), known, session.Networks{}, newRecord("ana"))
		if err != nil || moved {
			t.Errorf("moved %t, error %v", moved, err)
		}
		equal(t, "answer", got, ended)
	}
	equal(t, "read", read(t, b.Store, s.ID), ended)
	equal(t, "events", len(events(t, a)), 0)
}

func mailOnce(t *testing.T, a, b Backend) {
	instances := []Backend{a, b}
	create := func(t *testing.T, i int, device, subject string, authTime time.Time) {
		t.Helper()
		mail := &session.Mail{To: "ana@example.com", Subject: subject, Text: "text", HTML: "<p>text</p>", Device: device}
		if _, _, err := instances[i%2].Store.Create(t.Context(), NewSession("ana", authTime), session.Record{Mail: mail}); err != nil {
			t.Errorf("Create: %v", err)
		}
	}
	together(6, func(i int) { create(t, i, "phone", "phone", SignIn.Add(time.Duration(i)*time.Second)) })
	equal(t, "sessions", len(userSessions(t, a.Store, "ana", false)), 6)
	equal(t, "mails", a.Mails(t), []string{"phone"})
	create(t, 0, "laptop", "laptop", SignIn.Add(time.Minute))
	create(t, 1, "phone", "phone again", SignIn.Add(2*time.Minute))
	create(t, 1, "tablet", "of no creation", SignIn)
	equal(t, "mails", b.Mails(t), []string{"phone", "laptop"})
	equal(t, "sessions", len(userSessions(t, a.Store, "ana", false)), 8)
}
