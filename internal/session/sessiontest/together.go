package sessiontest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// endings creates sessions of that many users, and returns their ends: every other one by time, the others by an admin.
func endings(t *testing.T, a Backend, whose string, n, users int) []session.Ending {
	t.Helper()
	all := make([]session.Ending, n)
	for i := range all {
		uid := session.UserID(fmt.Sprint(whose, "/", i%users))
		s := MustCreate(t, a.Store, NewSession(uid, SignIn.Add(time.Duration(i)*time.Minute)))
		e := session.End{Reason: session.ReasonAdminRevoked, By: "boss", Job: "job"}
		if i%2 == 1 {
			e = session.End{Reason: session.ReasonIdleTimeout, By: session.ActorSystem, At: s.IdleDeadline(), IfLastActive: s.LastActive}
		}
		all[i] = session.Ending{Session: s, End: e, Record: session.Record{
			Notices: []session.Notice{session.NewNotice(session.NoticeEnded, uid, e.Reason, s.ID)},
			Events:  []session.Event{newEvent(session.EventSessionEnded, uid)},
		}}
	}
	return all
}

func endTogether(t *testing.T, a, b Backend) {
	feeds := []*Recorder{RunFeed(t, a.Feed), RunFeed(t, b.Feed)}
	endTogetherOf(t, a, b, feeds, endings(t, a, "many", 7, 7))
	endTogetherOf(t, a, b, feeds, endings(t, a, "few", 7, 2))
	endTogetherOf(t, a, b, feeds, endings(t, a, "one", 4, 1))
	endTogetherOf(t, a, b, feeds, endings(t, a, "single", 1, 1))
}

func endTogetherOf(t *testing.T, a, b Backend, feeds []*Recorder, all []session.Ending) {
	t.Helper()
	at, ok, err := b.Store.EndTogether(t.Context(), all)
	if err != nil || !ok || at.IsZero() {
		t.Fatalf("at %s, %t, %v", at, ok, err)
	}
	for _, each := range all {
		got, want := read(t, a.Store, each.Session.ID), each.Session
		want.Status, want.EndReason, want.EndedBy = session.StatusEnded, each.End.Reason, each.End.By
		want.EndedAt, want.Version = each.End.At, got.Version
		if each.End.At.IsZero() {
			want.EndedAt = got.EndedAt
			if d := at.Sub(got.EndedAt).Abs(); d > time.Minute {
				t.Errorf("ended %s away from the commit", d)
			}
		}
		equal(t, "read", got, want)
		events, err := b.Trail.UserEvents(t.Context(), want.UserID, session.EventCursor{}, 10)
		if err != nil || !slices.ContainsFunc(events, func(e session.Event) bool { return e.ID == each.Record.Events[0].ID }) {
			t.Errorf("events of %s: %v, %v", want.UserID, events, err)
		}
		for _, feed := range feeds {
			n := feed.AwaitNotice(t, each.Record.Notices[0].ID)
			equal(t, "notice", session.Notice{ID: n.ID, Kind: n.Kind, UserID: n.UserID, SessionIDs: n.SessionIDs, Reason: n.Reason},
				each.Record.Notices[0])
		}
	}
	if _, ok, err := a.Store.EndTogether(t.Context(), all); ok || err != nil {
		t.Errorf("ended twice: %t, %v", ok, err)
	}
}

func endTogetherNot(t *testing.T, a, b Backend) {
	for what, change := range map[string]func(session.Session) error{
		"active": func(s session.Session) error {
			_, err := b.Store.Touch(t.Context(), s, s.LastActive.Add(time.Minute), nil)
			return err
		},
		"ended": func(s session.Session) error {
			_, _, err := b.Store.End(t.Context(), s.ID, session.End{Reason: session.ReasonLogout, By: "user"}, session.Record{})
			return err
		},
		"withdrawn": func(s session.Session) error { return b.Store.Withdraw(t.Context(), s.ID, session.Record{}) },
	} {
		all := endings(t, a, what, 3, 3)
		if err := change(all[1].Session); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := a.Store.EndTogether(t.Context(), all); ok || err != nil {
			t.Errorf("%s in between: %t, %v", what, ok, err)
		}
		for _, i := range []int{0, 2} {
			equal(t, what+": read", read(t, b.Store, all[i].Session.ID), all[i].Session)
		}
	}
}

func endTogetherRace(t *testing.T, a, b Backend) {
	all := endings(t, a, "user", 20, 20)
	var won atomic.Int32
	together(2, func(i int) {
		own := make([]session.Ending, len(all))
		for k, each := range all {
			each.Record.Notices = []session.Notice{session.NewNotice(session.NoticeEnded, each.Session.UserID, each.End.Reason, each.Session.ID)}
			each.Record.Events = nil
			own[k] = each
		}
		store := []Backend{a, b}[i].Store
		_, ok, err := store.EndTogether(t.Context(), own)
		if err != nil {
			t.Errorf("EndTogether: %v", err)
		}
		if ok {
			won.Add(int32(len(own)))
			return
		}
		for _, each := range own {
			_, ended, err := store.End(t.Context(), each.Session.ID, each.End, each.Record)
			if err != nil {
				t.Errorf("End: %v", err)
			}
			if ended {
				won.Add(1)
			}
		}
	})
	equal(t, "ends that somebody takes for their own", won.Load(), int32(len(all)))
}
