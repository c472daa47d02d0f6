package handlers_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func TestRequestID(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, sane := range []string{"a", "A-1.b_2", strings.Repeat("x", 64)} {
			if got := w.do("GET", "/healthz", "", header("X-Request-Id", sane)).header.Values("X-Request-Id"); len(got) != 1 || got[0] != sane {
				t.Errorf("%q became %q", sane, got)
			}
		}
		seen := make(map[string]bool)
		for _, odd := range []string{"", " ", "a b", "a\nb", "é", "<script>", strings.Repeat("x", 65)} {
			got := w.do("GET", "/healthz", "", header("X-Request-Id", odd)).header.Get("X-Request-Id")
			if got == odd || seen[got] {
				t.Errorf("%q became %q", odd, got)
			}
			seen[got] = true
		}
	})
}

func TestCORS(t *testing.T) {
	preflight := header("Access-Control-Request-Method", "DELETE")
	inWorld(t, func(w *world) {
		token := w.live(ana)
		for _, a := range []answer{
			w.do("GET", "/v1/check", token, header("Origin", origin)).want(http.StatusNoContent),
			w.do("GET", "/v1/check", "", header("Origin", origin)).want(http.StatusUnauthorized),
			w.do("GET", "/v1/nothing", "", header("Origin", origin)).want(http.StatusNotFound),
		} {
			if got := a.header.Get("Access-Control-Allow-Origin"); got != origin {
				t.Errorf("%s: allowed is %q", a.what, got)
			}
			for _, name := range []string{"X-Request-Id", "X-Vigil-User", "X-Vigil-Session", "X-Vigil-Auth-Time", "WWW-Authenticate", "Retry-After", "Location"} {
				if exposed := a.header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, name) {
					t.Errorf("%s is not exposed: %s", name, exposed)
				}
			}
		}
		a := w.do("OPTIONS", "/v1/sessions/"+w.id(token), "", header("Origin", origin), preflight).want(http.StatusNoContent)
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE",
			"Access-Control-Allow-Headers": "Authorization, Content-Type, X-Request-Id", "Access-Control-Max-Age": "600",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		for _, other := range []string{"null", "http://app.example.com", origin + ".evil.com", origin + ":8443", "https://evil-app.example.com",
			"https://APP.example.com", "https://example.com", origin + "/", "*", ""} {
			for _, a := range []answer{
				w.do("GET", "/v1/check", token, header("Origin", other)),
				w.do("OPTIONS", "/v1/check", "", header("Origin", other), preflight),
			} {
				for name := range a.header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("origin %q: %s: %s", other, name, a.header.Get(name))
					}
				}
			}
		}
		twice := w.do("GET", "/v1/check", token, header("Origin", origin), header("Origin", "null"))
		if twice.header.Get("Access-Control-Allow-Origin") != "" {
			t.Error("two origins are allowed")
		}
	})
	inWorld(t, func(w *world) {
		if got := w.do("GET", "/healthz", "", header("Origin", origin)).header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("without a setting %q is allowed", got)
		}
	}, func(w *world) { w.options.OriginAllowed = nil })
}

func TestMethodNotAllowed(t *testing.T) {
	inWorld(t, func(w *world) {
		for target, allow := range map[string]string{
			"PUT /v1/sessions": "OPTIONS, DELETE, GET, POST", "GET /v1/sessions/" + strings.Repeat("0", 64): "OPTIONS, DELETE",
			"PATCH /v1/sessions/current": "OPTIONS, GET", "GET /v1/sessions/current/activity": "OPTIONS, POST", "GET /v1/logout": "OPTIONS, POST",
			"POST /v1/token": "OPTIONS, GET", "HEAD /v1/check": "OPTIONS, GET", "DELETE /v1/admin/users/ana/sessions": "OPTIONS, GET",
			"GET /v1/admin/users/ana/revoke": "OPTIONS, POST", "GET /v1/admin/sessions/x": "OPTIONS, DELETE", "POST /v1/ws": "OPTIONS, GET",
			"POST /healthz": "OPTIONS, GET", "DELETE /readyz": "OPTIONS, GET", "get /healthz": "OPTIONS, GET", "TRACE /v1/token": "OPTIONS, GET",
		} {
			method, path, _ := strings.Cut(target, " ")
			a := w.do(method, path, "")
			a.problem(http.StatusMethodNotAllowed, "method_not_allowed")
			if got := a.header.Get("Allow"); got != allow {
				t.Errorf("%s: allow %q, want %q", target, got, allow)
			}
		}
	}, func(w *world) {
		w.options.Socket = func(http.ResponseWriter, *http.Request, session.Origin) error { return nil }
	})
}

func TestLog(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		w.do("DELETE", "/v1/sessions/nothing?x=eyJhbGciOi", token, header("X-Request-Id", "r1"), header("X-Forwarded-For", "6.6.6.6")).want(400)
		line := w.log.last(t)
		for name, want := range map[string]any{"level": "INFO", "msg": "request", "method": "DELETE", "route": "/v1/sessions/:id", "status": 400.0,
			"requestId": "r1", "user": "ana", "session": w.id(token), "ip": "192.0.2.1", "code": "invalid_request"} {
			if line[name] != want {
				t.Errorf("%s is %v, want %v", name, line[name], want)
			}
		}
		if _, ok := line["duration"]; !ok {
			t.Error("no duration")
		}
		w.do("GET", "/v1/eyJhbGciOi/x?token=eyJhbGciOi", "").want(404)
		if strings.Contains(w.log.String(), "eyJ") {
			t.Error("what may be a token is in the log")
		}
		w.do("GET", "/healthz", "")
		if line := w.log.last(t); line["level"] != "DEBUG" || line["user"] != nil {
			t.Errorf("a probe is logged as %v", line)
		}
	})
	inWorld(t, func(w *world) { w.do("GET", "/healthz", "").want(200) }, func(w *world) { w.options.Log = nil })
}

func TestPanic(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.do("GET", "/v1/ws", "").problem(http.StatusInternalServerError, "internal")
		if strings.Contains(p["detail"].(string), "oh") {
			t.Errorf("the cause is shown: %v", p["detail"])
		}
		line := w.log.last(t)
		cause, _ := line["error"].(string)
		if line["level"] != "ERROR" || !strings.Contains(cause, "oh") || !strings.Contains(cause, "middleware_test.go") && !strings.Contains(cause, "errors_test.go") {
			t.Errorf("logged %v", line)
		}
		w.do("GET", "/healthz", "").want(http.StatusOK)
	}, panics)
	inWorld(t, func(w *world) {
		defer func() {
			if p := recover(); p != any(http.ErrAbortHandler) {
				t.Errorf("an aborted request panics with %v", p)
			}
		}()
		w.do("GET", "/v1/ws", "")
	}, func(w *world) {
		w.options.Socket = func(http.ResponseWriter, *http.Request, session.Origin) error { panic(http.ErrAbortHandler) }
	})
}

// An error that comes after the answer has begun changes nothing about it.
func TestPanicAfterAnswer(t *testing.T) {
	const refusal = `{"type":"urn:vigil:problem:forbidden","title":"Forbidden","status":403,"detail":"no","code":"forbidden","requestId":"r1"}`
	inWorld(t, func(w *world) {
		a := w.do("GET", "/v1/ws", "").want(http.StatusForbidden)
		if string(a.body) != refusal {
			t.Errorf("the answer is %s", a.body)
		}
		if line := w.log.last(t); line["level"] != "ERROR" {
			t.Errorf("logged %v", line)
		}
	}, func(w *world) {
		w.options.Socket = func(rw http.ResponseWriter, _ *http.Request, _ session.Origin) error {
			rw.Header().Set("Content-Type", "application/problem+json")
			rw.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(rw, refusal)
			panic("too late")
		}
	})
}

// The socket gets the connection, the client's address, and what belongs into its answer.
func TestSocket(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.options.Socket = func(rw http.ResponseWriter, r *http.Request, origin session.Origin) error {
			if r.Context().Done() == nil {
				t.Error("the request has no context")
			}
			if _, limited := r.Context().Deadline(); limited {
				t.Error("the socket's request has a deadline")
			}
			conn, _, err := rw.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return nil
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nX-Ip: "+origin.Address()+
				"\r\nX-Request-Id: "+rw.Header().Get("X-Request-Id")+"\r\n\r\n")
			return nil
		}
	})
	handled := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.handler.ServeHTTP(rw, r)
		close(handled)
	}))
	defer server.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /v1/ws HTTP/1.1\r\nHost: x\r\nX-Request-Id: r7\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != 101 || response.Header.Get("X-Ip") != "127.0.0.1" || response.Header.Get("X-Request-Id") != "r7" {
		t.Errorf("the handshake: %d %v", response.StatusCode, response.Header)
	}
	<-handled
	if !strings.Contains(w.log.String(), `"status":101`) {
		t.Errorf("logged: %s", w.log.String())
	}
}

// A body that is too large is refused without waiting for its end.
func TestLargeBody(t *testing.T) {
	w := newWorld(t)
	token := w.dir.SignIn(ana)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nAuthorization: Bearer "+token+
		"\r\n\r\n"+strings.Repeat(" ", 65<<10))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestEntityTooLarge || !response.Close {
		t.Errorf("got %d, the connection closes: %v", response.StatusCode, response.Close)
	}
}

func TestBody(t *testing.T) {
	broken := func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)) }
	media := func(value string) edit { return header("Content-Type", value) }
	inWorld(t, func(w *world) {
		token := w.live(ana)
		const path = "/v1/sessions/current/activity"
		w.do("POST", path, token, media("application/json"), body("{}")).want(http.StatusOK)
		w.do("POST", path, token, media("Application/JSON;charset=UTF-8"), body("{}")).want(http.StatusOK)
		w.do("POST", path, token, body(" \n")).want(http.StatusOK)
		w.do("POST", path, token, media("application/x-www-form-urlencoded"), body("{}")).want(http.StatusOK) // as curl does
		w.do("POST", path, token, broken).faults("body")
		w.do("POST", path, token, body(`{"now":true}`)).faults("now")
		w.do("POST", "/v1/logout", token, body(`{"allSessions":"true"}`)).faults("allSessions")
		w.do("POST", "/v1/logout", token, body(`{"allSessions":false,"allsessions":true}`)).faults("allsessions")
		w.do("POST", "/v1/logout", token, body(`{} {}`)).faults("body")
		w.do("POST", "/v1/sessions", token, body(`{"device":{"type":"x","model":1},"id":"y"}`)).faults("device.model", "id", "device.type")
		w.do("POST", "/v1/sessions", token, body(`{"deviceName":1,"device":{"type":2,"os":"a\u0000"},"replaces":"y"}`)).
			faults("deviceName", "device.type", "device.os", "replaces")
		w.do("POST", "/v1/sessions", token, body(`{"device":{"type":"x"},"replaces":"y"}`)).faults("device.type", "replaces")
		w.do("GET", "/v1/sessions?status=ended&pageSize=5", token).faults("status", "pageSize")
		w.do("GET", "/v1/sessions?status=all&status=all", token).faults("status")
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
	})
}

func TestBodySize(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		const most = 64 << 10
		w.do("POST", "/v1/sessions/current/activity", token, body("{"+strings.Repeat(" ", most-2)+"}")).want(http.StatusOK)
		w.do("POST", "/v1/sessions/current/activity", token, body("{"+strings.Repeat(" ", most-1)+"}")).problem(413, "too_large")
		w.do("POST", "/v1/logout", token, body(strings.Repeat("x", 10<<20))).problem(413, "too_large")
		w.do("DELETE", "/v1/sessions?scope=all", token, body(strings.Repeat("x", most+1))).problem(413, "too_large")
		w.do("POST", "/v1/sessions", "a.b.c", body(strings.Repeat("x", 10<<20))).problem(401, session.CodeTokenInvalid)
	})
}

func TestClientIP(t *testing.T) {
	tests := map[string]struct {
		peer string
		xff  []string
		want string
	}{
		"direct":                       {"203.0.113.7:5555", nil, "203.0.113.7"},
		"direct, spoofed":              {"203.0.113.7:5555", []string{"1.2.3.4"}, "203.0.113.7"},
		"loopback is not trusted":      {"127.0.0.1:5555", []string{"1.2.3.4"}, "127.0.0.1"},
		"private is not trusted":       {"192.168.1.1:5555", []string{"1.2.3.4"}, "192.168.1.1"},
		"link-local is not trusted":    {"[fe80::1%eth0]:5555", []string{"1.2.3.4"}, "fe80::1"},
		"a proxy":                      {"10.1.2.3:5555", []string{"203.0.113.7"}, "203.0.113.7"},
		"a proxy, spoofed":             {"10.1.2.3:5555", []string{"1.2.3.4, 203.0.113.7"}, "203.0.113.7"},
		"a proxy, spoofed trusted":     {"10.1.2.3:5555", []string{"10.9.9.9, 203.0.113.7"}, "203.0.113.7"},
		"a proxy, spoofed in lines":    {"10.1.2.3:5555", []string{"1.2.3.4", "203.0.113.7"}, "203.0.113.7"},
		"two proxies":                  {"10.1.2.3:5555", []string{"1.2.3.4, 203.0.113.7, 10.0.0.1"}, "203.0.113.7"},
		"proxies only":                 {"10.1.2.3:5555", []string{"10.0.0.2, 10.0.0.1"}, "10.0.0.2"},
		"a proxy, no header":           {"10.1.2.3:5555", nil, "10.1.2.3"},
		"a proxy, empty header":        {"10.1.2.3:5555", []string{""}, "10.1.2.3"},
		"a proxy, nonsense":            {"10.1.2.3:5555", []string{"1.2.3.4, nonsense"}, "10.1.2.3"},
		"nonsense further left":        {"10.1.2.3:5555", []string{"nonsense, 203.0.113.7"}, "203.0.113.7"},
		"nonsense behind two proxies":  {"10.1.2.3:5555", []string{"1.2.3.4, unknown, 10.0.0.1"}, "10.0.0.1"},
		"a mapped peer":                {"[::ffff:203.0.113.7]:5555", nil, "203.0.113.7"},
		"a mapped proxy":               {"[::ffff:10.1.2.3]:5555", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		"a mapped prefix":              {"172.16.0.9:5555", []string{"203.0.113.7"}, "203.0.113.7"},
		"IPv6":                         {"[2001:db8:ffff::1]:5555", []string{"2001:DB8::0:7"}, "2001:db8::7"},
		"with ports":                   {"10.1.2.3:5555", []string{"203.0.113.7:1234"}, "203.0.113.7"},
		"IPv6 in brackets":             {"10.1.2.3:5555", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv6 in brackets with a port": {"10.1.2.3:5555", []string{"[2001:db8::7]:1234"}, "2001:db8::7"},
		"no peer":                      {"@", []string{"1.2.3.4"}, ""},
	}
	inWorld(t, func(w *world) {
		for name, test := range tests {
			edits := []edit{from(test.peer), header("X-Real-Ip", "6.6.6.6"), header("Forwarded", "for=6.6.6.6"), header("True-Client-Ip", "6.6.6.6")}
			for _, line := range test.xff {
				edits = append(edits, header("X-Forwarded-For", line))
			}
			s, _ := w.do("POST", "/v1/sessions", w.signIn("user"), edits...).want(http.StatusCreated).object()["session"].(map[string]any)
			if s["ipAddress"] != test.want {
				t.Errorf("%s: recorded %v, want %v", name, s["ipAddress"], test.want)
			}
			if line := w.log.last(t); line["ip"] != test.want {
				t.Errorf("%s: logged %v, want %v", name, line["ip"], test.want)
			}
		}
	}, func(w *world) {
		w.settings.MaxSessions = 0
		w.options.TrustedProxies = append(w.options.TrustedProxies, mapped)
	})
}

// mapped is 172.16.0.0/16, written as IPv6 does.
var mapped = netip.MustParsePrefix("::ffff:172.16.0.0/112")
