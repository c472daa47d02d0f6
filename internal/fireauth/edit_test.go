package fireauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestEditorOnEmulator(t *testing.T) {
	sessiontest.TestEditor(t, func(t *testing.T) (sessiontest.Firebase, session.Editor) {
		g := newGoogle(t)
		v := g.emulator()
		return backend{v, g}, v
	})
}

func TestEditorInProduction(t *testing.T) {
	sessiontest.TestEditor(t, func(t *testing.T) (sessiontest.Firebase, session.Editor) {
		g := newGoogle(t)
		v := g.production()
		return backend{v, g}, v
	})
}

func TestEditorOfTenant(t *testing.T) {
	sessiontest.TestEditor(t, func(t *testing.T) (sessiontest.Firebase, session.Editor) {
		g := newGoogle(t)
		// Its tokens are of no tenant here, so a verifier of the project reads them; the changes are the tenant's.
		return backend{g.production(), g}, g.production(func(o *Options) { o.TenantID = "acme" })
	})
}

// edits are all of the editor's calls, on an account that is there.
var edits = map[string]func(*testing.T, *Verifier) error{
	"email":    func(t *testing.T, v *Verifier) error { return v.SetEmail(t.Context(), "ana", "ana@example.com") },
	"password": func(t *testing.T, v *Verifier) error { return v.SetPassword(t.Context(), "ana", "battery staple") },
	"disabled": func(t *testing.T, v *Verifier) error { return v.SetDisabled(t.Context(), "ana", true) },
	"claim":    func(t *testing.T, v *Verifier) error { return v.SetClaim(t.Context(), "ana", "admin", true) },
	"delete":   func(t *testing.T, v *Verifier) error { return v.Delete(t.Context(), "ana") },
}

func TestEditFails(t *testing.T) {
	for name, fault := range map[string]fault{
		"503":          status(http.StatusServiceUnavailable),
		"500":          status(http.StatusInternalServerError),
		"quota":        status(http.StatusTooManyRequests),
		"permission":   status(http.StatusForbidden),
		"hanging":      hang,
		"reset":        reset,
		"another word": refusal("QUOTA_EXCEEDED : Exceeded quota for updating account information."),
		"no project":   refusal("PROJECT_NOT_FOUND"),
		"no tenant":    refusal("TENANT_NOT_FOUND"),
		"no words":     status(http.StatusBadRequest),
	} {
		for operation, edit := range edits {
			t.Run(name+"/"+operation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newGoogle(t)
					b := backend{g.production(), g}
					b.SignIn("ana")
					g.userFault.Store(&fault)
					wantCode(t, within(t, func() error { return edit(t, b.Verifier) }), session.CodeUnavailable)
					g.userFault.Store(nil)
					wantCode(t, within(t, func() error { return edit(t, b.Verifier) }), "")
				})
			})
		}
	}
}

// What Firebase says about a value is passed on in our own words, and only where it is about that value.
func TestRefusals(t *testing.T) {
	const raw = "GOOGLE SAYS"
	for _, test := range []struct {
		edit, word string
		field      string // empty: it is unavailable
	}{
		{"email", "INVALID_EMAIL", "email"},
		{"email", "EMAIL_EXISTS", "email"},
		{"email", "DUPLICATE_EMAIL", "email"},
		{"email", "WEAK_PASSWORD", ""},
		{"password", "WEAK_PASSWORD", "password"},
		{"password", "PASSWORD_DOES_NOT_MEET_REQUIREMENTS", "password"},
		{"password", "EMAIL_EXISTS", ""},
		{"disabled", "INVALID_EMAIL", ""},
		{"claim", "WEAK_PASSWORD", ""},
	} {
		t.Run(test.edit+" "+test.word, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				v := g.production()
				f := refusal(test.word + " : " + raw)
				g.userFault.Store(&f)
				err := within(t, func() error { return edits[test.edit](t, v) })
				want := session.CodeUnavailable
				if test.field != "" {
					want = session.CodeInvalidRequest
				}
				wantCode(t, err, want)
				e, ok := errors.AsType[*session.Error](err)
				if !ok || e.Field != test.field || (e.Message != "") != (test.field != "") || strings.Contains(e.Message, raw) {
					t.Errorf("%q: %q", e.Field, e.Message)
				}
			})
		})
	}
}

func TestLongCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		b := backend{g.production(), g}
		b.SignIn("ana")
		for field, err := range map[string]error{
			"email":    b.SetEmail(t.Context(), "ana", strings.Repeat("a", 300)+"@example.com"),
			"password": b.SetPassword(t.Context(), "ana", strings.Repeat("a", 5000)),
		} {
			wantCode(t, err, session.CodeInvalidRequest)
			if e, ok := errors.AsType[*session.Error](err); !ok || e.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
	})
}

// What the SDK would refuse with an error that cannot be told from a broken network is never given to it.
func TestNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		v := g.production()
		wantCode(t, v.SetEmail(t.Context(), "ana", "ana"), session.CodeInvalidRequest)
		wantCode(t, v.SetPassword(t.Context(), "ana", "short"), session.CodeInvalidRequest)
		wantCode(t, v.SetClaim(t.Context(), "ana", "sub", true), session.CodeInvalidRequest)
		wantCode(t, v.SetDisabled(t.Context(), "", true), session.CodeNotFound)
		if n := g.usersAsked.Load(); n != 0 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestEmailIsUnverified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		b := backend{g.production(), g}
		b.SignIn("ana")
		b.admin("update", object{"localId": "ana", "email": "ana@example.com", "emailVerified": true})
		if err := b.SetEmail(t.Context(), "ana", "ana@example.com"); err != nil {
			t.Fatal(err)
		}
		user, err := b.client.GetUser(t.Context(), "ana")
		if err != nil || user.Email != "ana@example.com" || user.EmailVerified {
			t.Errorf("%+v, %v", user, err)
		}
	})
}

// Somebody else replaces the claims after each write of ours, a few times.
func TestClaimIsOverwritten(t *testing.T) {
	for times, want := range map[int32]session.Code{1: "", claimAttempts - 1: "", claimAttempts: session.CodeUnavailable} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				b := backend{g.production(), g}
				b.SignIn("ana")
				var overwritten atomic.Int32
				f := fault(func(w http.ResponseWriter, r *http.Request) {
					update := strings.HasSuffix(r.URL.Path, ":update")
					g.serveUsers(w, r)
					if n := overwritten.Load(); update && n < times {
						overwritten.Add(1)
						b.SetClaims("ana", map[string]any{"other": float64(n)}) //nolint:contextcheck // another process does
					}
				})
				g.userFault.Store(&f)
				wantCode(t, within(t, func() error { return b.SetClaim(t.Context(), "ana", "admin", true) }), want)
				a, err := b.Account(t.Context(), "ana")
				if err != nil || a.Claims["other"] == nil || (a.Claims["admin"] == true) != (want == "") {
					t.Errorf("claims are %v, %v", a.Claims, err)
				}
			})
		})
	}
}

func TestClaimsThatWouldNotSurvive(t *testing.T) {
	for claims, want := range map[string]session.Code{
		`{"level":9007199254740993}`:             session.CodeInvalidRequest,
		`{"a":[{"b":-9007199254740993}]}`:        session.CodeInvalidRequest,
		`{"level":9007199254740991,"ratio":0.5}`: "",
	} {
		t.Run(claims, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				b := backend{g.production(), g}
				b.SignIn("ana")
				b.admin("update", object{"localId": "ana", "customAttributes": claims})
				wantCode(t, b.SetClaim(t.Context(), "ana", "admin", true), want)
			})
		})
	}
}
