package functions

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// inGoogle runs f in a bubble, with keys of a Google of its own.
func inGoogle(t *testing.T, f func(t *testing.T, g *google, k *keys)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g, k := newGoogle(), newKeys(secureTokenKeys)
		g.through(k)
		f(t, g, k)
	})
}

// wantKey looks a key up: nil is found, otherwise the error.
func wantKey(t *testing.T, k *keys, name string, want error) {
	t.Helper()
	key, err := k.find(t.Context(), name)
	if !errors.Is(err, want) || (key == nil) != (want != nil) {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
}

func wantAsked(t *testing.T, g *google, want int32) {
	t.Helper()
	if got := g.asked.Load(); got != want {
		t.Errorf("asked %d times, want %d", got, want)
	}
}

func TestKeysGetOld(t *testing.T) {
	for header, age := range map[string]time.Duration{
		"public, max-age=19302, must-revalidate, no-transform": 19302 * time.Second,
		"max-age=1": leastKeysAge, "max-age=-1": leastKeysAge, "no-store": keysAge, "": keysAge, "max-age=soon": keysAge, "?": keysAge,
		"max-age=999999999999999": mostKeysAge - askPause, // then they are not to be believed any more
	} {
		inGoogle(t, func(t *testing.T, g *google, k *keys) {
			g.header = http.Header{"Cache-Control": {header}}
			wantKey(t, k, "key-1", nil)
			<-time.After(age - time.Second)
			wantKey(t, k, "key-1", nil)
			wantAsked(t, g, 1)
			<-time.After(time.Second + askPause)
			wantKey(t, k, "key-1", nil)
			if got := g.asked.Load(); got != 2 {
				t.Errorf("%q: asked %d times", header, got)
			}
		})
	}
}

// Google announces a new key before it signs with it, and takes an old one back after.
func TestKeysRotate(t *testing.T) {
	inGoogle(t, func(t *testing.T, g *google, k *keys) {
		wantKey(t, k, "key-1", nil)
		<-time.After(askPause)
		g.set(func(g *google) { g.keys["key-2"] = &secondKey().PublicKey })
		wantKey(t, k, "key-2", nil) // unknown: asked for at once
		wantKey(t, k, "key-1", nil)
		wantAsked(t, g, 2)
		g.set(func(g *google) { delete(g.keys, "key-1") })
		wantKey(t, k, "key-1", nil) // until what Google says is old
		<-time.After(mostKeysAge)
		wantKey(t, k, "key-1", errUnknownKey)
		wantKey(t, k, "key-2", nil)
	})
}

// Tokens can name any keys they like.
func TestUnknownKeysAreNotAskedForAgainAndAgain(t *testing.T) {
	inGoogle(t, func(t *testing.T, g *google, k *keys) {
		wantKey(t, k, "made up", errUnknownKey)
		for range 100 {
			wantKey(t, k, "made up again", errKeys) // it may be a new one
			wantKey(t, k, "key-1", nil)
			<-time.After(askPause / 101)
		}
		wantAsked(t, g, 1)
	})
}

func TestKeysSurviveAnOutage(t *testing.T) {
	for name, instead := range map[string]http.HandlerFunc{"failing": fail(http.StatusInternalServerError), "hanging": hang} {
		t.Run(name, func(t *testing.T) {
			inGoogle(t, func(t *testing.T, g *google, k *keys) {
				wantKey(t, k, "key-1", nil)
				g.set(func(g *google) { g.instead = instead })
				<-time.After(keysKept - time.Hour)
				waited := time.Duration(0)
				for range 60 {
					at := time.Now()
					wantKey(t, k, "key-1", nil)
					waited += time.Since(at)
					<-time.After(time.Second)
				}
				if waited > 12*fetchTimeout {
					t.Errorf("within a minute they were waited for for %s", waited)
				}
				wantKey(t, k, "key-2", errKeys) // it may be a new one
				<-time.After(time.Hour)
				wantKey(t, k, "key-1", errKeys)
				g.set(func(g *google) { g.instead = nil })
				<-time.After(retryPause)
				wantKey(t, k, "key-1", nil)
			})
		})
	}
}

func TestKeysAreFetchedOnceForAll(t *testing.T) {
	inGoogle(t, func(t *testing.T, g *google, k *keys) {
		g.instead = func(w http.ResponseWriter, r *http.Request) {
			<-time.After(time.Second)
			g.set(func(g *google) { g.instead = nil })
			g.ServeHTTP(w, r)
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { wantKey(t, k, "key-1", nil) })
		}
		all.Wait()
		wantAsked(t, g, 1)
	})
}

// A fetch is everybody's: it goes on when the one for whom it began gives up.
func TestAFetchOutlivesWhoeverBeganIt(t *testing.T) {
	inGoogle(t, func(t *testing.T, g *google, k *keys) {
		g.instead = func(w http.ResponseWriter, r *http.Request) {
			<-time.After(time.Second)
			g.set(func(g *google) { g.instead = nil })
			g.ServeHTTP(w, r)
		}
		ctx, giveUp := context.WithCancel(t.Context())
		var first sync.WaitGroup
		first.Go(func() {
			if _, err := k.find(ctx, "key-1"); !errors.Is(err, errKeys) || !errors.Is(err, context.Canceled) {
				t.Errorf("who gave up: %v", err)
			}
		})
		time.AfterFunc(time.Second/2, giveUp)
		synctest.Wait()
		wantKey(t, k, "key-1", nil)
		first.Wait()
		wantAsked(t, g, 1)
	})
}

// The same over a network, with everything that a client of Google's does.
func TestKeysOverTLS(t *testing.T) {
	g := newGoogle()
	server := httptest.NewTLSServer(g)
	defer server.Close()
	f := &signIn{uri: testURI, issuer: "https://securetoken.google.com/" + testProject, keys: newKeys(server.URL)}
	s, err := New(Options{SignInURI: testURI, ProjectID: testProject})
	if err != nil {
		t.Fatal(err)
	}
	call := s.call(BeforeSignIn, signInBudget, maxSignIn, f.serve)
	if sid := sidOf(t, post(t, call, request(signInToken(nil)), nil)); sid != "" {
		t.Error("the keys of an endpoint that cannot show who it is are believed")
	}
	f.keys = newKeys(server.URL)
	f.keys.client.Transport = server.Client().Transport
	if sidOf(t, post(t, call, request(signInToken(nil)), nil)) == "" {
		t.Error("no sid")
	}
	wantError(t, post(t, call, request(jwt(encode(goodHeader), encode(signInClaimsOf(nil)), secondKey())), nil),
		http.StatusUnauthorized, "UNAUTHENTICATED")
}
