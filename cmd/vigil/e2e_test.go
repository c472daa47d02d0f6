package main

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestRevocationReachesTheOtherInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	a, b := w.serve(host), w.serve(host)
	admin := w.signIn("boss", adminPass)
	admin.register(a)
	laptop, phone, ben := w.signIn("ana", userPass), w.signIn("ana", userPass), w.signIn("ben", userPass)
	laptop.register(a)
	phone.register(b)
	ben.register(b)
	tabs := []*tab{laptop.connect(a), laptop.connect(b), phone.connect(b)}
	bens := ben.connect(b)
	old := laptop.idToken

	revoked := a.want(http.StatusOK, "", http.MethodPost, "/v1/admin/users/ana/revoke", admin.idToken, map[string]any{"reason": "lost laptop"})
	if revoked.body["ended"] != 2.0 || revoked.text("revokedAt") == "" {
		t.Errorf("%v", revoked.body)
	}
	for _, tab := range tabs {
		tab.wantEnd("admin_revoked", wire.CloseRevoked)
	}
	bens.stillOpen()
	for _, p := range []*process{a, b} {
		for _, token := range []string{old, phone.idToken, laptop.renewed()} {
			p.want(http.StatusUnauthorized, "token_revoked", http.MethodGet, "/v1/check", token, nil)
			p.want(http.StatusUnauthorized, "token_revoked", http.MethodPost, "/v1/sessions", token, nil)
		}
	}
	kicked := phone.open(b)
	if f := kicked.want(wire.TypeAuthExpired); f["reason"] != "token_revoked" {
		t.Errorf("%v", f)
	}
	kicked.wantClose(wire.CloseUnauthorized)

	again := w.signIn("ana", userPass)
	again.register(b)
	again.connect(a).stillOpen()
	ended := a.want(http.StatusOK, "", http.MethodGet, "/v1/admin/users/ana/sessions", admin.idToken, nil)
	reasons := make(map[any]int)
	for _, each := range ended.body["sessions"].([]any) {
		s, _ := each.(map[string]any)
		reasons[s["endReason"]]++
	}
	if reasons["admin_revoked"] != 2 || reasons[nil] != 1 {
		t.Errorf("end reasons %v", reasons)
	}
}

func TestEndingOneSessionLeavesTheOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	a, b := w.serve(host), w.serve(host)
	admin := w.signIn("boss", adminPass)
	admin.register(a)
	laptop, phone := w.signIn("ana", userPass), w.signIn("ana", userPass)
	id := laptop.register(a)
	phone.register(a)
	ended, other := laptop.connect(b), phone.connect(b)

	a.want(http.StatusNoContent, "", http.MethodDelete, "/v1/admin/sessions/"+id, admin.idToken, nil)
	ended.wantEnd("admin_revoked", wire.CloseRevoked)
	other.stillOpen()
	eventually(t, "the other instance refuses", func() bool {
		return b.call(http.MethodGet, "/v1/check", laptop.idToken, nil).text("reason") == "admin_revoked"
	})
	for _, p := range []*process{a, b} {
		p.want(http.StatusUnauthorized, "session_ended", http.MethodGet, "/v1/check", laptop.idToken, nil)
		spent := p.want(http.StatusUnauthorized, "reauth_required", http.MethodPost, "/v1/sessions", laptop.renewed(), nil)
		if spent.text("reason") != "admin_revoked" || spent.body["maxAge"] != 0.0 {
			t.Errorf("%v", spent.body)
		}
		p.want(http.StatusNoContent, "", http.MethodGet, "/v1/check", phone.idToken, nil)
	}
}

// The same word everywhere: HTTP, socket and store.
func TestTheReasonIsTheSameWordEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	short := []string{"IDLE_TIMEOUT=3s", "IDLE_WARNING=1s", "FEED_RESYNC=1s"}
	a, b := w.serve(host), w.serve(host)
	quick := w.serve(host, short...)
	admin := w.signIn("boss", adminPass)
	admin.register(a)
	for reason, c := range map[string]struct {
		at   *process
		end  func(u *user, id string)
		code wire.CloseCode
	}{
		"idle_timeout": {quick, func(*user, string) {}, wire.CloseIdle},
		"admin_revoked": {b, func(_ *user, id string) {
			a.want(http.StatusNoContent, "", http.MethodDelete, "/v1/admin/sessions/"+id, admin.idToken, nil)
		}, wire.CloseRevoked},
		"logout": {b, func(u *user, _ string) {
			a.want(http.StatusNoContent, "", http.MethodPost, "/v1/logout", u.idToken, nil)
		}, wire.CloseRevoked},
		"revoked": {b, func(_ *user, id string) {
			other := w.signIn("ana", userPass)
			other.register(a)
			a.want(http.StatusNoContent, "", http.MethodDelete, "/v1/sessions/"+id, other.idToken, nil)
		}, wire.CloseRevoked},
	} {
		u := w.signIn("ana", userPass)
		id := u.register(c.at)
		tab := u.connect(c.at)
		c.end(u, id)
		if reason == "idle_timeout" {
			tab.want(wire.TypeIdleWarning)
		}
		tab.wantEnd(reason, c.code)
		var stored map[string]any
		eventually(t, "the end is stored", func() bool {
			for _, each := range a.call(http.MethodGet, "/v1/admin/users/ana/sessions", admin.idToken, nil).body["sessions"].([]any) {
				if s, _ := each.(map[string]any); s["id"] == id && s["status"] == "ended" {
					stored = s
					return true
				}
			}
			return false
		})
		refused := c.at.want(http.StatusUnauthorized, "session_ended", http.MethodGet, "/v1/sessions/current", u.idToken, nil)
		if stored["endReason"] != reason || refused.text("reason") != reason || refused.text("endedAt") != stored["endedAt"] {
			t.Errorf("%s: stored %v at %v, HTTP %v", reason, stored["endReason"], stored["endedAt"], refused.body)
		}
	}
}

// killWithinRevocation has an instance die between the commit of a revocation of ana and that of her tokens. Until the identity server
// is intercepted no more, nobody else can revoke them either.
func (w *world) killWithinRevocation(doomed *process, admin *user) {
	w.Helper()
	reached := make(chan struct{}, 10)
	w.intercept(func(r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/accounts:update") { // the revocation of the tokens
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
			reached <- struct{}{}
			<-r.Context().Done()
			return false
		}
		return true
	})
	go func() { _, _ = doomed.tryCall(http.MethodPost, "/v1/admin/users/ana/revoke", admin.idToken, nil) }()
	<-reached
	doomed.signal(syscall.SIGKILL)
	doomed.wait()
}

// The instance that accepted a revocation dies between its commit and the revocation of the tokens; another finishes.
func TestASurvivorFinishesTheRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	doomed := w.serve(host, "FEED_RESYNC=1s")
	survivor := w.serve(host, "FEED_RESYNC=1s")
	admin := w.signIn("boss", adminPass)
	admin.register(doomed)
	laptop := w.signIn("ana", userPass)
	laptop.register(survivor)
	tab := laptop.connect(survivor)

	w.killWithinRevocation(doomed, admin)
	tab.wantEnd("admin_revoked", wire.CloseRevoked)
	survivor.want(http.StatusUnauthorized, "token_revoked", http.MethodGet, "/v1/check", laptop.idToken, nil)
	if err := laptop.refresh(t.Context(), true); err != nil {
		t.Fatalf("the tokens are revoked already, nothing is left to finish: %v", err)
	}
	w.intercept(nil)
	eventually(t, "the survivor revokes the tokens", func() bool { return laptop.refresh(t.Context(), true) != nil })
	again := w.signIn("ana", userPass)
	again.register(survivor)
}

func TestOutagesSignNobodyOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	proxy := firestoretest.NewProxy(t, firestoretest.Start(t))
	p := w.serve(proxy.Host(), "FEED_RESYNC=1s", "USER_STATE_TTL=2s", "WS_TOKEN_CHECK_INTERVAL=1s", "TOUCH_INTERVAL=1s")
	ana := w.signIn("ana", userPass)
	id := ana.register(p)
	tab := ana.connect(p)

	w.intercept(func(*http.Request) bool { return false }) // identity stops
	eventually(t, "known state is over without the identity service", func() bool {
		a := p.call(http.MethodGet, "/v1/sessions/current", ana.idToken, nil)
		return a.status == http.StatusServiceUnavailable && a.text("code") == "unavailable" && a.header.Get("Retry-After") != ""
	})
	tab.wantClose(wire.CloseUnavailable)
	w.intercept(nil)
	eventually(t, "recovery from the identity outage", func() bool {
		return p.call(http.MethodGet, "/v1/sessions/current", ana.idToken, nil).status == http.StatusOK
	})

	tab = ana.connect(p)
	proxy.Cut() // the store stops
	eventually(t, "known state is over without the store", func() bool {
		a := p.call(http.MethodGet, "/v1/sessions/current", ana.idToken, nil)
		return a.status == http.StatusServiceUnavailable && a.text("code") == "unavailable"
	})
	tab.wantClose(wire.CloseUnavailable)
	proxy.Restore()
	eventually(t, "recovery from the store's outage", func() bool {
		return p.call(http.MethodGet, "/v1/sessions/current", ana.idToken, nil).status == http.StatusOK
	})
	if got := ana.connect(p); got == nil || p.call(http.MethodGet, "/v1/sessions/current", ana.idToken, nil).text("id") != id {
		t.Error("not the same session")
	}
}

func TestTermination(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	p, other := w.serve(host), w.serve(host)
	ana := w.signIn("ana", userPass)
	ana.register(p)
	tab := ana.connect(p)
	nextSecond()
	active := p.want(http.StatusOK, "", http.MethodPost, "/v1/sessions/current/activity", ana.idToken, nil).text("lastActive")
	p.signal(syscall.SIGTERM)
	tab.wantClose(wire.CloseRestart)
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := other.want(http.StatusOK, "", http.MethodGet, "/v1/sessions/current", ana.idToken, nil).text("lastActive"); got != active {
		t.Errorf("stored activity %s, was active at %s", got, active)
	}
}

func TestHandshakeNeedsAnAllowedOrigin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.serve(firestoretest.Start(t))
	for origin, status := range map[string]int{
		"https://dashboard.example.com":      http.StatusSwitchingProtocols,
		"":                                   http.StatusForbidden,
		"null":                               http.StatusForbidden,
		"https://dashboard.example.com.evil": http.StatusForbidden,
		"https://evil-dashboard.example.com": http.StatusForbidden,
		"http://dashboard.example.com":       http.StatusForbidden,
		"https://dashboard.example.com:8443": http.StatusForbidden,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.api+"/v1/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": origin,
		} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != status {
			t.Errorf("origin %q: %d, want %d", origin, response.StatusCode, status)
		}
	}
}

func TestServeNamesEveryFault(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, []string{"serve", "--idle-timeout", "soon", "--max-sessions=-1"},
		"IDLE_WARNING=0", "SESSION_LIMIT_POLICY=ignore", "RETENTION=1h", "TRUSTED_PROXIES=everybody",
		"ALLOWED_ORIGINS=https://ok.example.com,https://bad.example.com/path", "FIREBASE_AUTH_EMULATOR_HOST=127.0.0.1:9099", "FIRESTORE_EMULATOR_HOST=127.0.0.1:8081")
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatal("it runs")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 2 {
		t.Errorf("exit code %d", code)
	}
	for _, variable := range []string{
		"IDLE_TIMEOUT", "MAX_SESSIONS", "IDLE_WARNING", "SESSION_LIMIT_POLICY", "RETENTION", "TRUSTED_PROXIES", "ALLOWED_ORIGINS",
		"FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST",
	} {
		if !strings.Contains(p.stderr.String(), variable+": ") {
			t.Errorf("%s is not named in: %s", variable, p.stderr.String())
		}
	}
}
