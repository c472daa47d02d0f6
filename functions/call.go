package functions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"golang.org/x/time/rate"
)

// How much of a request is read.
const (
	maxSignIn = 256 << 10 // with all that an identity provider says about a user, and its tokens
	maxEvent  = 1 << 20   // twice what Eventarc delivers
	maxSweep  = 64 << 10
)

// A refusal is an answer other than success, in the shape that Identity Platform has for those of a blocking function and passes on to
// the client: https://firebase.google.com/docs/auth/extend-with-blocking-functions#handling_user_operations.
type refusal struct {
	code    int
	status  string // of Google's canonical ones
	message string
}

func (f *refusal) Error() string { return f.message }

func (f *refusal) answer(w http.ResponseWriter) {
	answer(w, f.code, map[string]any{"error": map[string]string{"status": f.status, "message": f.message}})
}

var (
	errMethod     = &refusal{http.StatusMethodNotAllowed, "INVALID_ARGUMENT", "Only POST is answered."}
	errTooLarge   = &refusal{http.StatusRequestEntityTooLarge, "INVALID_ARGUMENT", "The request is too large."}
	errUnreadable = &refusal{http.StatusBadRequest, "INVALID_ARGUMENT", "The request cannot be read."}
	errCaller     = &refusal{http.StatusUnauthorized, "UNAUTHENTICATED", "The request does not come from whom it has to come from."}
	errInternal   = &refusal{http.StatusInternalServerError, "INTERNAL", "The function has failed."}
	errNotDone    = &refusal{http.StatusServiceUnavailable, "UNAVAILABLE", "Not done yet: try again."}
)

// refuse answers instead of a function that has not done what it is for. A sign-in is refused only for what is wrong with its request:
// where the function itself fails, ends, or is given more than it takes, it cannot tell, and Identity Platform would fail the sign-in on
// everything but 200.
func refuse(w http.ResponseWriter, name string, f *refusal) {
	if name == BeforeSignIn && (f == errTooLarge || f == errInternal || f == errNotDone) {
		answer(w, http.StatusOK, struct{}{})
		return
	}
	f.answer(w)
}

func answer(w http.ResponseWriter, code int, body any) {
	text, _ := json.Marshal(body) // of texts and numbers, which cannot fail
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(text) // a caller who has gone needs no answer
}

// handler answers a request whose body has been read. It answers itself unless it fails.
type handler func(w http.ResponseWriter, r *http.Request, body []byte) error

// complaintInterval is how often a function that anybody can call says why it has refused: without a limit they could fill the log.
const complaintInterval = 10 * time.Second

// call is what all functions have in common. A budget of zero is as long as the caller waits, or until the process is about to end.
func (s *Server) call(name string, budget time.Duration, most int64, h handler) http.HandlerFunc {
	complaints := rate.Sometimes{First: 1, Interval: complaintInterval}
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.begin() {
			refuse(w, name, errNotDone)
			return
		}
		defer s.running.Done()
		defer func() { _ = http.NewResponseController(w).Flush() }() // the process may end as soon as nothing runs
		defer func() {
			if p := recover(); p != nil {
				s.log.Error("function panicked", "function", name, "panic", p, "stack", string(debug.Stack()))
				refuse(w, name, errInternal)
			}
		}()
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		if budget > 0 {
			ctx, cancel = context.WithTimeout(ctx, budget)
			defer cancel()
		} else {
			defer context.AfterFunc(s.leaving, cancel)() //nolint:contextcheck // it ends the request's early, and takes nothing else over
		}
		until := time.Now().Add(bodyTimeout)
		if deadline, ok := ctx.Deadline(); ok && budget > 0 {
			until = deadline
		}
		body, err := read(w, r, most, until)
		if err == nil {
			err = h(w, r.WithContext(ctx), body)
		}
		if err == nil {
			return
		}
		said, known := errors.AsType[*refusal](err)
		if !known {
			said = errNotDone
		}
		complaints.Do(func() {
			s.log.WarnContext(ctx, "function has not done what it was asked", "function", name, "status", said.code, "error", err)
		})
		refuse(w, name, said)
	}
}

// read reads the body, and gives up on a caller who has not sent it by then. Once all of it is read net/http takes the deadline away
// itself; until then it has to stand, since the server reads on to be rid of the rest.
func read(w http.ResponseWriter, r *http.Request, most int64, until time.Time) ([]byte, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, errMethod
	}
	_ = http.NewResponseController(w).SetReadDeadline(until) // tests' recorders have none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, errUnreadable
	}
	return body, nil
}

// event answers a request that brings an event: 204 when it needs no more attention, so that it is not sent again.
func (s *Server) event(on func(context.Context, event.Event) error) handler {
	return func(w http.ResponseWriter, r *http.Request, body []byte) error {
		e, err := readEvent(r, body)
		if err != nil {
			return err
		}
		if err := on(r.Context(), e); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// readEvent reads a CloudEvent in binary or structured mode, or one in the form that functions of the first generation are called with.
func readEvent(r *http.Request, body []byte) (event.Event, error) {
	if isLegacy(r.Header) {
		return readLegacy(body)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		return event.Event{}, errUnreadable
	}
	return *e, nil
}
