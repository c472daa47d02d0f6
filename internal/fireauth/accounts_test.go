package fireauth

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"firebase.google.com/go/v4/auth"

	"github.com/vigilhq/vigil/internal/session"
)

func TestLookUpFails(t *testing.T) {
	for name, fail := range map[string]func(*google){
		"503":        func(g *google) { f := status(http.StatusServiceUnavailable); g.userFault.Store(&f) },
		"500":        func(g *google) { f := status(http.StatusInternalServerError); g.userFault.Store(&f) },
		"quota":      func(g *google) { f := status(http.StatusTooManyRequests); g.userFault.Store(&f) },
		"permission": func(g *google) { f := status(http.StatusForbidden); g.userFault.Store(&f) },
		"hanging":    func(g *google) { f := fault(hang); g.userFault.Store(&f) },
		"reset":      func(g *google) { f := fault(reset); g.userFault.Store(&f) },
		"nonsense":   func(g *google) { f := text("<html>"); g.userFault.Store(&f) },
		"claims are nonsense": func(g *google) {
			f := text(`{"users":[{"localId":"ana","customAttributes":"{"}]}`)
			g.userFault.Store(&f)
		},
		"no such project":      func(g *google) { f := refusal("PROJECT_NOT_FOUND"); g.userFault.Store(&f) },
		"access token: 503":    func(g *google) { f := status(http.StatusServiceUnavailable); g.tokenFault.Store(&f) },
		"access token: hangs":  func(g *google) { f := fault(hang); g.tokenFault.Store(&f) },
		"access token: denied": func(g *google) { f := status(http.StatusUnauthorized); g.tokenFault.Store(&f) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				v := g.production()
				fail(g)
				err := within(t, func() error { _, err := v.Account(t.Context(), "ana"); return err })
				wantCode(t, err, session.CodeUnavailable)

				// Long enough for a fetch of an access token to have been given up, too.
				<-time.After(tokenTimeout)
				g.userFault.Store(nil)
				g.tokenFault.Store(nil)
				a, err := v.Account(t.Context(), "ana")
				if err != nil || !a.Missing {
					t.Errorf("afterwards: %+v, %v, want a missing account", a, err)
				}
			})
		})
	}
}

func refusal(word string) fault {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(encode(object{"error": object{"code": 400, "message": word}}))
	}
}

func TestRevokeFails(t *testing.T) {
	for name, test := range map[string]struct {
		fault fault
		want  session.Code
	}{
		"503":            {status(http.StatusServiceUnavailable), session.CodeUnavailable},
		"hanging":        {hang, session.CodeUnavailable},
		"user not found": {refusal("USER_NOT_FOUND"), ""},
		"another word":   {refusal("TENANT_NOT_FOUND"), session.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				v := g.production()
				g.userFault.Store(&test.fault)
				wantCode(t, within(t, func() error { return v.RevokeTokens(t.Context(), "ana") }), test.want)
			})
		})
	}
}

func TestAccountOfTenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		v := g.production(func(o *Options) { o.TenantID = "acme" })
		if _, err := v.Account(t.Context(), "ana"); err != nil {
			t.Fatal(err)
		}
		if path := g.accessPath.Load().(string); !strings.Contains(path, "/projects/"+testProject+"/tenants/acme/accounts") {
			t.Errorf("looked up at %s, want the tenant's accounts", path)
		}
	})
}

// One uid that the SDK does not take would fail the whole batch.
func TestImpossibleAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		b := backend{g.emulator(), g}
		b.SignIn("ana")
		long := session.UserID(strings.Repeat("é", 65)) // 65 characters, 130 bytes
		accounts, err := b.Accounts(t.Context(), []session.UserID{"", "ana", long})
		if err != nil || len(accounts) != 3 || !accounts[""].Missing || accounts["ana"].Missing || !accounts[long].Missing {
			t.Errorf("got %+v, %v", accounts, err)
		}
		asked := g.usersAsked.Load()
		for _, uid := range []session.UserID{"", long} {
			if a, err := b.Account(t.Context(), uid); err != nil || !a.Missing || a.UserID != uid {
				t.Errorf("%.10q: %+v, %v", uid, a, err)
			}
			if err := b.RevokeTokens(t.Context(), uid); err != nil {
				t.Errorf("%.10q: %v", uid, err)
			}
		}
		if g.usersAsked.Load() != asked {
			t.Error("an impossible account was asked for")
		}
	})
}

func TestTooManyAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		uids := make([]session.UserID, session.MaxAccounts+1)
		for i := range uids {
			uids[i] = session.UserID(fmt.Sprint(i))
		}
		_, err := g.emulator().Accounts(t.Context(), uids)
		wantCode(t, err, session.CodeUnavailable)
		if g.usersAsked.Load() != 0 {
			t.Error("they were asked for")
		}
	})
}

func TestAccountThatWasNeverRevoked(t *testing.T) {
	user := &auth.UserRecord{UserInfo: &auth.UserInfo{UID: "ana"}}
	if a := account(user); !a.TokensValidAfter.IsZero() || a.Revoked(time.Unix(1, 0)) {
		t.Errorf("got %+v", a)
	}
}

// Calls that hang and take no notice of their context, as fetches of access tokens do, neither hold up a caller nor
// pile up without bound.
func TestCallsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := make(slots, 4)
		var running atomic.Int32
		release := make(chan struct{})
		stuck := func(context.Context) (struct{}, error) {
			running.Add(1)
			<-release
			return struct{}{}, nil
		}
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if err := within(t, func() error { _, err := call(t.Context(), s, stuck); return err }); err == nil {
					t.Error("a call that hangs has succeeded")
				}
			})
		}
		callers.Wait()
		if n := running.Load(); n != int32(cap(s)) {
			t.Errorf("%d calls are under way, want %d", n, cap(s))
		}
		close(release)
		synctest.Wait()
		if len(s) != 0 {
			t.Errorf("%d slots are taken after the calls are over", len(s))
		}
	})
}
