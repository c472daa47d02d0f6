package fireauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"firebase.google.com/go/v4/auth"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	// maxClaims is how long an account's custom claims may be as JSON, in bytes:
	// https://firebase.google.com/docs/auth/admin/custom-claims.
	maxClaims = 1000
	// maxExact is the whole number from which on float64, in which the SDK reads claims, does not tell each from the next.
	maxExact = 1 << 53
	// claimAttempts is how often a claim is set that somebody else, writing at the same time, has undone.
	claimAttempts = 3
)

// reserved are the claims that the SDK and Firebase refuse to set.
var reserved = []string{
	"acr", "amr", "at_hash", "aud", "auth_time", "azp", "cnf", "c_hash",
	"exp", "firebase", "iat", "iss", "jti", "nbf", "nonce", "sub",
}

var errOverwritten = errors.New("somebody else keeps changing the claims")

// SetClaim implements [session.Editor]. After unavailable the claim may have been changed all the same.
//
// Firebase replaces all claims of an account at once and has no condition to do it under. So the claims are read before
// and after, one change at a time within this process, and the claim is set anew where it has been overwritten. What
// another process writes to the same account between the two may be lost.
//
// It is invalid_request, with the Message but without a Field, where the claim is reserved, where the claims become longer
// than 1000 bytes, and where they hold a number that would not survive, which is one of 2^53 or more.
func (v *Verifier) SetClaim(ctx context.Context, uid session.UserID, claim string, on bool) error {
	const op = "set claim"
	switch {
	case claim == "" || slices.Contains(reserved, claim):
		return refused(op, "", fmt.Sprintf("the claim %q is reserved", claim), nil)
	case !possible(uid):
		return &session.Error{Op: op, Code: session.CodeNotFound}
	}
	_, err := call(ctx, v.claims, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, v.setClaim(ctx, string(uid), claim, on)
	})
	if e, ok := errors.AsType[*session.Error](err); ok {
		e.Op = op
		return e
	}
	if word(err) == "CLAIMS_TOO_LARGE" {
		return refused(op, "", msgClaims, err)
	}
	return edited(op, "", err)
}

const (
	msgClaims = "the account's custom claims would be longer than 1000 bytes"
	msgNumber = "the account has a custom claim with a number of 2^53 or more, which cannot be kept as it is"
)

// setClaim returns errors of the SDK as they are, and others of ours.
func (v *Verifier) setClaim(ctx context.Context, uid, claim string, on bool) error {
	for range claimAttempts {
		user, err := v.client.GetUser(ctx, uid)
		if err != nil || has(user, claim, on) {
			return err
		}
		claims, err := withClaim(user.CustomClaims, claim, on)
		if err != nil {
			return err
		}
		if err := v.client.SetCustomUserClaims(ctx, uid, claims); err != nil {
			return err
		}
		user, err = v.client.GetUser(ctx, uid)
		if err != nil || has(user, claim, on) {
			return err
		}
	}
	return errOverwritten
}

func has(user *auth.UserRecord, claim string, on bool) bool {
	value, is := user.CustomClaims[claim]
	return on && value == any(true) || !on && !is
}

// withClaim returns claims with one of them set or removed.
func withClaim(claims map[string]any, claim string, on bool) (map[string]any, error) {
	if !exact(claims) {
		return nil, refused("", "", msgNumber, nil)
	}
	changed := make(map[string]any, len(claims)+1)
	maps.Copy(changed, claims)
	delete(changed, claim)
	if on {
		changed[claim] = true
	}
	text, err := json.Marshal(changed)
	if err != nil {
		return nil, err
	}
	if len(text) > maxClaims {
		return nil, refused("", "", msgClaims, nil)
	}
	return changed, nil
}

// exact reports whether a value decoded from JSON holds no number that decoding may have changed.
func exact(value any) bool {
	switch value := value.(type) {
	case float64:
		return -maxExact < value && value < maxExact
	case []any:
		return !slices.ContainsFunc(value, func(each any) bool { return !exact(each) })
	case map[string]any:
		for _, each := range value {
			if !exact(each) {
				return false
			}
		}
	}
	return true
}
