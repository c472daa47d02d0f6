package fireauth

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/vigilhq/vigil/internal/identity"
	"github.com/vigilhq/vigil/internal/session"
)

type lookUps [3]int

func (l *lookUps) LookedUp(found, missing, failed int) {
	l[0] += found
	l[1] += missing
	l[2] += failed
}

func (*lookUps) KeysRenewed(bool) {}

func TestLookUpsAreCountedByWhatCameOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counted lookUps
		g := newGoogle(t)
		v := g.production(func(o *Options) { o.Meter = &counted })
		if _, err := g.users.CreateUser(identity.NewUser{UID: "ana", Email: "ana@example.com", Password: "ana's password"}); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Accounts(t.Context(), []session.UserID{"ana", "ben", "eve", ""}); err != nil {
			t.Fatal(err)
		}
		down := status(http.StatusServiceUnavailable)
		g.userFault.Store(&down)
		if _, err := v.Account(t.Context(), "ana"); err == nil {
			t.Fatal("no failure")
		}
		if want := (lookUps{1, 2, 1}); counted != want { // nobody is asked about what cannot be an account
			t.Errorf("found, missing, failed: %v, want %v", counted, want)
		}
	})
}
