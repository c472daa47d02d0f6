package session

import (
	"errors"
	"time"
)

// Code is the stable word for what went wrong. The edge maps it to an HTTP status or a close code, in one table each.
type Code string

// The codes.
const (
	CodeTokenMissing    Code = "token_missing"
	CodeTokenInvalid    Code = "token_invalid"
	CodeTokenExpired    Code = "token_expired"
	CodeUserDisabled    Code = "user_disabled"
	CodeTokenRevoked    Code = "token_revoked"
	CodeSessionRequired Code = "session_required"
	CodeSessionEnded    Code = "session_ended"
	CodeReauthRequired  Code = "reauth_required"
	CodeIPChanged       Code = "ip_changed"
	CodeForbidden       Code = "forbidden"
	CodeInvalidRequest  Code = "invalid_request"
	CodeNotFound        Code = "not_found"
	CodeSessionLimit    Code = "session_limit"
	CodeUnavailable     Code = "unavailable"

	// Of the adapters: the domain itself fails with neither.
	CodeRateLimited Code = "rate_limited"
	CodeInternal    Code = "internal"
)

// Error is every error that leaves the domain.
type Error struct {
	Op      string // what was being done, for logs
	Code    Code
	Message string // for people; safe to show, empty for the code's usual text
	Err     error  // for logs

	Field      string        // invalid_request: what is wrong with the request, empty for all of it
	Reason     Reason        // session_ended, reauth_required, user_disabled: why the session ended
	EndedAt    time.Time     // session_ended: when
	MaxAge     time.Duration // reauth_required: how old a sign-in may be
	RetryAfter time.Duration // rate_limited, unavailable: when another try is worth it, zero if nobody knows
}

func (e *Error) Error() string {
	text := string(e.Code)
	if e.Op != "" {
		text = e.Op + ": " + text
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of err: empty for nil, unavailable for an error that says nothing else, since
// not knowing is never a reason to sign anybody out.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeUnavailable
}

// Unavailable wraps the failure of a dependency.
func Unavailable(op string, err error) error {
	return &Error{Op: op, Code: CodeUnavailable, Err: err}
}

// EndedError is the answer to whoever uses s, which is over.
func EndedError(s Session) error {
	return &Error{Code: CodeSessionEnded, Reason: s.EndReason, EndedAt: s.EndedAt}
}
