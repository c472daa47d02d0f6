package session

import (
	"crypto/sha256"
	"strings"
	"sync"
	"time"
	"unsafe"
)

const (
	maxTokenSize     = 8 << 10 // bytes
	maxTokens        = 200_000
	maxTokensPerUser = 16
)

// tokenKey stands for a verified token. It is a hash of all of it, signature included, and a collision-resistant one: nobody can make a
// token that passes for another. The token itself, compared byte by byte, would do without the half microsecond that hashing
// takes, but is a kilobyte to keep for each of them; a faster hash would have to keep it, too. Project and tenant are not in the key
// because a gate has one verifier, and its memory is nobody else's.
type tokenKey [sha256.Size]byte

// keyOf reads the token where it is: a copy would be an allocation.
func keyOf(token string) tokenKey {
	return sha256.Sum256(unsafe.Slice(unsafe.StringData(token), len(token)))
}

// tokens remembers verified tokens until they expire, so that a token costs one verification. Only tokens that have been
// verified enter, so a flood of bad ones moves nothing. Safe for concurrent use.
type tokens struct {
	limit int

	mu     sync.RWMutex
	known  map[tokenKey]*token
	byUser map[UserID]*token // the one that came last, which leads to the others
}

// token is what is remembered of a verified token.
type token struct {
	Identity
	key   tokenKey
	older *token // of the same user
}

func newTokens(limit int) *tokens {
	return &tokens{limit: limit, known: make(map[tokenKey]*token), byUser: make(map[UserID]*token)}
}

// wellFormed reports whether a token is worth a look: not empty, not huge, three parts.
func wellFormed(token string) bool {
	return token != "" && len(token) <= maxTokenSize && strings.Count(token, ".") == 2
}

// Get returns the holder of a verified token that has not expired.
func (t *tokens) Get(key tokenKey, now time.Time) (Identity, bool) {
	t.mu.RLock()
	known, ok := t.known[key]
	t.mu.RUnlock()
	if !ok || !now.Before(known.ExpiresAt) {
		return Identity{}, false
	}
	return known.Identity, true
}

// Put remembers a verified token. A user's oldest makes room for it or, beyond the bound, anybody's. Each one that comes has a few
// others looked at, so that expired ones do not pile up.
func (t *tokens) Put(key tokenKey, id Identity, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.known[key]; ok {
		return
	}
	if oldest, count := t.oldest(id.UserID); count >= maxTokensPerUser {
		t.drop(oldest)
	}
	looked := 0
	for _, other := range t.known { // in random order
		full := len(t.known) >= t.limit
		if looked++; looked > 4 && !full {
			break
		}
		if full || !now.Before(other.ExpiresAt) {
			t.drop(other)
		}
	}
	latest := t.byUser[id.UserID]
	if latest != nil {
		id.UserID = latest.UserID // one copy of the text is enough
	}
	t.byUser[id.UserID] = &token{id, key, latest}
	t.known[key] = t.byUser[id.UserID]
}

// oldest is a user's token that came first, and how many there are.
func (t *tokens) oldest(uid UserID) (oldest *token, count int) {
	for each := t.byUser[uid]; each != nil; each = each.older {
		oldest, count = each, count+1
	}
	return oldest, count
}

func (t *tokens) drop(gone *token) {
	delete(t.known, gone.key)
	later := t.byUser[gone.UserID]
	switch {
	case later != gone:
		for later.older != gone {
			later = later.older
		}
		later.older = gone.older
	case gone.older != nil:
		t.byUser[gone.UserID] = gone.older
	default:
		delete(t.byUser, gone.UserID)
	}
}
