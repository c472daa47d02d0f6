package sessiontest_test

import (
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestDirectory(t *testing.T) {
	sessiontest.TestVerifier(t, func(*testing.T) sessiontest.Firebase { return directory{sessiontest.NewDirectory()} })
}

type directory struct{ *sessiontest.Directory }

func (d directory) SetClaims(uid session.UserID, claims map[string]any) {
	d.Change(uid, func(a *session.Account) { a.Claims = claims })
}

func (d directory) Delete(uid session.UserID) { d.Remove(uid) }

func (d directory) SetDisabled(uid session.UserID, disabled bool) {
	d.Change(uid, func(a *session.Account) { a.Disabled = disabled })
}

func TestDirectoryEdits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, ctx := sessiontest.NewDirectory(), t.Context()
		d.SignIn("ana")
		d.SignIn("bea")
		<-time.After(time.Minute + time.Millisecond)
		now := time.Now().Truncate(time.Second).UTC()
		for _, c := range []struct {
			name  string
			edit  func(session.Editor) error
			code  session.Code
			field string
			want  session.Account // of ana, afterwards
		}{
			{"claim", func(e session.Editor) error { return e.SetClaim(ctx, "ana", "admin", true) }, "", "",
				session.Account{UserID: "ana", Claims: map[string]any{"admin": true}}},
			{"another claim", func(e session.Editor) error { return e.SetClaim(ctx, "ana", "editor", true) }, "", "",
				session.Account{UserID: "ana", Claims: map[string]any{"admin": true, "editor": true}}},
			{"no claim", func(e session.Editor) error { return e.SetClaim(ctx, "ana", "admin", false) }, "", "",
				session.Account{UserID: "ana", Claims: map[string]any{"editor": true}}},
			{"malformed address", func(e session.Editor) error { return e.SetEmail(ctx, "ana", "ana@") }, session.CodeInvalidRequest, "email",
				session.Account{UserID: "ana", Claims: map[string]any{"editor": true}}},
			{"short password", func(e session.Editor) error { return e.SetPassword(ctx, "ana", "12345") }, session.CodeInvalidRequest, "password",
				session.Account{UserID: "ana", Claims: map[string]any{"editor": true}}},
			{"address", func(e session.Editor) error { return e.SetEmail(ctx, "ana", "ana@example.com") }, "", "",
				session.Account{UserID: "ana", Claims: map[string]any{"editor": true}, TokensValidAfter: now}},
			{"taken address", func(e session.Editor) error { return e.SetEmail(ctx, "bea", "ana@example.com") }, session.CodeInvalidRequest, "email",
				session.Account{UserID: "ana", Claims: map[string]any{"editor": true}, TokensValidAfter: now}},
			{"password", func(e session.Editor) error { return e.SetPassword(ctx, "ana", "123456") }, "", "",
				session.Account{UserID: "ana", Claims: map[string]any{"editor": true}, TokensValidAfter: now}},
			{"disabled", func(e session.Editor) error { return e.SetDisabled(ctx, "ana", true) }, "", "",
				session.Account{UserID: "ana", Claims: map[string]any{"editor": true}, TokensValidAfter: now, Disabled: true}},
			{"deleted", func(e session.Editor) error { return e.Delete(ctx, "ana") }, "", "",
				session.Account{UserID: "ana", Missing: true}},
			{"deleted again", func(e session.Editor) error { return e.Delete(ctx, "ana") }, "", "",
				session.Account{UserID: "ana", Missing: true}},
			{"gone", func(e session.Editor) error { return e.SetPassword(ctx, "ana", "123456") }, session.CodeNotFound, "",
				session.Account{UserID: "ana", Missing: true}},
		} {
			d.SetDown(true)
			if err := c.edit(d); session.CodeOf(err) != session.CodeUnavailable {
				t.Errorf("%s while down: %v", c.name, err)
			}
			d.SetDown(false)
			err := c.edit(d)
			var said *session.Error
			if session.CodeOf(err) != c.code || errors.As(err, &said) && said.Field != c.field {
				t.Errorf("%s: %v", c.name, err)
			}
			if got, err := d.Account(ctx, "ana"); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s: account %+v, error %v, want %+v", c.name, got, err, c.want)
			}
		}
	})
}
