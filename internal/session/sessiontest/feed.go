package sessiontest

import (
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var feedCases = []testCase{
	{"every committed notice reaches every instance", feedDelivers},
	{"what was not committed is not announced", feedSilence},
	{"a notice that is published already is left as it is", feedRepeated},
	{"a proof covers all that was visible when it began", feedProof},
	{"proofs move on", feedProofsMove},
	{"a notice that becomes visible late is not lost", feedLate},
}

func feedDelivers(t *testing.T, a, b Backend) {
	feeds := []*Recorder{RunFeed(t, a.Feed), RunFeed(t, b.Feed)}
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	reset := session.NewNotice(session.NoticeReset, "ana", "", s.ID)
	if _, err := a.Store.Touch(t.Context(), s, s.LastActive.Add(time.Minute), &reset); err != nil {
		t.Fatal(err)
	}
	end := session.NewNotice(session.NoticeEnded, "ana", session.ReasonLogout, s.ID)
	mustEnd(t, b.Store, s.ID, session.End{Reason: session.ReasonLogout, By: "ana"}, end)
	started := session.NewNotice(session.NoticeStarted, "bea", "", s.ID, session.NewID("bea", "x", SignIn))
	if err := a.Publisher.Publish(t.Context(), started); err != nil {
		t.Fatal(err)
	}
	revocation := session.NewNotice(session.NoticeEnded, "cem", session.ReasonAdminRevoked)
	revokedAt, err := b.Users.Revoke(t.Context(), revocation, session.Decree{By: "boss"})
	if err != nil {
		t.Fatal(err)
	}
	revocation.Before = revokedAt
	alert := session.NewNotice(session.NoticeAlert, "ana", "", s.ID)
	alert.Alert = &session.Alert{
		Type: session.AlertImpossibleTravel, SessionID: s.ID, Sessions: 4, DeviceTypes: []string{"desktop", "mobile"},
		Device: "Chrome on Windows", Country: "MX", PreviousCountry: "TR", DistanceKM: 11_000, SpeedKMH: 5_000,
		IPAddress: "203.0.113.7", PreviousIPAddress: "198.51.100.0/24",
	}
	claims := session.NewNotice(session.NoticeClaims, "ana", "")
	claims.SessionIDs = []session.ID{s.ID}
	for _, n := range []session.Notice{alert, claims} {
		code(t, "Publish", a.Publisher.Publish(t.Context(), n), "")
	}

	for _, feed := range feeds {
		for _, want := range []session.Notice{reset, end, started, revocation, alert, claims} {
			got := feed.AwaitNotice(t, want.ID)
			if got.At.IsZero() {
				t.Errorf("%s: no time", got.Kind)
			}
			if want.Before.Equal(revokedAt) {
				equal(t, "time of a revocation", got.At, revokedAt)
			}
			want.At = got.At
			equal(t, "notice", got, want)
		}
	}
}

func feedSilence(t *testing.T, a, b Backend) {
	feed := RunFeed(t, a.Feed)
	s := MustCreate(t, a.Store, NewSession("ana", SignIn))
	var silent []session.Notice
	notice := func(kind session.Kind) *session.Notice {
		n := session.NewNotice(kind, "ana", session.ReasonLogout, s.ID)
		silent = append(silent, n)
		return &n
	}
	touch := func(at time.Time) {
		t.Helper()
		if _, err := b.Store.Touch(t.Context(), s, at, notice(session.NoticeReset)); err != nil {
			t.Fatal(err)
		}
	}
	end := func(e session.End) {
		t.Helper()
		if _, ended, err := b.Store.End(t.Context(), s.ID, e, session.Record{Notices: []session.Notice{*notice(session.NoticeEnded)}}); err != nil || ended {
			t.Fatalf("ended %t, error %v", ended, err)
		}
	}
	touch(s.LastActive)
	end(session.End{Reason: session.ReasonIdleTimeout, IfLastActive: s.LastActive.Add(-time.Second)})
	mustEnd(t, a.Store, s.ID, session.End{Reason: session.ReasonLogout})
	touch(s.LastActive.Add(time.Minute))
	end(session.End{Reason: session.ReasonRevoked})

	feed.AwaitProof(t)
	for _, n := range silent {
		if _, ok := feed.Notice(n.ID); ok {
			t.Errorf("%s was announced", n.Kind)
		}
	}
}

func feedRepeated(t *testing.T, a, b Backend) {
	feed := RunFeed(t, b.Feed)
	first := session.NewNotice(session.NoticeStarted, "ana", "", session.NewID("ana", "", SignIn))
	again := first
	again.UserID = "bea"
	said := newEvent(session.EventSecurityAlert, "ana")
	for i, n := range []session.Notice{first, again} {
		if err := a.Publisher.Publish(t.Context(), n, []session.Event{said, newEvent(session.EventSecurityAlert, "bea")}[i]); err != nil {
			t.Fatal(err)
		}
	}
	feed.AwaitProof(t)
	equal(t, "user", feed.AwaitNotice(t, first.ID).UserID, "ana")
	equal(t, "notices", feed.AwaitProof(t), 1)
	if told := events(t, b); len(told) != 1 || told[0].ID != said.ID {
		t.Errorf("events %+v", told)
	}
}

func feedProof(t *testing.T, a, b Backend) {
	const publishers, each = 3, 8
	feed := RunFeed(t, b.Feed)
	var published sync.Map
	together(publishers, func(int) {
		for range each {
			n := session.NewNotice(session.NoticeStarted, "ana", "", session.NewID("ana", "", SignIn))
			if err := a.Publisher.Publish(t.Context(), n); err != nil {
				t.Errorf("Publish: %v", err)
			}
			published.Store(n.ID, nil)
		}
	})
	equal(t, "notices before the next proof", feed.AwaitProof(t), publishers*each)
	for id := range published.Range {
		if _, ok := feed.Notice(id.(string)); !ok {
			t.Errorf("notice %s has not come", id)
		}
	}
}

func feedProofsMove(t *testing.T, a, _ Backend) {
	feed := RunFeed(t, a.Feed)
	for range 2 {
		feed.AwaitProof(t)
	}
	feed.mu.Lock()
	defer feed.mu.Unlock()
	for i := range feed.proofs[1:] {
		if !feed.proofs[i+1].began.After(feed.proofs[i].began) {
			t.Error("a proof began before the one before it")
		}
	}
}

// feedLate has a revocation wait for a lock until notices with later times have been delivered and proven. A store
// may give up waiting and try again, which makes it the later one after all; then the case is not what it is about, and has
// to be made again.
func feedLate(t *testing.T, a, b Backend) {
	if a.HoldUser == nil {
		return // nothing can be late
	}
	feeds := []*Recorder{RunFeed(t, a.Feed), RunFeed(t, b.Feed)}
	for range 10 {
		late, overtaking := overtake(t, a, b, feeds)
		if t.Failed() || late.At.Before(overtaking.At) {
			return
		}
	}
	t.Error("no revocation was ever late")
}

// overtake holds up a revocation by one instance while the other publishes, and returns both notices as delivered.
func overtake(t *testing.T, a, b Backend, feeds []*Recorder) (late, overtaking session.Notice) {
	t.Helper()
	late = session.NewNotice(session.NoticeEnded, "ana", session.ReasonAdminRevoked)
	release := a.HoldUser(t, "ana")
	revoked := make(chan time.Time, 1)
	go func() {
		revokedAt, err := a.Users.Revoke(t.Context(), late, session.Decree{By: "boss"})
		if err != nil {
			t.Errorf("Revoke: %v", err)
		}
		revoked <- revokedAt
	}()
	for range 3 {
		overtaking = session.NewNotice(session.NoticeStarted, "bea", "", session.NewID("bea", "", SignIn))
		if err := b.Publisher.Publish(t.Context(), overtaking); err != nil {
			t.Errorf("Publish: %v", err)
		}
		for _, feed := range feeds {
			overtaking = feed.AwaitNotice(t, overtaking.ID)
			feed.AwaitProof(t)
			if _, ok := feed.Notice(late.ID); ok {
				t.Error("the revocation did not wait")
			}
		}
	}
	release()
	revokedAt := <-revoked
	for _, feed := range feeds {
		late = feed.AwaitNotice(t, late.ID)
		equal(t, "moment of the revocation", late.Before, revokedAt)
	}
	return late, overtaking
}
