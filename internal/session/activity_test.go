package session_test

import (
	"context"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// touch records activity of a session that must be live.
func (w *world) touch(i *instance, token string) session.Session {
	w.Helper()
	s, err := i.registry.Touch(w.Context(), w.admit(i, token, ""))
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func TestActivityIsWrittenAtOnceAndThenCoalesced(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(policy.TouchInterval)
		if got := w.touch(i, token); !w.stored(s.ID).LastActive.Equal(got.LastActive) {
			t.Fatal("the first activity is not stored at once")
		}
		var last session.Session
		for range 60 { // five minutes of constant activity
			w.pass(5 * time.Second)
			last = w.touch(i, token)
		}
		w.pass(0)
		if n := i.store.Calls("Touch"); n > 3 {
			t.Errorf("%d writes in two intervals", n)
		}
		w.pass(policy.TouchInterval)
		if got := w.stored(s.ID).LastActive; !got.Equal(last.LastActive) {
			t.Errorf("stored %s, was active at %s", got, last.LastActive)
		}
	})
}

func TestTheStoredActivityNeverLagsByMoreThanTheInterval(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		for n := range 300 {
			w.pass(time.Duration(1+n%17) * time.Second)
			last := w.touch(i, token).LastActive
			stored := w.stored(s.ID).LastActive
			if lag := last.Sub(stored); lag > policy.TouchInterval {
				t.Fatalf("lags by %s", lag)
			}
		}
		if n := i.store.Calls("Touch"); n > 10 { // 300 activities in about 45 minutes
			t.Errorf("%d writes", n)
		}
	})
}

func TestActivityAfterTheWarningIsAnnounced(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, s := w.signIn(a, "ana")
		var kinds []session.Kind
		b.inbox.Subscribe(func(n session.Notice) { kinds = append(kinds, n.Kind) })
		w.pass(policy.IdleTimeout - policy.IdleWarning - time.Minute)
		w.touch(a, token)
		w.pass(policy.IdleTimeout - policy.IdleWarning)
		if len(kinds) != 0 {
			t.Fatalf("announced %v before the warning", kinds)
		}
		last := w.touch(a, token)
		w.pass(0)
		if len(kinds) != 1 || kinds[0] != session.NoticeReset {
			t.Errorf("announced %v", kinds)
		}
		if !w.stored(s.ID).LastActive.Equal(last.LastActive) {
			t.Error("not stored at once")
		}
	})
}

func TestActivityIsRetriedUntilItIsStored(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(policy.TouchInterval)
		live := w.admit(i, token, "")
		i.store.SetDown(true)
		for range 3 {
			w.pass(time.Second)
			_, err := i.registry.Touch(w.Context(), live)
			wantCode(t, err, session.CodeUnavailable)
		}
		newest := i.registry.LastActive(live)
		if !newest.After(live.LastActive) || i.registry.Stuck() {
			t.Errorf("last active %s, stuck %t", newest, i.registry.Stuck())
		}
		w.pass(policy.TouchInterval)
		if !i.registry.Stuck() {
			t.Error("an instance that cannot store activity does not say so")
		}
		i.store.SetDown(false)
		w.pass(2 * time.Second)
		if got := w.stored(s.ID).LastActive; !got.Equal(newest) || i.registry.Stuck() {
			t.Errorf("stored %s, want %s; stuck %t", got, newest, i.registry.Stuck())
		}
	})
}

func TestActivityOfAnEndedSessionIsDropped(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, s := w.signIn(a, "ana")
		w.pass(time.Minute)
		live := w.admit(a, token, "")
		if _, err := a.registry.Touch(w.Context(), live); err != nil {
			t.Fatal(err)
		}
		if err := b.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID); err != nil {
			t.Fatal(err)
		}
		w.pass(2 * policy.TouchInterval)
		if got := w.ended(s.ID, session.ReasonAdminRevoked); !got.LastActive.Equal(s.LastActive) {
			t.Error("activity was stored after the end")
		}
		w.admit(a, token, session.CodeSessionEnded)
	})
}

func TestTouchDuringTheWarningFindsTheEndThatAnotherInstanceWrote(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(policy.IdleTimeout - time.Minute)
		live := w.admit(i, token, "")
		i.stopFeed()
		if _, _, err := w.data.End(w.Context(), s.ID, session.End{Reason: session.ReasonRevoked, By: "ana"}, session.Record{}); err != nil {
			t.Fatal(err)
		}
		_, err := i.registry.Touch(w.Context(), live)
		wantCode(t, err, session.CodeSessionEnded)
	})
}

func TestFlushStoresEverything(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(time.Minute)
		last := w.touch(i, token)
		if w.stored(s.ID).LastActive.Equal(last.LastActive) {
			t.Fatal("written before it was due")
		}
		if err := i.registry.Flush(w.Context()); err != nil {
			t.Fatal(err)
		}
		if !w.stored(s.ID).LastActive.Equal(last.LastActive) {
			t.Error("not flushed")
		}
		w.pass(10 * time.Second)
		w.touch(i, token)
		i.store.SetDown(true)
		wantCode(t, i.registry.Flush(w.Context()), session.CodeUnavailable)
	})
}

// A callback that comes late, for activity that has been stored since, must not make newer activity forgotten.
func TestALateCallbackForgetsNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		var callbacks []func()
		r := session.NewRegistry(w.settings, session.Ports{
			Store: i.store, Users: i.store, Publisher: i.store, Archive: i.store, Trail: i.store, Jobs: i.store,
			Accounts: w.accounts, Editor: w.accounts, Clock: session.NewClock(), Inbox: i.inbox,
			After: func(_ time.Duration, f func()) { callbacks = append(callbacks, f) }, Log: slog.New(slog.DiscardHandler),
		})
		_, s := w.signIn(i, "ana")
		touch := func(after time.Duration) session.Session {
			t.Helper()
			w.pass(after)
			got, err := r.Touch(w.Context(), w.stored(s.ID))
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		touch(time.Minute)          // a trailing write is due
		touch(policy.TouchInterval) // but this one is written before
		newest := touch(time.Minute)
		callbacks[0]()
		if got := r.LastActive(w.stored(s.ID)); !got.Equal(newest.LastActive) {
			t.Errorf("last active %s, want %s", got, newest.LastActive)
		}
	})
}

// Only a live session has activity: what comes after the deadline does not bring it back.
func TestActivityAfterTheDeadlineRevivesNothing(t *testing.T) {
	for name, down := range map[string]bool{"store up": false, "store down": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				token, s := w.signIn(i, "ana")
				live := w.admit(i, token, "")
				w.pass(policy.IdleTimeout + time.Second)
				i.store.SetDown(down)
				_, err := i.registry.Touch(w.Context(), live)
				if want := map[bool]session.Code{false: session.CodeSessionEnded, true: session.CodeUnavailable}[down]; session.CodeOf(err) != want {
					t.Errorf("touch: %v, want %s", err, want)
				}
				i.store.SetDown(false)
				w.pass(time.Minute)
				w.admit(i, token, session.CodeSessionEnded)
				w.ended(s.ID, session.ReasonIdleTimeout)
			})
		})
	}
}

// Activity counts from when it happened, however slowly the store answers.
func TestActivityJustBeforeTheDeadlineCounts(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(policy.IdleTimeout - time.Millisecond)
		live := w.admit(i, token, "")
		at := time.Now()
		i.store.After(func(op string) {
			if op == "Session" {
				<-time.After(10 * time.Millisecond)
			}
		})
		_, err := i.registry.Touch(w.Context(), live)
		if code := session.CodeOf(err); code != "" && code != session.CodeSessionEnded {
			t.Fatal(err)
		}
		if got := w.stored(s.ID); code(err) == "" && !got.LastActive.Equal(at) || code(err) != "" && got.Status != session.StatusEnded {
			t.Errorf("touch %v, stored %+v", err, got)
		}
	})
}

func code(err error) session.Code { return session.CodeOf(err) }

func TestAnEndThatATouchFindsIsKnownFromThenOn(t *testing.T) {
	for name, end := range map[string]func(*world, session.ID) error{
		"ended": func(w *world, id session.ID) error {
			_, _, err := w.data.End(w.Context(), id, session.End{Reason: session.ReasonRevoked, By: "ana"}, session.Record{})
			return err
		},
		"gone": func(w *world, id session.ID) error { return w.data.Withdraw(w.Context(), id, session.Record{}) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				token, s := w.signIn(i, "ana")
				w.pass(policy.TouchInterval)
				live := w.admit(i, token, "")
				if err := end(w, s.ID); err != nil { // without a notice
					t.Fatal(err)
				}
				want := map[string]session.Code{"ended": session.CodeSessionEnded, "gone": session.CodeSessionRequired}[name]
				_, err := i.registry.Touch(w.Context(), live)
				wantCode(t, err, want)
				w.admit(i, token, want)
			})
		})
	}
}

func TestATouchDuringTheWarningTakesNothingAwayWhileTheStoreIsDown(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		w.pass(policy.IdleTimeout - time.Minute)
		live := w.admit(i, token, "")
		i.store.SetDown(true)
		_, err := i.registry.Touch(w.Context(), live)
		wantCode(t, err, session.CodeUnavailable)
		w.admit(i, token, "") // known state, and active by what this instance knows
	})
}

func TestFlushDoesNotTakeOneAfterTheOther(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		w.settings.MaxSessions = 0
		for n := range 640 {
			token, _ := w.signIn(i, session.UserID(strconv.Itoa(n)))
			w.pass(time.Millisecond)
			w.touch(i, token)
		}
		i.store.Before(func(op string) {
			if op == "Touch" {
				<-time.After(10 * time.Millisecond)
			}
		})
		began := time.Now()
		if err := i.registry.Flush(w.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("took %s for 640 writes of 10 ms", took)
		}
	})
}

// A session that began under a shorter idle timeout keeps it, and so has to be stored more often.
func TestTheTouchIntervalFollowsTheSessionsOwnIdleTimeout(t *testing.T) {
	inWorld(t, func(w *world) {
		old := w.start()
		token, _ := w.signIn(old, "ana")
		w.settings.IdleTimeout, w.settings.TouchInterval = 8*time.Hour, time.Hour
		a, b := w.start(), w.start()
		for range 20 {
			w.pass(9 * time.Minute)
			w.touch(a, token)
			token = w.accounts.Refresh(token)
		}
		w.admit(b, token, "")
	})
}

func TestFlushKeepsToItsTime(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		for n := range 640 {
			token, _ := w.signIn(i, session.UserID(strconv.Itoa(n)))
			w.pass(time.Millisecond)
			w.touch(i, token)
		}
		i.store.Before(func(op string) {
			if op == "Touch" {
				<-time.After(4 * time.Second)
			}
		})
		w.pass(policy.TouchInterval) // all of them are due
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		began := time.Now()
		wantCode(t, i.registry.Flush(ctx), session.CodeUnavailable)
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %s", took)
		}
		i.store.Before(func(string) {})
		w.pass(2 * time.Minute)
	})
}

func TestActivityIsStoredThoughItsRequestIsGone(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(policy.TouchInterval)
		live := w.admit(i, token, "")
		ctx, hangUp := context.WithCancel(w.Context())
		i.store.Before(func(op string) {
			if op == "Touch" {
				hangUp()
			}
		})
		if _, err := i.registry.Touch(ctx, live); err != nil {
			t.Fatal(err)
		}
		if !w.stored(s.ID).LastActive.Equal(time.Now()) {
			t.Error("not stored")
		}
	})
}
