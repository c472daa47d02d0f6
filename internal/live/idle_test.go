package live_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
	"github.com/vigilhq/vigil/internal/wire"
)

var (
	ping     = wire.Request{Type: wire.TypePing}
	activity = wire.Request{Type: wire.TypeActivity}
)

// passConnected lets time go by for tabs that keep their tokens fresh.
func (w *world) passConnected(d time.Duration, tokens map[*tab]string) {
	w.Helper()
	for step := 10 * time.Minute; d > 0; d -= step {
		w.pass(min(d, step))
		for tab, token := range tokens {
			tab.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypePing, Token: w.accounts.Refresh(token)}))
		}
	}
}

func TestIdleWarningAndEndComeToTheTick(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, s := w.signIn(a, "ana")
		tabs := []*tab{w.connect(a, token), w.connect(a, token), w.connect(b, token)}
		w.pass(time.Until(policy.WarnAt(s)) - 1)
		for _, tab := range tabs {
			tab.want()
		}
		w.pass(1)
		for _, tab := range tabs {
			if f := tab.want(wire.TypeIdleWarning); f["remaining"] != 120000.0 || tab.when(f, "idleDeadline").Sub(s.IdleDeadline()).Abs() > time.Millisecond {
				t.Errorf("%v", f)
			}
		}
		w.pass(policy.IdleWarning - 1)
		for _, tab := range tabs {
			tab.open()
			tab.want() // warned once
		}
		w.pass(1)
		for _, tab := range tabs {
			tab.closed(wire.CloseIdle, wire.TypeSessionRevoked, "idle_timeout")
		}
		stored, err := w.data.Session(w.Context(), s.ID)
		if err != nil || stored.EndReason != session.ReasonIdleTimeout || !stored.EndedAt.Equal(s.IdleDeadline()) {
			t.Errorf("stored %+v, %v", stored, err)
		}
	})
}

func TestActivityAfterTheWarningTakesItBackEverywhere(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		here, there := w.connect(a, token), w.connect(b, token)
		w.pass(29 * time.Minute)
		here.want(wire.TypeIdleWarning)
		there.want(wire.TypeIdleWarning)
		late := w.open(a) // while the warning stands; opening is no activity
		late.send(wire.Request{Type: wire.TypeAuth, Token: token})
		late.want(wire.TypeReady, wire.TypeIdleWarning)
		here.send(activity)
		w.pass(0)
		for _, tab := range []*tab{here, there, late} {
			f := tab.want(wire.TypeIdleReset)
			if got := tab.when(f, "idleDeadline"); got.Sub(time.Now().Add(policy.IdleTimeout)).Abs() > time.Millisecond {
				t.Errorf("idle deadline %s", got)
			}
		}
		w.passConnected(28*time.Minute, map[*tab]string{here: token, there: token, late: token})
		w.passConnected(time.Minute, map[*tab]string{here: token, there: token, late: token})
		for _, tab := range []*tab{here, there, late} {
			tab.open()
			warnings := 0
			for _, f := range tab.take() {
				if f["type"] == string(wire.TypeIdleWarning) {
					warnings++
				}
			}
			if warnings != 1 {
				t.Errorf("%d warnings in the second idle period", warnings)
			}
		}
	})
}

func TestASocketOpenedDuringTheWarningIsWarned(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		w.pass(29 * time.Minute)
		for _, i := range []*instance{a, b} {
			tab := w.open(i)
			tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
			tab.want(wire.TypeReady, wire.TypeIdleWarning)
		}
	})
}

func TestActivityOnOneInstanceKeepsTheSocketsOfAnotherQuiet(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		here, there := w.connect(a, token), w.connect(b, token)
		for range 12 {
			w.pass(4 * time.Minute)
			here.send(activity)
		}
		here.want()
		there.want() // no warning, though nothing was said to this instance
		if n, stale := a.store.Calls("Touch"), a.store.Calls(sessiontest.StaleTouch); n > 12 || stale > 0 {
			t.Errorf("%d writes, %d of them stale", n, stale)
		}
	})
}

func TestOnlyActivityExtends(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		for range 59 {
			w.pass(30 * time.Second)
			tab.send(wire.Request{Type: wire.TypePing, Token: w.accounts.Refresh(token)})
		}
		w.pass(30 * time.Second)
		tab.take()
		tab.closed(wire.CloseIdle, "", "")
	})
}

func TestTheLifetimeEndsSocketsToo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Lifetime = 20 * time.Minute
		i := w.start()
		token, s := w.signIn(i, "ana")
		tab, offline := w.connect(i, token), w.connect(i, token)
		w.pass(time.Until(s.ExpiresAt) - 1)
		tab.open()
		i.store.SetDown(true) // nobody needs to be asked about this end
		w.pass(1)
		tab.closed(wire.CloseExpired, wire.TypeSessionRevoked, "absolute_timeout")
		offline.closed(wire.CloseExpired, wire.TypeSessionRevoked, "absolute_timeout")
	})
}

func TestActivityThatCannotBeStoredClosesSockets(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		w.pass(policy.TouchInterval)
		i.store.SetDown(true) // the feed goes on
		tab.send(activity)
		w.pass(policy.TouchInterval - time.Second)
		tab.open()
		w.pass(3 * time.Second)
		tab.closed(wire.CloseUnavailable, "", "")
	})
}

func TestAStoreOutageAtTheDeadlineEndsNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		tab := w.connect(a, token)
		w.pass(20 * time.Minute)
		other := w.connect(b, token)
		other.send(activity)
		a.store.SetDown(true)
		w.pass(15 * time.Minute) // a would have warned and ended by what it knows
		tab.want()
		tab.open()
		a.store.SetDown(false)
		w.pass(5 * time.Second)
		tab.open()
	})
}

// However many sessions come to their end at once, and however slow the store is, none is forgotten.
func TestAThousandDeadlinesAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		var tabs []*tab
		for n := range 1000 {
			uid := session.UserID(strconv.Itoa(n))
			token := w.accounts.SignIn(uid)
			if _, err := i.registry.Register(w.Context(), w.accounts.Identity(token), session.SignIn{}); err != nil {
				t.Fatal(err)
			}
			tabs = append(tabs, w.connect(i, token))
		}
		i.store.Before(func(op string) {
			if op == "Session" {
				<-time.After(400 * time.Millisecond) // sixteen rounds of these take longer than one may
			}
		})
		w.pass(policy.IdleTimeout + time.Minute)
		for _, tab := range tabs {
			tab.want(wire.TypeIdleWarning, wire.TypeSessionRevoked)
			tab.closed(wire.CloseIdle, "", "")
		}
	})
}

func TestAFailedLookIsRepeated(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		here, there := w.connect(a, token), w.connect(b, token)
		b.store.SetDown(true)
		w.pass(28*time.Minute + 30*time.Second)
		here.want(wire.TypeIdleWarning)
		there.want() // it cannot tell
		b.store.SetDown(false)
		w.pass(2 * time.Second)
		there.want(wire.TypeIdleWarning)

		b.store.SetDown(true)
		here.send(activity)
		here.want(wire.TypeIdleReset)
		there.want()
		b.store.SetDown(false)
		w.pass(2 * time.Second)
		there.want(wire.TypeIdleReset)
		w.passConnected(28*time.Minute, map[*tab]string{there: token})
		warned := 0
		for _, f := range there.take() {
			if f["type"] == string(wire.TypeIdleWarning) {
				warned++
			}
		}
		if warned != 1 {
			t.Errorf("%d warnings in the next idle period", warned)
		}
	})
}

// The lifetime ends a session for certain, also while nobody can tell whether it has been idle.
func TestTheLifetimeEndsSocketsDuringTheRecoveryFromAnOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Lifetime = 31 * time.Minute
		i := w.start()
		token, s := w.signIn(i, "ana")
		tab := w.connect(i, token)
		w.pass(time.Until(s.IdleDeadline()) - 30*time.Second)
		i.stopFeed()
		w.pass(25 * time.Second) // less than closes sockets, enough for doubt
		i.runFeed(w)
		w.pass(30 * time.Second)
		tab.want(wire.TypeIdleWarning)
		tab.open() // past its idle deadline
		w.pass(time.Until(s.ExpiresAt) + 2*time.Second)
		if f := tab.want(wire.TypeSessionRevoked); tab.code == 0 {
			t.Errorf("open after the end of its lifetime: %v", f)
		}
	})
}

// A room keeps little of its session. What it lacks, the store has.
func TestActivityIsStoredAlsoWhereTheSessionIsNotRemembered(t *testing.T) {
	for name, down := range map[string]bool{"at once": false, "after an outage": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				w.pass(time.Second)
				token := w.accounts.SignIn("ana")
				in := session.SignIn{UserAgent: "Mozilla/5.0", Device: session.Device{Type: "desktop", Name: "at work"}}
				registered, err := i.registry.Register(w.Context(), w.accounts.Identity(token), in)
				if err != nil {
					t.Fatal(err)
				}
				want := registered.Session
				tab := w.connect(i, token)
				w.pass(policy.TouchInterval)
				i.inbox.Deliver(session.NewNotice(session.NoticeReset, "ana", "", want.ID)) // so it is read anew, and not kept
				w.pass(0)
				i.store.SetDown(down)
				tab.send(activity)
				want.LastActive = i.registry.Now()
				w.pass(10 * time.Second)
				i.store.SetDown(false)
				w.pass(10 * time.Second)
				stored, err := w.data.Session(w.Context(), want.ID)
				want.Version = stored.Version
				if err != nil || stored != want {
					t.Errorf("stored %+v, %v, want %+v", stored, err, want)
				}
				late := w.open(i)
				late.send(wire.Request{Type: wire.TypeAuth, Token: token})
				if view, _ := late.want(wire.TypeReady)["session"].(map[string]any); view["userAgent"] != in.UserAgent {
					t.Errorf("shown as %v", view)
				}
			})
		})
	}
}
