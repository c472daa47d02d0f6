package session_test

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// laptop signs in from a place.
func laptop(country string) session.SignIn {
	return session.SignIn{
		Device: session.Device{Type: "desktop", Browser: "Chrome 142", Kind: "desktop/Chrome/Windows"},
		Origin: origin("203.0.113.7", country),
	}
}

func phone(country string) session.SignIn {
	in := laptop(country)
	in.Device = session.Device{Type: "mobile", Browser: "Safari 26", Kind: "mobile/Safari/iOS"}
	return in
}

func origin(ip, country string) session.Origin {
	from := session.Origin{IP: netip.MustParseAddr(ip)}
	if country != "" {
		from.Locate = func() *session.Location { return &session.Location{Country: country} }
	}
	return from
}

// An alert is in the answer, on every instance's sockets, in the audit trail and counted, once.
func TestASuspiciousSignInIsToldEverywhereOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		counted := newCounts()
		w.meter = counted
		a, b := w.start(), w.start()
		here, there := a.notices(session.NoticeAlert), b.notices(session.NoticeAlert)
		if _, reg := w.signInFrom(a, "ana", laptop("MX")); len(reg.Alerts) > 0 {
			t.Errorf("the first sign-in ever: %+v", reg.Alerts)
		}
		token, reg := w.signInFrom(a, "ana", phone("ES"))
		want := []session.Alert{
			{Type: session.AlertNewDevice, SessionID: reg.Session.ID, Device: "Safari on iOS"},
			{Type: session.AlertNewCountry, SessionID: reg.Session.ID, Country: "ES", PreviousCountry: "MX"},
		}
		if !reflect.DeepEqual(reg.Alerts, want) {
			t.Errorf("answered %+v", reg.Alerts)
		}
		var tabs sync.WaitGroup
		for n := range 6 {
			tabs.Go(func() {
				again, err := w.tryRegisterFrom([]*instance{a, b}[n%2], token, phone("ES"))
				if err != nil || again.Created || len(again.Alerts) > 0 {
					t.Errorf("%+v, %v", again, err)
				}
			})
		}
		tabs.Wait()
		w.pass(time.Second)
		for name, notices := range map[string][]session.Notice{"here": here(), "there": there()} {
			var told []session.Alert
			for _, n := range notices {
				told = append(told, *n.Alert)
				if n.UserID != "ana" || !slices.Equal(n.SessionIDs, []session.ID{reg.Session.ID}) {
					t.Errorf("%s: %+v", name, n)
				}
			}
			if !reflect.DeepEqual(told, want) {
				t.Errorf("%s: told %+v", name, told)
			}
		}
		told := make(map[string]string)
		for _, e := range w.events(session.EventSecurityAlert) {
			told[e.Details["alert"]] = e.Details["device"] + e.Details["previousCountry"] + e.Details["country"]
			if e.IPAddress != "203.0.113.7" || e.Audience != session.AudienceUser || e.SessionID != reg.Session.ID {
				t.Errorf("%+v", e)
			}
		}
		if want := map[string]string{"new_device": "Safari on iOS", "new_country": "MXES"}; !maps.Equal(told, want) {
			t.Errorf("%v", told)
		}
		if n := counted.of("alert new_device") + counted.of("alert new_country"); n != 2 {
			t.Errorf("counted %d alerts", n)
		}
		if started := w.events(session.EventSessionStarted); len(started) != 2 || started[1].Details["country"] != "ES" ||
			started[1].Details["device"] != "Safari on iOS" || started[1].Details["signInProvider"] != "password" {
			t.Errorf("%+v", started)
		}
	})
}

// Whoever has no other session has nobody to tell.
func TestASuspiciousSignInWithoutOthersIsNoPush(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, first := w.signInFrom(i, "ana", laptop("MX"))
		if err := i.registry.EndOwn(w.Context(), as(first.Session), first.Session.ID); err != nil {
			t.Fatal(err)
		}
		pushed, started := i.notices(session.NoticeAlert), i.notices(session.NoticeStarted)
		if _, reg := w.signInFrom(i, "ana", phone("MX")); len(reg.Alerts) != 1 {
			t.Errorf("%+v", reg.Alerts)
		}
		w.pass(0)
		if n := len(pushed()) + len(started()); n > 0 {
			t.Errorf("%d notices", n)
		}
		w.event(session.EventSecurityAlert)
	})
}

func TestTooManySessionsAndMixedDevicesAreCountedAsTheyWillBe(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.SuspiciousSessions, w.settings.SuspiciousDeviceTypes, w.settings.MaxSessions = 2, 1, 3
		i := w.start()
		alerts := func(in session.SignIn) (session.ID, []session.AlertType) {
			_, reg := w.signInFrom(i, "ana", in)
			var found []session.AlertType
			for _, a := range reg.Alerts {
				found = append(found, a.Type)
			}
			return reg.Session.ID, found
		}
		expect := func(got []session.AlertType, want ...session.AlertType) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		}
		_, first := alerts(laptop(""))
		expect(first)
		second, got := alerts(laptop(""))
		expect(got)
		replacing := laptop("")
		replacing.Replaces = second
		_, got = alerts(replacing)
		expect(got) // two are live, not three
		_, got = alerts(laptop(""))
		expect(got, session.AlertTooManySessions)
		_, got = alerts(phone(""))
		expect(got, session.AlertTooManySessions, session.AlertDeviceMix, session.AlertNewDevice)
		told := make(map[string]int)
		for _, e := range w.events(session.EventSecurityAlert) {
			told[e.Details["alert"]+" "+e.Details["sessions"]+e.Details["deviceTypes"]+e.Details["device"]]++
		}
		if want := map[string]int{"too_many_sessions 3": 2, "device_mix desktop, mobile": 1, "new_device Safari on iOS": 1}; !maps.Equal(told, want) {
			t.Errorf("%v", told)
		}
	})
}

func TestTheSignInMailIsPartOfTheCreation(t *testing.T) {
	inWorld(t, func(w *world) {
		type letter struct{ to, languages string }
		var composed []letter
		var mu sync.Mutex
		w.mail = func(to, languages string, s session.Session) *session.Mail {
			mu.Lock()
			defer mu.Unlock()
			composed = append(composed, letter{to, languages})
			return &session.Mail{To: to, Subject: string(s.ID), Device: string(s.ID)}
		}
		i := w.start()
		sent := func(want int) {
			t.Helper()
			if got := len(w.data.Mails()); got != want {
				t.Errorf("%d mails, want %d", got, want)
			}
		}
		w.signIn(i, "nobody") // whose token has no address
		sent(0)
		w.accounts.Change("ana", func(a *session.Account) { a.Claims = map[string]any{"email": "ana@example.com"} })
		in := laptop("MX")
		in.Language = "es-MX, en;q=0.5"
		i.store.Before(func(op string) { i.store.SetDown(op == "Create") })
		w.pass(time.Second)
		token := w.accounts.SignIn("ana")
		_, err := w.tryRegisterFrom(i, token, in)
		wantCode(t, err, session.CodeUnavailable)
		sent(0)
		i.store.Before(func(string) { i.store.SetDown(false) })
		composed = nil
		for range 3 {
			if _, err := w.tryRegisterFrom(i, token, in); err != nil {
				t.Fatal(err)
			}
		}
		sent(1)
		if got := w.data.Mails()[0].UserID; got != "ana" {
			t.Errorf("a mail of %q", got)
		}
		if want := []letter{{"ana@example.com", in.Language}}; !slices.Equal(composed, want) {
			t.Errorf("composed %v", composed)
		}
	})
}
