package fireauth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"firebase.google.com/go/v4/auth"

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

// handler is what serves all of it, with the limits that are the default.
func (d *door) handler() http.Handler {
	return handlers.New(handlers.Options{
		Gate: d.gate, Registry: d.registry,
		Limits: handlers.Limits{
			Register: handlers.Limit{PerSecond: 0.5, Burst: 60}, Sensitive: handlers.Limit{PerSecond: 1.0 / 6, Burst: 20},
			API: handlers.Limit{PerSecond: 50, Burst: 200}, Handshake: handlers.Limit{PerSecond: 50, Burst: 500},
		},
	})
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

// held is a keyring that takes its time for every token, and notes how many it is asked about at once.
type held struct {
	keyring
	mu          sync.Mutex
	asked, most int
}

func (h *held) VerifyIDToken(ctx context.Context, token string) (*auth.Token, error) {
	h.count(1)
	defer h.count(-1)
	<-time.After(time.Second)
	return h.keyring.VerifyIDToken(ctx, token)
}

func (h *held) count(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked += n
	h.most = max(h.most, h.asked)
}

// R5: however many tokens come at once, half of the processors are left to requests that need no signature, and nobody waits for longer than for
// an answer.
func TestR5SignaturesAreCheckedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newGoogle(t).kept()
		h := &held{keyring: *v.keyring.Load()}
		slow := keyring(h)
		v.keyring.Store(&slow)
		turns := max(1, runtime.GOMAXPROCS(0)/2)
		patience, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		var good, late atomic.Int32
		for range 5 * turns {
			all.Go(func() {
				switch _, err := v.Verify(patience, goodToken(nil)); session.CodeOf(err) {
				case "":
					good.Add(1)
				case session.CodeUnavailable:
					late.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if h.most != turns {
			t.Errorf("%d signatures checked at once, want %d", h.most, turns)
		}
		if g, l := int(good.Load()), int(late.Load()); g != 4*turns || l != turns {
			t.Errorf("%d good, %d given up, want %d and %d", g, l, 4*turns, turns)
		}
	})
}
