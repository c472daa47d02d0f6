package sessiontest_test

import (
	"testing"

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
