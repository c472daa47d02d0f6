package session_test

import (
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// What one revocation has left undone in Firebase is not forgotten because another one is completed.
func TestALaterRevocationDoesNotHideWhatAnEarlierOneOwes(t *testing.T) {
	for name, c := range map[string]struct {
		interrupted func(w *world, a *instance, s session.Session) error
		done        func(session.Account) bool
	}{
		"disable": {
			func(w *world, a *instance, _ session.Session) error {
				_, err := a.registry.DisableUser(w.Context(), "ana", boss)
				return err
			},
			func(a session.Account) bool { return a.Disabled },
		},
		"delete": {
			func(w *world, a *instance, s session.Session) error {
				return a.registry.DeleteAccount(w.Context(), as(s))
			},
			func(a session.Account) bool { return a.Missing },
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start(), w.start()
				_, s := w.signIn(a, "ana")
				a.store.Before(func(op string) { a.store.SetDown(op == "UserSessions") })
				wantCode(t, c.interrupted(w, a, s), session.CodeUnavailable)
				w.pass(time.Second)
				if _, err := b.registry.RevokeUser(w.Context(), "ana", boss); err != nil {
					t.Fatal(err)
				}
				account, err := w.accounts.Account(w.Context(), "ana")
				if err != nil || !c.done(account) {
					t.Errorf("%+v, %v", account, err)
				}
			})
		})
	}
}

// An account that has been enabled elsewhere since is not disabled again.
func TestALaterRevocationDoesNotRepeatWhatAnEarlierOneHasDone(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		w.signIn(i, "ana")
		if _, err := i.registry.DisableUser(w.Context(), "ana", boss); err != nil {
			t.Fatal(err)
		}
		w.accounts.Change("ana", func(a *session.Account) { a.Disabled = false })
		if _, err := i.registry.RevokeUser(w.Context(), "ana", boss); err != nil {
			t.Fatal(err)
		}
		if account, err := w.accounts.Account(w.Context(), "ana"); err != nil || account.Disabled {
			t.Errorf("%+v, %v", account, err)
		}
	})
}

// What has been done in Firebase, and undone there since, is not done again because a later revocation was cut short.
func TestFinishingARevocationRepeatsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world, i *instance, s session.Session) error
		undo   func(w *world)
	}{
		"disabled, and enabled in Firebase": {
			func(w *world, i *instance, _ session.Session) error {
				_, err := i.registry.DisableUser(w.Context(), "ana", boss)
				return err
			},
			func(w *world) { w.accounts.Change("ana", func(a *session.Account) { a.Disabled = false }) },
		},
		"deleted, and created anew": {
			func(w *world, i *instance, s session.Session) error {
				return i.registry.DeleteAccount(w.Context(), as(s))
			},
			func(w *world) { w.accounts.SignIn("ana") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start(), w.start()
				_, s := w.signIn(a, "ana")
				if err := c.before(w, a, s); err != nil {
					t.Fatal(err)
				}
				w.pass(time.Second)
				c.undo(w)
				a.store.Before(func(op string) { a.store.SetDown(op == "UserSessions") })
				_, err := a.registry.RevokeUser(w.Context(), "ana", boss)
				wantCode(t, err, session.CodeUnavailable)
				w.pass(3 * feedResync)
				if err := b.registry.FinishRevocations(w.Context()); err != nil {
					t.Fatal(err)
				}
				account, err := w.accounts.Account(w.Context(), "ana")
				if err != nil || account.Disabled || account.Missing {
					t.Errorf("%+v, %v", account, err)
				}
				w.signIn(b, "ana")
			})
		})
	}
}

// An admin who enables an account while its disabling is being finished has the last word.
func TestFinishingARevocationGoesByWhatIsDecidedThen(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		w.signIn(a, "ana")
		a.store.Before(func(op string) { a.store.SetDown(op == "UserSessions") })
		_, err := a.registry.DisableUser(w.Context(), "ana", boss)
		wantCode(t, err, session.CodeUnavailable)
		a.store.Before(func(string) { a.store.SetDown(false) })
		w.pass(3 * feedResync)
		b.store.After(func(op string) {
			if op != "PendingUsers" {
				return
			}
			if err := a.registry.EnableUser(w.Context(), "ana", boss); err != nil {
				t.Error(err)
			}
		})
		if err := b.registry.FinishRevocations(w.Context()); err != nil {
			t.Fatal(err)
		}
		if account, err := w.accounts.Account(w.Context(), "ana"); err != nil || account.Disabled {
			t.Errorf("%+v, %v", account, err)
		}
	})
}
