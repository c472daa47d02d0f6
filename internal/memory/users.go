package memory

import (
	"context"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

type user struct {
	session.User
	pendingSince time.Time
	keepFrom     time.Time
}

// User implements [session.Users].
func (m *Store) User(ctx context.Context, uid session.UserID) (session.User, error) {
	if err := ctx.Err(); err != nil {
		return session.User{}, session.Unavailable("user", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[uid].User
	u.ID = uid
	return u, nil
}

// Revoke implements [session.Users].
func (m *Store) Revoke(ctx context.Context, n session.Notice, d session.Decree) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, session.Unavailable("revoke", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.next()
	u := m.users[n.UserID]
	u.ID, u.RevokedAt, u.RevokeReason, u.RevokedBy, u.TokensPending = n.UserID, now, n.Reason, d.By, true
	u.Disabled, u.DisablePending = u.Disabled || d.Disable, u.DisablePending || d.Disable
	if d.Delete || d.Deleted {
		u.DeletedAt, u.DeletePending, u.ErasePending = now, u.DeletePending || d.Delete, u.ErasePending || d.Deleted
	}
	u.pendingSince, u.keepFrom = now, now
	m.users[n.UserID] = u
	n.Before = now
	m.record(session.Record{Notices: []session.Notice{n}, Events: d.Events})
	return now, nil
}

// TokensRevoked implements [session.Users].
func (m *Store) TokensRevoked(ctx context.Context, uid session.UserID, revokedAt time.Time) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable("tokens revoked", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if u, ok := m.users[uid]; ok && u.RevokedAt.Equal(revokedAt) {
		u.TokensPending, u.DisablePending, u.DeletePending, u.ErasePending, u.keepFrom = false, false, false, false, m.next()
		m.users[uid] = u
	}
	return nil
}

// PendingUsers implements [session.Users].
func (m *Store) PendingUsers(ctx context.Context, before time.Time, limit int) ([]session.User, error) {
	if err := ctx.Err(); err != nil {
		return nil, session.Unavailable("pending users", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []session.User
	for _, u := range m.users {
		if u.TokensPending && u.pendingSince.Before(before) && len(found) < limit {
			found = append(found, u.User)
		}
	}
	return found, nil
}

// Enable implements [session.Users].
func (m *Store) Enable(ctx context.Context, uid session.UserID, events ...session.Event) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable("enable", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next()
	if u, ok := m.users[uid]; ok {
		u.Disabled, u.DisablePending = false, false
		m.users[uid] = u
	}
	m.record(session.Record{Events: events})
	return nil
}

// Erase implements [session.Users].
func (m *Store) Erase(ctx context.Context, uid session.UserID) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable("erase", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.ofUser(uid, true) {
		s.IPAddress, s.Networks, s.UserAgent, s.Location, s.Device.Name = "", session.Networks{}, "", nil, ""
		s.Version = m.next()
		m.sessions[s.ID] = s
	}
	for i := range m.events {
		if m.events[i].UserID == uid {
			m.events[i] = m.events[i].Erased()
		}
	}
	m.eraseMails(uid)
	return nil
}
