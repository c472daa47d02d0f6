package handlers_test

import (
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"
)

// counts is a meter that remembers.
type counts struct {
	mu       sync.Mutex
	routes   map[string]int
	answered map[string]int
}

func (c *counts) Route(method, path string) func(int, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.routes[method+" "+path]++
	return func(status int, took time.Duration) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if took >= 0 {
			c.answered[fmt.Sprint(method, " ", path, " ", status)]++
		}
	}
}

func (c *counts) RateLimited(string) {}

func TestRequestsAreCountedByRouteWhateverIsAskedFor(t *testing.T) {
	c := &counts{routes: make(map[string]int), answered: make(map[string]int)}
	inWorld(t, func(w *world) {
		token := w.live(ana)
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
		w.do("GET", "/v1/check?maxAge=300", "").want(http.StatusUnauthorized)
		w.do("DELETE", "/v1/sessions/"+w.id(token), token).want(http.StatusNoContent)
		w.do("GET", "/v1/check/further", token).want(http.StatusNotFound)
		w.do("GET", "/nothing", "").want(http.StatusNotFound)
		w.do("PATCH", "/v1/check", "").want(http.StatusMethodNotAllowed)
		w.do("BREW", "/v1/check", "").want(http.StatusMethodNotAllowed)
		want := map[string]int{
			"POST /v1/sessions 201": 1, "GET /v1/check 204": 1, "GET /v1/check 401": 1, "DELETE /v1/sessions/:id 204": 1,
			"  404": 2, "  405": 2,
		}
		if !maps.Equal(c.answered, want) {
			t.Errorf("counted %v, want %v", c.answered, want)
		}
		for route, n := range c.routes {
			if n != 1 {
				t.Errorf("%s is asked about %d times", route, n)
			}
		}
	}, func(w *world) { w.options.Meter = c })
}
