package identity

import (
	"strings"
	"time"
	"unicode"
)

const (
	maxUIDLength   = 128
	maxEmailLength = 256
)

// account is one user. The directory that holds it is guarded by the server's
// lock; nothing here is.
type account struct {
	uid           string
	email         string
	emailVerified bool
	displayName   string
	photoURL      string
	phone         string
	disabled      bool
	deleted       bool // told to refresh tokens that outlive the account
	custom        bool // has signed in with a custom token

	password          *passwordHash
	passwordUpdatedAt time.Time
	claims            extraClaims

	createdAt     time.Time
	lastLoginAt   time.Time
	lastRefreshAt time.Time

	// validSince is in seconds since 1970, as the protocol has it: id tokens
	// issued before it are revoked.
	validSince int64
	signIns    []*signIn // those that were not revoked yet
}

// change is what a request does to an account: nil leaves a field alone, a
// pointer to the empty string clears it.
type change struct {
	email         *string
	password      *string
	displayName   *string
	photoURL      *string
	phone         *string
	emailVerified *bool
	disabled      *bool
	claims        *extraClaims
	validSince    *int64
}

// endSignIns revokes: id tokens issued before validSince, and every refresh
// token that exists now and was not issued after that second.
func (a *account) endSignIns(validSince int64) {
	a.validSince = validSince
	var alive []*signIn
	for _, s := range a.signIns {
		if s.at.Unix() <= validSince {
			s.revoked = true
		} else {
			alive = append(alive, s)
		}
	}
	a.signIns = alive
}

// changesCredentials reports whether c ends the account's sign-ins.
func (a *account) changesCredentials(c change) bool {
	newPassword := c.password != nil && *c.password != ""
	newEmail := c.email != nil && *c.email != "" && strings.ToLower(*c.email) != a.email
	return newPassword || newEmail
}

// normalEmail returns the one spelling under which an address is kept.
func normalEmail(email string) (string, error) {
	local, domain, found := strings.Cut(email, "@")
	spaced := strings.ContainsFunc(email, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	})
	if !found || local == "" || domain == "" || strings.Contains(domain, "@") ||
		spaced || len(email) > maxEmailLength {
		return "", invalidEmail
	}
	return strings.ToLower(email), nil
}

func checkPhone(phone string) error {
	digits, found := strings.CutPrefix(phone, "+")
	if !found || digits == "" || len(digits) > 15 || strings.Trim(digits, "0123456789") != "" {
		return invalidPhone
	}
	return nil
}
