package session_test

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func (w *world) sweep(i *instance, duties session.Duty, want session.SweepReport) {
	w.Helper()
	got, err := i.registry.Sweep(w.Context(), duties)
	if err != nil {
		w.Fatal(err)
	}
	if got != want {
		w.Errorf("swept %+v, want %+v", got, want)
	}
}

// neglect makes work for every duty: ana's three sessions of a limit lowered to two, ben's that is idle, and old ones to be purged.
func neglect(w *world) (i *instance, anas []session.Session, ben session.Session, old []session.Session) {
	w.Helper()
	w.settings.MaxSessions, w.settings.Retention = 3, 13*time.Hour
	w.data.Retention = w.settings.Retention
	before := w.start()
	for _, uid := range []session.UserID{"cem", "dan"} {
		_, s := w.signIn(before, uid)
		if err := before.registry.EndOwn(w.Context(), as(s), s.ID); err != nil {
			w.Fatal(err)
		}
		old = append(old, s)
	}
	before.stopFeed()
	w.pass(w.settings.Retention - policy.IdleTimeout)
	before = w.start()
	_, ben = w.signIn(before, "ben")
	w.pass(policy.IdleTimeout)
	for range 3 {
		_, reg := w.signInFrom(before, "ana", laptop("MX"))
		anas = append(anas, reg.Session)
	}
	before.stopFeed()
	w.settings.MaxSessions = 2
	return w.start(), anas, ben, old
}

func TestASweepDoesItsDuties(t *testing.T) {
	for name, c := range map[string]struct {
		duties session.Duty
		want   session.SweepReport
	}{
		"nothing": {0, session.SweepReport{}},
		"expired": {session.SweepExpired, session.SweepReport{Expired: 1}},
		"limits":  {session.SweepLimits, session.SweepReport{Limited: 1}},
		"purge":   {session.SweepPurge, session.SweepReport{Purged: 2}},
		"all":     {session.SweepAll, session.SweepReport{Expired: 1, Limited: 1, Purged: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				i, anas, ben, old := neglect(w)
				w.sweep(i, c.duties, c.want)
				if c.want.Expired > 0 {
					if s := w.ended(ben.ID, session.ReasonIdleTimeout); !s.EndedAt.Equal(ben.IdleDeadline()) {
						t.Errorf("ended at %s", s.EndedAt)
					}
				} else if w.stored(ben.ID).Status != session.StatusActive {
					t.Error("an idle session was written down")
				}
				if c.want.Limited > 0 {
					w.ended(anas[0].ID, session.ReasonSessionLimit)
				}
				for _, s := range anas[min(c.want.Limited, 1):] {
					if w.stored(s.ID).Status != session.StatusActive {
						t.Error("an innocent session ended")
					}
				}
				for _, s := range old {
					_, err := w.data.Session(w.Context(), s.ID)
					if purged := session.CodeOf(err) == session.CodeNotFound; purged != (c.want.Purged > 0) {
						t.Errorf("purged %t", purged)
					}
				}
				w.sweep(i, c.duties, session.SweepReport{}) // nothing is left
			})
		})
	}
}

func TestUnderRejectASweepEndsTheNewest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.LimitPolicy = session.LimitReject
		i, anas, _, _ := neglect(w)
		w.sweep(i, session.SweepLimits, session.SweepReport{Limited: 1})
		w.ended(anas[2].ID, session.ReasonSessionLimit)
	})
}

func TestTwoSweepsAtOnceDoNoHarm(t *testing.T) {
	inWorld(t, func(w *world) {
		a, anas, ben, _ := neglect(w)
		b := w.start()
		var sum session.SweepReport
		var mu sync.Mutex
		var both sync.WaitGroup
		for _, i := range []*instance{a, b, a, b} {
			both.Go(func() {
				got, err := i.registry.Sweep(w.Context(), session.SweepAll)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				sum.Expired, sum.Limited, sum.Purged = sum.Expired+got.Expired, sum.Limited+got.Limited, sum.Purged+got.Purged
			})
		}
		both.Wait()
		if want := (session.SweepReport{Expired: 1, Limited: 1, Purged: 2}); sum != want {
			t.Errorf("together %+v, want %+v", sum, want)
		}
		w.ended(ben.ID, session.ReasonIdleTimeout)
		w.ended(anas[0].ID, session.ReasonSessionLimit)
		ends := map[session.ID]int{}
		for _, e := range w.events(session.EventSessionEnded) {
			ends[e.SessionID]++
		}
		if ends[ben.ID] != 1 || ends[anas[0].ID] != 1 {
			t.Errorf("ends in the trail: %v", ends)
		}
	})
}

func TestASweepFinishesRevocations(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		_, s := w.signIn(a, "ana")
		a.store.Before(func(op string) { a.store.SetDown(op == "UserSessions") })
		_, err := a.registry.RevokeUser(w.Context(), "ana", boss)
		wantCode(t, err, session.CodeUnavailable)
		w.pass(2*feedResync + time.Second)
		w.sweep(b, session.SweepExpired, session.SweepReport{})
		if w.stored(s.ID).Status != session.StatusActive {
			t.Error("one duty did another's work")
		}
		w.sweep(b, session.SweepAll, session.SweepReport{})
		w.ended(s.ID, session.ReasonAdminRevoked)
	})
}

// What one step cannot do keeps the others from nothing, and is said.
func TestASweepGoesOnPastFailuresAndReports(t *testing.T) {
	for down, want := range map[string]session.SweepReport{
		"ActiveByUser": {Purged: 2},
		"EndTogether":  {Purged: 2, Limited: 1},
		"UserSessions": {Expired: 1, Purged: 2},
		"SaveCensus":   {Expired: 1, Limited: 1, Purged: 2},
		"Purge":        {Expired: 1, Limited: 1},
		"PendingUsers": {Expired: 1, Limited: 1, Purged: 2},
	} {
		t.Run(down, func(t *testing.T) {
			inWorld(t, func(w *world) {
				counted := newCounts()
				w.meter = counted
				i, _, _, _ := neglect(w)
				i.store.Before(func(op string) { i.store.SetDown(op == down) })
				got, err := i.registry.Sweep(w.Context(), session.SweepAll)
				if wantCode(t, err, session.CodeUnavailable); got != want {
					t.Errorf("swept %+v, want %+v", got, want)
				}
				if n := counted.of("swept"); n > 0 {
					t.Error("it counts as completed")
				}
				i.store.Before(func(string) { i.store.SetDown(false) })
				if _, err := i.registry.Sweep(w.Context(), session.SweepAll); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestASweepTakesTheCensus(t *testing.T) {
	inWorld(t, func(w *world) {
		i, _, _, _ := neglect(w)
		w.signInFrom(i, "eve", phone(""))
		w.signInFrom(i, "fay", session.SignIn{})
		now := time.Now()
		if _, err := i.registry.Sweep(w.Context(), session.SweepExpired); err != nil {
			t.Fatal(err)
		}
		got, err := i.registry.Census(w.Context())
		want := session.Census{
			ActiveSessions: 5, Users: 3, ByDeviceType: map[string]int{"desktop": 3, "mobile": 1, "other": 1}, ByCountry: map[string]int{"MX": 3},
			Zombies: 1, CountedAt: now.UTC(),
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("counted %+v, %v\nwant    %+v", got, err, want)
		}
	})
}

func TestASweepOfManyGoesInBoundedBatches(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		ids := w.populate(i, 700)
		for range 3 { // one user's sessions lie across two batches
			w.signIn(i, userNumber(298))
		}
		w.settings.MaxSessions = 2
		strict := w.start()
		w.sweep(strict, session.SweepLimits, session.SweepReport{Limited: 2})
		w.ended(ids[298], session.ReasonSessionLimit)
		w.pass(policy.IdleTimeout)
		w.sweep(strict, session.SweepExpired, session.SweepReport{Expired: 701})
		if got := strict.store.Calls("ActiveByUser"); got != 3+3 {
			t.Errorf("%d reads", got)
		}
		w.data.Retention = time.Hour
		w.pass(time.Hour)
		w.sweep(strict, session.SweepPurge, session.SweepReport{Purged: 703})
		if got := strict.store.Calls("Purge"); got < 3 {
			t.Errorf("%d deletions", got)
		}
	})
}

// After an outage another instance may be about to store activity: nobody is swept away for idleness at once.
func TestASweepAfterAnOutageEndsNobodyForIdleness(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, s := w.signIn(i, "ana")
		w.pass(policy.IdleTimeout - time.Minute)
		i.stopFeed()
		w.pass(2 * time.Minute)
		i.runFeed(w)
		w.sweep(i, session.SweepAll, session.SweepReport{})
		w.pass(policy.TouchInterval)
		w.sweep(i, session.SweepAll, session.SweepReport{Expired: 1})
		w.ended(s.ID, session.ReasonIdleTimeout)
	})
}

func TestASweepThatAnAdminAsksForIsInTheTrail(t *testing.T) {
	inWorld(t, func(w *world) {
		i, _, _, _ := neglect(w)
		i.store.Before(func(op string) { i.store.SetDown(op == "Append") })
		got, err := i.registry.SweepRequested(w.Context(), boss, session.SweepAll)
		if wantCode(t, err, session.CodeUnavailable); got != (session.SweepReport{}) {
			t.Errorf("swept %+v without a trace", got)
		}
		i.store.Before(func(string) { i.store.SetDown(false) })
		got, err = i.registry.SweepRequested(w.Context(), boss, session.SweepExpired|session.SweepLimits)
		if want := (session.SweepReport{Expired: 1, Limited: 1}); err != nil || got != want {
			t.Errorf("swept %+v, %v", got, err)
		}
		w.byAdmin(w.event(session.EventSweepRequested), "")
	})
}

// An end that cannot be written is a failure of the sweep, like any other.
func TestASweepSaysThatItCouldNotWriteAnEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		i, _, ben, _ := neglect(w)
		i.store.Before(func(op string) { i.store.SetDown(op == "EndTogether") })
		got, err := i.registry.Sweep(w.Context(), session.SweepExpired)
		if wantCode(t, err, session.CodeUnavailable); got.Expired != 0 || w.stored(ben.ID).Status != session.StatusActive {
			t.Errorf("swept %+v", got)
		}
	})
}
