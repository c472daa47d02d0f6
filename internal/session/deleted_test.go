package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// report is UserDeleted, as a function calls it.
func (w *world) report(i *instance, uid session.UserID, event string) {
	w.Helper()
	if err := i.registry.UserDeleted(w.Context(), uid, event); err != nil {
		w.Fatal(err)
	}
}

func TestADeletedAccountEndsEverything(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, first := w.signIn(a, "ana")
		_, foreign := w.signIn(a, "ben")
		w.admit(b, token, "")
		unregistered := w.accounts.SignIn("ana")
		w.accounts.Remove("ana")

		w.report(a, "ana", "event-1")
		w.pass(0)
		w.ended(first.ID, session.ReasonUserDeleted)
		for _, i := range []*instance{a, b} {
			for _, token := range []string{token, unregistered} {
				w.admit(i, token, session.CodeUserDisabled)
				_, err := w.tryRegister(i, token)
				wantCode(t, err, session.CodeUserDisabled)
			}
		}
		if got := w.stored(first.ID); got.IPAddress != "" || got.UserAgent != "" {
			t.Errorf("personal data is left: %+v", got)
		}
		if w.stored(foreign.ID).Status != session.StatusActive {
			t.Error("another user's session ended")
		}
		u, err := w.data.User(w.Context(), "ana")
		if err != nil || u.DeletedAt.IsZero() || u.TokensPending || u.DeletePending || u.ErasePending {
			t.Errorf("%+v, %v", u, err)
		}
		if e := w.event(session.EventAccountDeleted); e.UserID != "ana" || e.Actor != session.ActorSystem {
			t.Errorf("%+v", e)
		}
	})
}

// Reports come at least once, and of one deletion there may be several.
func TestARepeatedReportOfADeletionDoesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		w.signIn(a, "ana")
		w.accounts.Remove("ana")
		w.report(a, "ana", "event-1")
		u, _ := w.data.User(w.Context(), "ana")
		notices := a.notices(session.NoticeEnded)
		for _, event := range []string{"event-1", "event-1", "event-2"} {
			w.report(b, "ana", event)
			w.pass(time.Minute)
		}
		w.event(session.EventAccountDeleted)
		if again, _ := w.data.User(w.Context(), "ana"); !again.RevokedAt.Equal(u.RevokedAt) || len(notices()) > 0 {
			t.Errorf("revoked again: %+v, %v", again, notices())
		}
	})
}

// Two at once, both of which have found nothing done, leave one event and one notice.
func TestSimultaneousReportsOfADeletionAreOne(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		w.signIn(a, "ana")
		w.accounts.Remove("ana")
		told := a.notices(session.NoticeEnded)
		a.store.Before(func(op string) {
			if op == "Revoke" {
				w.report(b, "ana", "event-1")
			}
		})
		w.report(a, "ana", "event-1")
		w.pass(time.Second)
		w.event(session.EventAccountDeleted)
		all := 0
		for _, n := range told() {
			if !n.Before.IsZero() {
				all++
			}
		}
		if all != 1 {
			t.Errorf("%d notices that everything has ended", all)
		}
	})
}

func TestAReportOfADeletionThroughVigilDoesNothing(t *testing.T) {
	for name, pending := range map[string]bool{"complete": false, "not complete yet": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start(), w.start()
				_, s := w.signIn(a, "ana")
				if pending {
					a.store.Before(func(op string) { a.store.SetDown(op == "Erase") })
				}
				err := a.registry.DeleteAccount(w.Context(), as(s))
				if (err != nil) != pending {
					t.Fatal(err)
				}
				w.pass(time.Second)
				u, _ := w.data.User(w.Context(), "ana")
				notices := b.notices(session.NoticeEnded)
				w.report(b, "ana", "event-1")
				w.pass(time.Minute)
				if e := w.event(session.EventAccountDeleted); e.Actor != "ana" {
					t.Errorf("%+v", e)
				}
				again, _ := w.data.User(w.Context(), "ana")
				if !again.RevokedAt.Equal(u.RevokedAt) || again.TokensPending || len(notices()) > 0 {
					t.Errorf("%+v, %v", again, notices())
				}
			})
		})
	}
}

// A report is a hint: it may be late, forged, or of an account that has been created anew since.
func TestAReportOfAnAccountThatIsThereDoesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.report(i, "ana", "event-1")
		w.report(i, "nobody", "event-2")
		w.admit(i, token, "")
		if w.stored(s.ID).Status != session.StatusActive || len(w.events(session.EventAccountDeleted)) > 0 {
			t.Error("somebody has been ended")
		}
		for _, uid := range []session.UserID{"ana", "nobody"} {
			if u, _ := w.data.User(w.Context(), uid); u != (session.User{ID: uid}) {
				t.Errorf("%+v", u)
			}
		}
		w.accounts.SetDown(true)
		wantCode(t, i.registry.UserDeleted(w.Context(), "ana", "event-3"), session.CodeUnavailable)
	})
}

// An account may be created anew at any moment, also between the look-up and the commit, or before a crash is made up for. It stays.
func TestAReportOfADeletionNeverDeletes(t *testing.T) {
	for name, finished := range map[string]bool{"at once": true, "by another instance": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start(), w.start()
				_, s := w.signIn(a, "ana")
				w.accounts.Remove("ana")
				var created time.Time
				a.store.Before(func(op string) {
					switch op {
					case "Revoke":
						w.accounts.SignIn("ana")
						created = time.Now().UTC().Add(time.Second).Truncate(time.Second)
						w.accounts.Change("ana", func(a *session.Account) { a.TokensValidAfter = created })
					case "UserSessions":
						<-time.After(3 * time.Second)
					}
					a.store.SetDown(!finished && op == "Erase")
				})
				err := a.registry.UserDeleted(w.Context(), "ana", "event-1")
				if (err == nil) != finished {
					t.Fatal(err)
				}
				if account, _ := w.accounts.Account(w.Context(), "ana"); account.Missing || !account.TokensValidAfter.Equal(created) {
					t.Fatalf("of the new account there is left %+v", account)
				}
				w.pass(time.Second)
				token, again := w.signIn(b, "ana")
				w.pass(2*feedResync + time.Second)
				if err := b.registry.FinishRevocations(w.Context()); err != nil {
					t.Fatal(err)
				}
				if account, _ := w.accounts.Account(w.Context(), "ana"); account.Missing {
					t.Fatal("the new account has been deleted")
				}
				w.ended(s.ID, session.ReasonUserDeleted)
				u, _ := w.data.User(w.Context(), "ana")
				if u.TokensPending || u.ErasePending || w.stored(s.ID).IPAddress != "" {
					t.Errorf("%+v", u)
				}
				w.admit(b, token, "")
				if w.stored(again.ID).Status != session.StatusActive {
					t.Error("a session of the new account ended")
				}
			})
		})
	}
}

// An account that was deleted, created anew and deleted again ends again.
func TestASecondDeletionEndsWhatCameSince(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		w.signIn(i, "ana")
		w.accounts.Remove("ana")
		w.report(i, "ana", "event-1")
		w.pass(time.Minute)
		_, s := w.signIn(i, "ana")
		w.report(i, "ana", "event-1") // late
		w.accounts.Remove("ana")
		w.report(i, "ana", "event-2")
		w.ended(s.ID, session.ReasonUserDeleted)
		if n := len(w.events(session.EventAccountDeleted)); n != 2 {
			t.Errorf("%d events", n)
		}
	})
}

// killed is an instance that has died once a revocation was committed.
func (w *world) killed(uid session.UserID, decide func(*instance) error) *instance {
	w.Helper()
	i := w.start()
	i.store.Before(func(op string) {
		if op == "UserSessions" {
			i.store.SetDown(true)
		}
	})
	wantCode(w.T, decide(i), session.CodeUnavailable)
	i.stopFeed()
	if u, _ := w.data.User(w.Context(), uid); !u.TokensPending {
		w.Fatalf("nothing is pending: %+v", u)
	}
	return i
}

func TestOneRevocationIsFinishedInItsTime(t *testing.T) {
	for name, c := range map[string]struct {
		decide func(w *world, s session.Session) func(*instance) error
		reason session.Reason
		done   func(session.Account) bool
	}{
		"revoked": {
			func(w *world, _ session.Session) func(*instance) error {
				return func(i *instance) error { _, err := i.registry.RevokeUser(w.Context(), "ana", boss); return err }
			},
			session.ReasonAdminRevoked, func(a session.Account) bool { return !a.TokensValidAfter.IsZero() && !a.Disabled },
		},
		"disabled": {
			func(w *world, _ session.Session) func(*instance) error {
				return func(i *instance) error { _, err := i.registry.DisableUser(w.Context(), "ana", boss); return err }
			},
			session.ReasonUserDisabled, func(a session.Account) bool { return a.Disabled },
		},
		"deleted": {
			func(w *world, s session.Session) func(*instance) error {
				return func(i *instance) error { return i.registry.DeleteAccount(w.Context(), as(s)) }
			},
			session.ReasonUserDeleted, func(a session.Account) bool { return a.Missing },
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				_, s := w.signIn(w.start(), "ana")
				w.killed("ana", c.decide(w, s))
				began := time.Now()
				b := w.start()
				if err := b.registry.FinishRevocation(w.Context(), "ana"); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(began); waited < 2*feedResync-time.Second || waited > 2*feedResync+time.Second {
					t.Errorf("finished after %s", waited)
				}
				w.ended(s.ID, c.reason)
				account, _ := w.accounts.Account(w.Context(), "ana")
				if u, _ := w.data.User(w.Context(), "ana"); u.TokensPending || !c.done(account) {
					t.Errorf("%+v, %+v", u, account)
				}
			})
		})
	}
}

// What its instance does in time, or has done, nobody does a second time: Firebase can only revoke as of now.
func TestARevocationThatIsDoneIsLeftAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		w.signIn(a, "ana")
		wantCode(t, b.registry.FinishRevocation(w.Context(), "nobody"), "")
		a.store.Before(func(op string) {
			if op == "TokensRevoked" {
				<-time.After(5 * time.Second)
			}
		})
		done := make(chan error, 1)
		began := time.Now()
		go func() {
			<-time.After(100 * time.Millisecond) // as long as an event takes
			done <- b.registry.FinishRevocation(w.Context(), "ana")
		}()
		if _, err := a.registry.RevokeUser(w.Context(), "ana", boss); err != nil {
			t.Fatal(err)
		}
		account, _ := w.accounts.Account(w.Context(), "ana")
		if err := <-done; err != nil || time.Since(began) > 10*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if b.store.Calls("TokensRevoked") > 0 {
			t.Error("done twice")
		}
		w.pass(time.Minute)
		if again, _ := w.accounts.Account(w.Context(), "ana"); !again.TokensValidAfter.Equal(account.TokensValidAfter) {
			t.Error("revoked as of later")
		}
	})
}

func TestARevocationThatCannotBeFinishedIsReported(t *testing.T) {
	inWorld(t, func(w *world) {
		w.signIn(w.start(), "ana")
		w.killed("ana", func(i *instance) error { _, err := i.registry.RevokeUser(w.Context(), "ana", boss); return err })
		b := w.start()
		ctx, cancel := context.WithTimeout(w.Context(), feedResync)
		defer cancel()
		wantCode(t, b.registry.FinishRevocation(ctx, "ana"), session.CodeUnavailable) // before its time
		w.accounts.SetDown(true)
		wantCode(t, b.registry.FinishRevocation(w.Context(), "ana"), session.CodeUnavailable)
		w.accounts.SetDown(false)
		b.store.SetDown(true)
		wantCode(t, b.registry.FinishRevocation(w.Context(), "ana"), session.CodeUnavailable)
		b.store.SetDown(false)
		wantCode(t, b.registry.FinishRevocation(w.Context(), "ana"), "")
		wantCode(t, b.registry.FinishRevocation(w.Context(), "ana"), "")
	})
}

// A process that has just started does not know the store's time before it has read. A clock that is hours off changes nothing.
func TestARevocationIsNotFinishedEarlyByAClockThatIsOff(t *testing.T) {
	for name, off := range map[string]time.Duration{"fast": time.Hour, "slow": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.signIn(w.start(), "ana")
				w.killed("ana", func(i *instance) error { _, err := i.registry.RevokeUser(w.Context(), "ana", boss); return err })
				clock := session.NewClock()
				now := time.Now()
				clock.Observe(now.Add(off), now, now)
				b := w.startAt(clock)
				b.store.After(func(string) { now := time.Now(); clock.Observe(now, now, now) }) // as the store does with every answer
				began := time.Now()
				if err := b.registry.FinishRevocation(w.Context(), "ana"); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(began); waited < 2*feedResync-time.Second || waited > 2*feedResync+time.Second {
					t.Errorf("finished after %s", waited)
				}
			})
		})
	}
}
