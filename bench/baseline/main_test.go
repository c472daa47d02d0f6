package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/localgoogle"
)

// The servers do what they are compared for: they check signatures, and know an account by its uid.
func TestCheck(t *testing.T) {
	google, err := localgoogle.Start(t.Context(), localgoogle.Options{ProjectID: "demo-vigil", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(google.Close)
	for _, variable := range google.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	good := google.Token("ana", nil)
	for mode, want := range map[string]struct {
		good, bad, none int
		body            string
	}{
		"echo-json":                 {200, 200, 200, `{"userId":"","ok":true}`},
		"verify":                    {200, 401, 401, `{"userId":"ana","ok":true}`},
		"verify-revoked":            {200, 401, 401, `{"userId":"ana","ok":true}`},
		"verify-revoked-in-process": {200, 401, 401, `{"userId":"ana","ok":true}`},
	} {
		handler, err := open(t.Context(), mode)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(header string) (int, string) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/check", nil)
			if header != "" {
				r.Header.Set("Authorization", header)
			}
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			return answer.Code, strings.TrimSpace(answer.Body.String())
		}
		if status, body := ask("Bearer " + good); status != want.good || body != want.body {
			t.Errorf("%s: %d %s", mode, status, body)
		}
		if status, _ := ask("Bearer " + good[:len(good)-4] + "AAAA"); status != want.bad {
			t.Errorf("%s: %d to a forged token", mode, status)
		}
		if status, _ := ask(""); status != want.none {
			t.Errorf("%s: %d without a token", mode, status)
		}
	}
	if google.Asked().LookUps != 1 {
		t.Errorf("%d look-ups over HTTPS, want that of one mode", google.Asked().LookUps)
	}
	if _, err := open(t.Context(), "nothing"); err == nil {
		t.Error("an unknown mode")
	}
}

func TestSocket(t *testing.T) {
	for _, mode := range []string{"gorilla", "gorilla-tuned"} {
		handler, err := open(t.Context(), mode)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		dialer := websocket.Dialer{} // the default one looks for a proxy, which a process does once: TestCheck needs that look
		ws, answer, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http")+"/v1/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		t.Cleanup(func() { _ = ws.Close() })
		for _, text := range []string{"ping", strings.Repeat("x", 5000)} {
			if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
				t.Fatal(err)
			}
			if kind, got, err := ws.ReadMessage(); kind != websocket.TextMessage || string(got) != text || err != nil {
				t.Errorf("%s: %d %q (%v)", mode, kind, got, err)
			}
		}
	}
}
