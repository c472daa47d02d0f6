package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vigilhq/vigil/firestore/firestoretest"
)

// TestContractCodes has every error code of the OpenAPI document produced by a request to a running instance, and then looks for the
// traces of that in the instance's metrics.
func TestContractCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	proxy := firestoretest.NewProxy(t, firestoretest.Start(t))
	p := w.serve(proxy.Host(), "FEED_RESYNC=1s", "MAX_SESSIONS=1", "SESSION_LIMIT_POLICY=reject", "IP_POLICY=strict",
		"TRUSTED_PROXIES=127.0.0.1/32", "RATE_LIMITS=handshake=1/h:1", "IDLE_TIMEOUT=8s", "IDLE_WARNING=1s")
	made := make(map[string]bool)
	expect := func(status int, code, method, path, token string, body any, edits ...func(*http.Request)) {
		t.Helper()
		p.want(status, code, method, path, token, body, edits...)
		made[code] = true
	}
	p.makeTokenCodes(expect)
	p.makeSessionCodes(expect)
	p.makeRequestCodes(expect)

	ana := w.newcomer(nil)
	ana.begin(p, nil)
	ops := p.opsURL() + "/metrics"
	eventually(t, "a session has ended for idleness", func() bool { return p.code(http.MethodGet, "/v1/check", ana.idToken) == "session_ended" })
	proxy.Cut()
	eventually(t, "the store's outage is told", func() bool {
		a := p.call(http.MethodGet, "/v1/check", ana.idToken, nil)
		return a.status == http.StatusServiceUnavailable && a.text("code") == "unavailable" && a.header.Get("Retry-After") != ""
	})
	made["unavailable"] = true

	enum := codesOfOpenAPI(t, p)
	for _, code := range enum {
		if !made[code] && code != "internal" && code != "misdirected" { // a defect; only from vigil dev, whose test has it
			t.Errorf("%s has not been produced", code)
		}
		delete(made, code)
	}
	if len(made) > 0 || len(enum) < 17 {
		t.Errorf("the OpenAPI document has %v, and leaves out %v", enum, made)
	}
	_, _, text := get(t, ops)
	wantMoved(t, samples(text))
}

// expectation makes a request and expects a status and a code.
type expectation func(status int, code, method, path, token string, body any, edits ...func(*http.Request))

func (p *process) makeTokenCodes(expect expectation) {
	p.Helper()
	expect(http.StatusUnauthorized, "token_missing", http.MethodGet, "/v1/check", "", nil)
	expect(http.StatusUnauthorized, "token_invalid", http.MethodGet, "/v1/check", "no.such.token", nil)
	expect(http.StatusUnauthorized, "token_expired", http.MethodGet, "/v1/check", p.mint("ana", map[string]any{"exp": 1_700_000_000, "iat": 1_699_996_400, "auth_time": 1_699_996_400}), nil)
}

func (p *process) makeSessionCodes(expect expectation) {
	p.Helper()
	ana := p.newcomer(nil)
	expect(http.StatusUnauthorized, "session_required", http.MethodGet, "/v1/check", ana.idToken, nil)
	ana.begin(p, nil, from("203.0.113.7"))
	second := ana.again()
	expect(http.StatusConflict, "session_limit", http.MethodPost, "/v1/sessions", second.idToken, nil)
	expect(http.StatusForbidden, "forbidden", http.MethodGet, "/v1/admin/stats", ana.idToken, nil, from("203.0.113.7"))
	expect(http.StatusUnauthorized, "ip_changed", http.MethodGet, "/v1/sessions", ana.idToken, nil, from("198.51.100.7"))
	expect(http.StatusUnauthorized, "session_ended", http.MethodGet, "/v1/sessions", ana.idToken, nil, from("203.0.113.7"))
	expect(http.StatusUnauthorized, "reauth_required", http.MethodPost, "/v1/sessions", ana.idToken, nil)
	second.begin(p, nil)
	p.want(http.StatusNoContent, "", http.MethodPost, "/v1/logout", second.idToken, nil)

	ben, cleo, admin := p.newcomer(nil), p.newcomer(nil), p.newcomer(map[string]any{"admin": true})
	for _, each := range []*user{ben, cleo, admin} {
		each.begin(p, nil)
	}
	p.want(http.StatusOK, "", http.MethodPost, "/v1/admin/users/"+ben.uid()+"/revoke", admin.idToken, nil)
	p.want(http.StatusOK, "", http.MethodPost, "/v1/admin/users/"+cleo.uid()+"/disable", admin.idToken, nil)
	expect(http.StatusUnauthorized, "token_revoked", http.MethodGet, "/v1/check", ben.idToken, nil)
	expect(http.StatusUnauthorized, "user_disabled", http.MethodGet, "/v1/check", cleo.idToken, nil)
}

func (p *process) makeRequestCodes(expect expectation) {
	p.Helper()
	u := p.newcomer(nil)
	expect(http.StatusBadRequest, "invalid_request", http.MethodPost, "/v1/sessions", u.idToken, map[string]any{"devicename": "odd case"})
	expect(http.StatusRequestEntityTooLarge, "too_large", http.MethodPost, "/v1/sessions", u.idToken, map[string]any{"deviceName": strings.Repeat("x", 64<<10)})
	expect(http.StatusMethodNotAllowed, "method_not_allowed", http.MethodPatch, "/v1/sessions", u.idToken, nil)
	u.begin(p, nil)
	expect(http.StatusNotFound, "not_found", http.MethodDelete, "/v1/sessions/"+strings.Repeat("0", 64), u.idToken, nil)
	_ = p.call(http.MethodGet, "/v1/ws", "", nil) // it is no handshake, and counts as one
	expect(http.StatusTooManyRequests, "rate_limited", http.MethodGet, "/v1/ws", "", nil)
}

// codesOfOpenAPI are the error codes as the running instance describes them.
func codesOfOpenAPI(t *testing.T, p *process) (codes []string) {
	t.Helper()
	document := any(p.want(http.StatusOK, "", http.MethodGet, "/openapi.json", "", nil).body)
	for _, name := range []string{"components", "schemas", "Code", "enum"} {
		members, _ := document.(map[string]any)
		document = members[name]
	}
	list, _ := document.([]any)
	for _, each := range list {
		code, _ := each.(string)
		codes = append(codes, code)
	}
	return codes
}

// wantMoved expects the counters of what has just happened to have moved.
func wantMoved(t *testing.T, values map[string]float64) {
	t.Helper()
	for _, name := range []string{
		"vigil_sessions_started_total",
		`vigil_sessions_ended_total{reason="logout"}`, `vigil_sessions_ended_total{reason="ip_changed"}`,
		`vigil_sessions_ended_total{reason="admin_revoked"}`, `vigil_sessions_ended_total{reason="user_disabled"}`,
		`vigil_sessions_ended_total{reason="idle_timeout"}`,
		`vigil_security_alerts_total{type="ip_changed"}`, "vigil_tokens_expired_total",
		`vigil_notice_lag_seconds_count{kind="ended"}`, "vigil_revocation_seconds_count",
		`vigil_firestore_operations_total{operation="read"}`, `vigil_firestore_operations_total{operation="write"}`,
		`vigil_identity_lookups_total{result="ok"}`,
		`vigil_cache_requests_total{cache="token",result="hit"}`, `vigil_cache_requests_total{cache="token",result="miss"}`,
		`vigil_cache_requests_total{cache="account",result="hit"}`, `vigil_cache_requests_total{cache="account",result="miss"}`,
		`vigil_cache_requests_total{cache="user",result="hit"}`, `vigil_cache_requests_total{cache="user",result="miss"}`,
		`vigil_cache_requests_total{cache="session",result="hit"}`, `vigil_cache_requests_total{cache="session",result="miss"}`,
		`vigil_rate_limited_total{limit="handshake"}`, "vigil_sweeps_total",
		`vigil_http_requests_total{method="GET",route="/v1/check",status="503"}`,
		`vigil_http_requests_total{method="POST",route="/v1/sessions",status="201"}`,
	} {
		if values[name] < 1 {
			t.Errorf("%s is %v", name, values[name])
		}
	}
	for _, name := range []string{`vigil_sessions_ended_total{reason="other"}`, `vigil_security_alerts_total{type="other"}`,
		`vigil_cache_requests_total{cache="other",result="hit"}`, `vigil_rate_limited_total{limit="other"}`} {
		if values[name] > 0 {
			t.Errorf("%s is %v: a word is missing", name, values[name])
		}
	}
	if ready, there := values["vigil_ready"]; ready != 0 || !there {
		t.Errorf("without a store it says that it is ready: %v", ready)
	}
}
