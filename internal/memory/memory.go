// Package memory is the reference implementation of the store and the feed, for `vigil dev` and for tests: one process,
// one instance, nothing survives it. It says with the least code what the contract suites in sessiontest ask for.
package memory

import (
	"context"
	"sync"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// Store keeps sessions, users and notices in memory. Safe for concurrent use.
type Store struct {
	clock *session.Clock

	mu       sync.Mutex
	sessions map[session.ID]session.Session
	order    map[session.UserID][]session.ID // in order of creation
	users    map[session.UserID]user
	version  time.Time // of the last write; strictly increasing
	feeds    map[*subscription]struct{}

	announced map[string]struct{} // the ids of all notices
}

type user struct {
	session.User
	pendingSince time.Time
}

// Open returns an empty store whose time is the clock's.
func Open(clock *session.Clock) *Store {
	return &Store{
		clock:    clock,
		sessions: make(map[session.ID]session.Session),
		order:    make(map[session.UserID][]session.ID),
		users:    make(map[session.UserID]user),
		feeds:    make(map[*subscription]struct{}),

		announced: make(map[string]struct{}),
	}
}

// next returns the time of a write: store time, but later than that of every write before.
func (m *Store) next() time.Time {
	now := m.clock.Now()
	if !now.After(m.version) {
		now = m.version.Add(time.Microsecond)
	}
	m.version = now
	return now
}

// Create implements [session.Store].
func (m *Store) Create(ctx context.Context, s session.Session) (session.Session, bool, error) {
	if err := ctx.Err(); err != nil {
		return session.Session{}, false, session.Unavailable("create", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users[s.UserID].Revoked(s.AuthTime) {
		return session.Session{}, false, &session.Error{Op: "create", Code: session.CodeTokenRevoked}
	}
	if stored, ok := m.sessions[s.ID]; ok {
		return stored, false, nil
	}
	s.Version = m.next()
	m.sessions[s.ID] = s
	m.order[s.UserID] = append(m.order[s.UserID], s.ID)
	return s, true, nil
}

// Session implements [session.Store].
func (m *Store) Session(ctx context.Context, id session.ID) (session.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.read(ctx, "session", id)
}

func (m *Store) read(ctx context.Context, op string, id session.ID) (session.Session, error) {
	if err := ctx.Err(); err != nil {
		return session.Session{}, session.Unavailable(op, err)
	}
	s, ok := m.sessions[id]
	if !ok {
		return session.Session{}, &session.Error{Op: op, Code: session.CodeNotFound}
	}
	return s, nil
}

// UserSessions implements [session.Store].
func (m *Store) UserSessions(ctx context.Context, uid session.UserID, all bool) ([]session.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, session.Unavailable("user sessions", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []session.Session
	for _, id := range m.order[uid] {
		if s := m.sessions[id]; all || s.Status == session.StatusActive {
			found = append(found, s)
		}
	}
	return found, nil
}

// Touch implements [session.Store].
func (m *Store) Touch(ctx context.Context, s session.Session, at time.Time, n *session.Notice) (session.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, err := m.read(ctx, "touch", s.ID)
	if err != nil || stored.Status == session.StatusEnded || !at.After(stored.LastActive) {
		return stored, err
	}
	stored.LastActive, stored.Version = at, m.next()
	m.sessions[s.ID] = stored
	m.announce(n)
	return stored, nil
}

// End implements [session.Store].
func (m *Store) End(ctx context.Context, id session.ID, e session.End, n *session.Notice) (session.Session, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.read(ctx, "end", id)
	if err != nil || s.Status == session.StatusEnded {
		return s, false, err
	}
	if !e.IfLastActive.IsZero() && !e.IfLastActive.Equal(s.LastActive) {
		return s, false, nil
	}
	s.Version = m.next()
	s.Status, s.EndReason, s.EndedBy, s.EndedAt = session.StatusEnded, e.Reason, e.By, e.At
	if e.At.IsZero() {
		s.EndedAt = s.Version
	}
	m.sessions[id] = s
	m.announce(n)
	return s, true, nil
}

// Withdraw implements [session.Store]. A session that was ended meanwhile stays: its sign-in is spent.
func (m *Store) Withdraw(ctx context.Context, id session.ID) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable("withdraw", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[id]
	if !ok || s.Status == session.StatusEnded {
		return nil
	}
	delete(m.sessions, id)
	kept := m.order[s.UserID][:0]
	for _, each := range m.order[s.UserID] {
		if each != id {
			kept = append(kept, each)
		}
	}
	m.order[s.UserID] = kept
	return nil
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
func (m *Store) Revoke(ctx context.Context, n session.Notice, by string) (time.Time, error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, session.Unavailable("revoke", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.next()
	m.users[n.UserID] = user{
		User:         session.User{ID: n.UserID, RevokedAt: now, RevokeReason: n.Reason, RevokedBy: by, TokensPending: true},
		pendingSince: now,
	}
	n.Before = now
	m.announce(&n)
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
		u.TokensPending = false
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
