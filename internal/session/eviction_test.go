package session_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// Under fire every answer tells the truth: who was let in was in when it was said so, and who was put out was put out by that call.
func TestOfManySignInsEveryAnswerTellsTheTruth(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.MaxSessions = 3
		a, b := w.start(), w.start()
		var tokens []string
		for range 60 {
			w.pass(time.Second)
			tokens = append(tokens, w.accounts.SignIn("ana"))
		}
		var mu sync.Mutex
		evicted := make(map[session.ID]int)
		var all sync.WaitGroup
		for n, token := range tokens {
			i := []*instance{a, b}[n%2]
			all.Go(func() {
				reg, err := w.tryRegister(i, token)
				s, known := w.data.Session(w.Context(), w.accounts.Identity(token).SessionID)
				mu.Lock()
				defer mu.Unlock()
				if err != nil && (known != nil || s.EndReason != session.ReasonSessionLimit) {
					t.Errorf("refused with %v, stored as %q (%v)", err, s.EndReason, known)
				}
				for _, id := range reg.Evicted {
					if evicted[id]++; id == s.ID {
						t.Error("it evicted itself, and was let in")
					}
				}
			})
		}
		all.Wait()
		live, err := a.registry.Sessions(w.Context(), "ana", false)
		if err != nil || len(live) != 3 {
			t.Errorf("%d live, %v", len(live), err)
		}
		for id, n := range evicted {
			if w.ended(id, session.ReasonSessionLimit); n != 1 {
				t.Errorf("%s was evicted %d times", id, n)
			}
		}
		order, err := w.data.UserSessions(w.Context(), "ana", true)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range order[len(order)-3:] {
			if s.Status != session.StatusActive || !slices.ContainsFunc(live, func(l session.Session) bool { return l.ID == s.ID }) {
				t.Error("one of the newest is out")
			}
		}
	})
}

// Whoever was ended between their creation and their answer is not told that they are in.
func TestWhoIsPutOutBeforeTheAnswerIsNotLetIn(t *testing.T) {
	for reason, out := range map[session.Reason]func(w *world, b *instance, id session.ID) error{
		session.ReasonSessionLimit: func(w *world, b *instance, _ session.ID) error {
			w.pass(time.Second)
			_, err := w.tryRegister(b, w.accounts.SignIn("ana"))
			return err
		},
		session.ReasonAdminRevoked: func(w *world, b *instance, id session.ID) error { return b.registry.AdminEnd(w.Context(), boss, id) },
	} {
		t.Run(string(reason), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.settings.MaxSessions = 1
				a, b := w.start(), w.start()
				w.pass(time.Second)
				token := w.accounts.SignIn("ana")
				id := w.accounts.Identity(token).SessionID
				reads := 0
				a.store.Before(func(op string) {
					if op != "UserSessions" {
						return
					}
					if reads++; reads == 2 { // the first was before the creation
						if err := out(w, b, id); err != nil {
							t.Error(err)
						}
					}
				})
				_, err := w.tryRegister(a, token)
				wantCode(t, err, session.CodeReauthRequired)
				w.ended(id, reason)
			})
		})
	}
}

// Of many at once the first makes room for all: nobody tries to put out who is out already.
func TestManySignInsAtOnceMakeRoomOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.MaxSessions = 2
		i := w.start()
		i.store.Before(func(op string) {
			if op == "End" {
				<-time.After(10 * time.Millisecond)
			}
		})
		var tokens []string
		for range 30 {
			w.pass(time.Second)
			tokens = append(tokens, w.accounts.SignIn("ana"))
		}
		var all sync.WaitGroup
		for _, token := range tokens {
			all.Go(func() {
				if _, err := w.tryRegister(i, token); err != nil && session.CodeOf(err) != session.CodeReauthRequired {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := i.store.Calls("End"); got != 28 {
			t.Errorf("28 sessions too many, and %d ends", got)
		}
	})
}

// A sign-in that the limit turns away is in the trail, whether that was seen before its session was created or after.
func TestARefusedSignInIsInTheTrail(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.MaxSessions, w.settings.LimitPolicy = 1, session.LimitReject
		a, b := w.start(), w.start()
		var rival string
		a.store.Before(func(op string) {
			if op == "Create" && rival != "" { // somebody is faster
				w.register(b, rival)
			}
		})
		w.pass(time.Second)
		rival = w.accounts.SignIn("ana")
		w.pass(time.Second)
		late := w.accounts.SignIn("ana")
		for want := 1; want <= 2; want++ { // withdrawn, then refused
			_, err := w.tryRegisterFrom(a, late, laptop("MX"))
			wantCode(t, err, session.CodeSessionLimit)
			refused := w.events(session.EventSessionRefused)
			if len(refused) != want {
				t.Fatalf("%d events, want %d", len(refused), want)
			}
			e := refused[want-1]
			if e.UserID != "ana" || e.Audience != session.AudienceUser || e.IPAddress != home4 || e.Details["reason"] != "session_limit" ||
				e.Details["device"] != "Chrome on Windows" {
				t.Errorf("%+v", e)
			}
		}
		if got := a.store.Calls("Withdraw"); got != 1 {
			t.Errorf("%d withdrawals", got)
		}
	})
}
