package sessiontest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var trailCases = []testCase{
	{"events come newest first without gaps, and only to their audience", trailPages},
	{"an event is stored once", trailTwice},
	{"what is unknown about an event stays unknown", trailSparse},
}

// chronicle commits events of several kinds in several ways, some of them at the same time, and returns them as committed.
func chronicle(t *testing.T, a, b Backend) map[string]session.Event {
	t.Helper()
	told := make(map[string]session.Event)
	for i := range 15 {
		var batch []session.Event
		for n := range i%4 + 1 {
			e := newEvent(session.EventSecurityAlert, []session.UserID{"ana", "bea", "cem/1"}[n%3])
			e.Audience = []session.Audience{session.AudienceUser, session.AudienceAdmin}[(i+n)%3%2]
			told[e.ID] = e
			batch = append(batch, e)
		}
		instance := []Backend{a, b}[i%2]
		var err error
		switch i % 3 {
		case 0:
			err = instance.Trail.Append(t.Context(), batch...)
		case 1:
			err = instance.Publisher.Publish(t.Context(), session.NewNotice(session.NoticeAlert, "ana", ""), batch...)
		default:
			authTime := SignIn.Add(time.Duration(i) * time.Minute)
			_, _, err = instance.Store.Create(t.Context(), NewSession("ana", authTime), session.Record{Events: batch})
		}
		code(t, "commit", err, "")
	}
	return told
}

func trailPages(t *testing.T, a, b Backend) {
	began := time.Now().Add(-time.Minute)
	told := chronicle(t, a, b)
	all := events(t, a)
	equal(t, "events", len(all), len(told))
	for _, e := range all {
		if e.At.Before(began) || e.At.After(time.Now().Add(time.Minute)) {
			t.Errorf("an event at %s", e.At)
		}
		want := told[e.ID]
		want.At = e.At
		equal(t, "event", e, want)
	}
	if !slices.IsSortedFunc(all, func(x, y session.Event) int { return cmp.Or(y.At.Compare(x.At), cmp.Compare(y.ID, x.ID)) }) {
		t.Error("they do not come newest first")
	}
	of := func(uid session.UserID) (own []session.Event) {
		for _, e := range all {
			if e.UserID == uid && e.Audience == session.AudienceUser {
				own = append(own, e)
			}
		}
		return own
	}
	for _, limit := range []int{4, 100} {
		equal(t, fmt.Sprintf("all by %d", limit), pages(t, limit, func(after session.EventCursor) ([]session.Event, error) {
			return b.Trail.AllEvents(t.Context(), after, limit)
		}), all)
		for _, uid := range []session.UserID{"ana", "bea", "cem/1", "nobody"} {
			equal(t, fmt.Sprintf("%s's by %d", uid, limit), pages(t, limit, func(after session.EventCursor) ([]session.Event, error) {
				return b.Trail.UserEvents(t.Context(), uid, after, limit)
			}), of(uid))
		}
	}
}

// pages reads a list to its end.
func pages(t *testing.T, limit int, read func(session.EventCursor) ([]session.Event, error)) (all []session.Event) {
	t.Helper()
	var after session.EventCursor
	for range 100 {
		page, err := read(after)
		if err != nil || len(page) > limit {
			t.Fatalf("%d events, error %v", len(page), err)
		}
		all = append(all, page...)
		if len(page) < limit {
			return all
		}
		after = session.EventCursor{At: page[limit-1].At, ID: page[limit-1].ID}
	}
	t.Fatal("the list has no end")
	return nil
}

func trailTwice(t *testing.T, a, b Backend) {
	first, fresh := newEvent(session.EventSessionStarted, "ana"), newEvent(session.EventSessionEnded, "ana")
	code(t, "Append", a.Trail.Append(t.Context(), first), "")
	stored := events(t, b)
	again := first
	again.Type = session.EventAdminRefused
	code(t, "Append", b.Trail.Append(t.Context(), again, fresh), "")
	code(t, "Append nothing", b.Trail.Append(t.Context()), "")
	got := events(t, a)
	if len(got) != 2 || got[0].ID != fresh.ID {
		t.Fatalf("events %+v", got)
	}
	equal(t, "the first", got[1:], stored)
}

func trailSparse(t *testing.T, a, b Backend) {
	e := session.Event{ID: "sparse", Type: session.EventLimitsConfigured, Audience: session.AudienceAdmin}
	code(t, "Append", a.Trail.Append(t.Context(), e), "")
	got := events(t, b)
	if len(got) != 1 {
		t.Fatalf("events %+v", got)
	}
	e.At = got[0].At
	equal(t, "event", got[0], e)
}
