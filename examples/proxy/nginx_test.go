package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func trim(url string) string { return strings.TrimPrefix(url, "http://") }

// refused fails unless it is a 401 with this code, as Vigil gives it.
func refused(t *testing.T, a answer, code string) {
	t.Helper()
	if a.status != http.StatusUnauthorized || a.fields()["code"] != code {
		t.Errorf("got %d %s, want 401 %s", a.status, a.body, code)
	}
	if got := a.header.Values("WWW-Authenticate"); len(got) != 1 || !strings.HasPrefix(got[0], "Bearer") {
		t.Errorf("WWW-Authenticate is %q", got)
	}
	if a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the headers of the problem are %v", a.header)
	}
}

func TestNginx(t *testing.T) {
	v := newVigil(t)
	f := newFront(t, trim(v.api))
	uid, token, id := v.begin("nina@example.com")

	t.Run("a live session passes, with its names", func(t *testing.T) {
		for how, header := range map[string]http.Header{
			"Authorization": bearer(token),
			"cookie":        {"Cookie": {"theme=dark; vigil_token=" + token}},
			"both":          {"Authorization": {"Bearer " + token}, "Cookie": {"vigil_token=nonsense"}},
		} {
			got := f.get("/page?a=b%20c", header).seen(t)
			if got.URL.RequestURI() != "/page?a=b%20c" || got.Header.Get("X-Vigil-User") != uid || got.Header.Get("X-Vigil-Session") != id || got.Header.Get("X-Vigil-Auth-Time") == "" {
				t.Errorf("%s: %s %v", how, got.URL, got.Header)
			}
			if got.Header.Get("Authorization") != "Bearer "+token {
				t.Errorf("%s: the application gets %q, not the token that was checked", how, got.Header.Get("Authorization"))
			}
		}
		posted := ask(t, f.client, http.MethodPost, f.url+"/page", "the body", bearer(token)).seen(t)
		if body, _ := io.ReadAll(posted.Body); posted.Method != http.MethodPost || string(body) != "the body" {
			t.Errorf("the application gets %s %q", posted.Method, body)
		}
	})

	t.Run("nothing else does", func(t *testing.T) {
		_, unregistered := v.signUp("uma@example.com")
		refused(t, f.get("/page", nil), "token_missing")
		refused(t, f.get("/page", bearer("nonsense")), "token_invalid")
		refused(t, f.get("/page", http.Header{"Cookie": {"vigil_token=nonsense"}}), "token_invalid")
		refused(t, f.get("/page", bearer(unregistered)), "session_required")
		refused(t, ask(t, f.client, http.MethodPost, f.url+"/page", strings.Repeat("x", 100_000), nil), "token_missing")
		if a := f.get("/_vigil/check", bearer(token)); a.status != http.StatusNotFound {
			t.Errorf("the check itself is reached from outside: %d", a.status)
		}
	})

	t.Run("an ended session is out", func(t *testing.T) {
		_, token, _ := v.begin("lena@example.com")
		f.get("/page", bearer(token)).seen(t)
		v.post(v.api+"/v1/logout", token, "")
		a := f.get("/page", bearer(token))
		refused(t, a, "session_ended")
		if a.fields()["reason"] != "logout" {
			t.Errorf("the reason is %v", a.fields()["reason"])
		}
	})

	t.Run("a revoked user is out", func(t *testing.T) {
		uid, token, _ := v.begin("rita@example.com")
		f.get("/page", bearer(token)).seen(t)
		admin := v.post(v.identity+"/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=dev", "",
			`{"email":"admin@example.com","password":"admin-password","returnSecureToken":true}`)["idToken"].(string)
		v.post(v.api+"/v1/sessions", admin, "")
		v.post(v.api+"/v1/admin/users/"+uid+"/revoke", admin, "")
		refused(t, f.get("/page", bearer(token)), "token_revoked")
	})

	t.Run("Vigil is reached through it, and hears the address that nginx saw", func(t *testing.T) {
		_, token := v.signUp("vera@example.com")
		header := bearer(token)
		header["X-Forwarded-For"] = []string{"203.0.113.9"}
		a := ask(t, f.client, http.MethodPost, f.url+"/v1/sessions", "", header)
		if s, _ := a.fields()["session"].(map[string]any); a.status != http.StatusCreated || s["ipAddress"] != "127.0.0.1" {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})

	t.Run("the socket", func(t *testing.T) {
		dialer := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: f.pool, MinVersion: tls.VersionTLS12}, HandshakeTimeout: patience}
		ws, answer, err := dialer.DialContext(t.Context(), strings.Replace(f.url, "https", "wss", 1)+"/v1/ws", http.Header{"Origin": {"http://localhost:3000"}})
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		defer ws.Close()
		var frame struct{ Type string }
		if err := ws.WriteJSON(map[string]string{"type": "auth", "token": token}); err != nil {
			t.Fatal(err)
		}
		if err := ws.ReadJSON(&frame); err != nil || frame.Type != "ready" {
			t.Errorf("got %+v, %v", frame, err)
		}
	})

	t.Run("down, it lets nobody in and signs nobody out", func(t *testing.T) {
		v.kill()
		for _, path := range []string{"/page", "/billing/"} {
			a := f.get(path, bearer(token))
			if a.status != http.StatusServiceUnavailable || a.fields()["code"] != "unavailable" {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	})
}

func TestNginxAsksForARecentSignIn(t *testing.T) {
	v := newVigil(t)
	f := newFront(t, trim(v.api), "set $vigil_max_age 300;", "set $vigil_max_age 0;")
	_, token, _ := v.begin("rosa@example.com")
	deadline := time.Now().Add(patience)
	a := f.get("/billing/", bearer(token))
	for a.status == http.StatusOK && time.Now().Before(deadline) { // within the second of the sign-in
		a = f.get("/billing/", bearer(token))
	}
	refused(t, a, "reauth_required")
	if got := a.header.Get("WWW-Authenticate"); !strings.Contains(got, `error="insufficient_user_authentication"`) || !strings.Contains(got, `max_age="0"`) {
		t.Errorf("WWW-Authenticate is %q", got)
	}
	f.get("/page", bearer(token)).seen(t) // elsewhere it is good enough
}

// What a client calls X-Vigil-* itself never reaches the application, with a session or without, in whatever spelling.
func TestNginxDeletesWhatClientsCallThemselves(t *testing.T) {
	v := newVigil(t)
	f := newFront(t, trim(v.api))
	uid, token, id := v.begin("nina@example.com")
	var lines strings.Builder
	for _, name := range []string{
		"X-Vigil-User", "x-vigil-user", "X-VIGIL-SESSION", "X-Vigil-Auth-Time", "X_Vigil_User", "X-Vigil_User", "X_Vigil-User", "x_vigil_session", "X_VIGIL_AUTH_TIME", "X_Vigil_Role",
		"X.Vigil.User",
	} {
		fmt.Fprintf(&lines, "%s: admin\r\n", name)
	}
	lines.WriteString("Connection: X-Vigil-User, X-Vigil-Session\r\n")
	for name, test := range map[string]struct{ path, authorization, user, session string }{
		"with a session":            {"/page", "Authorization: Bearer " + token + "\r\n", uid, id},
		"where nothing is checked":  {"/sign-in", "", "", ""},
		"though there is a session": {"/_next/static/a.js", "Authorization: Bearer " + token + "\r\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.raw("GET " + test.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + test.authorization + lines.String() + "\r\n").seen(t)
			for name, values := range got.Header {
				plain := strings.Map(func(r rune) rune {
					if r == '_' || r == '.' || r == ' ' {
						return '-'
					}
					return r
				}, strings.ToLower(name))
				want, known := map[string]string{"x-vigil-user": test.user, "x-vigil-session": test.session}[plain]
				switch {
				case plain == "x-vigil-auth-time" && test.user != "" && values[0] != "admin":
				case known && want != "" && len(values) == 1 && values[0] == want:
				case strings.HasPrefix(plain, "x-vigil"):
					t.Errorf("%q: %q has reached the application", name, values)
				}
			}
			if got.Header.Get("X-Vigil-User") != test.user {
				t.Errorf("the application sees the user %q, not %q", got.Header.Get("X-Vigil-User"), test.user)
			}
		})
	}
	refused(t, f.raw("GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\n"+lines.String()+"\r\n"), "token_missing")
	if a := f.raw("GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Vigil-User : admin\r\n\r\n"); a.status != http.StatusBadRequest {
		t.Errorf("a name with a space: %d", a.status)
	}
}

// With the module that the example names, no name that begins so passes, also none that Vigil may use one day.
func TestNginxDeletesEveryNameWithHeadersMore(t *testing.T) {
	const module = "/usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so"
	if _, err := os.Stat(module); err != nil {
		t.Fatal("no module headers-more: a line of nginx.conf is tried with it (apt-get install libnginx-mod-http-headers-more-filter)")
	}
	v := newVigil(t)
	f := newFront(t, trim(v.api), "#more_clear_input_headers", "more_clear_input_headers", "events {}", "load_module "+module+"; events {}")
	uid, token, _ := v.begin("nina@example.com")
	for path, want := range map[string]string{"/page": uid, "/sign-in": ""} {
		header := bearer(token)
		header["X-Vigil-Role"], header["x-vigil-user"] = []string{"admin"}, []string{"admin"}
		got := f.get(path, header).seen(t)
		if got.Header.Get("X-Vigil-Role") != "" || got.Header.Get("X-Vigil-User") != want {
			t.Errorf("%s: the application gets %v", path, got.Header)
		}
	}
}

// Another protocol than WebSocket would be a tunnel past the check; a second token would be one that nobody has looked at.
func TestNginxPassesOnOnlyWhatWasChecked(t *testing.T) {
	v := newVigil(t)
	f := newFront(t, trim(v.api))
	uid, token, _ := v.begin("nina@example.com")
	_, other, _ := v.begin("olga@example.com")
	got := f.raw("GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nAuthorization: Bearer " + token + "\r\n\r\n").seen(t)
	if got.Header.Get("Upgrade") != "" {
		t.Errorf("the application is asked for %q", got.Header.Get("Upgrade"))
	}
	got = f.raw("GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nAuthorization: Bearer " + token + "\r\n\r\n").seen(t)
	if got.Header.Get("Upgrade") != "websocket" || got.Header.Get("Connection") != "upgrade" {
		t.Errorf("a WebSocket of the application is not asked for: %v", got.Header)
	}
	a := f.raw("GET /page HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + token + "\r\nAuthorization: Bearer " + other + "\r\n\r\n")
	if a.status == http.StatusBadRequest {
		return // newer versions of nginx refuse it themselves
	}
	got = a.seen(t)
	if tokens := got.Header.Values("Authorization"); len(tokens) != 1 || tokens[0] != "Bearer "+token || got.Header.Get("X-Vigil-User") != uid {
		t.Errorf("of two tokens, the application gets %d, and %s", len(tokens), got.Header.Get("X-Vigil-User"))
	}
}

// raw sends a request as it stands, on a connection of its own.
func (f *front) raw(request string) answer {
	f.Helper()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: f.pool, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(f.Context(), "tcp", strings.TrimPrefix(f.url, "https://"))
	if err != nil {
		f.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		f.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		f.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		f.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		f.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// Whatever Vigil answers: in with 2xx, out with 401 and 403, and otherwise neither.
func TestNginxKnowsEveryAnswer(t *testing.T) {
	var answers atomic.Pointer[func(http.ResponseWriter, *http.Request)]
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*answers.Load())(w, r) }))
	defer fake.Close()
	f := newFront(t, trim(fake.URL))
	for status, want := range map[int]int{
		204: 200, 401: 401, 403: 403, 429: 429,
		302: 503, 400: 503, 404: 503, 500: 503, 502: 503, 503: 503, 504: 503,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			handler := func(w http.ResponseWriter, r *http.Request) {
				if r.RequestURI != "/v1/check?maxAge=300" || r.Method != http.MethodGet || r.ContentLength != 0 {
					t.Errorf("Vigil is asked %s %s, with %d bytes", r.Method, r.RequestURI, r.ContentLength)
				}
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(status)
			}
			answers.Store(&handler)
			a := ask(t, f.client, http.MethodPost, f.url+"/billing/card", "a body", bearer("a token"))
			if a.status != want {
				t.Errorf("got %d %s, want %d", a.status, a.body, want)
			}
			if code := map[int]string{429: "rate_limited", 503: "unavailable"}[want]; code != "" && (a.fields()["code"] != code || a.header.Get("Retry-After") != "7") {
				t.Errorf("got %v %s", a.header, a.body)
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		handler := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		answers.Store(&handler)
		if a := f.get("/page", bearer("a token")); a.status != http.StatusServiceUnavailable {
			t.Errorf("got %d", a.status)
		}
	})
	t.Run("none in time", func(t *testing.T) {
		f := newFront(t, trim(fake.URL), "proxy_read_timeout 5s;", "proxy_read_timeout 50ms;")
		handler := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		answers.Store(&handler)
		if a := f.get("/page", bearer("a token")); a.status != http.StatusServiceUnavailable || a.fields()["code"] != "unavailable" {
			t.Errorf("got %d %s", a.status, a.body)
		}
	})
	t.Run("a session that begins after the refusal", func(t *testing.T) {
		var asked atomic.Int32
		handler := func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("X-Vigil-User", "nina")
			w.WriteHeader(http.StatusNoContent)
		}
		answers.Store(&handler)
		if a := f.get("/page", bearer("a token")); a.status != http.StatusUnauthorized || a.header.Get("X-Vigil-User") != "" {
			t.Errorf("got %d %v", a.status, a.header)
		}
	})
}
