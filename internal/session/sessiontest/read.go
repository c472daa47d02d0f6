package sessiontest

import (
	"context"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var readCases = []testCase{
	{"a session that is not there is not found", readMissing},
	{"a user's sessions come oldest first by creation, live ones or all", readUserSessions},
}

var failureCases = []testCase{
	{"a caller who has gone away gets unavailable", failCancelled},
}

var withdrawCases = []testCase{
	{"a withdrawn session spends nothing", withdrawOne},
	{"withdrawing nothing is no error", withdrawNothing},
	{"an ended session cannot be withdrawn", withdrawEnded},
}

// strangers are ids that no session has, most of them not even in form.
var strangers = []session.ID{
	session.NewID("nobody", "", SignIn), "", "x", ".", "..", "__all__", "a/b", "../sessionUsers/ana",
}

func readMissing(t *testing.T, a, _ Backend) {
	for _, id := range strangers {
		s := NewSession("ana", SignIn)
		s.ID = id
		_, err := a.Store.Session(t.Context(), id)
		code(t, "Session "+string(id), err, session.CodeNotFound)
		_, err = a.Store.Touch(t.Context(), s, SignIn.Add(time.Hour), nil)
		code(t, "Touch "+string(id), err, session.CodeNotFound)
		_, ended, err := a.Store.End(t.Context(), id, session.End{Reason: session.ReasonLogout}, session.Record{})
		code(t, "End "+string(id), err, session.CodeNotFound)
		equal(t, "ended", ended, false)
		for _, s.Version = range []time.Time{{}, SignIn} {
			_, moved, err := a.Store.Move(t.Context(), s, session.Networks{}, session.Record{})
			code(t, "Move "+string(id), err, session.CodeNotFound)
			equal(t, "moved", moved, false)
		}
	}
	equal(t, "sessions of nobody", len(userSessions(t, a.Store, "nobody", true)), 0)
}

func readUserSessions(t *testing.T, a, b Backend) {
	// Created in another order than signed in, by turns.
	var all, live []session.ID
	for i, hour := range []time.Duration{3, 1, 4, 2} {
		instance := []Backend{a, b}[i%2]
		s := MustCreate(t, instance.Store, NewSession("ana", SignIn.Add(hour*time.Hour)))
		all = append(all, s.ID)
		if hour == 1 {
			mustEnd(t, instance.Store, s.ID, session.End{Reason: session.ReasonLogout, By: "ana"})
		} else {
			live = append(live, s.ID)
		}
	}
	MustCreate(t, a.Store, NewSession("bea", SignIn))
	equal(t, "live", ids(userSessions(t, a.Store, "ana", false)), live)
	equal(t, "all", ids(userSessions(t, b.Store, "ana", true)), all)
	for _, s := range userSessions(t, b.Store, "ana", true) {
		equal(t, "listed", s, read(t, a.Store, s.ID))
	}
}

func withdrawOne(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	if err := b.Store.Withdraw(t.Context(), s.ID, session.Record{}); err != nil {
		t.Fatalf("Withdraw: %v", err)
	}
	_, err := a.Store.Session(t.Context(), s.ID)
	code(t, "Session", err, session.CodeNotFound)
	equal(t, "sessions", len(userSessions(t, a.Store, "ana", true)), 0)
	MustCreate(t, a.Store, NewSession("ana", SignIn))
	equal(t, "sessions", ids(userSessions(t, b.Store, "ana", false)), []session.ID{s.ID})
}

func withdrawNothing(t *testing.T, a, _ Backend) {
	for _, id := range strangers {
		code(t, "Withdraw "+string(id), a.Store.Withdraw(t.Context(), id, session.Record{}), "")
	}
}

func withdrawEnded(t *testing.T, a, b Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	ended := mustEnd(t, b.Store, s.ID, session.End{Reason: session.ReasonAdminRevoked, By: "boss"})
	code(t, "Withdraw", a.Store.Withdraw(t.Context(), s.ID, session.Record{}), "")
	equal(t, "session", read(t, b.Store, s.ID), ended)
}

func failCancelled(t *testing.T, a, _ Backend) {
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	n := session.NewNotice(session.NoticeEnded, "ana", session.ReasonLogout, s.ID)
	e := session.Event{ID: "event", Type: session.EventSessionEnded}
	job := session.MassRevocation{ID: "job", State: session.JobRunning}
	for what, call := range map[string]func() error{
		"Create": func() error {
			_, _, err := a.Store.Create(gone, NewSession("bea", SignIn), session.Record{})
			return err
		},
		"Session":        func() error { _, err := a.Store.Session(gone, s.ID); return err },
		"UserSessions":   func() error { _, err := a.Store.UserSessions(gone, "ana", false); return err },
		"RecentSessions": func() error { _, err := a.Store.RecentSessions(gone, "ana", 1); return err },
		"Touch":          func() error { _, err := a.Store.Touch(gone, s, SignIn.Add(time.Hour), nil); return err },
		"Move":           func() error { _, _, err := a.Store.Move(gone, s, session.Networks{}, session.Record{}); return err },
		"End":            func() error { _, _, err := a.Store.End(gone, s.ID, session.End{}, session.Record{}); return err },
		"Withdraw":       func() error { return a.Store.Withdraw(gone, s.ID, session.Record{}) },
		"User":           func() error { _, err := a.Users.User(gone, "ana"); return err },
		"Revoke":         func() error { _, err := a.Users.Revoke(gone, n, session.Decree{By: "ana"}); return err },
		"TokensRevoked":  func() error { return a.Users.TokensRevoked(gone, "ana", SignIn) },
		"PendingUsers":   func() error { _, err := a.Users.PendingUsers(gone, SignIn, 1); return err },
		"Enable":         func() error { return a.Users.Enable(gone, "ana") },
		"Erase":          func() error { return a.Users.Erase(gone, "ana") },
		"Search":         func() error { _, _, err := a.Archive.Search(gone, session.Filter{}, session.Cursor{}, 1); return err },
		"Count":          func() error { _, err := a.Archive.Count(gone, session.Filter{}); return err },
		"ActiveByUser":   func() error { _, err := a.Archive.ActiveByUser(gone, session.Session{}, 1); return err },
		"Purge":          func() error { _, _, err := a.Archive.Purge(gone, SignIn, 1); return err },
		"SaveCensus":     func() error { return a.Archive.SaveCensus(gone, session.Census{}) },
		"Census":         func() error { _, err := a.Archive.Census(gone); return err },
		"Append":         func() error { return a.Trail.Append(gone, e) },
		"UserEvents":     func() error { _, err := a.Trail.UserEvents(gone, "ana", session.EventCursor{}, 1); return err },
		"AllEvents":      func() error { _, err := a.Trail.AllEvents(gone, session.EventCursor{}, 1); return err },
		"CreateJob":      func() error { _, err := a.Jobs.CreateJob(gone, job); return err },
		"Job":            func() error { _, err := a.Jobs.Job(gone, job.ID); return err },
		"UpdateJob":      func() error { _, _, err := a.Jobs.UpdateJob(gone, job); return err },
		"RunningJobs":    func() error { _, err := a.Jobs.RunningJobs(gone, 1); return err },
		"JobEnds":        func() error { _, err := a.Jobs.JobEnds(gone, job.ID); return err },
		"Publish":        func() error { return a.Publisher.Publish(gone, n) },
	} {
		code(t, what, call(), session.CodeUnavailable)
	}
	equal(t, "session", read(t, a.Store, s.ID), s)
}
