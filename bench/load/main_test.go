package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.URL.Path+" "+r.Header.Get("Authorization")]++
		_, _ = w.Write([]byte(`{"ok":true}`))
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("a\nb\nc"), 0o600); err != nil {
		t.Fatal(err)
	}

	got, err := run(t.Context(), host, "/v1/check", tokens, 2, 200*time.Millisecond)
	if err != nil || got.Requests == 0 || got.Seconds < 0.2 || got.CPU <= 0 {
		t.Fatalf("%+v (%v)", got, err)
	}
	mu.Lock()
	defer mu.Unlock()
	all := 0
	for _, token := range []string{"a", "b", "c"} {
		n := seen["/v1/check Bearer "+token]
		if all += n; n == 0 {
			t.Errorf("nothing with token %s: %v", token, seen)
		}
	}
	// Those that came at the end are the server's alone.
	if int64(all) < got.Requests {
		t.Errorf("%d requests counted, %d came", got.Requests, all)
	}
}

// What is refused is no throughput.
func TestLoadOfRefusals(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := run(t.Context(), strings.TrimPrefix(server.URL, "http://"), "/", "", 2, 10*time.Second); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v", err)
	}
}
