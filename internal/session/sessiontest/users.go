package sessiontest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var userCases = []testCase{
	{"nothing is known about a new user", userUnknown},
	{"a revocation is known to every instance", userRevoked},
	{"a later revocation moves the time on", userRevokedAgain},
	{"simultaneous revocations leave the latest time", userSimultaneous},
	{"only the latest revocation's tokens settle it", userTokens},
	{"revocations that Firebase has not been told are found", userPending},
	{"a disabled user stays so until enabled, a deleted one for good", userDecrees},
	{"an account that is gone already owes nothing but its erasure", userGone},
	{"any uid will do", userOdd},
}

func user(t *testing.T, users session.Users, uid session.UserID) session.User {
	t.Helper()
	u, err := users.User(t.Context(), uid)
	if err != nil {
		t.Fatalf("User: %v", err)
	}
	return u
}

func userUnknown(t *testing.T, a, _ Backend) {
	equal(t, "user", user(t, a.Users, "ana"), session.User{ID: "ana"})
	code(t, "TokensRevoked", a.Users.TokensRevoked(t.Context(), "ana", SignIn), "")
	equal(t, "user", user(t, a.Users, "ana"), session.User{ID: "ana"})
}

func userRevoked(t *testing.T, a, b Backend) {
	revokedAt := mustRevoke(t, a.Users, "ana", session.ReasonUserDisabled, "boss")
	equal(t, "user", user(t, b.Users, "ana"), session.User{
		ID: "ana", RevokedAt: revokedAt, RevokeReason: session.ReasonUserDisabled, RevokedBy: "boss", TokensPending: true,
	})
	equal(t, "another user", user(t, b.Users, "bea"), session.User{ID: "bea"})
}

func userRevokedAgain(t *testing.T, a, b Backend) {
	first := mustRevoke(t, a.Users, "ana", session.ReasonRevoked, "ana")
	code(t, "TokensRevoked", a.Users.TokensRevoked(t.Context(), "ana", first), "")
	second := mustRevoke(t, b.Users, "ana", session.ReasonAdminRevoked, "boss")
	if !second.After(first) {
		t.Errorf("revoked at %s, and then at %s", first, second)
	}
	equal(t, "user", user(t, a.Users, "ana"), session.User{
		ID: "ana", RevokedAt: second, RevokeReason: session.ReasonAdminRevoked, RevokedBy: "boss", TokensPending: true,
	})
}

func userSimultaneous(t *testing.T, a, b Backend) {
	instances := []Backend{a, b}
	times := make([]time.Time, 6)
	together(len(times), func(i int) {
		n := session.NewNotice(session.NoticeEnded, "ana", session.ReasonRevoked)
		revokedAt, err := instances[i%2].Users.Revoke(t.Context(), n, session.Decree{By: "ana"})
		if err != nil {
			t.Errorf("Revoke: %v", err)
		}
		times[i] = revokedAt
	})
	equal(t, "revoked at", user(t, a.Users, "ana").RevokedAt, slices.MaxFunc(times, time.Time.Compare))
}

func userTokens(t *testing.T, a, b Backend) {
	first := mustRevoke(t, a.Users, "ana", session.ReasonRevoked, "ana")
	second := mustRevoke(t, b.Users, "ana", session.ReasonRevoked, "ana")
	for _, c := range []struct {
		name    string
		at      time.Time
		pending bool
	}{
		{"the earlier revocation", first, true},
		{"the latest revocation", second, false},
		{"the latest revocation once more", second, false},
	} {
		code(t, c.name, a.Users.TokensRevoked(t.Context(), "ana", c.at), "")
		u := user(t, b.Users, "ana")
		equal(t, c.name+": pending", u.TokensPending, c.pending)
		equal(t, c.name+": revoked at", u.RevokedAt, second)
	}
}

func userPending(t *testing.T, a, b Backend) {
	mustRevoke(t, a.Users, "ana", session.ReasonRevoked, "ana")
	settled := mustRevoke(t, a.Users, "bea", session.ReasonRevoked, "bea")
	last := mustRevoke(t, b.Users, "cem/1", session.ReasonRevoked, "boss")
	code(t, "TokensRevoked", b.Users.TokensRevoked(t.Context(), "bea", settled), "")
	for _, c := range []struct {
		name   string
		before time.Time
		limit  int
		want   []session.UserID
	}{
		{"all", last.Add(time.Hour), 10, []session.UserID{"ana", "cem/1"}},
		{"those older than the last", last, 10, []session.UserID{"ana"}},
		{"none so old", last.Add(-time.Hour), 10, nil},
	} {
		found, err := a.Users.PendingUsers(t.Context(), c.before, c.limit)
		code(t, c.name, err, "")
		var uids []session.UserID
		for _, u := range found {
			uids = append(uids, u.ID)
			equal(t, c.name+": user", u, user(t, b.Users, u.ID))
		}
		slices.Sort(uids)
		equal(t, c.name, uids, c.want)
	}
	one, err := a.Users.PendingUsers(t.Context(), last.Add(time.Hour), 1)
	if err != nil || len(one) != 1 {
		t.Errorf("with a limit of one: %v, error %v", one, err)
	}
}

func userDecrees(t *testing.T, a, b Backend) {
	code(t, "Enable of a stranger", a.Users.Enable(t.Context(), "ana"), "")
	equal(t, "stranger", user(t, b.Users, "ana"), session.User{ID: "ana"})

	revoke := func(d session.Decree, kind session.EventType) time.Time {
		t.Helper()
		d.By, d.Events = "boss", []session.Event{newEvent(kind, "ana")}
		n := session.NewNotice(session.NoticeEnded, "ana", session.ReasonUserDisabled)
		for range 2 { // as after a lost answer
			if _, err := a.Users.Revoke(t.Context(), n, session.Decree{By: "boss", Disable: d.Disable, Delete: d.Delete, Events: d.Events}); err != nil {
				t.Fatalf("Revoke: %v", err)
			}
		}
		return user(t, b.Users, "ana").RevokedAt
	}
	want := session.User{ID: "ana", RevokeReason: session.ReasonUserDisabled, RevokedBy: "boss", TokensPending: true}
	want.DisablePending = true
	want.Disabled, want.RevokedAt = true, revoke(session.Decree{Disable: true}, session.EventUserDisabled)
	equal(t, "disabled", user(t, b.Users, "ana"), want)
	want.RevokedAt = revoke(session.Decree{}, session.EventUserRevoked)
	equal(t, "revoked", user(t, b.Users, "ana"), want)
	want.RevokedAt = revoke(session.Decree{Delete: true}, session.EventAccountDeleted)
	deleted := user(t, b.Users, "ana")
	if deleted.DeletedAt.IsZero() || deleted.DeletedAt.After(deleted.RevokedAt) {
		t.Errorf("deleted at %s, revoked at %s", deleted.DeletedAt, deleted.RevokedAt)
	}
	want.DeletedAt, want.DeletePending = deleted.DeletedAt, true
	equal(t, "deleted", deleted, want)
	later := NewSession("ana", deleted.RevokedAt.Add(time.Hour))
	_, _, err := b.Store.Create(t.Context(), later, session.Record{})
	code(t, "Create while a deletion is pending", err, session.CodeUserDisabled)
	code(t, "Enable", b.Users.Enable(t.Context(), "ana", newEvent(session.EventUserEnabled, "ana")), "")
	want.Disabled, want.DisablePending = false, false
	equal(t, "enabled", user(t, a.Users, "ana"), want)
	code(t, "TokensRevoked", a.Users.TokensRevoked(t.Context(), "ana", want.RevokedAt), "")
	want.TokensPending, want.DeletePending = false, false
	equal(t, "settled", user(t, b.Users, "ana"), want)
	MustCreate(t, a.Store, later)

	var told []session.EventType
	for _, e := range events(t, a) {
		told = append(told, e.Type)
	}
	equal(t, "events", told, []session.EventType{
		session.EventUserEnabled, session.EventAccountDeleted, session.EventUserRevoked, session.EventUserDisabled,
	})
}

func userGone(t *testing.T, a, b Backend) {
	n := session.NewNotice(session.NoticeEnded, "ana", session.ReasonUserDeleted)
	e := newEvent(session.EventAccountDeleted, "ana")
	for range 2 { // as after a lost answer
		if _, err := a.Users.Revoke(t.Context(), n, session.Decree{By: session.ActorSystem, Deleted: true, Events: []session.Event{e}}); err != nil {
			t.Fatalf("Revoke: %v", err)
		}
	}
	gone := user(t, b.Users, "ana")
	want := session.User{
		ID: "ana", RevokedAt: gone.RevokedAt, RevokeReason: session.ReasonUserDeleted, RevokedBy: session.ActorSystem,
		TokensPending: true, ErasePending: true, DeletedAt: gone.DeletedAt,
	}
	equal(t, "gone", gone, want)
	if gone.DeletedAt.IsZero() || gone.DeletedAt.After(gone.RevokedAt) {
		t.Errorf("deleted at %s, revoked at %s", gone.DeletedAt, gone.RevokedAt)
	}
	equal(t, "events", len(events(t, b)), 1)
	_, _, err := b.Store.Create(t.Context(), NewSession("ana", gone.RevokedAt.Add(-time.Second)), session.Record{})
	code(t, "Create of a sign-in of before", err, session.CodeTokenRevoked)
	MustCreate(t, b.Store, NewSession("ana", gone.RevokedAt.Add(time.Hour))) // of an account created anew
	code(t, "TokensRevoked", b.Users.TokensRevoked(t.Context(), "ana", gone.RevokedAt), "")
	want.TokensPending, want.ErasePending = false, false
	equal(t, "settled", user(t, a.Users, "ana"), want)
}

func userOdd(t *testing.T, a, b Backend) {
	odd := []session.UserID{
		"ana", "a/b", "/", ".", "..", "__all__", "a b\tc", "ñandú", "ana@example.com", "sha256:ana",
		session.UserID(strings.Repeat("😀", 128)),
	}
	for i, uid := range odd {
		s := MustCreate(t, a.Store, NewSession(uid, SignIn))
		equal(t, "session", read(t, b.Store, s.ID).UserID, uid)
		equal(t, "sessions", ids(userSessions(t, b.Store, uid, false)), []session.ID{s.ID})
		equal(t, "user before", user(t, b.Users, uid), session.User{ID: uid})
		mustRevoke(t, a.Users, uid, session.ReasonRevoked, "boss")
		equal(t, "user after", user(t, b.Users, uid).TokensPending, true)
		pending, err := b.Users.PendingUsers(t.Context(), user(t, a.Users, uid).RevokedAt.Add(time.Hour), len(odd))
		if err != nil || len(pending) != i+1 {
			t.Errorf("%q: %d users pending, error %v", uid, len(pending), err)
		}
	}
}
