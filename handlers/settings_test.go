package handlers_test

import (
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/session"
)

// settingsTests have a test for every row of the contract's table of settings that an HTTP client notices.
var settingsTests = map[string]struct {
	set  func(*world)
	test func(*world)
}{
	"IDLE_TIMEOUT": {func(w *world) { w.settings.IdleTimeout, w.settings.TouchInterval = 10*time.Minute, time.Minute }, func(w *world) {
		token := w.live(ana)
		<-time.After(10*time.Minute - time.Nanosecond)
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
		<-time.After(time.Nanosecond)
		p := w.do("GET", "/v1/check", token).problem(401, session.CodeSessionEnded)
		if p["reason"] != "idle_timeout" || p["endedAt"] != "2000-01-01T00:10:01.000Z" {
			w.t.Errorf("ended as %v at %v", p["reason"], p["endedAt"])
		}
	}},
	"IDLE_WARNING": {func(w *world) { w.settings.IdleWarning = 7 * time.Minute }, func(w *world) {
		s := w.do("GET", "/v1/sessions/current", w.live(ana)).object()
		if s["warnAt"] != "2000-01-01T00:23:01.000Z" || s["idleDeadline"] != "2000-01-01T00:30:01.000Z" {
			w.t.Errorf("warned at %v, idle at %v", s["warnAt"], s["idleDeadline"])
		}
	}},
	"SESSION_LIFETIME": {func(w *world) { w.settings.Lifetime = 20 * time.Minute }, func(w *world) {
		token := w.signIn(ana)
		<-time.After(time.Minute)
		w.do("POST", "/v1/sessions", token).want(http.StatusCreated)
		<-time.After(19 * time.Minute) // from the sign-in, not from the registration
		if p := w.do("GET", "/v1/check", token).problem(401, session.CodeSessionEnded); p["reason"] != "absolute_timeout" {
			w.t.Errorf("ended as %v", p["reason"])
		}
		if p := w.do("POST", "/v1/sessions", token).problem(401, session.CodeReauthRequired); p["maxAge"] != 0.0 {
			w.t.Errorf("maxAge is %v", p["maxAge"])
		}
	}},
	"REAUTH_MAX_AGE": {func(w *world) { w.settings.ReauthMaxAge = 20 * time.Second }, func(w *world) {
		admin := w.live(boss)
		<-time.After(20*time.Second + 999*time.Millisecond) // whole seconds
		w.do("POST", "/v1/admin/sweep", admin).want(http.StatusOK)
		<-time.After(time.Millisecond)
		if p := w.do("POST", "/v1/admin/sweep", admin).problem(401, session.CodeReauthRequired); p["maxAge"] != 20.0 {
			w.t.Errorf("maxAge is %v", p["maxAge"])
		}
	}},
	"MAX_SESSIONS": {func(w *world) { w.settings.MaxSessions = 2 }, func(w *world) {
		first, second := w.live(ana), w.live(ana)
		a := w.do("POST", "/v1/sessions", w.signIn(ana)).want(http.StatusCreated).object()
		if evicted, _ := a["evicted"].([]any); !slices.Equal(evicted, []any{w.id(first)}) {
			w.t.Errorf("evicted %v", evicted)
		}
		if p := w.do("GET", "/v1/check", first).problem(401, session.CodeSessionEnded); p["reason"] != "session_limit" {
			w.t.Errorf("ended as %v", p["reason"])
		}
		w.do("GET", "/v1/check", second).want(http.StatusNoContent)
	}},
	"SESSION_LIMIT_POLICY": {reject, func(w *world) {
		first, second := w.live(ana), w.signIn(ana)
		w.do("POST", "/v1/sessions", second).problem(409, session.CodeSessionLimit)
		w.do("POST", "/v1/logout", first).want(http.StatusNoContent)
		w.do("POST", "/v1/sessions", second).want(http.StatusCreated) // it has spent nothing
	}},
	"SUSPICIOUS_SESSIONS": {func(w *world) { w.settings.SuspiciousSessions = 2 }, func(w *world) {
		w.live(ana)
		w.live(ana)
		token := w.signIn(ana)
		list := objects(w.t, w.do("POST", "/v1/sessions", token).want(http.StatusCreated).object()["alerts"])
		if len(list) != 1 || list[0]["type"] != "too_many_sessions" || list[0]["sessions"] != 3.0 || list[0]["sessionId"] != w.id(token) {
			w.t.Errorf("alerts are %v", list)
		}
	}},
	"SUSPICIOUS_DEVICE_TYPES": {func(w *world) { w.settings.SuspiciousDeviceTypes = 1 }, func(w *world) {
		w.begin(ana, laptop, "192.0.2.1:5")
		token := w.signIn(ana)
		a := w.do("POST", "/v1/sessions", token, header("User-Agent", phone), body(`{"device":{"type":"desktop"}}`)) // a hint decides nothing
		list := objects(w.t, a.want(http.StatusCreated).object()["alerts"])
		if len(list) != 2 || list[0]["type"] != "device_mix" || list[1]["type"] != "new_device" || list[1]["device"] != "Chrome on Android" {
			w.t.Errorf("alerts are %v", list)
		}
	}},
	"IP_POLICY": {strict, func(w *world) {
		w.do("GET", "/v1/sessions", w.live(ana), from("198.51.100.7:5")).problem(401, session.CodeIPChanged)
	}},
	"IP_PREFIX_V4": {func(w *world) { strict(w); w.settings.IPv4 = 24 }, func(w *world) {
		token := w.live(ana)
		w.do("GET", "/v1/sessions", token, from("192.0.2.254:5")).want(http.StatusOK)
		w.do("GET", "/v1/sessions", token, from("192.0.3.1:5")).problem(401, session.CodeIPChanged)
	}},
	"IP_PREFIX_V6": {func(w *world) { strict(w); w.settings.IPv6 = 48 }, func(w *world) {
		token := w.begin(ana, laptop, "[2001:db8:5:1::7]:5")
		w.do("GET", "/v1/sessions", token, from("[2001:db8:5:2::7]:5")).want(http.StatusOK)
		w.do("GET", "/v1/sessions", token, from("[2001:db8:6::7]:5")).problem(401, session.CodeIPChanged)
	}},
	"TRUSTED_PROXIES": {func(w *world) { w.options.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.9/32")} }, func(w *world) {
		for peer, want := range map[string]string{"192.0.2.9:5": "203.0.113.7", "10.1.2.3:5": "10.1.2.3"} {
			a := w.do("POST", "/v1/sessions", w.signIn(ana), from(peer), header("X-Forwarded-For", "203.0.113.7")).want(http.StatusCreated)
			if got := member(w.t, a.object(), "session")["ipAddress"]; got != want {
				w.t.Errorf("through %s: %v, want %s", peer, got, want)
			}
		}
	}},
	"ALLOWED_ORIGINS": {nil, func(w *world) {
		for o, want := range map[string]string{origin: origin, origin + ".evil.example": "", "null": "", "http://app.example.com": ""} {
			a := w.do("GET", "/v1/token", w.signIn(ana), header("Origin", o)).want(http.StatusOK)
			if got := a.header.Get("Access-Control-Allow-Origin"); got != want {
				w.t.Errorf("%s is answered %q", o, got)
			}
		}
	}},
	"ADMIN_CLAIM": {func(w *world) { w.settings.AdminClaim = "operator" }, func(w *world) {
		w.do("GET", "/v1/admin/stats", w.live(boss)).problem(403, session.CodeForbidden)
		w.dir.Change(boss, func(a *session.Account) { a.Claims = map[string]any{"operator": true} })
		w.do("GET", "/v1/admin/stats", w.live(boss)).want(http.StatusOK)
	}},
	"RETENTION": {func(w *world) { w.settings.Retention = 13 * time.Hour }, func(w *world) {
		w.do("POST", "/v1/logout", w.live(ana)).want(http.StatusNoContent)
		<-time.After(13 * time.Hour)
		if n := len(objects(w.t, w.do("GET", "/v1/sessions?status=all", w.live(ana)).object()["sessions"])); n != 1 {
			w.t.Errorf("%d sessions are kept", n)
		}
	}},
	"USER_STATE_TTL": {func(w *world) { w.settings.UserStateTTL = time.Minute }, func(w *world) {
		token := w.live(ana)
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
		w.dir.Change(ana, func(a *session.Account) { a.Disabled = true })
		<-time.After(time.Minute - time.Second)
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
		<-time.After(time.Second)
		w.do("GET", "/v1/check", token).problem(401, session.CodeUserDisabled)
	}},
	"FEED_RESYNC": {func(w *world) {
		w.inbox = session.NewInbox(20 * time.Second)
		w.inbox.Prove(time.Now())
	}, func(w *world) {
		token := w.live(ana)
		<-time.After(39 * time.Second)
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
		<-time.After(time.Second)
		w.do("GET", "/v1/check", token).problem(503, session.CodeUnavailable)
	}},
	"RATE_LIMITS": {func(w *world) {
		w.options.Limits = handlers.Limits{Sensitive: handlers.Limit{PerSecond: 1, Burst: 2}}
	}, func(w *world) {
		token := w.live(ana)
		for range 2 {
			w.do("PUT", "/v1/account/email", token).faults("email")
		}
		a := w.do("DELETE", "/v1/account", token)
		a.problem(429, "rate_limited")
		if got := a.header.Get("Retry-After"); got != "1" {
			w.t.Errorf("Retry-After is %q", got)
		}
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
	}},
	"GEOIP_DB": {atlas, func(w *world) {
		w.begin(ana, laptop, "[2001:db8:5::7]:5")
		<-time.After(time.Hour)
		a := w.do("POST", "/v1/sessions", w.signIn(ana), header("User-Agent", laptop), from("198.51.100.7:5")).want(http.StatusCreated).object()
		if l := member(w.t, member(w.t, a, "session"), "location"); l["country"] != "MX" || l["city"] != "León" {
			w.t.Errorf("located in %v", l)
		}
		list := objects(w.t, a["alerts"])
		if len(list) != 2 || list[0]["type"] != "new_country" || list[0]["country"] != "MX" || list[0]["previousCountry"] != "DE" ||
			list[1]["type"] != "impossible_travel" || list[1]["distanceKm"] != 9722.0 {
			w.t.Errorf("alerts are %v", list)
		}
	}},
	"GEO_HEADERS": {func(w *world) { w.options.GeoHeaders = handlers.GeoGoogle }, func(w *world) {
		a := w.do("POST", "/v1/sessions", w.signIn(ana), from("10.1.2.3:5"), header("X-Forwarded-For", "203.0.113.7"),
			header("X-Client-Geo-Address", "203.0.113.7"), header("X-Client-Geo-Country", "MX")).want(http.StatusCreated).object()
		if l := member(w.t, member(w.t, a, "session"), "location"); l["country"] != "MX" {
			w.t.Errorf("located in %v", l)
		}
	}},
}

// TestContractSettings tries every setting that an HTTP client notices.
func TestContractSettings(t *testing.T) {
	for name, s := range settingsTests {
		t.Run(name, func(t *testing.T) {
			if s.set == nil {
				s.set = func(*world) {}
			}
			inWorld(t, s.test, s.set)
		})
	}
}
