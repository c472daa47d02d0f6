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
	accountRetry = time.Second            // after a failed check
	minCheckGap  = 100 * time.Millisecond // between checks, also when many are late
)

// checked is a user with open sockets, and when the account was last asked about; zero: nothing is known of it.
type checked struct {
	uid session.UserID
	at  time.Time // local
}

// CheckAccounts asks Firebase about the accounts with open sockets, again and again until ctx is done: the end of an account,
// its disabling and the revocation of its tokens outside Vigil reach sockets that send no requests. A call asks about a hundred
// accounts, those that have not been for longest, and the calls are spread evenly over the interval. While Firebase does not answer, sockets live on what is
// known, until that is older than it may be.
func (h *Hub) CheckAccounts(ctx context.Context) {
	// Early enough to try again a few times before what is known is too old.
	interval := min(h.options.TokenCheckInterval, h.registry.Settings().UserStateTTL*4/5)
	every := max(interval/16, minCheckGap) // who has come and gone is looked at
	failing := false                       // the latest check has failed, and with it what is known may become too old
	for next := time.Now().Add(interval); ; {
		now := time.Now()
		users := h.users()
		if failing {
			h.closeUnknown(users)
		}
		next = earlier(next, now.Add(spread(users, interval, now)))
		until := now.Add(every)
		for !next.After(until) {
			if !waitUntil(ctx, next) {
				return
			}
			batch := users[:min(len(users), session.MaxAccounts)]
			users = users[len(batch):]
			err := h.checkAccounts(ctx, batch)
			now = time.Now()
			next = now.Add(spread(users, interval, now))
			failing = err != nil
			if failing && ctx.Err() == nil {
				h.log.Warn("accounts not checked", "error", err)
				next = now.Add(min(interval/4, accountRetry))
				until = next
				break
			}
		}
		if !waitUntil(ctx, earlier(next, until)) {
			return
		}
	}
}

// askAbout has the account of a socket that opens asked about, unless what is known of it lasts until CheckAccounts has seen the socket and asked:
// it must not live on what is too old, not for those few seconds either. It fails with unavailable.
func (h *Hub) askAbout(ctx context.Context, uid session.UserID) error {
	return h.registry.AskAccount(ctx, uid, h.registry.Settings().UserStateTTL*9/10)
}

// spread returns the longest time between checks, of a batch each, from now on that keeps everybody's account from being checked later than interval after
// the check before. The users are in the order of their checks.
func spread(users []checked, interval time.Duration, now time.Time) time.Duration {
	gap := interval
	for i := 0; i < len(users); i += session.MaxAccounts {
		batches := time.Duration(i/session.MaxAccounts + 1)
		gap = min(gap, users[i].at.Add(interval).Sub(now)/batches)
	}
	return max(gap, minCheckGap)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// waitUntil reports whether ctx is still going on.
func waitUntil(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// checkAccounts has a batch of accounts looked up and acts on what is known of them then. Without an answer, the sockets of those of whom nothing
// is known are closed.
func (h *Hub) checkAccounts(ctx context.Context, batch []checked) error {
	uids := make([]session.UserID, len(batch))
	for i, u := range batch {
		uids[i] = u.uid
	}
	err := h.registry.LookUp(ctx, uids)
	for _, uid := range uids {
		account, known := h.registry.KnownAccount(uid)
		if !known {
			h.closeUser(uid)
			continue
		}
		if account.Gone() != "" {
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

// closeUnknown closes the sockets of users whose accounts nobody has been able to look up for too long. Those of whom nothing was known have yet to
// be asked about.
func (h *Hub) closeUnknown(users []checked) {
	for _, u := range users {
		ttl := h.registry.Settings().UserStateTTL
		if !u.at.IsZero() && time.Since(u.at) >= ttl && !h.registry.AccountKnown(u.uid, ttl) {
			h.closeUser(u.uid)
		}
	}
}

func (h *Hub) closeUser(uid session.UserID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.rooms[uid] {
		h.closeRoomLocked(r, wire.CloseUnavailable, nil)
	}
}

// users lists the users with open sockets, those first whose accounts have not been asked about for longest.
func (h *Hub) users() []checked {
	h.mu.Lock()
	users := make([]checked, 0, len(h.rooms))
	for uid := range h.rooms {
		users = append(users, checked{uid: uid})
	}
	h.mu.Unlock()
	for i := range users {
		users[i].at = h.registry.AccountChecked(users[i].uid)
	}
	slices.SortFunc(users, func(a, b checked) int { return a.at.Compare(b.at) })
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
