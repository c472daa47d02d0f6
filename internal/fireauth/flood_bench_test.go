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
// default: alone, beside as many requests of the same kind, and beside a flood of forgeries, each of which is worth a parse and an RSA
// signature: from the address that the good requests come from, and from as many addresses as there are forgeries, which no limit
// holds back. Half of them name users who are known. Rounds of the four take turns, each a second of a flood that has lasted for one; the metrics are medians
// of the rounds' p99 in milliseconds, and of the quotients of neighbours. Client and server share the machine: what more
// traffic of any kind costs there is what the second kind of rounds is for.
func BenchmarkR5GoodTrafficInAFlood(b *testing.B) {
	const goodPerSecond, badPerSecond = 400, 400
	d := newDoor(newGoogle(b))
	tokens := make([]string, 50)
	for i := range tokens {
		tokens[i] = d.signIn(fmt.Sprint("user", i))
	}
	server := httptest.NewServer(d.handler())
	b.Cleanup(server.Close)
	forgeries := make([]string, 2_000)
	for i := range forgeries {
		forgeries[i] = forgery(testKID, fmt.Sprint("user", i%100))
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	b.Cleanup(client.CloseIdleConnections)
	// check returns how long an answer has taken, of which there are some to expect. A flood from one address has it in its own name.
	check := func(token, from string, want ...int) time.Duration {
		began := time.Now()
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/v1/check", nil)
		if err != nil {
			b.Error(err)
			return 0
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("X-Forwarded-For", from)
		answer, err := client.Do(r)
		if err != nil {
			b.Error(err)
			return 0
		}
		_, _ = io.Copy(io.Discard, answer.Body) // or the connection is not used again
		_ = answer.Body.Close()
		if !slices.Contains(want, answer.StatusCode) {
			b.Errorf("%s, want %d", answer.Status, want)
		}
		return time.Since(began)
	}
	const home = "198.51.100.7"
	more := func(i int) { check(tokens[i%len(tokens)], home, http.StatusNoContent) }
	flood := func(i int) {
		check(forgeries[i%len(forgeries)], home, http.StatusUnauthorized, http.StatusTooManyRequests)
	}
	everywhere := func(i int) {
		check(forgeries[i%len(forgeries)], fmt.Sprintf("10.0.%d.%d", i/250, i%250), http.StatusUnauthorized)
	}
	// round is the p99 of a second of good traffic, in milliseconds, with something else beside it that has begun a second before.
	round := func(beside func(int)) float64 {
		var group sync.WaitGroup
		if beside != nil {
			group.Go(func() { paced(b.Context(), badPerSecond, 2*badPerSecond, beside) })
			<-time.After(time.Second)
		}
		var mu sync.Mutex
		var all []time.Duration
		paced(b.Context(), goodPerSecond, goodPerSecond, func(i int) {
			took := check(tokens[i%len(tokens)], home, http.StatusNoContent)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took)
		})
		group.Wait()
		slices.Sort(all)
		return float64(all[len(all)*99/100].Microseconds()) / 1000
	}
	round(flood)
	p99, quotient := make(map[string][]float64), make(map[string][]float64)
	for b.Loop() {
		alone, busy, flooded, spread := round(nil), round(more), round(flood), round(everywhere)
		for name, ms := range map[string]float64{"alone": alone, "busy": busy, "flooded": flooded, "spread": spread} {
			p99[name] = append(p99[name], ms)
			quotient[name] = append(quotient[name], ms/alone)
		}
		quotient["flooded/busy"] = append(quotient["flooded/busy"], flooded/busy)
	}
	for name := range p99 {
		b.ReportMetric(median(p99[name]), name+"-p99-ms")
	}
	b.ReportMetric(median(quotient["flooded"]), "flooded/alone")
	b.ReportMetric(median(quotient["spread"]), "spread/alone")
	b.ReportMetric(median(quotient["flooded/busy"]), "flooded/busy")
	b.ReportMetric(0, "ns/op") // rounds last a second, whatever they find
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

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}
