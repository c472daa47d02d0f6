package swarm

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/socket"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestWhatTheEndOfAVisitMeans(t *testing.T) {
	closed := func(code wire.CloseCode) error { return &socket.ClosedError{Code: code} }
	for name, c := range map[string]struct {
		err    error
		reason string
		want   intent
	}{
		"the server restarts":               {closed(wire.CloseRestart), "", retry},
		"a dependency is down":              {closed(wire.CloseUnavailable), "", retry},
		"too slow":                          {closed(wire.CloseSlow), "", retry},
		"the token has expired":             {closed(wire.CloseTokenExpired), "token_expired", renew},
		"too many":                          {closed(wire.CloseTooMany), "", tooEager},
		"replaced":                          {closed(wire.CloseReplaced), "", giveUp},
		"nothing registered":                {closed(wire.CloseUnauthorized), "session_required", reenter},
		"a token that nobody can read":      {closed(wire.CloseUnauthorized), "token_invalid", renew},
		"a revoked token":                   {closed(wire.CloseUnauthorized), "token_revoked", giveUp},
		"revoked":                           {closed(wire.CloseRevoked), "admin_revoked", giveUp},
		"protocol":                          {closed(wire.CloseProtocol), "", giveUp},
		"a proxy goes away":                 {closed(1001), "", retry},
		"lost":                              {io.ErrUnexpectedEOF, "", retry},
		"nobody there":                      {syscall.ECONNREFUSED, "", retry},
		"handshake: too many":               {&socket.RefusedError{Status: http.StatusTooManyRequests}, "", retry},
		"handshake: unavailable":            {fmt.Errorf("dial: %w", &socket.RefusedError{Status: http.StatusServiceUnavailable}), "", retry},
		"handshake: origin":                 {&socket.RefusedError{Status: http.StatusForbidden}, "", giveUp},
		"registration: expired":             {&answerError{status: http.StatusUnauthorized, code: "token_expired"}, "", renew},
		"registration: the sign-in is over": {&answerError{status: http.StatusUnauthorized, code: "reauth_required"}, "", giveUp},
		"registration: limited":             {&answerError{status: http.StatusTooManyRequests, code: "rate_limited"}, "", retry},
	} {
		if got := ended(c.err, c.reason); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	for attempts, want := range map[int]time.Duration{
		0: 500 * time.Millisecond, 1: time.Second, 5: 16 * time.Second, 6: 30 * time.Second, 1000: 30 * time.Second,
	} {
		if got := backoff(attempts); got != want {
			t.Errorf("after %d attempts: %s, want %s", attempts, got, want)
		}
	}
}

func TestTheServerSaysWhenToComeBack(t *testing.T) {
	for _, err := range []error{
		fmt.Errorf("dial: %w", &socket.RefusedError{RetryAfter: 7 * time.Second}), &answerError{retryAfter: 7 * time.Second},
	} {
		if got := retryAfter(err); got != 7*time.Second {
			t.Errorf("%v: %s", err, got)
		}
	}
	if got := retryAfter(io.EOF); got != 0 {
		t.Error(got)
	}
}

// Failures are counted by few words, and none of them are the server's or a token's.
func TestWords(t *testing.T) {
	for want, err := range map[string]error{
		"handshake answered with 503":                    &socket.RefusedError{Status: 503, Detail: "eyJ"},
		"registration answered with 401 reauth_required": &answerError{status: 401, code: "reauth_required"},
		"connection refused":                             fmt.Errorf("dial: %w", syscall.ECONNREFUSED),
		"connection lost":                                fmt.Errorf("read: %w", io.ErrUnexpectedEOF),
		"timed out":                                      timeout{},
		"failed":                                         errors.New("something with eyJ in it"),
	} {
		if got := word(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

type timeout struct{}

func (timeout) Error() string   { return "x" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }
