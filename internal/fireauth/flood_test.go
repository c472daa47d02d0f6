package fireauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/identity"
	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// door is everything that a token meets: the gate, the verifier with the SDK, and Google.
type door struct {
	*google
	verifier  *Verifier
	store     *sessiontest.Outage
	registry  *session.Registry
	gate      *session.Gate
	verified  atomic.Int32 // tokens that the gate did not know
	storeRead atomic.Int32
}

// counted counts what is verified.
type counted struct {
	session.Verifier
	verified *atomic.Int32
}

func (c counted) Verify(ctx context.Context, token string) (session.Identity, error) {
	c.verified.Add(1)
	return c.Verifier.Verify(ctx, token)
}

func newDoor(g *google) *door {
	d := &door{google: g, verifier: g.production(), store: sessiontest.NewOutage(memory.Open(session.NewClock()))}
	ctx, stop := context.WithCancel(g.t.Context())
	var keeping sync.WaitGroup
	keeping.Go(func() { d.verifier.KeepKeys(ctx) })
	g.t.Cleanup(func() {
		stop()
		keeping.Wait()
	})
	inbox := session.NewInbox(1000 * time.Hour)
	inbox.Prove(time.Now())
	d.registry = session.NewRegistry(session.Settings{
		Policy: session.Policy{
			IdleTimeout: 30 * time.Minute, IdleWarning: 2 * time.Minute, Lifetime: 12 * time.Hour, TouchInterval: 5 * time.Minute,
			ReauthMaxAge: 5 * time.Minute, Retention: 720 * time.Hour,
		},
		AdminClaim: "admin", UserStateTTL: 5 * time.Minute, FeedResync: 15 * time.Second,
	}, session.Ports{
		Store: d.store, Users: d.store, Publisher: d.store, Archive: d.store, Trail: d.store, Jobs: d.store, Accounts: d.verifier,
		Editor: d.verifier, Clock: session.NewClock(), Inbox: inbox, After: func(time.Duration, func()) {}, Log: slog.New(slog.DiscardHandler),
	})
	d.gate = session.NewGate(d.registry, counted{d.verifier, &d.verified})
	d.store.Before(func(string) { d.storeRead.Add(1) })
	return d
}

// signIn creates an account and registers a session of it.
func (d *door) signIn(uid string) string {
	d.t.Helper()
	if _, err := d.users.CreateUser(identity.NewUser{UID: uid, Email: uid + "@example.com", Password: "a password"}); err != nil {
		d.t.Fatal(err)
	}
	token := goodToken(object{"sub": uid, "user_id": uid})
	id, err := d.gate.Authenticate(d.t.Context(), token)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.registry.Register(d.t.Context(), id, session.SignIn{}); err != nil {
		d.t.Fatal(err)
	}
	return token
}

// forgery is a token that is right in everything but its signature, which no two have in common.
func forgery(kid, uid string) string {
	signature := make([]byte, 256)
	_, _ = rand.Read(signature) // cannot fail
	return strings.Join([]string{
		base64.RawURLEncoding.EncodeToString(encode(object{"alg": "RS256", "kid": kid})),
		base64.RawURLEncoding.EncodeToString(encode(claims(object{"sub": uid, "user_id": uid}))),
		base64.RawURLEncoding.EncodeToString(signature),
	}, ".")
}

// R5 of docs/security.md: bad tokens of every kind have nobody asked, neither Google nor the store, and put no good one out of memory.
func TestR5AFloodOfBadTokensCostsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(newGoogle(t))
		synctest.Wait()
		good := make([]string, 20)
		for i := range good {
			good[i] = d.signIn(fmt.Sprint("user", i))
		}
		admit := func() {
			t.Helper()
			for _, token := range good {
				if _, err := d.gate.Admit(t.Context(), token, session.Origin{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		admit()
		keys, users, reads := d.keysAsked.Load(), d.usersAsked.Load(), d.storeRead.Load()
		refused := 0
		refuse := func(token string) {
			_, err := d.gate.Admit(t.Context(), token, session.Origin{})
			if code := session.CodeOf(err); code != session.CodeTokenInvalid && code != session.CodeTokenExpired && code != session.CodeTokenMissing {
				t.Fatalf("%v", err)
			}
			refused++
		}
		for i := range 5_000 {
			refuse(forgery(testKID, fmt.Sprint("user", i%40))) // of those who are there, and of others
			refuse(forgery(fmt.Sprint("key-", i), fmt.Sprint("user", i%40)))
			refuse(strings.Repeat(".", i))
			refuse(good[i%len(good)] + "x")
		}
		for _, a := range attacks {
			refuse(a.token())
		}
		verified := d.verified.Load()
		admit()
		if k, u, r, v := d.keysAsked.Load()-keys, d.usersAsked.Load()-users, d.storeRead.Load()-reads, d.verified.Load()-verified; k+u+r+v != 0 {
			t.Errorf("for %d bad tokens: keys fetched %d times, %d look-ups, %d reads; %d good tokens verified again", refused, k, u, r, v)
		}
	})
}

// BenchmarkR5GoodTrafficInAFlood measures GET /v1/check of known sessions at a steady rate, over TCP: alone, beside as many requests
// of the same kind, and beside a flood of forgeries, each of which costs a parse and an RSA signature. Rounds of the three take turns; the metrics are
// medians of the rounds' p99 in milliseconds, and of the quotients of neighbours. Client and server share the machine: what more
// traffic of any kind costs there is what the second kind of rounds is for.
func BenchmarkR5GoodTrafficInAFlood(b *testing.B) {
	const goodPerSecond, badPerSecond = 400, 400
	d := newDoor(newGoogle(b))
	tokens := make([]string, 50)
	for i := range tokens {
		tokens[i] = d.signIn(fmt.Sprint("user", i))
	}
	server := httptest.NewServer(handlers.New(handlers.Options{Gate: d.gate, Registry: d.registry}))
	b.Cleanup(server.Close)
	forgeries := make([]string, 2_000)
	for i := range forgeries {
		forgeries[i] = forgery(testKID, fmt.Sprint("user", i%100))
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	b.Cleanup(client.CloseIdleConnections)
	check := func(token string, want int) time.Duration {
		began := time.Now()
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/v1/check", nil)
		if err != nil {
			b.Error(err)
			return 0
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := client.Do(r)
		if err != nil {
			b.Error(err)
			return 0
		}
		_, _ = io.Copy(io.Discard, answer.Body) // or the connection is not used again
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			b.Errorf("%s, want %d", answer.Status, want)
		}
		return time.Since(began)
	}
	more := func(i int) { check(tokens[i%len(tokens)], http.StatusNoContent) }
	flood := func(i int) { check(forgeries[i%len(forgeries)], http.StatusUnauthorized) }
	// round is the p99 of a second of good traffic, in milliseconds, with something else beside it.
	round := func(beside func(int)) float64 {
		var group sync.WaitGroup
		if beside != nil {
			group.Go(func() { paced(b.Context(), badPerSecond, beside) })
		}
		var mu sync.Mutex
		var all []time.Duration
		paced(b.Context(), goodPerSecond, func(i int) {
			took := check(tokens[i%len(tokens)], http.StatusNoContent)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took)
		})
		group.Wait()
		slices.Sort(all)
		return float64(all[len(all)*99/100].Microseconds()) / 1000
	}
	round(flood)
	var alone, busy, flooded, toAlone, toBusy []float64
	for b.Loop() {
		a, m, f := round(nil), round(more), round(flood)
		alone, busy, flooded = append(alone, a), append(busy, m), append(flooded, f)
		toAlone, toBusy = append(toAlone, f/a), append(toBusy, f/m)
	}
	b.ReportMetric(median(alone), "alone-p99-ms")
	b.ReportMetric(median(busy), "busy-p99-ms")
	b.ReportMetric(median(flooded), "flooded-p99-ms")
	b.ReportMetric(median(toAlone), "flooded/alone")
	b.ReportMetric(median(toBusy), "flooded/busy")
	b.ReportMetric(0, "ns/op") // rounds last a second, whatever they find
}

// paced calls f this many times in a second, give or take, at random distances, and waits for the calls. A late one does not delay the next.
func paced(ctx context.Context, perSecond int, f func(i int)) {
	pace := rate.NewLimiter(rate.Limit(perSecond), 1)
	var calls sync.WaitGroup
	for i := range perSecond {
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
