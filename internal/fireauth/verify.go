package fireauth

import (
	"context"
	"errors"
	"time"

	"firebase.google.com/go/v4/auth"

	"github.com/vigilhq/vigil/internal/session"
)

// Verify implements [session.Verifier]. Only a token that is right in everything but its signature gets as far as
// Google's keys, so that a flood of nonsense costs no request and next to no time.
//
// In production nothing is asked about the account. In emulator mode the SDK cannot help it, and the answer may also
// be user_disabled or token_revoked.
func (v *Verifier) Verify(ctx context.Context, token string) (session.Identity, error) {
	const op = "verify"
	now := v.now()
	id, err := v.want.read(token, now)
	if errors.Is(err, errExpired) {
		return session.Identity{}, &session.Error{Op: op, Code: session.CodeTokenExpired, Err: err}
	}
	if err != nil {
		return session.Identity{}, &session.Error{Op: op, Code: session.CodeTokenInvalid, Err: err}
	}
	if clockOff(id) {
		return session.Identity{}, session.Unavailable(op, errClock)
	}
	if err := v.verify(ctx, token); err != nil {
		return session.Identity{}, &session.Error{Op: op, Code: code(err), Reason: reason(err), Err: err}
	}
	v.proven.Store(now.UnixNano())
	return id, nil
}

// Claims implements [session.Verifier].
func (v *Verifier) Claims(token string) map[string]any {
	claims, err := payload(token)
	if err != nil {
		return nil // it has not been verified
	}
	return claims
}

var errClock = errors.New("the token is timely and this machine's clock is not")

// clockOff reports whether the SDK, which goes by the machine's clock give or take 300 seconds, would take an error of
// that clock for the token's.
func clockOff(id session.Identity) bool {
	const give = 300 * time.Second
	machine := time.Now()
	return id.IssuedAt.After(machine.Add(give)) || machine.After(id.ExpiresAt.Add(give))
}

// code sorts an error of the SDK's VerifyIDToken. It must be given what the SDK returned and nothing that wraps it. The
// SDK calls an expired, revoked or disabled token invalid, too, so the narrow questions come first. What it has no
// word for is a failure on the way: a network, a quota, a key, a deadline.
func code(err error) session.Code {
	switch {
	case auth.IsIDTokenExpired(err):
		return session.CodeTokenExpired
	case auth.IsIDTokenRevoked(err):
		return session.CodeTokenRevoked
	case auth.IsUserDisabled(err), auth.IsUserNotFound(err):
		return session.CodeUserDisabled
	case auth.IsIDTokenInvalid(err), auth.IsTenantIDMismatch(err):
		return session.CodeTokenInvalid
	default:
		return session.CodeUnavailable
	}
}

// reason tells a deleted account from a disabled one. As code, it must be given what the SDK returned.
func reason(err error) session.Reason {
	switch {
	case auth.IsUserDisabled(err):
		return session.ReasonUserDisabled
	case auth.IsUserNotFound(err):
		return session.ReasonUserDeleted
	default:
		return ""
	}
}
