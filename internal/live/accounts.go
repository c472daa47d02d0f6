package live

import (
	"context"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// CheckAccounts asks Firebase about the accounts with open sockets, again and again until ctx is done: the end of an account,
// its disabling and the revocation of its tokens outside Vigil reach sockets that send no requests.
func (h *Hub) CheckAccounts(ctx context.Context) {
	ticker := time.NewTicker(h.options.TokenCheckInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			h.checkAccounts(ctx)
		}
	}
}

func (h *Hub) checkAccounts(ctx context.Context) {
	accounts, err := h.registry.LookUp(ctx, h.users())
	if err != nil && ctx.Err() == nil {
		h.log.Warn("accounts not checked", "error", err)
	}
	for uid, account := range accounts {
		for _, id := range h.identities(uid) {
			h.registry.EndIfRevoked(ctx, id, account)
		}
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
				latest = p.identity
			}
			p.mu.Unlock()
		}
		if latest.UserID != "" {
			found = append(found, latest)
		}
	}
	return found
}
