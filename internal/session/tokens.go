package session

import (
	"crypto/sha256"
	"strings"
	"sync"
	"time"
)

const (
	maxTokenSize     = 8 << 10 // bytes
	maxTokens        = 200_000
	maxTokensPerUser = 16
)

type tokenKey = [sha256.Size]byte

// tokens remembers verified tokens until they expire, so that a token costs one verification. Only tokens that have been
// verified enter, so a flood of bad ones moves nothing. Safe for concurrent use.
type tokens struct {
	limit int

	mu     sync.RWMutex
	known  map[tokenKey]Identity
	byUser map[UserID][]tokenKey // oldest first
}

func newTokens(limit int) *tokens {
	return &tokens{limit: limit, known: make(map[tokenKey]Identity), byUser: make(map[UserID][]tokenKey)}
}

// wellFormed reports whether a token is worth a look: not empty, not huge, three parts.
func wellFormed(token string) bool {
	return token != "" && len(token) <= maxTokenSize && strings.Count(token, ".") == 2
}

// Get returns the holder of a verified token that has not expired.
func (t *tokens) Get(key tokenKey, now time.Time) (Identity, bool) {
	t.mu.RLock()
	id, ok := t.known[key]
	t.mu.RUnlock()
	return id, ok && now.Before(id.ExpiresAt)
}

// Put remembers a verified token. A user's oldest and, beyond the bound, anybody's make room. Each one that comes has a few
// others looked at, so that expired ones do not pile up.
func (t *tokens) Put(key tokenKey, id Identity, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.known[key]; ok {
		return
	}
	looked := 0
	for _, other := range t.known { // in random order
		full := len(t.known) >= t.limit
		if looked++; looked > 4 && !full {
			break
		}
		if full || !now.Before(other.ExpiresAt) {
			t.drop(other.UserID)
		}
	}
	if len(t.byUser[id.UserID]) >= maxTokensPerUser {
		t.drop(id.UserID)
	}
	t.known[key] = id
	t.byUser[id.UserID] = append(t.byUser[id.UserID], key)
}

// drop forgets a user's oldest token.
func (t *tokens) drop(uid UserID) {
	keys := t.byUser[uid]
	delete(t.known, keys[0])
	if len(keys) == 1 {
		delete(t.byUser, uid)
		return
	}
	t.byUser[uid] = keys[1:]
}
