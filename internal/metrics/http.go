package metrics

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// awaited are the statuses that alert rules go by: they exist before the first of them.
var awaited = []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}

func (m *Metrics) addHTTP() {
	m.requests = m.counters("http_requests_total", `Requests answered, by route, method and status; 101 is a socket opened.`,
		"route", "method", "status")
	m.durations = m.histograms("http_request_duration_seconds", "Time to the answer of a request, in seconds.",
		[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}, "route", "method")
	m.limited = newFamily(m.counters("rate_limited_total", "Requests refused for their rate, by the limit that they met.", "limit"), word,
		"register", "sensitive", "api", "handshake")
}

// Route implements the meter of the HTTP edge. The edge says what its routes are, so clients cannot make more series;
// an empty method and path stand for all that matches no route.
func (m *Metrics) Route(method, path string) func(status int, took time.Duration) {
	if path == "" {
		method, path = other, other
	}
	labels := prometheus.Labels{"route": path, "method": method}
	r := &route{
		requests: m.requests.MustCurryWith(labels), duration: m.durations.With(labels),
		statuses: make(map[int]prometheus.Counter),
	}
	for _, status := range awaited {
		r.status(status)
	}
	return r.answered
}

// RateLimited implements the meter of the HTTP edge.
func (m *Metrics) RateLimited(limit string) { m.limited.of(limit).Inc() }

// route counts the requests of one route.
type route struct {
	requests *prometheus.CounterVec // of this route
	duration prometheus.Observer

	mu       sync.RWMutex
	statuses map[int]prometheus.Counter // those answered so far
}

func (r *route) answered(status int, took time.Duration) {
	r.status(status).Inc()
	r.duration.Observe(took.Seconds())
}

func (r *route) status(status int) prometheus.Counter {
	r.mu.RLock()
	c, ok := r.statuses[status]
	r.mu.RUnlock()
	if ok {
		return c
	}
	label := other
	if http.StatusText(status) != "" {
		label = strconv.Itoa(status)
	}
	c = r.requests.WithLabelValues(label)
	if label != other {
		r.mu.Lock()
		r.statuses[status] = c
		r.mu.Unlock()
	}
	return c
}
