package identity

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"unicode/utf8"
)

const (
	minPasswordLength = 6
	maxPasswordLength = 4096

	// A hundredth of what a public server would use: these passwords last as
	// long as the process, and load tests sign in by the thousand. It is enough
	// to keep plain text out of memory dumps and logs.
	passwordIterations = 1000
)

// passwordHash is all that is kept of a password. It is never changed in place.
type passwordHash struct {
	salt, key []byte
}

func checkPassword(password string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < minPasswordLength:
		return weakPassword
	case n > maxPasswordLength:
		return refusal("PASSWORD_DOES_NOT_MEET_REQUIREMENTS").
			because(fmt.Sprintf("Password may contain at most %d characters", maxPasswordLength))
	default:
		return nil
	}
}

func hashPassword(password string) (*passwordHash, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	key, err := deriveKey(password, salt)
	if err != nil {
		return nil, err
	}
	return &passwordHash{salt: salt, key: key}, nil
}

// matches is false for an account without a password.
func (h *passwordHash) matches(password string) bool {
	if h == nil {
		return false
	}
	key, err := deriveKey(password, h.salt)
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1
}

func deriveKey(password string, salt []byte) ([]byte, error) {
	key, err := pbkdf2.Key(sha256.New, password, salt, passwordIterations, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive password key: %w", err)
	}
	return key, nil
}
