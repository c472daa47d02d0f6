package functions

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// signInBudget is within what Identity Platform waits for a blocking function, seven seconds, with room for a cold start.
const signInBudget = 2 * time.Second

// signIn is BeforeSignIn. It gives every sign-in the session claim sid, which its ID tokens carry over all refreshes: by it the sign-in is
// named exactly, also among several of one account in the same second. A sign-in without sid is named by its time, so nobody is kept
// out because of this function: where it cannot tell whether a request is Google's, because the keys cannot be had or it is itself
// failing, it answers that there is nothing to add.
//
// Identity Platform has one function for this event. An application that has one of its own returns the claim from there:
//
//	{"userRecord": {"updateMask": "sessionClaims", "sessionClaims": {"sid": "32 random hexadecimal digits", …}}}
//
// New for every sign-in, at least 128 random bits, at most 128 characters, and without a slash.
type signIn struct {
	uri, issuer string
	keys        *keys // nil: requests are not signed
}

// signInRequest is the part of the request that is looked at:
// https://docs.cloud.google.com/identity-platform/docs/blocking-functions#getting_user_and_context_information.
type signInRequest struct {
	Data struct {
		JWT string `json:"jwt"`
	} `json:"data"`
}

type signInClaims struct {
	times
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	EventType string `json:"event_type"`
}

func (f *signIn) serve(w http.ResponseWriter, r *http.Request, body []byte) error {
	var request signInRequest
	if err := json.Unmarshal(body, &request); err != nil || request.Data.JWT == "" {
		return errUnreadable
	}
	var claims signInClaims
	algorithms := signed
	if f.keys == nil {
		algorithms = unsigned
	}
	t, err := parse(request.Data.JWT, algorithms, &claims)
	if err == nil {
		err = f.judge(claims, time.Now())
	}
	if err == nil && f.keys != nil {
		err = t.verify(r.Context(), f.keys)
	}
	switch {
	case errors.Is(err, errKeys):
		return fmt.Errorf("a sign-in is not given a sid: %w: %w", errNotDone, err)
	case errors.Is(err, errTooLarge):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errCaller, err)
	}
	answer(w, http.StatusOK, map[string]any{"userRecord": map[string]any{
		"updateMask": "sessionClaims", "sessionClaims": map[string]string{"sid": newSID()},
	}})
	return nil
}

func (f *signIn) judge(c signInClaims, now time.Time) error {
	switch {
	case c.Audience != f.uri:
		return errors.New("another audience")
	case c.Issuer != f.issuer:
		return errors.New("another issuer")
	case c.EventType != "beforeSignIn":
		return errors.New("another event")
	case !c.hold(now):
		return errors.New("not of now")
	default:
		return nil
	}
}

func newSID() string {
	var sid [16]byte
	_, _ = rand.Read(sid[:]) // it never fails
	return hex.EncodeToString(sid[:])
}
