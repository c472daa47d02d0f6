package live_test

import (
	"slices"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestSocketsHearOfSuspiciousSignIns(t *testing.T) {
	t.Run("6.3.5 on every instance", func(t *testing.T) {
		inWorld(t, func(w *world) {
			w.settings.SuspiciousSessions = 1
			a, b := w.start(), w.start()
			token, _ := w.signIn(a, "ana")
			other, _ := w.signIn(a, "ben")
			here, there, bens := w.connect(a, token), w.connect(b, token), w.connect(b, other)
			_, second := w.signIn(a, "ana")
			w.pass(0)
			for name, tab := range map[string]*tab{"here": here, "there": there} {
				var told []map[string]any
				for _, f := range tab.take() {
					if f["type"] == string(wire.TypeSecurityAlert) {
						alert, _ := f["alert"].(map[string]any)
						told = append(told, alert)
					}
				}
				if len(told) != 1 || told[0]["type"] != "too_many_sessions" || told[0]["sessionId"] != string(second.ID) || told[0]["sessions"] != 2.0 {
					t.Errorf("%s: %v", name, told)
				}
			}
			bens.want()
		})
	})
}

func TestSocketsHearOfChangedClaims(t *testing.T) {
	grant := func(a *session.Account) { a.Claims = map[string]any{"role": "editor"} }
	heard := func(tab *tab) (n int) {
		for _, f := range tab.take() {
			if f["type"] == string(wire.TypeClaimsChanged) {
				n++
			}
		}
		return n
	}
	t.Run("8.3.2 changed outside Vigil, found by the account check, told once", func(t *testing.T) {
		inWorld(t, func(w *world) {
			i := w.start()
			token, _ := w.signIn(i, "ana")
			other, _ := w.signIn(i, "ben")
			tab, bens := w.connect(i, token), w.connect(i, other)
			w.pass(options.TokenCheckInterval)
			if n := heard(tab); n != 0 {
				t.Errorf("told %d times before the change", n)
			}
			w.accounts.Change("ana", grant)
			w.pass(options.TokenCheckInterval)
			if n := heard(tab); n != 1 {
				t.Errorf("told %d times", n)
			}
			w.pass(2 * options.TokenCheckInterval)
			if n := heard(tab) + heard(bens); n != 0 {
				t.Errorf("told %d times more", n)
			}
		})
	})
	t.Run("8.3.2 changed through Vigil, told at once on every instance", func(t *testing.T) {
		inWorld(t, func(w *world) {
			a, b := w.start(), w.start()
			token, _ := w.signIn(a, "ana")
			tab := w.connect(b, token)
			tab.take()
			w.must(a.registry.SetAdmin(w.Context(), "ana", session.Actor{By: "boss"}, true))
			w.pass(0)
			if n := heard(tab); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	})
}

func TestAWarningCanBeAnsweredAgainAndAgain(t *testing.T) {
	t.Run("WCAG 2.2.1 ten times", func(t *testing.T) {
		inWorld(t, func(w *world) {
			i := w.start()
			token, _ := w.signIn(i, "ana")
			here := w.connect(i, token)
			for n := range 10 {
				w.passConnected(29*time.Minute+40*time.Second, map[*tab]string{here: token}) // 20 seconds are left
				warned := slices.ContainsFunc(here.take(), func(f map[string]any) bool { return f["type"] == string(wire.TypeIdleWarning) })
				here.send(activity)
				w.pass(0)
				if f := here.want(wire.TypeIdleReset); !warned || here.when(f, "idleDeadline").Sub(time.Now().Add(policy.IdleTimeout)).Abs() > time.Millisecond {
					t.Fatalf("time %d: warned %t, then %v", n+1, warned, f)
				}
			}
			here.open()
		})
	})
}
