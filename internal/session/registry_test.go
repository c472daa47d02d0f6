package session_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func TestRegistrationIsIdempotent(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token := w.accounts.SignIn("ana")
		var created, found int
		var mu sync.Mutex
		var tabs sync.WaitGroup
		for n := range 20 {
			tabs.Go(func() {
				reg, err := w.tryRegister([]*instance{a, b}[n%2], token)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case reg.Created:
					created++
				default:
					found++
				}
			})
		}
		tabs.Wait()
		if created != 1 || found != 19 {
			t.Errorf("%d created, %d found", created, found)
		}
	})
}

func TestASpentSignInNeverRegistersAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		if err := i.registry.EndOwn(w.Context(), as(s), s.ID); err != nil {
			t.Fatal(err)
		}
		w.ended(s.ID, session.ReasonLogout)
		w.admit(i, token, session.CodeSessionEnded)
		_, err := w.tryRegister(i, w.accounts.Refresh(token))
		var e *session.Error
		if !errors.As(err, &e) || e.Code != session.CodeReauthRequired || e.Reason != session.ReasonLogout || e.MaxAge != 0 {
			t.Errorf("%+v", e)
		}
	})
}

func TestASignInOlderThanTheLifetimeDoesNotRegister(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token := w.accounts.SignIn("ana")
		w.pass(policy.Lifetime)
		_, err := w.tryRegister(i, w.accounts.Refresh(token))
		wantCode(t, err, session.CodeReauthRequired)
	})
}

func TestReauthenticationReplaces(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, old := w.signIn(i, "ana")
		_, foreign := w.signIn(i, "ben")
		for _, replaces := range []session.ID{old.ID, foreign.ID, session.NewID("nobody", "", time.Now())} {
			w.pass(time.Second)
			token := w.accounts.SignIn("ana")
			if _, err := i.registry.Register(w.Context(), w.accounts.Identity(token), session.SignIn{Replaces: replaces}); err != nil {
				t.Fatal(err)
			}
		}
		w.ended(old.ID, session.ReasonReplaced)
		if w.stored(foreign.ID).Status != session.StatusActive {
			t.Error("another user's session was replaced")
		}
	})
}

func TestLimitEvictsTheOldest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.MaxSessions = 2
		i := w.start()
		_, first := w.signIn(i, "ana")
		_, second := w.signIn(i, "ana")
		w.pass(time.Second)
		reg, err := w.tryRegister(i, w.accounts.SignIn("ana"))
		if err != nil || !slices.Equal(reg.Evicted, []session.ID{first.ID}) {
			t.Fatalf("evicted %v, %v", reg.Evicted, err)
		}
		w.ended(first.ID, session.ReasonSessionLimit)
		if w.stored(second.ID).Status != session.StatusActive {
			t.Error("an innocent one was evicted")
		}
	})
}

func TestLimitRejectsAndSpendsNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.MaxSessions, w.settings.LimitPolicy = 2, session.LimitReject
		i := w.start()
		firstToken, first := w.signIn(i, "ana")
		w.signIn(i, "ana")
		w.pass(time.Second)
		token := w.accounts.SignIn("ana")
		created := i.store.Calls("Create")
		_, err := w.tryRegister(i, token)
		wantCode(t, err, session.CodeSessionLimit)
		if i.store.Calls("Create") != created {
			t.Error("the refusal left a trace")
		}
		w.register(i, firstToken) // what is live stays so
		if err := i.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, first.ID); err != nil {
			t.Fatal(err)
		}
		w.register(i, token)
		_, err = w.tryRegister(i, firstToken) // spent, though there is no room either
		wantCode(t, err, session.CodeReauthRequired)
	})
}

func TestOfTwoSignInsForTheLastPlaceOneIsWithdrawn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.MaxSessions, w.settings.LimitPolicy = 1, session.LimitReject
		a, b := w.start(), w.start()
		var met sync.WaitGroup // both have found room before either takes it
		met.Add(2)
		codes := make(map[session.Code]int)
		var mu sync.Mutex
		var both sync.WaitGroup
		for _, i := range []*instance{a, b} {
			i.store.Before(func(op string) {
				if op == "Create" {
					met.Done()
					met.Wait()
				}
			})
			w.pass(time.Second)
			token := w.accounts.SignIn("ana")
			both.Go(func() {
				_, err := w.tryRegister(i, token)
				mu.Lock()
				defer mu.Unlock()
				codes[session.CodeOf(err)]++
			})
		}
		both.Wait()
		all, err := w.data.UserSessions(w.Context(), "ana", true)
		if err != nil || len(all) != 1 || codes[""] != 1 || codes[session.CodeSessionLimit] != 1 {
			t.Errorf("%d sessions, answers %v, %v", len(all), codes, err)
		}
	})
}

func TestLimitHoldsWhenEverybodySignsInAtOnce(t *testing.T) {
	for _, limit := range []session.LimitPolicy{session.LimitEvict, session.LimitReject} {
		t.Run(string(limit), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.settings.MaxSessions, w.settings.LimitPolicy = 3, limit
				a, b := w.start(), w.start()
				var tokens []string
				for range 40 {
					w.pass(time.Second)
					tokens = append(tokens, w.accounts.SignIn("ana"))
				}
				var all sync.WaitGroup
				for n, token := range tokens {
					all.Go(func() {
						_, err := w.tryRegister([]*instance{a, b}[n%2], token)
						refused := map[session.LimitPolicy]session.Code{
							session.LimitEvict: session.CodeReauthRequired, session.LimitReject: session.CodeSessionLimit,
						}[limit]
						if code := session.CodeOf(err); code != "" && code != refused {
							t.Errorf("registration: %v", err)
						}
						s, known := w.data.Session(w.Context(), w.accounts.Identity(token).SessionID)
						if err != nil && known == nil && s.Status == session.StatusActive {
							t.Errorf("refused, and live: %v", err)
						}
					})
				}
				all.Wait()
				live, err := a.registry.Sessions(w.Context(), "ana", false)
				if err != nil || len(live) != 3 {
					t.Errorf("%d live, %v", len(live), err)
				}
			})
		})
	}
}

func TestSessionsAreListedAsTheyAre(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Retention = 13 * time.Hour
		i := w.start()
		_, old := w.signIn(i, "ana")
		w.pass(20 * time.Minute)
		token, busy := w.signIn(i, "ana")
		_, idle := w.signIn(i, "ana")
		w.pass(10 * time.Minute)
		if _, err := i.registry.Touch(w.Context(), w.admit(i, token, "")); err != nil {
			t.Fatal(err)
		}
		list := func(all bool, want ...session.ID) {
			t.Helper()
			found, err := i.registry.Sessions(w.Context(), "ana", all)
			if err != nil {
				t.Fatal(err)
			}
			var got []session.ID
			for _, s := range found {
				got = append(got, s.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("listed %d, want %d: %v, want %v", len(got), len(want), got, want)
			}
		}
		list(false, busy.ID, idle.ID)
		list(true, busy.ID, idle.ID, old.ID)
		w.pass(13 * time.Hour)
		list(false)
		list(true, busy.ID, idle.ID)
		s, err := i.registry.Session(w.Context(), "ana", busy.ID)
		if err != nil || s.EndReason != session.ReasonIdleTimeout {
			t.Errorf("%s %v", s.EndReason, err)
		}
		_, err = i.registry.Session(w.Context(), "ben", busy.ID)
		wantCode(t, err, session.CodeNotFound)
	})
}

func TestCanRegister(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		check := func(token string, want session.Code) {
			t.Helper()
			wantCode(t, i.registry.CanRegister(w.Context(), w.accounts.Identity(token)), want)
		}
		fresh := w.accounts.SignIn("ben")
		check(fresh, "")
		token, s := w.signIn(i, "ana")
		check(token, "")
		if err := i.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID); err != nil {
			t.Fatal(err)
		}
		check(token, session.CodeReauthRequired)
		w.pass(policy.Lifetime)
		check(fresh, session.CodeReauthRequired)
		i.store.SetDown(true)
		check(fresh, session.CodeUnavailable)
	})
}

func TestTouchLaterIsFlushed(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(time.Minute)
		live := w.admit(i, token, "")
		now := time.Now()
		i.registry.TouchLater(live)
		if err := i.registry.Flush(w.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.stored(s.ID).LastActive; !got.Equal(now) {
			t.Errorf("stored %s, want %s", got, now)
		}
	})
}

func TestARetryKeepsTheLimitThatTheFirstAttemptDidNot(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.MaxSessions = 2
		i := w.start()
		_, first := w.signIn(i, "ana")
		w.signIn(i, "ana")
		w.pass(time.Second)
		token := w.accounts.SignIn("ana")
		i.store.Before(func(op string) { i.store.SetDown(op == "End") })
		_, err := w.tryRegister(i, token)
		wantCode(t, err, session.CodeUnavailable)
		i.store.Before(func(string) { i.store.SetDown(false) })
		reg, err := w.tryRegister(i, token)
		if err != nil || reg.Created || !slices.Equal(reg.Evicted, []session.ID{first.ID}) {
			t.Errorf("%+v, %v", reg, err)
		}
	})
}

func TestARegistrationGoesThroughWithoutItsCaller(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.MaxSessions = 1
		i := w.start()
		_, old := w.signIn(i, "ana")
		w.pass(time.Second)
		ctx, hangUp := context.WithCancel(w.Context())
		i.store.After(func(op string) {
			if op == "Create" {
				hangUp()
			}
		})
		if _, err := i.registry.Register(ctx, w.accounts.Identity(w.accounts.SignIn("ana")), session.SignIn{}); err != nil {
			t.Fatal(err)
		}
		w.ended(old.ID, session.ReasonSessionLimit)
	})
}

func TestAWithdrawnSessionIsForgottenByThoseWhoSawIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.MaxSessions, w.settings.LimitPolicy = 1, session.LimitReject
		a, b := w.start(), w.start()
		var token, other string
		a.store.Before(func(op string) {
			switch op {
			case "Create": // somebody is faster
				w.register(b, other)
			case "Withdraw":
				w.admit(b, token, "") // seen in between
			}
		})
		w.pass(time.Second)
		other = w.accounts.SignIn("ana")
		w.pass(time.Second)
		token = w.accounts.SignIn("ana")
		_, err := w.tryRegister(a, token)
		wantCode(t, err, session.CodeSessionLimit)
		w.pass(0)
		w.admit(b, token, session.CodeSessionRequired)
	})
}
