package session_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// sensitive are the changes of credentials.
var sensitive = map[session.EventType]func(*world, *instance, session.Admission, string) error{
	session.EventEmailChanged: func(w *world, i *instance, caller session.Admission, value string) error {
		return i.registry.ChangeEmail(w.Context(), caller, value+"@example.com")
	},
	session.EventPasswordChanged: func(w *world, i *instance, caller session.Admission, value string) error {
		return i.registry.ChangePassword(w.Context(), caller, value)
	},
}

// at is the admission of a request that comes with the session from home.
func at(s session.Session) session.Admission {
	a := as(s)
	a.Origin = origin(home4, "")
	return a
}

func TestChangedCredentialsEndTheOtherSessions(t *testing.T) {
	for event, change := range sensitive {
		t.Run(string(event), func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start(), w.start()
				otherToken, other := w.signIn(b, "ana")
				_, foreign := w.signIn(b, "ben")
				_, current := w.signIn(a, "ana")
				w.admit(b, otherToken, "")
				if err := change(w, a, at(current), "secret"); err != nil {
					t.Fatal(err)
				}
				w.pass(0)
				w.admit(b, otherToken, session.CodeSessionEnded)
				w.ended(other.ID, session.ReasonCredentialsChanged)
				for _, s := range []session.Session{current, foreign} {
					if w.stored(s.ID).Status != session.StatusActive {
						t.Errorf("%s's session ended", s.UserID)
					}
				}
				e := w.event(event)
				if e.UserID != "ana" || e.Actor != "ana" || e.IPAddress != home4 || e.Audience != session.AudienceUser || e.SessionID != current.ID {
					t.Errorf("%+v", e)
				}
				if got := w.event(session.EventSessionEnded); got.Details["reason"] != "credentials_changed" || got.IPAddress != home4 {
					t.Errorf("%+v", got)
				}
				if w.accounts.Email("ana")+w.accounts.Password("ana") == "" {
					t.Error("nothing has changed")
				}
			})
		})
	}
}

func TestWhatFirebaseRefusesChangesNothing(t *testing.T) {
	for event, change := range sensitive {
		t.Run(string(event), func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				_, other := w.signIn(i, "ana")
				_, current := w.signIn(i, "ana")
				var e *session.Error
				if err := change(w, i, at(current), "@"); !errors.As(err, &e) || e.Code != session.CodeInvalidRequest || e.Field == "" || e.Message == "" {
					t.Errorf("%+v", e)
				}
				w.accounts.SetDown(true)
				wantCode(t, change(w, i, at(current), "secret"), session.CodeUnavailable)
				w.accounts.SetDown(false)
				wantCode(t, change(w, i, at(session.Session{UserID: "nobody"}), "secret"), session.CodeNotFound)
				if w.stored(other.ID).Status != session.StatusActive || len(w.events(event)) > 0 {
					t.Error("something has changed")
				}
			})
		})
	}
}

// The other sessions are over all the same: Firebase says so of every one of their tokens.
func TestAStoreThatIsDownAfterTheChangeIsNotHushedUp(t *testing.T) {
	for _, down := range []string{"Append", "UserSessions", "EndTogether"} {
		t.Run(down, func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				token, other := w.signIn(i, "ana")
				_, current := w.signIn(i, "ana")
				w.pass(time.Second)
				i.store.Before(func(op string) { i.store.SetDown(op == down || down == "EndTogether" && op == "End") })
				want := session.CodeUnavailable
				if down == "Append" {
					want = "" // the change and the ends are there, and logged
				}
				wantCode(t, i.registry.ChangePassword(w.Context(), at(current), "secret"), want)
				i.store.Before(func(string) { i.store.SetDown(false) })
				if down == "Append" {
					w.ended(other.ID, session.ReasonCredentialsChanged)
					return
				}
				w.pass(w.settings.UserStateTTL)
				w.admit(i, token, session.CodeTokenRevoked)
				w.ended(other.ID, session.ReasonTokensRevoked)
			})
		})
	}
}

func TestAChangeOfCredentialsGoesThroughWithoutItsCaller(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, other := w.signIn(i, "ana")
		_, current := w.signIn(i, "ana")
		ctx, hangUp := context.WithCancel(w.Context())
		i.store.Before(func(op string) {
			if op == "Append" {
				hangUp()
			}
		})
		if err := i.registry.ChangePassword(ctx, at(current), "secret"); err != nil {
			t.Fatal(err)
		}
		w.ended(other.ID, session.ReasonCredentialsChanged)
	})
}

func TestARefusalOfASensitiveOperationIsInTheTrail(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		caller := at(s)
		caller.Identity = w.accounts.Identity(token)
		refuse := func(want session.Code, events int) {
			t.Helper()
			wantCode(t, i.gate.RequireSensitive(w.Context(), caller), want)
			if got := len(w.events(session.EventReauthRefused)); got != events {
				t.Errorf("%d events, want %d", got, events)
			}
		}
		refuse("", 0)
		w.pass(policy.ReauthMaxAge)
		refuse("", 0)
		w.pass(time.Second)
		refuse(session.CodeReauthRequired, 1)
		w.accounts.SetDown(true)
		refuse(session.CodeUnavailable, 1)
		e := w.event(session.EventReauthRefused)
		if e.UserID != "ana" || e.SessionID != s.ID || e.IPAddress != home4 || e.Audience != session.AudienceUser {
			t.Errorf("%+v", e)
		}

		wantCode(t, i.gate.RequireRecentAdmin(w.Context(), caller), session.CodeForbidden)
		if e := w.event(session.EventAdminRefused); e.Audience != session.AudienceAdmin || e.Actor != "ana" || e.IPAddress != home4 {
			t.Errorf("%+v", e)
		}
	})
}

// gone expects nothing left of a user's account but what the trail may keep.
func (w *world) gone(uid session.UserID, ids ...session.ID) {
	w.Helper()
	account, err := w.accounts.Account(w.Context(), uid)
	if err != nil || !account.Missing {
		w.Errorf("account %+v, %v", account, err)
	}
	u, err := w.data.User(w.Context(), uid)
	if err != nil || u.TokensPending || u.DeletedAt.IsZero() {
		w.Errorf("user %+v, %v", u, err)
	}
	for _, id := range ids {
		s := w.ended(id, session.ReasonUserDeleted)
		if s.IPAddress != "" || s.Networks != (session.Networks{}) || s.UserAgent != "" || s.Location != nil || s.Device.Name != "" {
			w.Errorf("kept %+v", s)
		}
	}
	events, err := w.data.AllEvents(w.Context(), session.EventCursor{}, 1000)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range events {
		if e.UserID != uid {
			continue
		}
		reason := e.Details["reason"]
		if delete(e.Details, "reason"); e.IPAddress != "" || len(e.Details) > 0 {
			w.Errorf("kept %+v", e)
		}
		if e.Type == session.EventSessionEnded && reason != "user_deleted" {
			w.Errorf("an end for the reason %q", reason)
		}
	}
	if e := w.event(session.EventAccountDeleted); e.UserID != uid || e.Actor != string(uid) {
		w.Errorf("%+v", e)
	}
}

func personal() session.SignIn {
	in := laptop("MX")
	in.UserAgent, in.Device.Name = "Mozilla/5.0", "Ana's laptop"
	return in
}

func TestADeletedAccountIsGoneEverywhere(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		oldToken, old := w.signInFrom(b, "ana", personal())
		token, current := w.signInFrom(a, "ana", personal())
		_, foreign := w.signInFrom(a, "ben", personal())
		w.admit(b, oldToken, "")
		if err := a.registry.DeleteAccount(w.Context(), at(current.Session)); err != nil {
			t.Fatal(err)
		}
		w.pass(0)
		for _, i := range []*instance{a, b} {
			w.admit(i, oldToken, session.CodeUserDisabled)
			w.admit(i, token, session.CodeUserDisabled)
			_, err := w.tryRegister(i, token)
			wantCode(t, err, session.CodeUserDisabled)
		}
		w.gone("ana", old.Session.ID, current.Session.ID)
		if got := w.stored(foreign.Session.ID); !reflect.DeepEqual(got, foreign.Session) {
			t.Errorf("another user's session is now %+v", got)
		}
	})
}

// Whatever step a deletion dies at, another instance completes it, and nobody gets in meanwhile.
func TestADeletionIsCompletedWhateverStepItDiesAt(t *testing.T) {
	die := map[string]func(w *world, a *instance, op string){
		"ends":       func(_ *world, a *instance, op string) { a.store.SetDown(op == "UserSessions") },
		"firebase":   func(w *world, _ *instance, op string) { w.accounts.SetDown(op == "User") },
		"erasure":    func(_ *world, a *instance, op string) { a.store.SetDown(op == "Erase") },
		"completion": func(_ *world, a *instance, op string) { a.store.SetDown(op == "TokensRevoked") },
	}
	for step, at := range die {
		t.Run(step, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start(), w.start()
				token, old := w.signInFrom(b, "ana", personal())
				_, current := w.signInFrom(a, "ana", personal())
				w.admit(b, token, "")
				a.store.Before(func(op string) { at(w, a, op) })
				wantCode(t, a.registry.DeleteAccount(w.Context(), as(current.Session)), session.CodeUnavailable)
				a.stopFeed()
				w.pass(time.Second)
				again := w.accounts.SignIn("ana") // while Firebase does not know
				w.accounts.SetDown(false)
				if step == "erasure" || step == "completion" { // it does, and there are no accounts to sign in to
					w.accounts.Remove("ana")
				}
				w.admit(b, token, session.CodeUserDisabled)
				_, err := w.tryRegister(b, again)
				wantCode(t, err, session.CodeUserDisabled)
				w.pass(2*feedResync + time.Second)
				if err := b.registry.FinishRevocations(w.Context()); err != nil {
					t.Fatal(err)
				}
				w.gone("ana", old.Session.ID, current.Session.ID)
				w.admit(b, again, session.CodeUserDisabled)
			})
		})
	}
}

func TestEventsArePagedNewestFirst(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		for n := range 7 {
			_, s := w.signIn(i, []session.UserID{"ana", "ben"}[n%2])
			if n < 4 {
				if err := i.registry.AdminEnd(w.Context(), session.Actor{By: "boss", IP: cafe4, Note: "why"}, s.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		type pager func(context.Context, session.EventCursor, int) ([]session.Event, *session.EventCursor, error)
		read := func(size int, page pager) (found []session.Event) {
			t.Helper()
			var after session.EventCursor
			for {
				events, next, err := page(w.Context(), after, size)
				if err != nil || len(events) > size || len(events) == 0 {
					t.Fatalf("%d events, %v", len(events), err)
				}
				found = append(found, events...)
				if next == nil {
					return found
				}
				after = *next
			}
		}
		anas := func(ctx context.Context, after session.EventCursor, size int) ([]session.Event, *session.EventCursor, error) {
			return i.registry.UserEvents(ctx, "ana", after, size)
		}
		for _, size := range []int{1, 2, 3, 6, 100} {
			own := read(size, anas)
			if len(own) != 6 || own[0].Type != session.EventSessionStarted {
				t.Errorf("%d of her own by %d", len(own), size)
			}
			for _, e := range own {
				if e.UserID != "ana" || e.Audience != session.AudienceUser || e.Actor == "boss" || e.IPAddress == cafe4 || e.Details["note"] != "" {
					t.Errorf("she may read %+v", e)
				}
			}
			all := read(size, i.registry.AllEvents)
			if len(all) != 7+2*4 || !slices.IsSortedFunc(all, func(a, b session.Event) int { return b.At.Compare(a.At) }) {
				t.Errorf("%d of all by %d", len(all), size)
			}
		}
		i.store.SetDown(true)
		_, _, err := i.registry.AllEvents(w.Context(), session.EventCursor{}, 1)
		wantCode(t, err, session.CodeUnavailable)
	})
}

// A change that Firebase has made, and could not say so, is a change all the same.
func TestAChangeWhoseAnswerWasLostEndsTheOtherSessions(t *testing.T) {
	inWorld(t, func(w *world) {
		w.editor = mumblingEditor{w.accounts}
		i := w.start()
		_, other := w.signIn(i, "ana")
		_, current := w.signIn(i, "ana")
		w.pass(time.Second)
		if err := i.registry.ChangePassword(w.Context(), at(current), "a longer secret"); err != nil {
			t.Error(err)
		}
		w.ended(other.ID, session.ReasonCredentialsChanged)
		w.event(session.EventPasswordChanged)
	})
}
