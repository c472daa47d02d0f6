package fireauth

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// keysLive is how long the keys of these tests may be kept. Google's live longer.
const keysLive = 2 * time.Hour

const kept = "public, max-age=7200"

// kept opens a verifier whose keys are kept until the test ends.
func (g *google) kept(change ...func(*Options)) *Verifier {
	g.t.Helper()
	v := g.production(change...)
	ctx, stop := context.WithCancel(g.t.Context())
	stopped := make(chan struct{})
	go func() {
		v.KeepKeys(ctx)
		close(stopped)
	}()
	g.t.Cleanup(func() {
		stop()
		<-stopped
	})
	synctest.Wait()
	return v
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// atOnce demands that nobody waits for anything, which in a bubble is exact.
func atOnce(t *testing.T, f func() error) error {
	t.Helper()
	start := time.Now()
	err := f()
	if d := time.Since(start); d != 0 {
		t.Errorf("answer after %v", d)
	}
	return err
}

// admits demands that a token nobody has seen before is good, at once and without a request.
func (v *Verifier) admits(t *testing.T, g *google, when string) {
	t.Helper()
	asked := g.keysAsked.Load()
	err := atOnce(t, func() error { _, err := v.Verify(t.Context(), goodToken(nil)); return err })
	if err != nil {
		t.Errorf("%s: %v", when, err)
	}
	if err := atOnce(t, func() error { return v.Ready(t.Context()) }); err != nil {
		t.Errorf("%s: not ready: %v", when, err)
	}
	if n := g.keysAsked.Load() - asked; n != 0 {
		t.Errorf("%s: keys fetched %d times", when, n)
	}
}

func (g *google) slow(d time.Duration) fault {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			g.serveKeys(w, r)
		case <-r.Context().Done():
		}
	}
}

// outages are ways in which Google's key endpoint keeps the SDK from new keys.
func (g *google) outages() map[string]fault {
	return map[string]fault{
		"503":              status(http.StatusServiceUnavailable),
		"hanging":          hang,
		"reset":            reset,
		"far too slow":     g.slow(time.Minute),
		"a portal":         text("<html>sign in to the Wi-Fi</html>"),
		"no keys":          lasting(`{}`),
		"null":             lasting(`null`),
		"not certificates": lasting(`{"key-1":"none"}`),
		"answers late":     func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK); hang(w, r) },
	}
}

// lasting is an answer that may be kept.
func lasting(body string) fault {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", kept)
		text(body)(w, r)
	}
}

// R4 of docs/security.md: whatever becomes of the key endpoint, tokens new and known are admitted at once for as long as the latest keys
// live, hours; after that nobody is called invalid for it; and as soon as it is back, keys are at hand again.
func TestR4KeyOutagesAreNotNoticedWhileKeysLive(t *testing.T) {
	for name := range new(google).outages() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				g.cacheControl.Store(kept)
				counted := new(renewals)
				v := g.kept(func(o *Options) { o.Meter = counted })
				f := g.outages()[name]
				g.keyFault.Store(&f)
				for _, after := range []time.Duration{0, keysLive / 2, keysLive/2 - time.Second} {
					pass(after)
					v.admits(t, g, fmt.Sprint("then ", after, " later"))
					_, err := v.Verify(t.Context(), forged())
					wantCode(t, err, invalid)
				}
				if n := counted.failed.Load(); n < 90 || n > 200 { // a minute apart at most, and never much less
					t.Errorf("%d attempts at renewal in %v", n, keysLive)
				}

				pass(2 * time.Second) // the latest keys have expired
				err := within(t, func() error { _, err := v.Verify(t.Context(), goodToken(nil)); return err })
				wantCode(t, err, session.CodeUnavailable)

				g.keyFault.Store(nil)
				pass(maxRenewRetry + renewTimeout)
				v.admits(t, g, "when it is back")
			})
		})
	}
}

// Neither does anybody wait for an endpoint that is slow, again and again.
func TestSlowKeysAreWaitedForByNobody(t *testing.T) {
	for _, cacheControl := range []string{"public, max-age=60", kept} {
		t.Run(cacheControl, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				g.cacheControl.Store(cacheControl)
				v := g.kept()
				f := g.slow(5 * time.Second)
				g.keyFault.Store(&f)
				for range 100 {
					pass(7 * time.Second)
					v.admits(t, g, "meanwhile")
				}
			})
		})
	}
}

// Keys without a word on how long they may be kept are not kept: those before them are used up, and then each token has its own fetched.
func TestKeysThatMayNotBeKept(t *testing.T) {
	for _, cacheControl := range []string{"", "no-store", "public, max-age=soon", "max-age=0", "max-age=-1"} {
		t.Run(cacheControl, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				g.cacheControl.Store(kept)
				v := g.kept()
				g.cacheControl.Store(cacheControl)
				pass(keysLive - time.Second)
				v.admits(t, g, "before the old ones expire")
				pass(2 * time.Second)
				_, err := v.Verify(t.Context(), goodToken(nil))
				wantCode(t, err, "")
				_, err = v.Verify(t.Context(), forged())
				if code := session.CodeOf(err); code != invalid && code != session.CodeUnavailable {
					t.Errorf("a forged token: %v", err)
				}
				g.cacheControl.Store(kept)
				pass(maxRenewRetry)
				v.admits(t, g, "when they may be kept again")
			})
		})
	}
}

// An answer without keys says nothing about tokens, from the first one on.
func TestNoKeysAtTheStart(t *testing.T) {
	for _, body := range []string{`{}`, `null`} {
		synctest.Test(t, func(t *testing.T) {
			g := newGoogle(t)
			f := lasting(body)
			g.keyFault.Store(&f)
			v := g.kept()
			_, err := v.Verify(t.Context(), goodToken(nil))
			wantCode(t, err, session.CodeUnavailable)
			_, err = v.Verify(t.Context(), goodToken(object{"sub": ""}))
			wantCode(t, err, invalid) // as nobody needs keys to see
			g.keyFault.Store(nil)
			pass(renewRetry)
			v.admits(t, g, "with keys")
		})
	}
}

func TestKeysAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		v := g.kept()
		both, second := rotated(testKID, "key-2"), rotated("key-2")
		bySecond := func() string {
			return jwt(encode(object{"alg": "RS256", "kid": "key-2"}), encode(claims(nil)), otherKey())
		}
		g.keyFault.Store(&both)
		pass(renewInterval)
		for _, token := range []string{goodToken(nil), bySecond()} {
			_, err := v.Verify(t.Context(), token)
			wantCode(t, err, "")
		}
		g.keyFault.Store(&second)
		pass(renewInterval)
		_, err := v.Verify(t.Context(), bySecond())
		wantCode(t, err, "")
		_, err = v.Verify(t.Context(), goodToken(nil))
		wantCode(t, err, invalid)
	})
}

// rotated serves these keys.
func rotated(kids ...string) fault {
	keys := make(object)
	for _, kid := range kids {
		key := map[string]*rsa.PrivateKey{testKID: signingKey(), "key-2": otherKey()}[kid]
		keys[kid] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certify(&key.PublicKey, key)}))
	}
	return lasting(string(encode(keys)))
}

// Nobody has keys fetched by naming ones that do not exist.
func TestUnknownKeysAreNotFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		v := g.kept()
		asked := g.keysAsked.Load()
		for i := range 200 {
			token := jwt(encode(object{"alg": "RS256", "kid": fmt.Sprint("key-", i+2)}), encode(claims(nil)), otherKey())
			err := atOnce(t, func() error { _, err := v.Verify(t.Context(), token); return err })
			wantCode(t, err, invalid)
		}
		if n := g.keysAsked.Load() - asked; n != 0 {
			t.Errorf("keys fetched %d times", n)
		}
	})
}

func TestRenewalsAreFewAndCounted(t *testing.T) {
	for cacheControl, span := range map[string]time.Duration{kept: renewInterval, "max-age=600": 5 * time.Minute, "max-age=1": minRenewInterval} {
		t.Run(cacheControl, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				g.cacheControl.Store(cacheControl)
				counted := new(renewals)
				g.kept(func(o *Options) { o.Meter = counted })
				pass(20 * span)
				if n := counted.ok.Load(); n < 20 || n > 28 || counted.failed.Load() != 0 {
					t.Errorf("%d renewals in %v, %d failures", n, 20*span, counted.failed.Load())
				}
			})
		})
	}
}

func TestFailedRenewalsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		g := newGoogle(t)
		f := status(http.StatusServiceUnavailable)
		g.keyFault.Store(&f)
		g.kept(func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&out, nil)) })
		if line := out.String(); !strings.Contains(line, "WARN") || !strings.Contains(line, "identity keys not renewed") || !strings.Contains(line, "503") {
			t.Errorf("logged %q", line)
		}
	})
}

func TestKeepingKeysEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		g.emulator().KeepKeys(t.Context()) // which has none
		v := g.production()
		f := fault(hang)
		g.keyFault.Store(&f)
		for _, after := range []time.Duration{0, time.Second, renewTimeout, renewTimeout + renewRetry/2} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			start := time.Now()
			v.KeepKeys(ctx)
			if d := time.Since(start); d != after {
				t.Errorf("ended after %v, want %v", d, after)
			}
			cancel()
		}
	})
}

// renewals counts.
type renewals struct{ ok, failed atomic.Int32 }

func (*renewals) LookedUp(int, int, int) {}

func (r *renewals) KeysRenewed(ok bool) {
	if ok {
		r.ok.Add(1)
	} else {
		r.failed.Add(1)
	}
}

func TestKeysOfATenantAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		v := g.kept(func(o *Options) { o.TenantID = "acme" })
		asked := g.keysAsked.Load()
		_, err := v.Verify(t.Context(), goodToken(object{"firebase": object{"tenant": "acme"}}))
		wantCode(t, err, "")
		_, err = v.Verify(t.Context(), goodToken(nil))
		wantCode(t, err, invalid)
		if n := g.keysAsked.Load() - asked; n != 0 {
			t.Errorf("keys fetched %d times", n)
		}
	})
}

// What the SDK has fetched is looked at, not only what the endpoint has answered before.
func TestOnlyFullKeyringsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		g.cacheControl.Store(kept)
		v := g.kept()
		var n int
		var f fault = func(w http.ResponseWriter, r *http.Request) {
			if n++; n%2 == 1 {
				g.serveKeys(w, r)
			} else {
				lasting(`{}`)(w, r)
			}
		}
		g.keyFault.Store(&f)
		pass(keysLive - time.Second)
		v.admits(t, g, "while answers come and go")
	})
}
