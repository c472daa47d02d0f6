// Package memory is the reference implementation of the store and the feed, for `vigil dev` and for tests: one process,
// one instance, nothing survives it. It says with the least code what the contract suites in sessiontest ask for.
package memory

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// DefaultRetention is how long what is over is kept unless [Store.Retention] says otherwise.
const DefaultRetention = 30 * 24 * time.Hour

// Store implements every port of the domain that keeps something. Safe for concurrent use.
type Store struct {
	// Retention is how long ended sessions, and what is only kept to be looked at, stay. To be set before the store is used.
	Retention time.Duration

	clock *session.Clock

	mu       sync.Mutex
	sessions map[session.ID]session.Session
	order    map[session.UserID][]session.ID // in order of creation
	users    map[session.UserID]user
	events   []session.Event // in order of their times
	jobs     map[string]session.MassRevocation
	mails    map[string]mail // by device
	census   session.Census
	version  time.Time // of the last write; strictly increasing
	feeds    map[*subscription]struct{}

	announced map[string]struct{} // the ids of all notices
	recorded  map[string]struct{} // the ids of all events
}

// Open returns an empty store whose time is the clock's.
func Open(clock *session.Clock) *Store {
	return &Store{
		Retention: DefaultRetention,
		clock:     clock,
		sessions:  make(map[session.ID]session.Session),
		order:     make(map[session.UserID][]session.ID),
		users:     make(map[session.UserID]user),
		jobs:      make(map[string]session.MassRevocation),
		mails:     make(map[string]mail),
		feeds:     make(map[*subscription]struct{}),

		announced: make(map[string]struct{}),
		recorded:  make(map[string]struct{}),
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
func (m *Store) Create(ctx context.Context, s session.Session, rec session.Record) (session.Session, bool, error) {
	if err := ctx.Err(); err != nil {
		return session.Session{}, false, session.Unavailable("create", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if reason := m.users[s.UserID].Gone(); reason != "" {
		return session.Session{}, false, &session.Error{Op: "create", Code: session.CodeUserDisabled, Reason: reason}
	}
	if m.users[s.UserID].Revoked(s.AuthTime) {
		return session.Session{}, false, &session.Error{Op: "create", Code: session.CodeTokenRevoked}
	}
	if stored, ok := m.sessions[s.ID]; ok {
		return stored, false, nil
	}
	s.Version = m.next()
	m.sessions[s.ID] = s
	m.order[s.UserID] = append(m.order[s.UserID], s.ID)
	m.record(rec)
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
	return m.ofUser(uid, all), nil
}

func (m *Store) ofUser(uid session.UserID, all bool) []session.Session {
	var found []session.Session
	for _, id := range m.order[uid] {
		if s := m.sessions[id]; all || s.Status == session.StatusActive {
			found = append(found, s)
		}
	}
	return found
}

// RecentSessions implements [session.Store].
func (m *Store) RecentSessions(ctx context.Context, uid session.UserID, limit int) ([]session.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, session.Unavailable("recent sessions", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.ofUser(uid, true)
	slices.SortFunc(found, func(a, b session.Session) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
	})
	return found[:min(limit, len(found))], nil
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
	if n != nil {
		m.announce(*n)
	}
	return stored, nil
}

// Move implements [session.Store].
func (m *Store) Move(ctx context.Context, s session.Session, networks session.Networks, rec session.Record) (session.Session, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, err := m.read(ctx, "move", s.ID)
	if err != nil || stored.Status == session.StatusEnded || stored.Networks != s.Networks {
		return stored, false, err
	}
	stored.Networks, stored.Version = networks, m.next()
	m.sessions[s.ID] = stored
	m.record(rec)
	return stored, true, nil
}

// End implements [session.Store].
func (m *Store) End(ctx context.Context, id session.ID, e session.End, rec session.Record) (session.Session, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.read(ctx, "end", id)
	if err != nil || s.Status == session.StatusEnded {
		return s, false, err
	}
	if !e.IfLastActive.IsZero() && !e.IfLastActive.Equal(s.LastActive) {
		return s, false, nil
	}
	return m.end(s, e, rec), true, nil
}

// end ends a session as it is stored. The caller holds m.mu.
func (m *Store) end(s session.Session, e session.End, rec session.Record) session.Session {
	s.Version = m.next()
	s.Status, s.EndReason, s.EndedBy, s.EndedAt = session.StatusEnded, e.Reason, e.By, e.At
	if e.At.IsZero() {
		s.EndedAt = s.Version
	}
	m.sessions[s.ID] = s
	m.record(rec)
	return s
}

// EndTogether implements [session.Store].
func (m *Store) EndTogether(ctx context.Context, endings []session.Ending) (at time.Time, ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, false, session.Unavailable("end together", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, each := range endings {
		if stored, ok := m.sessions[each.Session.ID]; !ok || !stored.Version.Equal(each.Session.Version) {
			return time.Time{}, false, nil
		}
	}
	for _, each := range endings {
		m.end(m.sessions[each.Session.ID], each.End, each.Record)
	}
	return m.version, true, nil
}

// Withdraw implements [session.Store].
func (m *Store) Withdraw(ctx context.Context, id session.ID, rec session.Record) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable("withdraw", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[id]
	if !ok || s.Status == session.StatusEnded {
		return nil
	}
	m.next()
	m.remove(s)
	m.record(rec)
	return nil
}

// remove deletes a session that is there.
func (m *Store) remove(s session.Session) {
	delete(m.sessions, s.ID)
	rest := slices.DeleteFunc(m.order[s.UserID], func(id session.ID) bool { return id == s.ID })
	if len(rest) == 0 {
		delete(m.order, s.UserID)
		return
	}
	m.order[s.UserID] = rest
}
