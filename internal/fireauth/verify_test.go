package fireauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"firebase.google.com/go/v4/auth"

	"github.com/vigilhq/vigil/internal/session"
)

// within runs a call of the verifier and demands an answer in time, which in a bubble is exact.
func within(t *testing.T, f func() error) error {
	t.Helper()
	start := time.Now()
	err := f()
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("answer after %v", d)
	}
	return err
}

// wantCode demands an error that says what it is: CodeOf alone would take any for unavailable.
func wantCode(t *testing.T, err error, want session.Code) {
	t.Helper()
	if e, ok := errors.AsType[*session.Error](err); ok && e.Code == want || err == nil && want == "" {
		return
	}
	t.Errorf("error is %v, want %s", err, want)
}

func TestGoodTokens(t *testing.T) {
	for name, over := range map[string]object{
		"plain":                              {},
		"a clock slightly behind":            {"iat": int64(946684830), "auth_time": int64(946684830)}, // half a minute into the bubble
		"a sub of 128 characters":            {"sub": strings.Repeat("x", 128)},
		"a sub that would change a path":     {"sub": "../a/b"},
		"an empty tenant":                    {"firebase": object{"sign_in_provider": "password", "tenant": ""}},
		"no firebase claim":                  {"firebase": nil},
		"an expiry that nobody will live to": {"exp": int64(maxSecond)},
		"a token of 7 KiB":                   {"pad": strings.Repeat("x", 5000)},
		"claims that look like others":       {"Auth_Time": seconds(0), "SID": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newGoogle(t).production()
				id, err := v.Verify(t.Context(), goodToken(over))
				if err != nil {
					t.Fatal(err)
				}
				want := claims(over)
				if id.UserID != session.UserID(want["sub"].(string)) || id.AuthTime.Unix() != want["auth_time"] ||
					id.IssuedAt.Unix() != want["iat"] || id.ExpiresAt.Unix() != want["exp"] {
					t.Errorf("got %+v from %v", id, want)
				}
				if id.Claims["iss"] != want["iss"] || id.Claims["sub"] != want["sub"] {
					t.Errorf("claims are %v, want all of the token's", id.Claims)
				}
			})
		})
	}
}

func TestSessionID(t *testing.T) {
	tests := map[string]struct {
		sid  any
		used bool
	}{
		"a name":         {"phone", true},
		"128 characters": {strings.Repeat("s", 128), true},
		"none":           {nil, false},
		"empty":          {"", false},
		"129 characters": {strings.Repeat("s", 129), false},
		"a number":       {7, false},
		"an object":      {object{"a": 1}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				id, err := newGoogle(t).production().Verify(t.Context(), goodToken(object{"sid": test.sid}))
				if err != nil {
					t.Fatal(err)
				}
				want := session.NewID("ana", "", id.AuthTime)
				if test.used {
					want = session.NewID("ana", test.sid.(string), id.AuthTime)
				}
				if id.SessionID != want {
					t.Errorf("session is %s, want %s", id.SessionID, want)
				}
			})
		})
	}
}

func TestTenant(t *testing.T) {
	tests := map[string]struct {
		firebase any
		want     session.Code
	}{
		"its own":     {object{"sign_in_provider": "password", "tenant": "acme"}, ""},
		"another":     {object{"tenant": "acme2"}, invalid},
		"odd case":    {object{"tenant": "ACME"}, invalid},
		"odd name":    {object{"Tenant": "acme"}, invalid},
		"none":        {object{}, invalid},
		"empty":       {object{"tenant": ""}, invalid},
		"no firebase": {nil, invalid},
		"a list":      {object{"tenant": []string{"acme"}}, invalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newGoogle(t).production(func(o *Options) { o.TenantID = "acme" })
				_, err := v.Verify(t.Context(), goodToken(object{"firebase": test.firebase}))
				wantCode(t, err, test.want)
			})
		})
	}
}

// However Google's key endpoint fails, a token whose signature cannot be checked is neither good nor bad, and the
// next one after the failure is what it is.
func TestKeysFail(t *testing.T) {
	for name, f := range map[string]fault{
		"503":          status(http.StatusServiceUnavailable),
		"404":          status(http.StatusNotFound),
		"hanging":      hang,
		"reset":        reset,
		"not JSON":     text("<html>sign in to the Wi-Fi</html>"),
		"no keys":      text(`{"key-1":"none"}`),
		"answers late": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusOK); hang(w, r) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				v := g.production()
				g.keyFault.Store(&f)
				err := within(t, func() error { _, err := v.Verify(t.Context(), goodToken(nil)); return err })
				wantCode(t, err, session.CodeUnavailable)
				g.keyFault.Store(nil)
				_, err = v.Verify(t.Context(), goodToken(nil))
				wantCode(t, err, "")
			})
		})
	}
}

func TestKeysAreKept(t *testing.T) {
	for cacheControl, want := range map[string]int32{
		"public, max-age=3600, must-revalidate": 1,
		"no-store":                              3,
		"":                                      3,
	} {
		t.Run(cacheControl, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				g.cacheControl.Store(cacheControl)
				v := g.production()
				for range 3 {
					if _, err := v.Verify(t.Context(), goodToken(nil)); err != nil {
						t.Error(err)
					}
					<-time.After(time.Second)
				}
				if n := g.keysAsked.Load(); n != want {
					t.Errorf("keys fetched %d times, want %d", n, want)
				}
			})
		})
	}
}

// The SDK holds a lock while it fetches keys. Everybody behind it is answered in time all the same. Bubbles do
// not see through locks, so this one takes its second and a half.
func TestKeysHangForMany(t *testing.T) {
	g := newGoogle(t)
	v := g.production()
	f := fault(hang)
	g.keyFault.Store(&f)
	token := goodToken(nil)
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			err := within(t, func() error { _, err := v.Verify(t.Context(), token); return err })
			wantCode(t, err, session.CodeUnavailable)
		})
	}
	callers.Wait()
}

func TestCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		v := g.production()
		f := fault(hang)
		g.keyFault.Store(&f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := v.Verify(ctx, goodToken(nil))
		wantCode(t, err, session.CodeUnavailable)
		if d := time.Since(start); d != time.Millisecond {
			t.Errorf("answer after %v, want at the caller's deadline", d)
		}
	})
}

// With a machine's clock that is wrong by more than the SDK's 300 seconds, good tokens cannot be verified. That is
// no reason to sign anybody out.
func TestMachineClockIsWrong(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": 2 * time.Hour, "behind": -10 * time.Minute, "slightly behind": -4 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				truth := func() time.Time { return time.Now().Add(-off) }
				v := newGoogle(t).production(func(o *Options) { o.Now = truth })
				now := truth().Unix()
				_, err := v.Verify(t.Context(), goodToken(object{"iat": now, "auth_time": now, "exp": now + 3600}))
				if off.Abs() < 5*time.Minute {
					wantCode(t, err, "")
				} else {
					wantCode(t, err, session.CodeUnavailable)
				}
			})
		})
	}
}

// In emulator mode the SDK looks the account up by itself.
func TestEmulatorLooksUp(t *testing.T) {
	tests := map[string]struct {
		change func(backend)
		want   session.Code
		reason session.Reason
	}{
		"a living account":   {change: func(backend) {}},
		"a disabled account": {func(b backend) { b.SetDisabled("ana", true) }, session.CodeUserDisabled, session.ReasonUserDisabled},
		"a deleted account":  {func(b backend) { b.Delete("ana") }, session.CodeUserDisabled, session.ReasonUserDeleted},
		"revoked tokens": {func(b backend) {
			<-time.After(time.Second)
			if err := b.RevokeTokens(b.t.Context(), "ana"); err != nil {
				b.t.Error(err)
			}
		}, session.CodeTokenRevoked, ""},
		"no emulator": {func(b backend) { f := fault(reset); b.userFault.Store(&f) }, session.CodeUnavailable, ""},
		"a quota":     {func(b backend) { f := status(http.StatusTooManyRequests); b.userFault.Store(&f) }, session.CodeUnavailable, ""},
		"a slow one":  {func(b backend) { f := fault(hang); b.userFault.Store(&f) }, session.CodeUnavailable, ""},
		"nonsense":    {func(b backend) { f := text("{"); b.userFault.Store(&f) }, session.CodeUnavailable, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				b := backend{g.emulator(), g}
				token := b.SignIn("ana")
				test.change(b)
				err := within(t, func() error { _, err := b.Verify(t.Context(), token); return err })
				wantCode(t, err, test.want)
				if e := new(session.Error); errors.As(err, &e) && e.Reason != test.reason {
					t.Errorf("the reason is %q, want %q", e.Reason, test.reason)
				}
			})
		})
	}
}

// The questions that the SDK offers do not look into wrapped errors. An error that has been wrapped on its way is
// one that nobody can tell.
func TestCodeOfTheUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newGoogle(t).production()
		_, err := v.client.VerifyIDToken(t.Context(), "no token")
		if !auth.IsIDTokenInvalid(err) || code(err) != invalid {
			t.Errorf("%v is %s, want %s", err, code(err), invalid)
		}
		if got := code(fmt.Errorf("wrapped: %w", err)); got != session.CodeUnavailable {
			t.Errorf("wrapped, it is %s, want %s", got, session.CodeUnavailable)
		}
		// The verifier refuses what follows before the SDK sees it. Were it to come, it would still be the token's fault.
		for want, token := range map[session.Code]string{
			expired: goodToken(object{"exp": seconds(-time.Hour)}),
			invalid: goodToken(object{"iat": seconds(time.Hour)}),
		} {
			if _, err := v.client.VerifyIDToken(t.Context(), token); code(err) != want {
				t.Errorf("%v is %s, want %s", err, code(err), want)
			}
		}
	})
}

// Whatever text comes in, reading it neither fails in an unforeseen way nor yields an identity that the store could
// not hold.
func FuzzRead(f *testing.F) {
	for _, a := range attacks {
		if token := a.token(); len(token) <= maxToken {
			f.Add(token)
		}
	}
	f.Add(goodToken(nil))
	want := expected{issuer: "https://securetoken.google.com/" + testProject, audience: testProject}
	now := time.Now()
	f.Fuzz(func(t *testing.T, token string) {
		id, err := want.read(token, now)
		if err != nil {
			if id.UserID != "" || id.SessionID != "" {
				t.Errorf("an identity besides %v: %+v", err, id)
			}
			return
		}
		if !id.UserID.Valid() || !id.SessionID.Valid() || !id.AuthTime.After(time.Unix(0, 0)) || !now.Before(id.ExpiresAt) {
			t.Errorf("%q is %+v", token, id)
		}
	})
}

// Of two users whose uid and sid come to the same text, one has a sid with a slash.
func TestSIDsWithASlashAreInvalid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, sid := range []string{"x/777", "/", "a/"} {
			_, err := newGoogle(t).production().Verify(t.Context(), goodToken(object{"sid": sid}))
			if got := session.CodeOf(err); got != session.CodeTokenInvalid {
				t.Errorf("%q: %q (%v)", sid, got, err)
			}
		}
	})
}
