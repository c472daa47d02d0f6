package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// Search implements [session.Archive]. It looks at no more than a store would that has to read what it looks at.
func (m *Store) Search(ctx context.Context, f session.Filter, after session.Cursor, limit int) (found []session.Session, next *session.Cursor, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, session.Unavailable("search", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var rest []session.Cursor // sorted by what is small
	for _, s := range m.sessions {
		if place := f.CursorOf(s); after == (session.Cursor{}) || place.Compare(after) > 0 {
			rest = append(rest, place)
		}
	}
	slices.SortFunc(rest, session.Cursor.Compare)
	for i, place := range rest {
		if len(found) == limit || i == max(limit, session.SearchReads) {
			return found, &after, nil
		}
		s := m.sessions[place.ID]
		if after = place; f.Passes(s) {
			found = append(found, s)
		}
	}
	return found, nil, nil
}

func (m *Store) choose(passes func(session.Session) bool) []session.Session {
	var found []session.Session
	for _, s := range m.sessions {
		if passes(s) {
			found = append(found, s)
		}
	}
	return found
}

// Count implements [session.Archive].
func (m *Store) Count(ctx context.Context, f session.Filter) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, session.Unavailable("count", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.choose(f.Passes)), nil
}

// ActiveByUser implements [session.Archive].
func (m *Store) ActiveByUser(ctx context.Context, after session.Session, limit int) ([]session.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, session.Unavailable("active sessions", err)
	}
	order := func(a, b session.Session) int {
		return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.ID, b.ID))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.choose(func(s session.Session) bool { return s.Status == session.StatusActive && order(s, after) > 0 })
	slices.SortFunc(found, order)
	return found[:min(limit, len(found))], nil
}

// Purge implements [session.Archive].
func (m *Store) Purge(ctx context.Context, now time.Time, limit int) (sessions int, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, session.Unavailable("purge", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := limit
	over := func(end time.Time) bool { // whether one more is due and may go
		if rest == 0 || end.Add(m.Retention).After(now) {
			return false
		}
		rest--
		return true
	}
	for _, s := range m.choose(func(s session.Session) bool { return s.Status == session.StatusEnded }) {
		if over(s.EndedAt) {
			m.remove(s)
			sessions++
		}
	}
	m.events = slices.DeleteFunc(m.events, func(e session.Event) bool {
		due := over(e.At)
		if due {
			delete(m.recorded, e.ID)
		}
		return due
	})
	maps.DeleteFunc(m.users, func(_ session.UserID, u user) bool { return !u.TokensPending && over(u.keepFrom) })
	maps.DeleteFunc(m.jobs, func(_ string, j session.MassRevocation) bool { return over(j.Version) })
	return sessions, rest == 0, nil
}

// SaveCensus implements [session.Archive].
func (m *Store) SaveCensus(ctx context.Context, c session.Census) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable("save census", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.census = copied(c)
	return nil
}

// Census implements [session.Archive].
func (m *Store) Census(ctx context.Context) (session.Census, error) {
	if err := ctx.Err(); err != nil {
		return session.Census{}, session.Unavailable("census", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return copied(m.census), nil
}

// copied returns c with maps of its own.
func copied(c session.Census) session.Census {
	c.ByDeviceType, c.ByCountry = maps.Clone(c.ByDeviceType), maps.Clone(c.ByCountry)
	return c
}
