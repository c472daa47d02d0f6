package live

import (
	"cmp"
	"errors"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// closeFor is the one table from the gate's errors to close codes, with the last frame that goes before.
func closeFor(err error) (wire.CloseCode, []byte) {
	switch code := session.CodeOf(err); code {
	case session.CodeSessionEnded, session.CodeUserDisabled:
		var e *session.Error
		errors.As(err, &e)
		return closeForEnd(cmp.Or(e.Reason, session.ReasonUserDisabled))
	case session.CodeIPChanged:
		return closeForEnd(session.ReasonIPChanged)
	case session.CodeTokenExpired: // a fresh one will do
		return wire.CloseTokenExpired, last(wire.TypeAuthExpired, string(code))
	case session.CodeTokenMissing, session.CodeTokenInvalid, session.CodeTokenRevoked, session.CodeSessionRequired:
		return wire.CloseUnauthorized, last(wire.TypeAuthExpired, string(code))
	case session.CodeReauthRequired, session.CodeForbidden, session.CodeInvalidRequest, session.CodeNotFound,
		session.CodeSessionLimit, session.CodeUnavailable, session.CodeRateLimited, session.CodeInternal:
	}
	return wire.CloseUnavailable, nil
}

// closeForEnd is the close of a session that has ended.
func closeForEnd(reason session.Reason) (wire.CloseCode, []byte) {
	code := wire.CloseRevoked
	switch reason {
	case session.ReasonIdleTimeout:
		code = wire.CloseIdle
	case session.ReasonAbsoluteTimeout:
		code = wire.CloseExpired
	case session.ReasonUserDisabled, session.ReasonUserDeleted:
		code = wire.CloseAccountGone
	case session.ReasonReplaced:
		code = wire.CloseReplaced
	case session.ReasonLogout, session.ReasonRevoked, session.ReasonAdminRevoked, session.ReasonTokensRevoked,
		session.ReasonSessionLimit, session.ReasonIPChanged, session.ReasonCredentialsChanged:
	}
	return code, last(wire.TypeSessionRevoked, string(reason))
}

func last(t wire.Type, reason string) []byte {
	return wire.Encode(wire.Last{Type: t, Reason: reason})
}
