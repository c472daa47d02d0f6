package live

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

const (
	accountRetry    = time.Second // after a failed check
	minAccountCheck = 100 * time.Millisecond
)

// CheckAccounts asks Firebase about the accounts with open sockets, again and again until ctx is done: the end of an account,
// its disabling and the revocation of its tokens outside Vigil reach sockets that send no requests. Accounts that
// requests have had looked up lately are left out. While Firebase does not answer, sockets live on what is known, until
// that is older than it may be.
func (h *Hub) CheckAccounts(ctx context.Context) {
	// Early enough to try again a few times before what is known is too old.
	interval := min(h.options.TokenCheckInterval, h.registry.Settings().UserStateTTL*4/5)
	every := max(interval/4, minAccountCheck)
	for wait := every; ; {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = every
		if err := h.checkAccounts(ctx, interval*3/4); err != nil && ctx.Err() == nil {
			h.log.Warn("accounts not checked", "error", err)
			wait = min(every, accountRetry)
		}
		h.closeUnknown()
	}
}

// checkAccounts has the accounts looked up that have not been for maxAge, and goes by the others as requests have found them.
func (h *Hub) checkAccounts(ctx context.Context, maxAge time.Duration) error {
	users := h.users()
	due := slices.DeleteFunc(slices.Clone(users), func(uid session.UserID) bool { return h.registry.AccountKnown(uid, maxAge) })
	err := h.registry.LookUp(ctx, due)
	for _, uid := range users {
		account, known := h.registry.KnownAccount(uid)
		if !known || account.Gone() != "" {
			continue
		}
		for _, id := range h.identities(uid) {
			h.registry.EndIfRevoked(ctx, id, account)
			h.tellClaims(id, account)
		}
	}
	return err
}

// tellClaims tells a session's sockets, once, that the account's custom claims are not those of the token, or of the check before.
func (h *Hub) tellClaims(id session.Identity, account session.Account) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[id.UserID].of(id.SessionID)
	if r == nil {
		return
	}
	claims := account.Claims
	if claims == nil {
		claims = map[string]any{} // checked, and none
	}
	before := r.claims
	r.claims = claims
	if before == nil && !h.registry.ClaimsDiffer(id, account) || before != nil && reflect.DeepEqual(before, claims) {
		return
	}
	r.push(wire.Encode(wire.ClaimsChanged{Type: wire.TypeClaimsChanged}))
}

// closeUnknown closes the sockets of users whose accounts nobody could look up for too long.
func (h *Hub) closeUnknown() {
	for _, uid := range h.users() {
		if h.registry.AccountKnown(uid, h.registry.Settings().UserStateTTL) {
			continue
		}
		h.mu.Lock()
		for _, r := range h.rooms[uid] {
			h.closeRoomLocked(r, wire.CloseUnavailable, nil)
		}
		h.mu.Unlock()
	}
}

func (h *Hub) users() []session.UserID {
	h.mu.Lock()
	defer h.mu.Unlock()
	users := make([]session.UserID, 0, len(h.rooms))
	for uid := range h.rooms {
		users = append(users, uid)
	}
	return users
}

// identities lists what the user's peers are: per session the holder of the token issued last.
func (h *Hub) identities(uid session.UserID) []session.Identity {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []session.Identity
	for _, r := range h.rooms[uid] {
		var latest session.Identity
		for _, p := range r.peers {
			p.mu.Lock()
			if p.identity.IssuedAt.After(latest.IssuedAt) {
				latest = *p.identity
			}
			p.mu.Unlock()
		}
		if latest.UserID != "" {
			found = append(found, latest)
		}
	}
	return found
}
