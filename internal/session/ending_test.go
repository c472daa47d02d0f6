package session_test

import (
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func TestEndingOnesOwnSessions(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, foreign := w.signIn(i, "ben")
		_, first := w.signIn(i, "ana")
		_, second := w.signIn(i, "ana")
		_, current := w.signIn(i, "ana")

		wantCode(t, i.registry.EndOwn(w.Context(), as(current), foreign.ID), session.CodeNotFound)
		wantCode(t, i.registry.EndOwn(w.Context(), as(current), "../secrets"), session.CodeNotFound)
		wantCode(t, i.registry.EndOwn(w.Context(), as(current), first.ID), "")
		wantCode(t, i.registry.EndOwn(w.Context(), as(current), first.ID), "") // over already
		w.ended(first.ID, session.ReasonRevoked)

		if n, err := i.registry.EndOthers(w.Context(), as(current)); n != 1 || err != nil {
			t.Errorf("%d others, %v", n, err)
		}
		w.ended(second.ID, session.ReasonRevoked)
		if n, err := i.registry.EndAll(w.Context(), as(current)); n != 1 || err != nil {
			t.Errorf("%d of all, %v", n, err)
		}
		w.ended(current.ID, session.ReasonLogout)
		if w.stored(foreign.ID).Status != session.StatusActive {
			t.Error("another user's session ended")
		}
	})
}

// A session that time has ended stays ended by time, whoever ends it afterwards.
func TestTimeIsFasterThanAnybody(t *testing.T) {
	for name, end := range map[string]func(*world, *instance, session.Session) error{
		"own": func(w *world, i *instance, s session.Session) error {
			_, current := w.signIn(i, "ana")
			return i.registry.EndOwn(w.Context(), as(current), s.ID)
		},
		"others": func(w *world, i *instance, _ session.Session) error {
			_, current := w.signIn(i, "ana")
			_, err := i.registry.EndOthers(w.Context(), as(current))
			return err
		},
		"admin": func(w *world, i *instance, s session.Session) error {
			return i.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID)
		},
		"replaces": func(w *world, i *instance, s session.Session) error {
			_, err := i.registry.Register(w.Context(), w.accounts.Identity(w.accounts.SignIn("ana")), session.SignIn{Replaces: s.ID})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				_, s := w.signIn(i, "ana")
				w.pass(policy.IdleTimeout + 5*time.Minute)
				if err := end(w, i, s); err != nil {
					t.Fatal(err)
				}
				if got := w.ended(s.ID, session.ReasonIdleTimeout); !got.EndedAt.Equal(s.IdleDeadline()) {
					t.Errorf("ended at %s, want %s", got.EndedAt, s.IdleDeadline())
				}
			})
		})
	}
}

// What is acknowledged as ended is stored as ended, or was not acknowledged.
func TestAnEndThatCannotBeWrittenIsNotAcknowledged(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, s := w.signIn(i, "ana")
		w.pass(policy.IdleTimeout + time.Minute)
		i.store.Before(func(op string) { i.store.SetDown(op == "End") })
		wantCode(t, i.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID), session.CodeUnavailable)
	})
}

// While nobody can tell whether a session is idle, somebody can still end it.
func TestEndingDuringTheRecoveryFromAnOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, idle := w.signIn(i, "ana")
		w.pass(policy.IdleTimeout - time.Minute)
		_, current := w.signIn(i, "ana")
		i.stopFeed()
		w.pass(2 * time.Minute)
		i.runFeed(w)
		w.signIn(i, "ana") // and sign in beside it
		wantCode(t, i.registry.EndOwn(w.Context(), as(current), idle.ID), "")
		w.ended(idle.ID, session.ReasonRevoked)
	})
}

// Whoever has ended a session, an instance that acknowledges the end refuses from then on, without waiting for the feed.
func TestAnAcknowledgedEndIsEnforcedWhereItIsAcknowledged(t *testing.T) {
	for name, end := range map[string]func(*world, *instance, session.Session, session.Session) error{
		"own": func(w *world, i *instance, s, current session.Session) error {
			return i.registry.EndOwn(w.Context(), as(current), s.ID)
		},
		"admin": func(w *world, i *instance, s, _ session.Session) error {
			return i.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID)
		},
		"others": func(w *world, i *instance, _, current session.Session) error {
			_, err := i.registry.EndOthers(w.Context(), as(current))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start(), w.start()
				token, s := w.signIn(a, "ana")
				_, current := w.signIn(a, "ana")
				w.admit(b, token, "")
				b.stopFeed()
				w.pass(0)
				for _, i := range []*instance{a, b} { // the second finds it ended
					if err := end(w, i, s, current); err != nil {
						t.Fatal(err)
					}
					w.admit(i, token, session.CodeSessionEnded)
				}
			})
		})
	}
}

func TestASpentSignInIsSpentWhereItIsSaidSo(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, s := w.signIn(a, "ana")
		w.admit(b, token, "")
		b.stopFeed()
		w.pass(0)
		if err := a.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID); err != nil {
			t.Fatal(err)
		}
		_, err := w.tryRegister(b, token)
		wantCode(t, err, session.CodeReauthRequired)
		w.admit(b, token, session.CodeSessionEnded)
	})
}
