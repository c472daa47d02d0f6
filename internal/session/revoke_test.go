package session_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
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

func TestLookUpActsOnAccountsThatAreGone(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		var uids []session.UserID
		var sessions []session.Session
		for _, uid := range []session.UserID{"ana", "ben", "cem"} {
			_, s := w.signIn(i, uid)
			uids, sessions = append(uids, uid), append(sessions, s)
		}
		w.accounts.Change("ben", func(a *session.Account) { a.Disabled = true })
		w.accounts.Remove("cem")
		if err := i.registry.LookUp(w.Context(), uids); err != nil {
			t.Error(err)
		}
		w.ended(sessions[1].ID, session.ReasonUserDisabled)
		w.ended(sessions[2].ID, session.ReasonUserDeleted)
		if w.stored(sessions[0].ID).Status != session.StatusActive {
			t.Error("an innocent session ended")
		}
	})
}

// lostBatch is an identity service whose batches have lost everybody, while single look-ups know better.
type lostBatch struct{ *sessiontest.Directory }

func (l lostBatch) Accounts(_ context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
	found := make(map[session.UserID]session.Account, len(uids))
	for _, uid := range uids {
		found[uid] = session.Account{UserID: uid, Missing: true}
	}
	return found, nil
}

func TestABatchInWhichEverybodyIsMissingIsNotBelieved(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, s := w.signIn(i, "ana")
		doubtful := session.NewRegistry(w.settings, session.Ports{
			Store: i.store, Users: i.store, Publisher: i.store, Archive: i.store, Trail: i.store, Jobs: i.store,
			Accounts: lostBatch{w.accounts}, Editor: w.accounts, Clock: session.NewClock(),
			Inbox: i.inbox, After: func(time.Duration, func()) {}, Log: slog.New(slog.DiscardHandler),
		})
		err := doubtful.LookUp(w.Context(), []session.UserID{"ana"})
		wantCode(t, err, session.CodeUnavailable)
		if w.stored(s.ID).Status != session.StatusActive {
			t.Error("ended on a doubtful answer")
		}
		w.accounts.Remove("ana")
		if err := doubtful.LookUp(w.Context(), []session.UserID{"ana"}); err != nil {
			t.Fatal(err)
		}
		w.ended(s.ID, session.ReasonUserDeleted)
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

// slowBatch answers batches late, with what was true when it was asked.
type slowBatch struct {
	*sessiontest.Directory
	delay time.Duration
}

func (s slowBatch) Accounts(ctx context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
	found, err := s.Directory.Accounts(ctx, uids)
	<-time.After(s.delay)
	return found, err
}

func TestAnOldAnswerAboutAnAccountDoesNotReplaceANewerOne(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		r := session.NewRegistry(w.settings, session.Ports{
			Store: i.store, Users: i.store, Publisher: i.store, Archive: i.store, Trail: i.store, Jobs: i.store,
			Accounts: slowBatch{w.accounts, time.Second}, Editor: w.accounts, Clock: session.NewClock(),
			Inbox: i.inbox, After: func(time.Duration, func()) {}, Log: slog.New(slog.DiscardHandler),
		})
		gate := session.NewGate(r, w.accounts)
		token, _ := w.signIn(i, "ana")
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := r.LookUp(w.Context(), []session.UserID{"ana"}); err != nil {
				t.Error(err)
			}
		}()
		w.pass(500 * time.Millisecond)
		w.accounts.Change("ana", func(a *session.Account) { a.Disabled = true })
		wantCode(t, gate.RequireRecent(w.Context(), w.accounts.Identity(token), time.Hour), session.CodeUserDisabled)
		<-done
		_, err := gate.Authenticate(w.Context(), token)
		wantCode(t, err, session.CodeUserDisabled)
	})
}

func TestAnAccountsEndThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, s := w.signIn(i, "ana")
		w.pass(w.settings.UserStateTTL)
		w.accounts.Remove("ana")
		i.store.SetDown(true)
		err := i.registry.LookUp(w.Context(), []session.UserID{"ana"})
		wantCode(t, err, session.CodeUnavailable)
		if i.registry.AccountKnown("ana", w.settings.UserStateTTL) {
			t.Error("the account counts as checked: nobody would ask again")
		}
		i.store.SetDown(false)
		if err := i.registry.LookUp(w.Context(), []session.UserID{"ana"}); err != nil {
			t.Fatal(err)
		}
		w.ended(s.ID, session.ReasonUserDeleted)
	})
}
