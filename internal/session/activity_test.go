package session_test

import (
	"log/slog"
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
		if err := b.registry.AdminEnd(w.Context(), "boss", s.ID); err != nil {
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
		if _, _, err := w.data.End(w.Context(), s.ID, session.End{Reason: session.ReasonRevoked, By: "ana"}, nil); err != nil {
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
			Store: i.store, Users: i.store, Publisher: i.store, Accounts: w.accounts, Clock: session.NewClock(), Inbox: i.inbox,
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
