package session_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	home4, cafe4, office4 = "203.0.113.7", "198.51.100.9", "192.0.2.40"
	home6, cafe6          = "2001:db8:7::1", "2001:db8:8::1"
)

// roam runs f where sessions are watched by their network, with one that began at home.
func roam(t *testing.T, p session.IPPolicy, f func(w *world, a, b *instance, token string, s session.Session)) {
	t.Helper()
	inWorld(t, func(w *world) {
		w.settings.IPPolicy, w.settings.IPv4, w.settings.IPv6 = p, 32, 64
		a, b := w.start(), w.start()
		token, reg := w.signInFrom(a, "ana", session.SignIn{Origin: origin(home4, "MX")})
		w.admit(a, token, "")
		w.admit(b, token, "")
		f(w, a, b, token, reg.Session)
	})
}

// from expects what a request from an address is answered, empty for an admission.
func (w *world) from(i *instance, token, ip, country string, want session.Code) {
	w.Helper()
	wantCode(w.T, w.answerFrom(i, token, ip, country), want)
}

func (w *world) answerFrom(i *instance, token, ip, country string) error {
	_, err := i.gate.Admit(w.Context(), token, origin(ip, country))
	return err
}

// deafen has an instance hear of nothing any more; for a while it still answers from what it knows.
func (w *world) deafen(i *instance) {
	i.stopFeed()
	w.pass(0)
}

func TestAChangedNetworkWarnsOncePerChange(t *testing.T) {
	roam(t, session.IPWarn, func(w *world, a, b *instance, token string, s session.Session) {
		heard := b.notices(session.NoticeAlert)
		changes := func(want int) {
			t.Helper()
			if got := len(w.events(session.EventSecurityAlert)); got != want {
				t.Errorf("%d alerts, want %d", got, want)
			}
		}
		for range 5 {
			w.from(a, token, home4, "MX", "")
		}
		changes(0)
		for range 5 {
			w.from(a, token, cafe4, "MX", "")
		}
		changes(1)
		w.pass(0)
		if got := heard(); len(got) != 1 || got[0].Alert.Type != session.AlertIPChanged || got[0].Alert.IPAddress != cafe4 ||
			got[0].Alert.PreviousIPAddress != home4 || got[0].Alert.SessionID != s.ID {
			t.Errorf("heard %+v", got)
		}
		e := w.event(session.EventSecurityAlert)
		if e.Details["alert"] != "ip_changed" || e.Details["previousIpAddress"] != home4 || e.IPAddress != cafe4 || e.UserID != "ana" {
			t.Errorf("%+v", e)
		}
		for _, ip := range []string{home4, cafe4, home4, cafe4} { // there and back again is nothing new
			w.from(a, token, ip, "MX", "")
		}
		changes(1)
		w.admit(b, token, "") // b knows the networks now
		w.deafen(b)
		w.from(a, token, office4, "MX", "")
		changes(2)
		for range 5 {
			w.from(b, token, office4, "MX", "") // new to b, but not in truth
		}
		changes(2)
		var all sync.WaitGroup
		for n := range 20 {
			all.Go(func() {
				if _, err := []*instance{a, b}[n%2].gate.Admit(w.Context(), token, origin(cafe6, "ES")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		changes(2) // the second family is new, and learned
		w.event(session.EventNetworkLearned)
		for n := range 20 {
			all.Go(func() {
				if _, err := []*instance{a, b}[n%2].gate.Admit(w.Context(), token, origin(home6, "ES")); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		changes(3)
	})
}

func TestTheSecondFamilyIsLearnedOnceAndEverywhere(t *testing.T) {
	for _, p := range []session.IPPolicy{session.IPWarn, session.IPStrict} {
		t.Run(string(p), func(t *testing.T) {
			roam(t, p, func(w *world, a, b *instance, token string, s session.Session) {
				w.deafen(a)
				w.from(b, token, home6, "", "")
				e := w.event(session.EventNetworkLearned)
				if e.UserID != "ana" || e.SessionID != s.ID || e.IPAddress != home6 || e.Audience != session.AudienceUser {
					t.Errorf("%+v", e)
				}
				a.runFeed(w)
				w.pass(policy.TouchInterval + time.Second) // nobody would learn it any more
				for _, i := range []*instance{a, b} {
					for _, ip := range []string{home4, home6, home4, home6} {
						w.from(i, token, ip, "", "")
					}
				}
				w.event(session.EventNetworkLearned)
				if n := len(w.events(session.EventSecurityAlert)); n > 0 {
					t.Errorf("%d alerts", n)
				}
			})
		})
	}
}

func TestAStrictPolicyEndsTheSession(t *testing.T) {
	roam(t, session.IPStrict, func(w *world, a, b *instance, token string, s session.Session) {
		heard := b.notices(session.NoticeAlert)
		_, other := w.signIn(a, "ana")
		var e *session.Error
		if err := w.answerFrom(a, token, cafe4, "MX"); !errors.As(err, &e) || e.Code != session.CodeIPChanged ||
			e.Reason != session.ReasonIPChanged || e.EndedAt.IsZero() {
			t.Errorf("%+v", e)
		}
		w.pass(0)
		for _, i := range []*instance{a, b} {
			for _, ip := range []string{cafe4, home4} {
				if err := w.answerFrom(i, token, ip, "MX"); !errors.As(err, &e) || e.Code != session.CodeSessionEnded ||
					e.Reason != session.ReasonIPChanged {
					t.Errorf("%+v", e)
				}
			}
		}
		if got := w.ended(s.ID, session.ReasonIPChanged); got.EndedBy != session.ActorSystem {
			t.Errorf("ended by %s", got.EndedBy)
		}
		if w.stored(other.ID).Status != session.StatusActive {
			t.Error("another session ended with it")
		}
		if got := heard(); len(got) != 1 || got[0].Alert.IPAddress != cafe4 {
			t.Errorf("heard %+v", got)
		}
		if got := w.event(session.EventSessionEnded); got.Details["reason"] != "ip_changed" || got.IPAddress != "" {
			t.Errorf("%+v", got)
		}
		if got := w.event(session.EventSecurityAlert); got.Details["alert"] != "ip_changed" || got.IPAddress != cafe4 {
			t.Errorf("%+v", got)
		}
		_, err := w.tryRegisterFrom(a, token, session.SignIn{Origin: origin(home4, "MX")})
		if wantCode(t, err, session.CodeReauthRequired); !errors.As(err, &e) || e.Reason != session.ReasonIPChanged {
			t.Errorf("%+v", e)
		}
	})
}

func TestOfManyRequestsFromElsewhereOneEndsTheSession(t *testing.T) {
	roam(t, session.IPStrict, func(w *world, a, b *instance, token string, _ session.Session) {
		w.deafen(b)
		var all sync.WaitGroup
		var mu sync.Mutex
		var codes []session.Code
		for n := range 20 {
			all.Go(func() {
				_, err := []*instance{a, b}[n%2].gate.Admit(w.Context(), token, origin(cafe4, ""))
				mu.Lock()
				defer mu.Unlock()
				codes = append(codes, session.CodeOf(err))
			})
		}
		all.Wait()
		changed := 0
		for _, code := range codes {
			switch code {
			case session.CodeIPChanged:
				changed++
			case session.CodeSessionEnded:
			default:
				t.Errorf("answered %q", code)
			}
		}
		if changed != 1 {
			t.Errorf("%d were told that they had ended it", changed)
		}
		w.event(session.EventSecurityAlert)
		w.event(session.EventSessionEnded)
	})
}

func TestAnEndForTheNetworkThatCannotBeStoredIsNoEnd(t *testing.T) {
	for _, down := range []string{"Session", "End"} {
		t.Run(down, func(t *testing.T) {
			roam(t, session.IPStrict, func(w *world, a, _ *instance, token string, s session.Session) {
				a.store.Before(func(op string) { a.store.SetDown(op == down) })
				w.from(a, token, cafe4, "", session.CodeUnavailable)
				w.from(a, token, home4, "", "")
				a.store.Before(func(string) { a.store.SetDown(false) })
				w.from(a, token, cafe4, "", session.CodeIPChanged)
				w.ended(s.ID, session.ReasonIPChanged)
			})
		})
	}
}

func TestAStrictPolicyHonoursWhatAnotherInstanceHasLearned(t *testing.T) {
	roam(t, session.IPStrict, func(w *world, a, b *instance, token string, s session.Session) {
		w.pass(5*time.Minute - time.Second)
		w.admit(a, token, "")
		w.deafen(a)
		w.from(b, token, home6, "", "")
		w.pass(2 * time.Second)
		w.from(a, token, home6, "", "")
		w.from(a, token, cafe6, "", session.CodeIPChanged)
		w.pass(0)
		w.from(b, token, home6, "", session.CodeSessionEnded)
		w.ended(s.ID, session.ReasonIPChanged)
	})
}

func TestAWarningThatCannotBeStoredIsGivenNextTime(t *testing.T) {
	roam(t, session.IPWarn, func(w *world, a, _ *instance, token string, _ session.Session) {
		heard := a.notices(session.NoticeAlert)
		a.store.Before(func(op string) { a.store.SetDown(op == "Move") })
		w.from(a, token, cafe4, "", "")
		if n := len(heard()); n > 0 {
			t.Errorf("%d alerts of what is not stored", n)
		}
		a.store.Before(func(string) { a.store.SetDown(false) })
		w.from(a, token, cafe4, "", "")
		w.from(a, token, cafe4, "", "")
		if n := len(heard()); n != 1 {
			t.Errorf("%d alerts", n)
		}
		w.event(session.EventSecurityAlert)
	})
}

func TestAMoveOfASessionThatIsOverFindsItOver(t *testing.T) {
	roam(t, session.IPWarn, func(w *world, a, b *instance, token string, s session.Session) {
		w.deafen(a)
		if err := b.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID); err != nil {
			t.Fatal(err)
		}
		w.from(a, token, cafe4, "", session.CodeSessionEnded)
		w.from(a, token, home4, "", session.CodeSessionEnded)
	})
	roam(t, session.IPWarn, func(w *world, a, b *instance, token string, s session.Session) {
		w.deafen(a)
		if err := w.data.Withdraw(w.Context(), s.ID, session.Record{}); err != nil {
			t.Fatal(err)
		}
		w.from(a, token, cafe4, "", session.CodeSessionRequired)
	})
}

func TestWithoutAPolicyNetworksAreNobodysBusiness(t *testing.T) {
	roam(t, session.IPOff, func(w *world, a, _ *instance, token string, s session.Session) {
		for _, ip := range []string{cafe4, cafe6, home6} {
			w.from(a, token, ip, "ES", "")
		}
		if n := a.store.Calls("Move") + len(w.events(session.EventSecurityAlert)) + len(w.events(session.EventNetworkLearned)); n > 0 {
			t.Errorf("%d moves and events", n)
		}
		if got := w.stored(s.ID); got.Networks != s.Networks {
			t.Errorf("%v", got.Networks)
		}
	})
}

func TestARegistrationIsJudgedByItsNetworkToo(t *testing.T) {
	for p, want := range map[session.IPPolicy]session.Code{session.IPWarn: "", session.IPStrict: session.CodeIPChanged} {
		t.Run(string(p), func(t *testing.T) {
			roam(t, p, func(w *world, a, _ *instance, token string, _ session.Session) {
				_, err := w.tryRegisterFrom(a, token, session.SignIn{Origin: origin(cafe4, "")})
				wantCode(t, err, want)
				w.event(session.EventSecurityAlert)
			})
		})
	}
}

// What a session's user has just done is not forgotten because its network changes.
func TestActivityOutlivesAChangeOfNetworks(t *testing.T) {
	roam(t, session.IPWarn, func(w *world, a, b *instance, token string, s session.Session) {
		w.pass(policy.TouchInterval - time.Minute)
		touched := time.Now()
		if _, err := a.registry.Touch(w.Context(), w.admit(a, token, "")); err != nil {
			t.Fatal(err)
		}
		w.from(b, token, cafe4, "", "") // b stores the change; a has not heard of it when it is asked
		for _, ip := range []string{cafe4, home4} {
			admission, err := a.gate.Admit(w.Context(), token, origin(ip, ""))
			if err != nil || !admission.Session.LastActive.Equal(touched) {
				t.Errorf("last active %s, want %s, %v", admission.Session.LastActive, touched, err)
			}
			if _, err := a.registry.Touch(w.Context(), admission.Session); err != nil {
				t.Fatal(err)
			}
		}
		w.pass(time.Minute) // an interval after what was stored
		if got := w.stored(s.ID); !got.LastActive.Equal(touched) {
			t.Errorf("stored %s, want %s", got.LastActive, touched)
		}
	})
}
