package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// Under the strict policy a session ends that is used from another network, and says so.
func TestStrictIPPolicy(t *testing.T) {
	inWorld(t, func(w *world) {
		token, other := w.live(ana), w.live(ana)
		a := w.do("GET", "/v1/sessions", token, from("198.51.100.7:5"), header("Accept-Language", "es"))
		p := a.problem(401, session.CodeIPChanged)
		if p["reason"] != "ip_changed" || p["endedAt"] != "2000-01-01T00:00:02.000Z" || p["title"] != "Cambio de red" {
			t.Errorf("the refusal is %v", p)
		}
		for _, peer := range []string{"198.51.100.7:5", "192.0.2.1:5"} {
			if p := w.do("GET", "/v1/sessions", token, from(peer)).problem(401, session.CodeSessionEnded); p["reason"] != "ip_changed" {
				t.Errorf("ended as %v", p["reason"])
			}
		}
		if p := w.do("POST", "/v1/sessions", token).problem(401, session.CodeReauthRequired); p["reason"] != "ip_changed" {
			t.Errorf("spent by %v", p["reason"])
		}
		if got := column(w.events("/v1/events", other), "type"); strings.Count(got, "security_alert") != 1 || strings.Count(got, "session_ended") != 1 {
			t.Errorf("events are %s", got)
		}
		w.do("POST", "/v1/sessions", other, from("198.51.100.7:5")).problem(401, session.CodeIPChanged)
	}, strict)
}

// A check is another back end's request. It says where the user is only through a proxy that is trusted.
func TestCheckJudgesOnlyWhatAProxyForwards(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		proxied := header("X-Forwarded-For", "192.0.2.1")
		moved := header("X-Forwarded-For", "198.51.100.7")
		for name, edits := range map[string][]edit{
			"a back end":                  {from("203.0.113.9:5")},
			"a back end that forwards":    {from("203.0.113.9:5"), moved},
			"a proxy that forwards none":  {from("10.1.2.3:5")},
			"a proxy that forwards it":    {from("10.1.2.3:5"), proxied},
			"a proxy that cannot be read": {from("10.1.2.3:5"), header("X-Forwarded-For", "198.51.100.7, unknown")},
			"a proxy, spoofed":            {from("10.1.2.3:5"), header("X-Forwarded-For", "198.51.100.7, 192.0.2.1")},
		} {
			if a := w.do("GET", "/v1/check", token, edits...); a.code != http.StatusNoContent {
				t.Errorf("%s: %d %s", name, a.code, a.body)
			}
		}
		w.do("GET", "/v1/check", token, from("10.1.2.3:5"), moved).problem(401, session.CodeIPChanged)
		p := w.do("GET", "/v1/check", token, from("203.0.113.9:5")).problem(401, session.CodeSessionEnded)
		if p["reason"] != "ip_changed" {
			t.Errorf("ended as %v", p["reason"])
		}
	}, strict)
}

// Under the policy warn a network is told of once, and not with each request, nor each time that somebody comes back to it.
func TestWarnIPPolicy(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		away := from("198.51.100.7:5")
		for range 5 {
			w.do("GET", "/v1/sessions", token, away).want(http.StatusOK)
			w.do("POST", "/v1/sessions", token, away).want(http.StatusOK)
		}
		list := objects(t, w.do("GET", "/v1/events", token, away).object()["events"])
		if got := column(list, "type"); got != "security_alert session_started" {
			t.Errorf("events are %s", got)
		}
		for range 3 {
			for _, peer := range []string{"192.0.2.1:5", "203.0.113.9:5", "198.51.100.7:5"} {
				w.do("GET", "/v1/sessions", token, from(peer)).want(http.StatusOK)
			}
		}
		list = objects(t, w.do("GET", "/v1/events", token, away).object()["events"])
		if got := column(list, "type"); got != "security_alert security_alert session_started" {
			t.Errorf("after going back and forth events are %s", got)
		}
	})
	inWorld(t, func(w *world) {
		token := w.live(ana)
		list := objects(t, w.do("GET", "/v1/events", token, from("198.51.100.7:5")).object()["events"])
		if got := column(list, "type"); got != "session_started" {
			t.Errorf("events are %s although the policy is off", got)
		}
	}, func(w *world) { w.settings.IPPolicy = session.IPOff })
}

// Browsers try both address families: the second one is learnt, early or in the same country, and a third network is none.
func TestHappyEyeballs(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.begin(ana, laptop, "198.51.100.7:5")
		<-time.After(5 * time.Minute)
		for _, peer := range []string{"[2001:db8:9::7]:5", "198.51.100.7:5", "[2001:db8:9::8]:5"} {
			w.do("GET", "/v1/sessions", token, from(peer)).want(http.StatusOK)
		}
		list := objects(t, w.do("GET", "/v1/events", token, from("198.51.100.7:5")).object()["events"])
		if got := column(list, "type"); got != "network_learned session_started" {
			t.Errorf("events are %s", got)
		}
		w.do("GET", "/v1/sessions", token, from("[2001:db8:5::7]:5")).problem(401, session.CodeIPChanged)

		late := w.begin(ana, laptop, "198.51.100.7:5")
		<-time.After(5*time.Minute + time.Second)
		w.do("GET", "/v1/sessions", late, from("[2001:db8:5::7]:5")).problem(401, session.CodeIPChanged)
	}, atlas, strict)
}

// What a client writes into headers moves neither its network, nor its limits, nor where it is told to go.
func TestSpoofedHeadersMoveNothing(t *testing.T) {
	spoof := func(r *http.Request) {
		for name, value := range map[string]string{
			"X-Forwarded-For": "198.51.100.7", "X-Real-Ip": "198.51.100.7", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example",
			"Forwarded": "for=198.51.100.7;proto=http;host=evil.example", "Cf-Connecting-Ip": "198.51.100.7", "True-Client-Ip": "198.51.100.7",
		} {
			r.Header.Set(name, value)
		}
	}
	inWorld(t, func(w *world) {
		token := w.signIn(ana)
		a := w.do("POST", "/v1/sessions", token, spoof).want(http.StatusCreated)
		if got, want := a.header.Get("Location"), "/v1/sessions/"+w.id(token); got != want {
			t.Errorf("Location is %q, want %q", got, want)
		}
		if got := member(t, a.object(), "session")["ipAddress"]; got != "192.0.2.1" {
			t.Errorf("recorded %v", got)
		}
		for range 2 {
			w.do("GET", "/v1/sessions", token, spoof).want(http.StatusOK)
		}
		w.do("GET", "/v1/sessions", token, spoof, header("X-Forwarded-For", "203.0.113.1")).problem(429, "rate_limited")
		w.do("GET", "/v1/token", "", spoof).problem(401, session.CodeTokenMissing)
		w.do("GET", "/v1/token", "", header("X-Forwarded-For", "203.0.113.2")).problem(401, session.CodeTokenMissing)
		w.do("GET", "/v1/token", "", spoof, header("X-Real-Ip", "203.0.113.3")).problem(429, "rate_limited")
		<-time.After(time.Minute)
		// And nobody gets back to where a session belongs.
		w.do("GET", "/v1/sessions", token, from("198.51.100.7:5"), header("X-Forwarded-For", "192.0.2.1")).problem(401, session.CodeIPChanged)
	}, strict, func(w *world) { w.options.Limits.API.PerSecond, w.options.Limits.API.Burst = 0.1, 2 })
}
