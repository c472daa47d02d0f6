package fireauth

import (
	"context"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// BenchmarkR5GoodTrafficInAFlood measures GET /v1/check of known sessions at a steady rate, over TCP, with the limits that are the
// default: alone, beside as many requests of the same kind, and beside a flood of forgeries, each of which costs a parse and an RSA
// signature. Half of them name users who are known. Rounds of the three take turns, each a second of what has lasted for one; the metrics are
// the p99 over all rounds of a kind in milliseconds, and their quotients. Client and server share the machine: what more
// traffic of any kind costs there is what the second kind of rounds is for.
func BenchmarkR5GoodTrafficInAFlood(b *testing.B) {
	d := newDoor(newGoogle(b))
	tokens := make([]string, 50)
	for i := range tokens {
		tokens[i] = d.signIn(fmt.Sprint("user", i))
	}
	forgeries := make([]string, 2_000)
	for i := range forgeries {
		forgeries[i] = forgery(testKID, fmt.Sprint("user", i%100))
	}
	server := httptest.NewServer(d.handler())
	b.Cleanup(server.Close)
	v := visitors{b, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}, server.URL}
	b.Cleanup(v.client.CloseIdleConnections)
	good := func(i int) time.Duration { return v.check(tokens[i%len(tokens)], http.StatusNoContent) }
	flood := func(i int) time.Duration {
		return v.check(forgeries[i%len(forgeries)], http.StatusUnauthorized, http.StatusTooManyRequests)
	}
	v.round(good, flood)
	var alone, busy, flooded []time.Duration
	for b.Loop() {
		alone = append(alone, v.round(good, nil)...)
		busy = append(busy, v.round(good, good)...)
		flooded = append(flooded, v.round(good, flood)...)
	}
	b.ReportMetric(p99(alone), "alone-p99-ms")
	b.ReportMetric(p99(busy), "busy-p99-ms")
	b.ReportMetric(p99(flooded), "flooded-p99-ms")
	b.ReportMetric(p99(flooded)/p99(alone), "flooded/alone")
	b.ReportMetric(p99(flooded)/p99(busy), "flooded/busy")
	b.ReportMetric(0, "ns/op") // rounds last a second, whatever they find
}

// visitors send requests.
type visitors struct {
	b      *testing.B
	client *http.Client
	url    string
}

// check returns how long an answer has taken that is one of those to expect.
func (v visitors) check(token string, want ...int) time.Duration {
	began := time.Now()
	r, err := http.NewRequestWithContext(v.b.Context(), http.MethodGet, v.url+"/v1/check", nil)
	if err != nil {
		v.b.Error(err)
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := v.client.Do(r)
	if err != nil {
		v.b.Error(err)
		return 0
	}
	_, _ = io.Copy(io.Discard, answer.Body) // or the connection is not used again
	_ = answer.Body.Close()
	if !slices.Contains(want, answer.StatusCode) {
		v.b.Errorf("%s, want %d", answer.Status, want)
	}
	return time.Since(began)
}

// round returns how long each request of a second of good traffic has taken, with something else beside it that has begun a second before.
func (v visitors) round(good, beside func(int) time.Duration) (all []time.Duration) {
	const goodPerSecond, otherPerSecond = 400, 400
	var group sync.WaitGroup
	if beside != nil {
		group.Go(func() { paced(v.b.Context(), otherPerSecond, 2*otherPerSecond, func(i int) { beside(i) }) })
		<-time.After(time.Second)
	}
	var mu sync.Mutex
	paced(v.b.Context(), goodPerSecond, goodPerSecond, func(i int) {
		took := good(i)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, took)
	})
	group.Wait()
	return all
}

// p99 is in milliseconds.
func p99(of []time.Duration) float64 {
	slices.Sort(of)
	return float64(of[len(of)*99/100].Microseconds()) / 1000
}

// paced calls f so many times, at this rate, give or take, at random distances, and waits for the calls. A late one does not delay the next.
func paced(ctx context.Context, perSecond, times int, f func(i int)) {
	pace := rate.NewLimiter(rate.Limit(perSecond), 1)
	var calls sync.WaitGroup
	for i := range times {
		if pace.Wait(ctx) != nil {
			break
		}
		calls.Go(func() {
			<-time.After(mathrand.N(time.Second / time.Duration(perSecond)))
			f(i)
		})
	}
	calls.Wait()
}
