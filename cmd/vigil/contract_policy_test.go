package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/wire"
)

// at reads a time of an answer.
func (p *process) at(of map[string]any, member string) time.Time {
	p.Helper()
	text, _ := of[member].(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		p.Fatalf("%s of %v: %v", member, of, err)
	}
	return at
}

// between expects two times of an answer to be so far from each other.
func (p *process) between(of map[string]any, from, to string, want time.Duration) {
	p.Helper()
	if got := p.at(of, to).Sub(p.at(of, from)); got != want {
		p.Errorf("%s is %s after %s, want %s", to, got, from, want)
	}
}

// wantAlerts expects the alerts of a registration to be of these types among others.
func (a answer) wantAlerts(t *testing.T, types ...string) {
	t.Helper()
	for _, each := range types {
		if got := a.alertTypes(); !slices.Contains(got, each) {
			t.Errorf("alerts are %v, want %s", got, each)
		}
	}
}

// policyTests are those of the settings that say how sessions live.
var policyTests = map[string]func(*testing.T, *fleet){
	"IDLE_TIMEOUT": func(t *testing.T, f *fleet) {
		p := f.quick.in(t)
		u := p.newcomer(nil)
		p.between(u.begin(p, nil).object("session"), "lastActive", "idleDeadline", 5*time.Second)
		u.open(p).wantClose(wire.CloseIdle)
		if got := p.want(http.StatusUnauthorized, "session_ended", http.MethodGet, "/v1/check", u.idToken, nil).text("reason"); got != "idle_timeout" {
			t.Errorf("ended as %s", got)
		}
	},
	"IDLE_WARNING": func(t *testing.T, f *fleet) {
		p := f.quick.in(t)
		u := p.newcomer(nil)
		p.between(u.begin(p, nil).object("session"), "warnAt", "idleDeadline", 2*time.Second)
		warning := u.connect(p).want(wire.TypeIdleWarning)
		if remaining, _ := warning["remaining"].(float64); remaining <= 0 || remaining > 2000 {
			t.Errorf("%v", warning)
		}
	},
	"SESSION_LIFETIME": func(t *testing.T, f *fleet) {
		p := f.short.in(t)
		u := p.newcomer(nil)
		p.between(u.begin(p, nil).object("session"), "authTime", "expiresAt", 4*time.Second)
		u.connect(p).wantEnd("absolute_timeout", wire.CloseExpired)
		spent := p.want(http.StatusUnauthorized, "reauth_required", http.MethodPost, "/v1/sessions", u.idToken, nil)
		if spent.body["maxAge"] != 0.0 {
			t.Errorf("%v", spent.body)
		}
	},
	"REAUTH_MAX_AGE": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		u := p.newcomer(nil)
		u.begin(p, nil)
		if got := p.want(http.StatusOK, "", http.MethodGet, "/v1/token", u.idToken, nil).body["reauthMaxAge"]; got != 1.0 {
			t.Errorf("reauthMaxAge is %v", got)
		}
		eventually(t, "the sign-in is not recent any more", func() bool {
			return p.call(http.MethodGet, "/v1/token", u.idToken, nil).body["recentAuth"] == false
		})
		refused := p.want(http.StatusUnauthorized, "reauth_required", http.MethodDelete, "/v1/account", u.idToken, nil)
		if refused.body["maxAge"] != 1.0 {
			t.Errorf("%v", refused.body)
		}
	},
	"MAX_SESSIONS": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		first := p.newcomer(nil)
		id := first.register(p)
		second := first.again()
		second.register(p)
		if got := first.again().begin(p, nil).list("evicted"); !slices.Equal(got, []any{id}) {
			t.Errorf("evicted %v, want %s", got, id)
		}
		if got := p.want(http.StatusUnauthorized, "session_ended", http.MethodGet, "/v1/check", first.idToken, nil).text("reason"); got != "session_limit" {
			t.Errorf("ended as %s", got)
		}
		p.want(http.StatusNoContent, "", http.MethodGet, "/v1/check", second.idToken, nil)

		p = f.off.in(t)
		u := p.newcomer(nil)
		for i := range 6 {
			u.idToken = p.signInNamed(u.uid(), strings.Repeat("x", i+1))
			if got := u.begin(p, nil).list("evicted"); len(got) > 0 {
				t.Errorf("without a limit evicted %v", got)
			}
		}
	},
	"SESSION_LIMIT_POLICY": func(t *testing.T, f *fleet) {
		p := f.flags.in(t)
		first := p.newcomer(nil)
		first.register(p)
		second := first.again()
		p.want(http.StatusConflict, "session_limit", http.MethodPost, "/v1/sessions", second.idToken, nil)
		p.want(http.StatusNoContent, "", http.MethodPost, "/v1/logout", first.idToken, nil)
		second.register(p) // it has spent nothing
	},
	"SUSPICIOUS_SESSIONS": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		u := p.newcomer(nil)
		if got := u.begin(p, nil).alertTypes(); got != nil {
			t.Errorf("the first sign-in raises %v", got)
		}
		u.again().begin(p, nil).wantAlerts(t, "too_many_sessions")

		p = f.off.in(t)
		u = p.newcomer(nil)
		for i := range 5 {
			u.idToken = p.signInNamed(u.uid(), strings.Repeat("x", i+1))
			if got := u.begin(p, nil).alertTypes(); got != nil {
				t.Errorf("switched off, it raises %v", got)
			}
		}
	},
	"SUSPICIOUS_DEVICE_TYPES": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		u := p.newcomer(nil)
		u.begin(p, nil, header("User-Agent", laptopAgent))
		u.again().begin(p, nil, header("User-Agent", phoneAgent)).wantAlerts(t, "device_mix", "new_device")

		p = f.off.in(t)
		u = p.newcomer(nil)
		u.begin(p, nil, header("User-Agent", laptopAgent))
		if got := u.again().begin(p, nil, header("User-Agent", phoneAgent)).alertTypes(); !slices.Equal(got, []string{"new_device"}) {
			t.Errorf("switched off, it raises %v", got)
		}
	},
	"IP_POLICY": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		u := p.newcomer(nil)
		u.begin(p, nil, from("198.51.100.7"))
		p.want(http.StatusUnauthorized, "ip_changed", http.MethodGet, "/v1/sessions", u.idToken, nil, from("192.0.2.7"))
		if got := p.want(http.StatusUnauthorized, "session_ended", http.MethodGet, "/v1/sessions", u.idToken, nil).text("reason"); got != "ip_changed" {
			t.Errorf("ended as %s", got)
		}
	},
	"IP_PREFIX_V4": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		u := p.newcomer(nil)
		u.begin(p, nil, from("198.51.100.7"))
		p.want(http.StatusOK, "", http.MethodGet, "/v1/sessions", u.idToken, nil, from("198.51.100.254"))
		p.want(http.StatusUnauthorized, "ip_changed", http.MethodGet, "/v1/sessions", u.idToken, nil, from("198.51.101.7"))
	},
	"IP_PREFIX_V6": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		u := p.newcomer(nil)
		u.begin(p, nil, from("2001:db8:7:1::1"))
		p.want(http.StatusOK, "", http.MethodGet, "/v1/sessions", u.idToken, nil, from("2001:db8:7:2::1"))
		p.want(http.StatusUnauthorized, "ip_changed", http.MethodGet, "/v1/sessions", u.idToken, nil, from("2001:db8:8:1::1"))
	},
	"ADMIN_CLAIM": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		operator, admin := p.newcomer(map[string]any{"operator": true}), p.newcomer(map[string]any{"admin": true})
		operator.register(p)
		admin.register(p)
		p.want(http.StatusOK, "", http.MethodGet, "/v1/admin/stats", operator.idToken, nil)
		p.want(http.StatusForbidden, "forbidden", http.MethodGet, "/v1/admin/stats", admin.idToken, nil)
	},
	"USER_STATE_TTL": func(t *testing.T, f *fleet) {
		impatient, patient := f.sockets.in(t), f.plain.in(t)
		u := impatient.newcomer(nil)
		u.register(impatient)
		u.register(patient)
		u.disable()
		eventually(t, "Firebase is asked again", func() bool {
			return impatient.code(http.MethodGet, "/v1/check", u.idToken) == "user_disabled"
		})
		patient.want(http.StatusNoContent, "", http.MethodGet, "/v1/check", u.idToken, nil)
	},
	"RATE_LIMITS": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		for i := range 3 {
			a := p.call(http.MethodGet, "/v1/ws", "", nil, from("192.0.2.77"))
			if limited := a.text("code") == "rate_limited"; limited != (i == 2) || limited && a.header.Get("Retry-After") == "" {
				t.Errorf("handshake %d: %d %v %v", i+1, a.status, a.header, a.body)
			}
		}
		p = f.off.in(t)
		u := p.newcomer(nil)
		for range 70 { // more than the default lets through
			p.want(http.StatusUnauthorized, "reauth_required", http.MethodPost, "/v1/sessions", p.mint(u.uid(), map[string]any{"auth_time": 1}), nil)
		}
	},
}

// disable disables the account in Firebase, past Vigil.
func (u *user) disable() {
	u.Helper()
	url := u.world.identity.URL + "/identitytoolkit.googleapis.com/v1/projects/" + u.project + "/accounts:update"
	if err := post(u.Context(), url, "owner", map[string]any{"localId": u.uid(), "disableUser": true}, nil); err != nil {
		u.Fatal(err)
	}
}
