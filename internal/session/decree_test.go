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
