package session_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var boss = session.Actor{By: "boss", IP: cafe4, Note: "asked for by support"}

// byAdmin expects what admins read about what boss has done.
func (w *world) byAdmin(e session.Event, uid session.UserID) {
	w.Helper()
	if e.Audience != session.AudienceAdmin || e.UserID != uid || e.Actor != boss.By || e.IPAddress != boss.IP || e.Details["note"] != boss.Note {
		w.Errorf("%+v", e)
	}
}

func TestAnAdminsEndSaysToAdminsWhoAndWhy(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, s := w.signIn(i, "ana")
		for range 2 { // the second changes nothing
			if err := i.registry.AdminEnd(w.Context(), boss, s.ID); err != nil {
				t.Fatal(err)
			}
		}
		ends := w.events(session.EventSessionEnded)
		if len(ends) != 2 {
			t.Fatalf("%+v", ends)
		}
		if ends[0].Audience != session.AudienceAdmin {
			ends[0], ends[1] = ends[1], ends[0]
		}
		w.byAdmin(ends[0], "ana")
		if e := ends[1]; e.Audience != session.AudienceUser || e.Actor != session.ActorAdmin || e.IPAddress != "" || len(e.Details) != 1 {
			t.Errorf("%+v", e)
		}
		wantCode(t, i.registry.AdminEnd(w.Context(), boss, session.NewID("nobody", "", time.Now())), session.CodeNotFound)
	})
}

func TestADisabledUserIsOutEverywhereUntilEnabled(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, s := w.signIn(b, "ana")
		w.admit(b, token, "")
		got, err := a.registry.DisableUser(w.Context(), "ana", boss)
		if err != nil || got.Ended != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		w.byAdmin(w.event(session.EventUserDisabled), "ana")
		w.ended(s.ID, session.ReasonUserDisabled)
		w.pass(time.Second)
		fresh := w.accounts.SignIn("ana") // as a token minted just before would be
		for _, i := range []*instance{a, b} {
			for _, each := range []string{token, fresh} {
				w.admit(i, each, session.CodeUserDisabled)
				_, err := w.tryRegister(i, each)
				wantCode(t, err, session.CodeUserDisabled)
			}
		}
		if account, _ := w.accounts.Account(w.Context(), "ana"); !account.Disabled || account.TokensValidAfter.IsZero() {
			t.Errorf("%+v", account)
		}

		if err := a.registry.EnableUser(w.Context(), "ana", boss); err != nil {
			t.Fatal(err)
		}
		w.byAdmin(w.event(session.EventUserEnabled), "ana")
		w.pass(0)
		for _, i := range []*instance{a, b} {
			w.admit(i, token, session.CodeTokenRevoked) // what has ended stays so
			w.admit(i, fresh, session.CodeSessionRequired)
		}
		u, err := w.data.User(w.Context(), "ana")
		if err != nil || u.Disabled || !u.RevokedAt.Equal(got.RevokedAt) {
			t.Errorf("%+v, %v", u, err)
		}
		w.register(b, fresh)
	})
}

func TestADisablingIsCompletedWhateverStepItDiesAt(t *testing.T) {
	for step, at := range map[string]func(w *world, a *instance, op string){
		"ends":       func(_ *world, a *instance, op string) { a.store.SetDown(op == "UserSessions") },
		"firebase":   func(w *world, _ *instance, op string) { w.accounts.SetDown(op == "User") },
		"completion": func(_ *world, a *instance, op string) { a.store.SetDown(op == "TokensRevoked") },
	} {
		t.Run(step, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start(), w.start()
				token, s := w.signIn(a, "ana")
				w.admit(b, token, "")
				a.store.Before(func(op string) {
					if op != "Session" && op != "RecentSessions" {
						at(w, a, op)
					}
				})
				_, err := a.registry.DisableUser(w.Context(), "ana", boss)
				wantCode(t, err, session.CodeUnavailable)
				a.stopFeed()
				w.accounts.SetDown(false)
				w.pass(time.Second)
				again := w.accounts.SignIn("ana")
				_, err = w.tryRegister(b, again)
				wantCode(t, err, session.CodeUserDisabled) // before Firebase has been told, if need be
				w.pass(2*feedResync + time.Second)
				if err := b.registry.FinishRevocations(w.Context()); err != nil {
					t.Fatal(err)
				}
				w.ended(s.ID, session.ReasonUserDisabled)
				account, err := w.accounts.Account(w.Context(), "ana")
				if err != nil || !account.Disabled {
					t.Errorf("%+v, %v", account, err)
				}
				if u, err := w.data.User(w.Context(), "ana"); err != nil || u.TokensPending || !u.Disabled {
					t.Errorf("%+v, %v", u, err)
				}
				_, err = w.tryRegister(b, again)
				wantCode(t, err, session.CodeUserDisabled)
			})
		})
	}
}

// A sign-in made after the decree, and before Firebase has been told, must not outlast it in the memory of an instance that has
// looked the account up in between.
func TestADisabledUserDoesNotLiveOnInAnInstancesMemory(t *testing.T) {
	for name, act := range map[string]func(w *world, a *instance, s session.Session) error{
		"disabled": func(w *world, a *instance, _ session.Session) error {
			_, err := a.registry.DisableUser(w.Context(), "ana", boss)
			return err
		},
		"deleted": func(w *world, a *instance, s session.Session) error {
			return a.registry.DeleteAccount(w.Context(), as(s))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				editor := &watchedEditor{Directory: w.accounts}
				w.editor = editor
				a, b := w.start(), w.start()
				token, s := w.signIn(a, "ana")
				w.admit(b, token, "")
				var fresh string
				editor.before = func() { // the decree is known everywhere, and Firebase has not been told
					w.pass(time.Second)
					fresh = w.accounts.SignIn("ana")
					w.admit(b, fresh, session.CodeUserDisabled)
				}
				if err := act(w, a, s); err != nil {
					t.Fatal(err)
				}
				w.pass(0)
				_, err := w.tryRegister(b, fresh)
				wantCode(t, err, session.CodeUserDisabled)
			})
		})
	}
}

// An account whose look-up was under way when it changed is asked about again.
func TestALookUpThatRacesAChangeIsNotKept(t *testing.T) {
	inWorld(t, func(w *world) {
		w.accounts.Change("ana", func(a *session.Account) { a.Disabled = true })
		i := w.start()
		slow := &slowAccounts{Directory: w.accounts, asked: make(chan struct{}), answer: make(chan struct{})}
		r := session.NewRegistry(w.settings, session.Ports{
			Store: i.store, Users: i.store, Publisher: i.store, Archive: i.store, Trail: i.store, Jobs: i.store,
			Accounts: slow, Editor: w.accounts, Clock: session.NewClock(), Inbox: i.inbox,
			After: func(time.Duration, func()) {}, Log: discard,
		})
		gate := session.NewGate(r, w.accounts)
		token := w.accounts.SignIn("ana")
		first := make(chan error)
		go func() {
			_, err := gate.Authenticate(w.Context(), token)
			first <- err
		}()
		<-slow.asked // it has been told that the account is disabled
		if err := i.registry.EnableUser(w.Context(), "ana", boss); err != nil {
			t.Fatal(err)
		}
		close(slow.answer)
		wantCode(t, <-first, session.CodeUserDisabled) // that was so when it asked
		_, err := gate.Authenticate(w.Context(), token)
		wantCode(t, err, "")
	})
}

func TestEnablingSaysWhatItCannotDo(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		w.signIn(i, "ana")
		wantCode(t, i.registry.EnableUser(w.Context(), "nobody", boss), session.CodeNotFound)
		if n := len(w.events(session.EventUserEnabled)); n > 0 {
			t.Error("nobody was enabled, and the trail says so")
		}
		_, err := i.registry.DisableUser(w.Context(), "nobody", boss)
		wantCode(t, err, session.CodeNotFound)
		w.accounts.SetDown(true)
		wantCode(t, i.registry.EnableUser(w.Context(), "ana", boss), session.CodeUnavailable)
		_, err = i.registry.DisableUser(w.Context(), "ana", boss)
		wantCode(t, err, session.CodeUnavailable)
		w.accounts.SetDown(false)
		i.store.SetDown(true)
		wantCode(t, i.registry.EnableUser(w.Context(), "ana", boss), session.CodeUnavailable)
		_, err = i.registry.RevokeUser(w.Context(), "ana", boss)
		wantCode(t, err, session.CodeUnavailable)
	})
}

// An admin whose claim is taken away is none any more, at once and on every instance.
func TestRightsGivenAndTakenAwayCountAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		told := b.notices(session.NoticeClaims)
		token, s := w.signIn(b, "ana")
		wantCode(t, b.gate.RequireAdmin(w.Context(), w.accounts.Identity(token)), session.CodeForbidden)
		if err := a.registry.SetAdmin(w.Context(), "ana", boss, true); err != nil {
			t.Fatal(err)
		}
		w.pass(0)
		if got := told(); len(got) != 1 || got[0].UserID != "ana" {
			t.Errorf("told %+v", got)
		}
		admin := w.accounts.Refresh(token)
		caller := session.Admission{Identity: w.accounts.Identity(admin), Session: s}
		wantCode(t, b.gate.RequireRecentAdmin(w.Context(), caller), "")
		account, known := b.registry.KnownAccount("ana")
		if !known || !b.registry.ClaimsDiffer(w.accounts.Identity(token), account) || b.registry.ClaimsDiffer(caller.Identity, account) {
			t.Errorf("known %t: %+v", known, account)
		}
		if err := a.registry.SetAdmin(w.Context(), "ana", boss, false); err != nil {
			t.Fatal(err)
		}
		w.pass(0)
		if _, known := b.registry.KnownAccount("ana"); known {
			t.Error("the account is still known as it was")
		}
		wantCode(t, b.gate.RequireRecentAdmin(w.Context(), caller), session.CodeForbidden)
		wantCode(t, b.gate.RequireAdmin(w.Context(), caller.Identity), session.CodeForbidden)
		w.admit(b, admin, "") // signed in they still are

		changes := w.events(session.EventClaimsChanged)
		if len(changes) != 2 || changes[0].Details["admin"] != "true" || changes[1].Details["admin"] != "false" {
			t.Errorf("%+v", changes)
		}
		for _, e := range changes {
			w.byAdmin(e, "ana")
		}
		wantCode(t, a.registry.SetAdmin(w.Context(), "nobody", boss, true), session.CodeNotFound)
		a.store.SetDown(true)
		wantCode(t, a.registry.SetAdmin(w.Context(), "ana", boss, true), session.CodeUnavailable)
	})
}

func TestAnActorIsWhoCameIn(t *testing.T) {
	a := session.Admission{
		Identity: session.Identity{UserID: "boss"}, Session: session.Session{ID: "one"}, Origin: origin(cafe4, ""),
	}
	if got, want := a.Actor("why"), (session.Actor{By: "boss", IP: cafe4, Note: "why", Session: "one"}); got != want {
		t.Errorf("%+v", got)
	}
}

func TestTheLimitsAreInTheTrailOnceADay(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		w.settings.MaxSessions++
		other := w.start()
		expect := func(want int) {
			t.Helper()
			if got := len(w.events(session.EventLimitsConfigured)); got != want {
				t.Errorf("%d events, want %d", got, want)
			}
		}
		for range 3 {
			a.registry.NoteLimits(w.Context())
			b.registry.NoteLimits(w.Context())
		}
		expect(1)
		if e := w.event(session.EventLimitsConfigured); e.Audience != session.AudienceAdmin || e.Details["idleTimeout"] != "30m0s" ||
			e.Details["maxSessions"] != "5" || e.Details["sessionLimitPolicy"] != "evict" || e.Actor != session.ActorSystem {
			t.Errorf("%+v", e)
		}
		other.registry.NoteLimits(w.Context())
		expect(2)
		w.pass(24 * time.Hour)
		a.registry.NoteLimits(w.Context())
		expect(3)
		a.store.SetDown(true)
		a.registry.NoteLimits(w.Context()) // nobody is kept from anything
		expect(3)
	})
}

func TestNobodyHasCountedYet(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		if c, err := i.registry.Census(w.Context()); err != nil || !reflect.DeepEqual(c, session.Census{}) {
			t.Errorf("%+v, %v", c, err)
		}
		i.store.SetDown(true)
		var e *session.Error
		if _, err := i.registry.Census(w.Context()); !errors.As(err, &e) || e.Code != session.CodeUnavailable {
			t.Errorf("%v", err)
		}
	})
}
