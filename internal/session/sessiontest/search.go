package sessiontest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var searchCases = []testCase{
	{"a search finds each match once, in order, page by page", searchPages},
	{"a search goes on where a session was that is gone", searchGone},
	{"active sessions come user by user", searchActive},
	{"a user's recent sessions come newest first", searchRecent},
	{"the latest census stands", searchCensus},
}

// crowd stores sessions that differ in everything that a filter asks for, and returns them as stored.
func crowd(t *testing.T, a, b Backend) []session.Session {
	t.Helper()
	var all []session.Session
	for i := range 48 {
		s := NewSession([]session.UserID{"ana", "bea", "cem/1"}[i%3], SignIn.Add(time.Duration(i)*time.Minute))
		s.Device.Type = []string{"desktop", "mobile"}[i%2]
		s.IPAddress = []string{"203.0.113.7", "2001:db8::1", ""}[i/2%3]
		s.LastActive = SignIn.Add(time.Duration(i/5%4) * time.Hour) // several at the same time
		s.CreatedAt = SignIn.Add(time.Duration(i%8) * time.Minute)
		if i%5 == 0 {
			s.Location = nil
		} else {
			s.Location = &session.Location{Country: []string{"MX", "TR", "AR"}[i%3]}
		}
		instance := []Backend{a, b}[i%2]
		s = MustCreate(t, instance.Store, s)
		if i%4 == 0 {
			s = mustEnd(t, instance.Store, s.ID, session.End{Reason: session.ReasonLogout, By: "ana", At: SignIn.Add(5 * time.Hour)})
		}
		all = append(all, s)
	}
	return all
}

// filters are all kinds of them, alone and together.
func filters() []session.Filter {
	hour := SignIn.Add(2 * time.Hour)
	return []session.Filter{
		{},
		{UserID: "ana"},
		{Status: session.StatusActive},
		{IPAddress: "2001:db8::1"},
		{DeviceType: "mobile", Country: "MX"},
		{UserID: "cem/1", Status: session.StatusEnded, DeviceType: "desktop", Country: "AR"},
		{CreatedBefore: SignIn.Add(3 * time.Minute)},
		{UserID: "bea", Status: session.StatusActive, CreatedBefore: SignIn.Add(3 * time.Minute)},
		{ActiveBefore: hour},
		{ActiveBefore: hour.Add(time.Nanosecond)},
		{ActiveBefore: hour, Status: session.StatusActive},
		{ActiveBefore: hour, Status: session.StatusEnded, DeviceType: "desktop"},
		{ActiveBefore: hour, Country: "TR", CreatedBefore: SignIn.Add(5 * time.Minute)},
		{ActiveBefore: hour, UserID: "ana"},
		{ActiveBefore: hour, UserID: "ana", Status: session.StatusActive, IPAddress: "203.0.113.7"},
		{UserID: "nobody"},
		{IPAddress: "\xff"},
		{ActiveBefore: SignIn},
	}
}

func searchPages(t *testing.T, a, b Backend) {
	all := crowd(t, a, b)
	for _, f := range filters() {
		var want []session.Session
		for _, s := range all {
			if f.Passes(s) {
				want = append(want, s)
			}
		}
		slices.SortFunc(want, func(x, y session.Session) int { return f.CursorOf(x).Compare(f.CursorOf(y)) })
		for _, limit := range []int{5, len(all)} {
			equal(t, fmt.Sprintf("%+v by %d", f, limit), searched(t, b, f, limit), want)
		}
		count, err := a.Archive.Count(t.Context(), f)
		code(t, "Count", err, "")
		alone := f == session.Filter{Status: f.Status, ActiveBefore: f.ActiveBefore}
		if exact := f.CreatedBefore.IsZero() && (f.ActiveBefore.IsZero() || alone); count < len(want) || exact && count > len(want) {
			t.Errorf("count of %+v: %d, want %d", f, count, len(want))
		}
	}
}

// searched is what a search to the end finds, limit sessions at a time.
func searched(t *testing.T, b Backend, f session.Filter, limit int) (found []session.Session) {
	t.Helper()
	var after session.Cursor
	for {
		page, next, err := b.Archive.Search(t.Context(), f, after, limit)
		if err != nil || len(page) > limit {
			t.Fatalf("%+v: %d sessions, error %v", f, len(page), err)
		}
		found = append(found, page...)
		if next == nil {
			return found
		}
		if after != (session.Cursor{}) && next.Compare(after) <= 0 {
			t.Fatalf("%+v: after %+v it goes on at %+v", f, after, *next)
		}
		after = *next
	}
}

func searchGone(t *testing.T, a, b Backend) {
	all := crowd(t, a, b)
	for _, f := range []session.Filter{{}, {ActiveBefore: SignIn.Add(time.Hour * 24)}, {ActiveBefore: SignIn.Add(time.Hour * 24), UserID: "ana"}} {
		first, next, err := a.Archive.Search(t.Context(), f, session.Cursor{}, 3)
		if err != nil || len(first) != 3 || next == nil {
			t.Fatalf("%d sessions, next %v, error %v", len(first), next, err)
		}
		equal(t, "next", next.Compare(f.CursorOf(first[2])), 0)
		code(t, "Withdraw", b.Store.Withdraw(t.Context(), first[2].ID, session.Record{}), "")
		rest, _, err := a.Archive.Search(t.Context(), f, *next, len(all))
		code(t, "Search", err, "")
		for _, s := range rest {
			if slices.Contains(ids(first), s.ID) {
				t.Errorf("%s comes twice", s.ID)
			}
		}
		again, _, err := a.Archive.Search(t.Context(), f, session.Cursor{}, len(all))
		code(t, "Search", err, "")
		at := slices.Index(ids(again), first[1].ID)
		if first[2].Status == session.StatusEnded {
			at++ // it could not be withdrawn
		}
		equal(t, "the rest", ids(rest), ids(again[at+1:]))
	}
}

func searchActive(t *testing.T, a, b Backend) {
	var want []session.Session
	for _, s := range crowd(t, a, b) {
		if s.Status == session.StatusActive {
			want = append(want, s)
		}
	}
	slices.SortFunc(want, func(x, y session.Session) int {
		if x.UserID != y.UserID {
			return slices.Compare([]byte(x.UserID), []byte(y.UserID))
		}
		return slices.Compare([]byte(x.ID), []byte(y.ID))
	})
	var got []session.Session
	var after session.Session
	const limit = 7
	for len(got) <= len(want) {
		page, err := b.Archive.ActiveByUser(t.Context(), after, limit)
		code(t, "ActiveByUser", err, "")
		got = append(got, page...)
		if len(page) < limit {
			break
		}
		after = page[limit-1]
	}
	equal(t, "active sessions", got, want)
}

func searchRecent(t *testing.T, a, b Backend) {
	var want []session.Session
	for i, minute := range []time.Duration{3, 1, 4, 2} {
		instance := []Backend{a, b}[i%2]
		s := NewSession("ana", SignIn.Add(time.Duration(i)*time.Hour))
		s.CreatedAt = SignIn.Add(minute * time.Minute)
		s = MustCreate(t, instance.Store, s)
		if i == 2 {
			s = mustEnd(t, instance.Store, s.ID, session.End{Reason: session.ReasonLogout, By: "ana"})
		}
		want = append(want, s)
	}
	MustCreate(t, a.Store, NewSession("bea", SignIn))
	slices.SortFunc(want, func(x, y session.Session) int { return y.CreatedAt.Compare(x.CreatedAt) })
	for _, limit := range []int{1, 3, 10} {
		got, err := b.Store.RecentSessions(t.Context(), "ana", limit)
		code(t, "RecentSessions", err, "")
		equal(t, fmt.Sprintf("the last %d", limit), got, want[:min(limit, len(want))])
	}
}

func searchCensus(t *testing.T, a, b Backend) {
	none, err := a.Archive.Census(t.Context())
	code(t, "Census", err, "")
	equal(t, "before", none, session.Census{})
	for i := range 2 {
		c := session.Census{
			ActiveSessions: 10 + i, Users: 4, Zombies: 2, CountedAt: SignIn.Add(time.Duration(i) * time.Hour),
			ByDeviceType: map[string]int{"desktop": 7, "mobile": 3 + i}, ByCountry: map[string]int{"MX": 5},
		}
		if i == 1 {
			c.ByCountry = map[string]int{"TR": 1}
		}
		code(t, "SaveCensus", a.Archive.SaveCensus(t.Context(), c), "")
		got, err := b.Archive.Census(t.Context())
		code(t, "Census", err, "")
		equal(t, "census", got, c)
	}
}
