package session_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestGateRefusesBadTokensWithoutAskingAnybody(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		for token, code := range map[string]session.Code{
			"":                           session.CodeTokenMissing,
			"opaque":                     session.CodeTokenInvalid,
			"a.b":                        session.CodeTokenInvalid,
			"a.b.c.d":                    session.CodeTokenInvalid,
			strings.Repeat(".", 1<<20):   session.CodeTokenInvalid,
			strings.Repeat("a.b", 2<<10): session.CodeTokenInvalid,
		} {
			_, err := i.gate.Admit(w.Context(), token, session.Origin{})
			wantCode(w.T, err, code)
		}
		_, err := i.gate.Admit(w.Context(), "a.b.c", session.Origin{})
		wantCode(w.T, err, session.CodeTokenInvalid)
		if n := w.accounts.LookUps(); n != 0 {
			t.Errorf("%d look-ups", n)
		}
	})
}

func TestGateAdmitsALiveSessionFromMemory(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.admit(i, token, "")
		reads, lookUps := i.store.Calls("Session"), w.accounts.LookUps()
		for range 100 {
			if got := w.admit(i, token, ""); got.ID != s.ID {
				t.Fatalf("admitted to %s", got.ID)
			}
		}
		refreshed := w.accounts.Refresh(token)
		w.admit(i, refreshed, "")
		if i.store.Calls("Session") != reads || w.accounts.LookUps() != lookUps {
			t.Errorf("%d reads, %d look-ups", i.store.Calls("Session")-reads, w.accounts.LookUps()-lookUps)
		}
	})
}

func TestGateTellsWhatIsWrong(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		unregistered := w.accounts.SignIn("ana")
		w.admit(i, unregistered, session.CodeSessionRequired)

		token, _ := w.signIn(i, "ana")
		w.pass(10 * time.Minute)
		w.admit(i, token, "")
		w.pass(sessiontest.TokenLifetime - 10*time.Minute)
		w.admit(i, token, session.CodeTokenExpired) // at its raw exp
	})
}

func TestAnIdleSessionEndsAtItsDeadline(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(policy.IdleTimeout - time.Microsecond)
		w.admit(i, token, "")
		w.pass(time.Microsecond)
		_, err := i.gate.Admit(w.Context(), token, session.Origin{})
		var e *session.Error
		if !errors.As(err, &e) || e.Code != session.CodeSessionEnded || e.Reason != session.ReasonIdleTimeout || !e.EndedAt.Equal(s.IdleDeadline()) {
			t.Fatalf("%+v", e)
		}
		if got := w.ended(s.ID, session.ReasonIdleTimeout); !got.EndedAt.Equal(s.IdleDeadline()) {
			t.Errorf("ended at %s", got.EndedAt)
		}
		_, err = w.tryRegister(i, token)
		wantCode(t, err, session.CodeReauthRequired)
	})
}

func TestASessionEndsWithItsLifetimeWhateverItsUserDoes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Lifetime = 50 * time.Minute
		i := w.start()
		token, s := w.signIn(i, "ana")
		for range 5 {
			w.pass(9 * time.Minute)
			if _, err := i.registry.Touch(w.Context(), w.admit(i, token, "")); err != nil {
				t.Fatal(err)
			}
		}
		w.pass(5 * time.Minute)
		w.admit(i, token, session.CodeSessionEnded)
		w.ended(s.ID, session.ReasonAbsoluteTimeout)
		_, err := w.tryRegister(i, token)
		wantCode(t, err, session.CodeReauthRequired)
		var e *session.Error
		if errors.As(err, &e); e.Reason != session.ReasonAbsoluteTimeout {
			t.Errorf("reason %q", e.Reason)
		}
	})
}

func TestAnotherInstancesActivityKeepsASessionAlive(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		w.admit(b, token, "")
		w.pass(20 * time.Minute)
		if _, err := a.registry.Touch(w.Context(), w.admit(a, token, "")); err != nil {
			t.Fatal(err)
		}
		w.pass(20 * time.Minute) // past what b remembers
		w.admit(b, token, "")
	})
}

func TestAnAccountsEndEndsItsSessions(t *testing.T) {
	for reason, change := range map[session.Reason]func(*sessiontest.Directory){
		session.ReasonUserDisabled: func(d *sessiontest.Directory) {
			d.Change("ana", func(a *session.Account) { a.Disabled = true })
		},
		session.ReasonUserDeleted: func(d *sessiontest.Directory) { d.Remove("ana") },
	} {
		t.Run(string(reason), func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				token, s := w.signIn(i, "ana")
				_, other := w.signIn(i, "ana")
				change(w.accounts)
				w.admit(i, token, "") // known state, until its bound
				w.pass(w.settings.UserStateTTL)
				w.admit(i, token, session.CodeUserDisabled)
				w.ended(s.ID, reason)
				w.ended(other.ID, reason)
			})
		})
	}
}

func TestARevocationMadeInFirebaseEndsTheSession(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(10 * time.Second)
		if err := w.accounts.RevokeTokens(w.Context(), "ana"); err != nil {
			t.Fatal(err)
		}
		w.pass(w.settings.UserStateTTL)
		w.admit(i, token, session.CodeTokenRevoked)
		w.ended(s.ID, session.ReasonTokensRevoked)
		again, _ := w.signIn(i, "ana")
		w.admit(i, again, "")
	})
}

func TestRecentOperationsAskAfresh(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		id := w.accounts.Identity(token)
		recent := func() error { return i.gate.RequireRecent(w.Context(), id, time.Minute) }
		wantCode(t, recent(), "")
		w.accounts.SetDown(true)
		wantCode(t, recent(), session.CodeUnavailable)
		w.admit(i, token, "") // known state still admits
		w.accounts.SetDown(false)
		i.store.SetDown(true)
		wantCode(t, recent(), session.CodeUnavailable)
		i.store.SetDown(false)
		w.pass(time.Minute + time.Second)
		wantCode(t, recent(), session.CodeReauthRequired)
		w.accounts.Change("ana", func(a *session.Account) { a.Disabled = true })
		wantCode(t, recent(), session.CodeUserDisabled)
	})
}

func TestAnAdminNeedsTheClaimInTokenAndAccount(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		claim := func(v any) {
			w.accounts.Change("boss", func(a *session.Account) { a.Claims = map[string]any{"admin": v} })
		}
		check := func(token string, admin, recent session.Code) {
			t.Helper()
			id := w.accounts.Identity(token)
			wantCode(t, i.gate.RequireAdmin(w.Context(), id), admin)
			wantCode(t, i.gate.RequireRecentAdmin(w.Context(), session.Admission{Identity: id}), recent)
		}
		claim("true") // only the boolean counts
		token, _ := w.signIn(i, "boss")
		check(token, session.CodeForbidden, session.CodeForbidden)
		claim(true)
		check(token, session.CodeForbidden, session.CodeForbidden) // not in the token yet
		token = w.accounts.Refresh(token)
		check(token, "", "")
		w.pass(policy.ReauthMaxAge + time.Second)
		check(token, "", session.CodeReauthRequired)
		claim(false)
		check(token, session.CodeForbidden, session.CodeForbidden) // taken away: the old token is worth nothing
		w.accounts.SetDown(true)
		check(token, session.CodeUnavailable, session.CodeUnavailable)
	})
}

// Activity that another instance stores between the last look and the end keeps the session alive.
func TestTheIdleEndYieldsToActivity(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		w.pass(policy.IdleTimeout - time.Minute)
		active := w.admit(b, token, "")
		w.pass(time.Minute)
		var once atomic.Bool
		a.store.Before(func(op string) {
			if op == "End" && once.CompareAndSwap(false, true) {
				if _, err := w.data.Touch(w.Context(), active, time.Now().Add(-time.Second), nil); err != nil {
					t.Error(err)
				}
			}
		})
		w.admit(a, token, "")
		if !once.Load() {
			t.Error("nobody tried to end it")
		}
	})
}

// Own activity that is not stored yet must not keep a session from ending when its time has come.
func TestTheIdleEndComesDespiteUnstoredActivity(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.TouchInterval = time.Minute
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(2 * time.Minute)
		live := w.admit(i, token, "")
		i.store.Before(func(op string) { i.store.SetDown(op == "Touch") })
		_, err := i.registry.Touch(w.Context(), live)
		wantCode(t, err, session.CodeUnavailable)
		w.pass(policy.IdleTimeout)
		w.admit(i, token, session.CodeSessionEnded)
		w.ended(s.ID, session.ReasonIdleTimeout)
	})
}

// Fifty people at the keyboard of one session during its warning must not keep each other waiting.
func TestManyTouchesDuringTheWarningShareALook(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		w.pass(policy.IdleTimeout - time.Minute)
		live := w.admit(i, token, "")
		i.store.After(func(op string) {
			if op == "Session" {
				<-time.After(50 * time.Millisecond)
			}
		})
		began := time.Now()
		var all sync.WaitGroup
		for n := range 50 {
			all.Go(func() {
				<-time.After(time.Duration(n) * 20 * time.Millisecond)
				if _, err := i.registry.Touch(w.Context(), live); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 1200*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

// A session under the id of an identity that is not its user's, should a verifier ever let that come about.
func TestNobodyEntersAnothersSession(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, s := w.signIn(i, "ana")
		id := w.accounts.Identity(w.accounts.SignIn("eve"))
		id.SessionID = s.ID
		token := w.accounts.Issue(id)
		w.admit(i, token, session.CodeTokenInvalid)
		_, err := w.tryRegister(i, token)
		wantCode(t, err, session.CodeTokenInvalid)
		wantCode(t, i.registry.CanRegister(w.Context(), id), session.CodeTokenInvalid)
	})
}
