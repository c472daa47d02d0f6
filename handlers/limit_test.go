package handlers_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/session"
)

// limited gives every class its own burst, so that a test sees which one counts.
func limited(w *world) {
	w.options.Limits = handlers.Limits{
		Register:  handlers.Limit{PerSecond: 0.1, Burst: 2},
		Sensitive: handlers.Limit{PerSecond: 10.0 / 60, Burst: 3},
		API:       handlers.Limit{PerSecond: 50, Burst: 5},
		Handshake: handlers.Limit{PerSecond: 1, Burst: 4},
	}
	w.options.Socket = func(rw http.ResponseWriter, _ *http.Request, _ session.Origin) error {
		rw.WriteHeader(http.StatusSwitchingProtocols)
		return nil
	}
}

// until sends a request until it is refused, and returns how many were not.
func (w *world) until(retryAfter, method, target, token string, edits ...edit) int {
	w.t.Helper()
	for n := range 100 {
		a := w.do(method, target, token, edits...)
		if a.code == http.StatusTooManyRequests {
			a.problem(http.StatusTooManyRequests, "rate_limited")
			if got := a.header.Get("Retry-After"); got != retryAfter {
				w.t.Errorf("%s: Retry-After %s, want %s", target, got, retryAfter)
			}
			return n
		}
	}
	w.t.Fatalf("%s is not limited", target)
	return 0
}

func TestLimitsByClass(t *testing.T) {
	for _, test := range []struct {
		method, target string
		burst          int
		retryAfter     string // rounded up
	}{
		{"POST", "/v1/sessions", 1, "9"}, // one has begun the session, and a tenth of it has come back
		{"GET", "/v1/sessions", 5, "1"},
		{"GET", "/v1/check?maxAge=300", 5, "1"},
		{"GET", "/v1/admin/users/ana/sessions", 5, "1"},
		{"POST", "/v1/admin/users/bob/revoke", 3, "6"},
		{"DELETE", "/v1/admin/sessions/x", 3, "6"},
		{"GET", "/v1/ws", 4, "1"},
	} {
		t.Run(test.method+" "+test.target, func(t *testing.T) {
			inWorld(t, func(w *world) {
				admin, other := w.live(boss), w.live(ana)
				if n := w.until(test.retryAfter, test.method, test.target, admin); n != test.burst {
					t.Errorf("refused after %d, want %d", n, test.burst)
				}
				if test.target == "/v1/ws" {
					return
				}
				w.do("GET", "/v1/check", other).want(http.StatusNoContent) // another user
				<-time.After(time.Minute)
				if a := w.do(test.method, test.target, admin); a.code == http.StatusTooManyRequests {
					t.Error("refused for good")
				}
			}, limited)
		})
	}
}

func TestNotLimited(t *testing.T) {
	inWorld(t, func(w *world) {
		for range 50 {
			for _, path := range []string{"/healthz", "/readyz", "/openapi.json"} {
				w.do("GET", path, "").want(http.StatusOK)
			}
		}
	}, limited)
	inWorld(t, func(w *world) {
		token := w.live(ana)
		for range 1000 {
			w.do("GET", "/v1/check", token).want(http.StatusNoContent)
			w.do("GET", "/v1/check", "not.a.token").want(http.StatusUnauthorized)
		}
	})
}

// Nothing is read for a request that is refused: the store may be down, and the account is not looked up.
func TestLimitBeforeReads(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.signIn(ana)
		w.store.mode.Store(fails)
		for range 2 {
			w.do("POST", "/v1/sessions", token).problem(503, session.CodeUnavailable)
		}
		before := w.dir.LookUps()
		w.do("POST", "/v1/sessions", token).problem(429, "rate_limited")
		w.do("POST", "/v1/sessions", w.dir.Refresh(token)).problem(429, "rate_limited")
		if got := w.dir.LookUps(); got != before {
			t.Errorf("%d look-ups", got-before)
		}
	}, limited)
}

// Without a token that says whose it is, the address counts, and it is the one that the service believes in.
func TestLimitByAddress(t *testing.T) {
	tests := map[string]struct {
		request func(*http.Request, int)
		shared  bool
	}{
		"one peer":            {func(*http.Request, int) {}, true},
		"forged headers":      {func(r *http.Request, n int) { forge(r, n) }, true},
		"another garbage":     {func(r *http.Request, n int) { r.Header.Set("Authorization", fmt.Sprintf("Bearer a.b.c%d", n)) }, true},
		"two tokens":          {func(r *http.Request, _ int) { r.Header["Authorization"] = []string{"Bearer a", "Bearer b"} }, true},
		"another port":        {func(r *http.Request, n int) { r.RemoteAddr = fmt.Sprintf("203.0.113.7:%d", 1000+n) }, true},
		"another peer":        {func(r *http.Request, n int) { r.RemoteAddr = fmt.Sprintf("203.0.113.%d:1", n) }, false},
		"one network of IPv6": {func(r *http.Request, n int) { r.RemoteAddr = fmt.Sprintf("[2001:db8:1:2:%x::1]:1", n+1) }, true},
		"networks of IPv6":    {func(r *http.Request, n int) { r.RemoteAddr = fmt.Sprintf("[2001:db8:1:%x::1]:1", n+1) }, false},
		"no peer":             {func(r *http.Request, _ int) { r.RemoteAddr = "@" }, true},
		"behind a proxy": {func(r *http.Request, n int) {
			r.RemoteAddr = "10.0.0.1:1"
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", n))
		}, false},
		"forged behind a proxy": {func(r *http.Request, n int) {
			r.RemoteAddr = "10.0.0.1:1"
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d, 203.0.113.7", n))
		}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				refused := 0
				for n := range 20 {
					if w.do("GET", "/v1/check", "a.b.c", func(r *http.Request) { test.request(r, n) }).code == http.StatusTooManyRequests {
						refused++
					}
				}
				if want := map[bool]int{true: 15, false: 0}[test.shared]; refused != want {
					t.Errorf("%d refused, want %d", refused, want)
				}
				w.do("GET", "/v1/token", w.signIn(ana)).want(http.StatusOK) // who can say who they are is not concerned
			}, limited)
		})
	}
}

func forge(r *http.Request, n int) {
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Forwarded"} {
		r.Header.Set(name, fmt.Sprintf("198.51.100.%d", n))
	}
}

// A user's limit goes with them, wherever they come from.
func TestLimitByUser(t *testing.T) {
	inWorld(t, func(w *world) {
		first, second := w.signIn(ana), w.signIn(ana)
		refused := 0
		for n := range 10 {
			token := []string{first, second}[n%2]
			if w.do("GET", "/v1/token", token, from(fmt.Sprintf("203.0.113.%d:1", n))).code == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused != 5 {
			t.Errorf("%d refused, want 5", refused)
		}
	}, limited)
}
