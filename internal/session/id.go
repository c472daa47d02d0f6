package session

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// ID names a session: 64 lower-case hexadecimal digits, computed by [NewID] and never chosen by a client.
type ID string

// UserID is the Firebase uid of an account: 1 to 128 characters, as Firebase allows.
type UserID string

const (
	idLength        = 2 * sha256.Size
	maxUserIDLength = 128
)

// NewID computes the id of the session that a sign-in is: the SHA-256 of uid, a slash, and the sid claim of the
// token or, where it has none, the whole Unix seconds of auth_time. Firestore rules can compute the same.
func NewID(uid UserID, sid string, authTime time.Time) ID {
	if sid == "" {
		sid = strconv.FormatInt(authTime.Unix(), 10)
	}
	sum := sha256.Sum256([]byte(string(uid) + "/" + sid))
	return ID(hex.EncodeToString(sum[:]))
}

// Valid reports whether id has the form of a session id, so that it may be put into a path of the store.
func (id ID) Valid() bool {
	if len(id) != idLength {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// shard is the first digit, by which stores spread sessions.
func (id ID) shard() string { return string(id[:min(len(id), 1)]) }

// Valid reports whether uid is one that Firebase could have issued.
func (uid UserID) Valid() bool {
	return uid != "" && len([]rune(string(uid))) <= maxUserIDLength
}
