package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestRevokingAUserEndsEverythingEverywhere(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		one, first := w.signIn(a, "ana")
		two, second := w.signIn(b, "ana")
		unregistered := w.accounts.SignIn("ana")
		w.admit(a, one, "")
		w.admit(b, one, "")
		w.admit(b, two, "")

		revoked, err := a.registry.RevokeUser(w.Context(), "ana", session.Actor{By: "boss"})
		if err != nil || revoked.Ended != 2 {
			t.Fatalf("%+v, %v", revoked, err)
		}
		w.admit(a, one, session.CodeTokenRevoked) // before its answer, on the answering instance
		w.pass(0)                                 // the feed
		for _, i := range []*instance{a, b} {
			for _, token := range []string{one, two, unregistered, w.accounts.Refresh(one)} {
				w.admit(i, token, session.CodeTokenRevoked)
				_, err := w.tryRegister(i, token)
				wantCode(t, err, session.CodeTokenRevoked)
			}
		}
		for _, s := range []session.Session{first, second} {
			if got := w.ended(s.ID, session.ReasonAdminRevoked); got.EndedBy != "admin" {
				t.Errorf("ended by %q", got.EndedBy)
			}
		}
		u, err := w.data.User(w.Context(), "ana")
		if err != nil || u.TokensPending || !u.RevokedAt.Equal(revoked.RevokedAt) {
			t.Errorf("%+v, %v", u, err)
		}
		again, _ := w.signIn(b, "ana") // a second later
		w.admit(a, again, "")
	})
}

func TestARevocationGoesThroughWithoutItsCaller(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, s := w.signIn(i, "ana")
		ctx, hangUp := context.WithCancel(w.Context())
		i.store.Before(func(op string) {
			if op == "Revoke" {
				hangUp()
			}
		})
		if _, err := i.registry.RevokeUser(ctx, "ana", session.Actor{By: "boss"}); err != nil {
			t.Fatal(err)
		}
		w.ended(s.ID, session.ReasonAdminRevoked)
	})
}

func TestRevokingAStrangerIsNotFound(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, err := i.registry.RevokeUser(w.Context(), "nobody", session.Actor{By: "boss"})
		wantCode(t, err, session.CodeNotFound)

		_, s := w.signIn(i, "ana")
		w.accounts.Remove("ana") // but what is left of a deleted account can be ended
		if _, err := i.registry.RevokeUser(w.Context(), "ana", session.Actor{By: "boss"}); err != nil {
			t.Fatal(err)
		}
		w.stored(s.ID)
	})
}

func TestAnInterruptedRevocationIsFinishedByAnother(t *testing.T) {
	for step, down := range map[string]func(*world, *instance){
		"ends":   func(_ *world, i *instance) { i.store.SetDown(true) },
		"tokens": func(w *world, _ *instance) { w.accounts.SetDown(true) },
	} {
		t.Run(step, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start(), w.start()
				token, s := w.signIn(a, "ana")
				a.store.Before(func(op string) {
					if op == "UserSessions" {
						down(w, a)
					}
				})
				_, err := a.registry.RevokeUser(w.Context(), "ana", session.Actor{By: "boss"})
				wantCode(t, err, session.CodeUnavailable)
				a.stopFeed() // it dies
				w.accounts.SetDown(false)
				w.admit(b, token, session.CodeTokenRevoked) // its truth was committed

				finish := func() {
					t.Helper()
					if err := b.registry.FinishRevocations(w.Context()); err != nil {
						t.Fatal(err)
					}
				}
				finish()
				if u, _ := w.data.User(w.Context(), "ana"); !u.TokensPending {
					t.Fatal("finished before its instance had its time")
				}
				w.pass(2*feedResync + time.Second)
				finish()
				w.ended(s.ID, session.ReasonAdminRevoked)
				u, err := w.data.User(w.Context(), "ana")
				if err != nil || u.TokensPending {
					t.Errorf("%+v, %v", u, err)
				}
				account, err := w.accounts.Account(w.Context(), "ana")
				if err != nil || account.TokensValidAfter.Before(u.RevokedAt.Truncate(time.Second)) {
					t.Errorf("tokens valid after %s, %v", account.TokensValidAfter, err)
				}
			})
		})
	}
}

// lockedSessions is a store whose sessions somebody holds a lock on, as their user can with a transaction of a client's.
type lockedSessions struct {
	sessiontest.Data
	locked bool
}

func (l *lockedSessions) End(ctx context.Context, id session.ID, e session.End, rec session.Record) (session.Session, bool, error) {
	if l.locked {
		<-ctx.Done()
		return session.Session{}, false, session.Unavailable("end", ctx.Err())
	}
	return l.Data.End(ctx, id, e, rec)
}

func (l *lockedSessions) EndTogether(ctx context.Context, endings []session.Ending) (time.Time, bool, error) {
	if l.locked {
		<-ctx.Done()
		return time.Time{}, false, session.Unavailable("end", ctx.Err())
	}
	return l.Data.EndTogether(ctx, endings)
}

// Whoever keeps their sessions from being written to keeps nothing alive with it.
func TestALockedSessionKeepsNoTokensAlive(t *testing.T) {
	inWorld(t, func(w *world) {
		data := &lockedSessions{Data: w.data}
		i := w.startOn(data)
		token, s := w.signIn(i, "ana")
		data.locked = true
		_, err := i.registry.RevokeUser(w.Context(), "ana", session.Actor{By: "boss"})
		wantCode(t, err, session.CodeUnavailable)
		w.admit(i, token, session.CodeTokenRevoked)
		u, _ := w.data.User(w.Context(), "ana")
		if account, _ := w.accounts.Account(w.Context(), "ana"); account.TokensValidAfter.Before(u.RevokedAt.Truncate(time.Second)) {
			t.Errorf("Firebase has not been told: tokens are valid after %s", account.TokensValidAfter)
		}
		w.pass(2*feedResync + time.Second)
		wantCode(t, i.registry.FinishRevocations(w.Context()), session.CodeUnavailable)
		if u, _ := w.data.User(w.Context(), "ana"); !u.TokensPending {
			t.Error("called complete with a session that is stored as active")
		}
		data.locked = false
		if err := i.registry.FinishRevocations(w.Context()); err != nil {
			t.Fatal(err)
		}
		w.ended(s.ID, session.ReasonAdminRevoked)
		if u, _ := w.data.User(w.Context(), "ana"); u.TokensPending {
			t.Error("still pending")
		}
	})
}

func TestFinishingDoesNotRevokeAnew(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		w.signIn(i, "ana")
		i.store.Before(func(op string) { i.store.SetDown(op == "TokensRevoked") })
		_, err := i.registry.RevokeUser(w.Context(), "ana", session.Actor{By: "boss"})
		wantCode(t, err, session.CodeUnavailable) // Firebase has been told, only the note is left
		i.store.Before(func(string) { i.store.SetDown(false) })
		token, _ := w.signIn(i, "ana")
		w.pass(time.Minute)
		if err := i.registry.FinishRevocations(w.Context()); err != nil {
			t.Fatal(err)
		}
		w.pass(w.settings.UserStateTTL)
		w.admit(i, token, "") // the sign-in made since lives on
		if u, _ := w.data.User(w.Context(), "ana"); u.TokensPending {
			t.Error("still pending")
		}
	})
}
