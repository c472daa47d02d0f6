package fireauth

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"

	"firebase.google.com/go/v4/auth"
	"firebase.google.com/go/v4/errorutils"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	fieldEmail    = "email"
	fieldPassword = "password"
)

// minPassword is the SDK's limit in bytes. Firebase counts characters, and may be configured to want more.
const minPassword = 6

// What is wrong with a value, for whoever sent it.
const (
	msgAddress = "is not a valid e-mail address"
	msgTaken   = "is in use by another account"
	msgWeak    = "must have at least 6 characters"
	msgPolicy  = "does not meet the requirements for passwords"
	msgText    = "must be valid UTF-8"
)

// refusals are what Firebase says of a value that it does not accept, by the field that it is about. There is no list of
// them all: these are of https://firebase.google.com/docs/reference/rest/auth and of
// https://cloud.google.com/identity-platform/docs/error-codes.
var refusals = map[string]map[string]string{
	fieldEmail: {
		"INVALID_EMAIL":     msgAddress,
		"INVALID_NEW_EMAIL": msgAddress,
		"MISSING_EMAIL":     msgAddress,
		"EMAIL_EXISTS":      msgTaken,
		"DUPLICATE_EMAIL":   msgTaken,
	},
	fieldPassword: {
		"WEAK_PASSWORD":                       msgWeak,
		"MISSING_PASSWORD":                    msgWeak,
		"INVALID_PASSWORD":                    msgPolicy,
		"PASSWORD_DOES_NOT_MEET_REQUIREMENTS": msgPolicy,
	},
}

// SetEmail implements [session.Editor]. After unavailable the address may have been changed all the same: a request that
// was given up, or whose answer was lost, may have arrived. Setting it again is harmless. So it is with the others.
func (v *Verifier) SetEmail(ctx context.Context, uid session.UserID, email string) error {
	const op = "set e-mail"
	local, domain, found := strings.Cut(email, "@")
	switch {
	case !utf8.ValidString(email):
		return refused(op, fieldEmail, msgText, nil)
	case !found || local == "" || domain == "" || strings.Contains(domain, "@"):
		return refused(op, fieldEmail, msgAddress, nil)
	}
	return v.update(ctx, op, fieldEmail, uid, new(auth.UserToUpdate).Email(email).EmailVerified(false))
}

// SetPassword implements [session.Editor]. After unavailable the password may have been changed all the same.
func (v *Verifier) SetPassword(ctx context.Context, uid session.UserID, password string) error {
	const op = "set password"
	switch {
	case !utf8.ValidString(password):
		// JSON would replace what is not, and set a password that nobody knows.
		return refused(op, fieldPassword, msgText, nil)
	case len(password) < minPassword:
		return refused(op, fieldPassword, msgWeak, nil)
	}
	return v.update(ctx, op, fieldPassword, uid, new(auth.UserToUpdate).Password(password))
}

// SetDisabled implements [session.Editor]. After unavailable the account may have been changed all the same.
func (v *Verifier) SetDisabled(ctx context.Context, uid session.UserID, disabled bool) error {
	return v.update(ctx, "set disabled", "", uid, new(auth.UserToUpdate).Disabled(disabled))
}

// Delete implements [session.Editor]. After unavailable the account may be gone all the same.
func (v *Verifier) Delete(ctx context.Context, uid session.UserID) error {
	if !possible(uid) {
		return nil
	}
	_, err := call(ctx, v.lookUps, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, v.client.DeleteUser(ctx, string(uid))
	})
	if err == nil || auth.IsUserNotFound(err) {
		return nil
	}
	return session.Unavailable("delete", err)
}

// update changes an account. The SDK reads it back afterwards, so there may be an error although all is done.
func (v *Verifier) update(ctx context.Context, op, field string, uid session.UserID, change *auth.UserToUpdate) error {
	if !possible(uid) {
		return &session.Error{Op: op, Code: session.CodeNotFound}
	}
	_, err := call(ctx, v.lookUps, func(ctx context.Context) (*auth.UserRecord, error) {
		return v.client.UpdateUser(ctx, string(uid), change)
	})
	return edited(op, field, err)
}

// edited sorts the error of a change. It must be given what the SDK returned and nothing that wraps it.
func edited(op, field string, err error) error {
	if err == nil {
		return nil
	}
	if auth.IsUserNotFound(err) {
		return &session.Error{Op: op, Code: session.CodeNotFound, Err: err}
	}
	if message, ok := refusals[field][word(err)]; ok {
		return refused(op, field, message, err)
	}
	return session.Unavailable(op, err)
}

func refused(op, field, message string, err error) error {
	return &session.Error{Op: op, Code: session.CodeInvalidRequest, Field: field, Message: message, Err: err}
}

// maxAnswer bounds what is read of an answer that says what went wrong.
const maxAnswer = 64 << 10

// word is what Firebase calls the error, empty where it does not say. The SDK has functions for a few of its words only.
func word(err error) string {
	response := errorutils.HTTPResponse(err) //nolint:bodyclose // the SDK has read it, and holds a copy
	if response == nil {
		return ""
	}
	var answer struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer) != nil {
		return ""
	}
	name, _, _ := strings.Cut(answer.Error.Message, ":")
	return strings.TrimSpace(name)
}
