package identity

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

var loopbackHosts = []string{
	"localhost", "localhost:9099", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:9099", "127.8.9.10:1", "[::1]", "[::1]:9099",
}

var foreignHosts = []string{
	"", ":9099", "evil.example", "evil.example:9099", "127.0.0.1.evil.example", "localhost.evil.example:9099",
	"sub.localhost", "localhost.", "127.1", "0177.0.0.1", "2130706433", "0.0.0.0:9099", "10.0.0.1", "128.0.0.1",
	"[::]:9099", "[::ffff:127.0.0.1]", "[::1%25lo]", "localhost@evil.example", "evil.example@localhost:80",
	"localhost:@evil.example", "localhost:", "localhost:http", "127.0.0.1:65536",
}

func TestLoopbackHostLetsOnlyLoopbackNamesPass(t *testing.T) {
	reached := LoopbackHost(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	check := func(host string, want int) {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Host = host
		recorder := httptest.NewRecorder()
		reached.ServeHTTP(recorder, r)
		if recorder.Code != want {
			t.Errorf("Host %q: %d, want %d", host, recorder.Code, want)
		}
	}
	for _, host := range loopbackHosts {
		check(host, http.StatusTeapot)
	}
	for _, host := range foreignHosts {
		check(host, http.StatusMisdirectedRequest)
	}
}

func TestServerItselfGuardsItsHost(t *testing.T) {
	r := newRequest(t, toolkit+"/v1/accounts:signUp?key=any", object{})
	r.Host = "evil.example"
	recorder := httptest.NewRecorder()
	s := newTestServer(t)
	s.ServeHTTP(recorder, r)
	if recorder.Code != http.StatusMisdirectedRequest || len(s.directory.byUID) != 0 {
		t.Errorf("status %d, %d accounts, want 421 and none", recorder.Code, len(s.directory.byUID))
	}
}

func fromOrigin(t *testing.T, s *Server, method, origin string) *httptest.ResponseRecorder {
	t.Helper()
	r := newRequest(t, toolkit+"/v1/accounts:signUp?key=any", object{})
	r.Method = method
	r.Header.Set("Origin", origin)
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, r)
	return recorder
}

func TestPagesOfLoopbackOriginsMayCall(t *testing.T) {
	for _, host := range loopbackHosts {
		for _, origin := range []string{"http://" + host, "https://" + host} {
			s := newTestServer(t)
			preflight := fromOrigin(t, s, http.MethodOptions, origin)
			if preflight.Code != http.StatusNoContent || preflight.Header().Get("Access-Control-Allow-Origin") != origin {
				t.Errorf("preflight from %s: %d %v", origin, preflight.Code, preflight.Header())
			}
			allowed := preflight.Header().Get("Access-Control-Allow-Headers")
			if !strings.Contains(allowed, "Content-Type") || strings.Contains(allowed, "Authorization") {
				t.Errorf("allowed headers = %q, want the SDK's and no administrator's", allowed)
			}
			call := fromOrigin(t, s, http.MethodPost, origin)
			if call.Code != http.StatusOK || call.Header().Get("Access-Control-Allow-Origin") != origin ||
				call.Header().Get("Vary") != "Origin" {
				t.Errorf("call from %s: %d %v", origin, call.Code, call.Header())
			}
		}
	}
}

func TestPagesOfOtherOriginsHaveNoEffect(t *testing.T) {
	origins := []string{"null", "file://", "http://", "chrome-extension://localhost", "::", "%zz"}
	for _, host := range foreignHosts {
		origins = append(origins, "http://"+host)
	}
	for _, origin := range origins {
		s := newTestServer(t)
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			refused := fromOrigin(t, s, method, origin)
			if refused.Code != http.StatusForbidden || refused.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s from %q: %d %v", method, origin, refused.Code, refused.Header())
			}
		}
		if len(s.directory.byUID) != 0 {
			t.Errorf("a page from %q created an account", origin)
		}
	}
}

func TestListenBindsLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "localhost:0", "127.8.9.10:0"} {
		listener, err := Listen(t.Context(), addr)
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, addr := range []string{"", ":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.com:0", "127.0.0.1", "127.0.0.1:nonsense"} {
		if listener, err := Listen(t.Context(), addr); err == nil {
			_ = listener.Close()
			t.Errorf("%q: listens", addr)
		} else if !strings.HasPrefix(err.Error(), "identity: listen: ") {
			t.Errorf("%q: unclear error %q", addr, err)
		}
	}
}
