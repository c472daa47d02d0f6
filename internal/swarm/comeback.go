package swarm

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/vigilhq/vigil/internal/socket"
	"github.com/vigilhq/vigil/internal/wire"
)

// Of the client package.
const (
	backoffBase = 500 * time.Millisecond // before the first attempt at most this; each doubles it
	backoffCap  = 30 * time.Second
	stableAfter = 10 * time.Second // a connection that has lasted this long was good: the next attempt is a first one
	pongWait    = 10 * time.Second // for an answer to a ping
	tooManyTry  = 6                // coming back at once after 4005 would only push out another
)

// backoff is the longest wait before a browser comes back after so many attempts in vain. It waits at random for less: full jitter.
func backoff(attempts int) time.Duration {
	return min(backoffBase<<min(attempts, 10), backoffCap)
}

// intent is what a browser does after a visit.
type intent int

const (
	retry    intent = iota // come back
	reenter                // register, and come back
	renew                  // get a new token, and come back
	giveUp                 // it is over
	tooEager               // come back much later
)

// ended says what the end of a visit means, as the client package has it. The reason is that of a last frame.
func ended(err error, reason string) intent {
	var closed *socket.ClosedError
	var refused *socket.RefusedError
	var answered *answerError
	switch {
	case errors.As(err, &closed):
		return afterClose(closed.Code, reason)
	case errors.As(err, &refused):
		return afterAnswer(refused.Status, "")
	case errors.As(err, &answered):
		return afterAnswer(answered.status, answered.code)
	default:
		return retry
	}
}

func afterClose(code wire.CloseCode, reason string) intent {
	switch {
	case code == wire.CloseTokenExpired:
		return renew
	case code == wire.CloseTooMany:
		return tooEager
	case code == wire.CloseReplaced:
		return giveUp
	case code == wire.CloseUnauthorized && reason == "token_invalid":
		return renew
	case code == wire.CloseUnauthorized && reason != "token_revoked":
		return reenter
	case code.Terminal():
		return giveUp
	default:
		return retry
	}
}

func afterAnswer(status int, code string) intent {
	switch {
	case code == "token_expired":
		return renew
	case status == http.StatusTooManyRequests, status >= http.StatusInternalServerError:
		return retry
	default:
		return giveUp
	}
}

// answerError is an answer of the API that is no success.
type answerError struct {
	status     int
	code       string
	retryAfter time.Duration
}

func (e *answerError) Error() string { return fmt.Sprintf("%d %s", e.status, e.code) }

// retryAfter is how long the server wants to be left alone.
func retryAfter(err error) time.Duration {
	var refused *socket.RefusedError
	var answered *answerError
	switch {
	case errors.As(err, &refused):
		return refused.RetryAfter
	case errors.As(err, &answered):
		return answered.retryAfter
	default:
		return 0
	}
}

// word names a failure in a report: few words, so that they can be counted, and nothing that a server has made up but its codes.
func word(err error) string {
	var refused *socket.RefusedError
	var answered *answerError
	var errno syscall.Errno
	var network net.Error
	switch {
	case errors.As(err, &refused):
		return "handshake answered with " + strconv.Itoa(refused.Status)
	case errors.As(err, &answered):
		return "registration answered with " + answered.Error()
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &network) && network.Timeout():
		return "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection lost"
	default:
		return "failed"
	}
}
