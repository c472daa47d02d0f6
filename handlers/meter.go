package handlers

import (
	"time"

	"github.com/labstack/echo/v4"
)

// Meter counts requests. It must not block, and be safe for concurrent use.
type Meter interface {
	// Route returns what notes the answers of one route. [New] calls it once for each, and with nothing for the requests that match
	// none, so that what clients ask for cannot make more routes.
	Route(method, path string) (answered func(status int, took time.Duration))
	// RateLimited notes a request that was refused for its rate, by the name of the limit as the operator knows it.
	RateLimited(limit string)
}

// noMeter counts nothing.
type noMeter struct{}

func (noMeter) Route(string, string) func(int, time.Duration) { return func(int, time.Duration) {} }
func (noMeter) RateLimited(string)                            {}

// tally notes the answers of every route.
type tally struct {
	routes    map[routeKey]func(status int, took time.Duration) // read only
	unmatched func(status int, took time.Duration)
}

type routeKey struct{ method, path string }

func newTally(m Meter, routes []*echo.Route) tally {
	t := tally{routes: make(map[routeKey]func(int, time.Duration), len(routes)), unmatched: m.Route("", "")}
	for _, r := range routes {
		t.routes[routeKey{r.Method, r.Path}] = m.Route(r.Method, r.Path)
	}
	return t
}

func (t tally) answered(c echo.Context, took time.Duration) {
	note, ok := t.routes[routeKey{c.Request().Method, c.Path()}]
	if !ok {
		note = t.unmatched
	}
	note(statusOf(c), took)
}
