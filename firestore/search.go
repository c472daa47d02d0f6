package firestore

import (
	"context"
	"slices"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// filteredPage is how many sessions are read at once, at least, when some of them may not pass.
const filteredPage = 100

// present is how near to now a moment must be for [Store.Count] to take it for now.
const present = time.Minute

// Search implements [session.Archive].
func (s *Store) Search(ctx context.Context, f session.Filter, after session.Cursor, limit int) ([]session.Session, error) {
	const op = "search"
	if limit <= 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	var found []session.Session
	var err error
	if !f.ActiveBefore.IsZero() && f.UserID != "" {
		found, err = s.searchUser(ctx, f, after, limit)
	} else {
		found, err = s.searchAll(ctx, f, after, limit)
	}
	if err != nil {
		return nil, session.Unavailable(op, err)
	}
	return found, nil
}

// searchAll searches in the order of the queries.
func (s *Store) searchAll(ctx context.Context, f session.Filter, after session.Cursor, limit int) (found []session.Session, err error) {
	queries, exact := s.queries(f, after)
	for _, q := range queries {
		size := limit - len(found)
		if !exact {
			size = max(size, filteredPage)
		}
		err := s.scan(ctx, q, min(size, pageSize), func(page []*firestore.DocumentSnapshot) (bool, error) {
			sessions, err := readSessions(page)
			for _, each := range sessions {
				if f.Passes(each) && len(found) < limit {
					found = append(found, each)
				}
			}
			return len(found) < limit, err
		})
		if err != nil || len(found) == limit {
			return found, err
		}
	}
	return found, nil
}

// searchUser searches one user's sessions in the order of their activity: they are few, and all others many.
func (s *Store) searchUser(ctx context.Context, f session.Filter, after session.Cursor, limit int) (found []session.Session, err error) {
	order := func(a, b session.Session) int { return f.CursorOf(a).Compare(f.CursorOf(b)) }
	query := s.equal(f).OrderBy(firestore.DocumentID, firestore.Asc)
	err = s.scan(ctx, query, pageSize, func(page []*firestore.DocumentSnapshot) (bool, error) {
		sessions, err := readSessions(page)
		for _, each := range sessions {
			if f.Passes(each) && (after == session.Cursor{} || f.CursorOf(each).Compare(after) > 0) {
				found = append(found, each)
			}
		}
		slices.SortFunc(found, order)
		found = found[:min(limit, len(found))]
		return true, err
	})
	return found, err
}

// equal asks for the sessions that have what f asks for.
func (s *Store) equal(f session.Filter) firestore.Query {
	q := s.sessions().Query
	for _, field := range []struct{ path, value string }{
		{"userId", string(f.UserID)},
		{"status", string(f.Status)},
		{"ipAddress", f.IPAddress},
		{"device.type", f.DeviceType},
		{"location.country", f.Country},
	} {
		if field.value != "" {
			q = q.Where(field.path, "==", text(field.value))
		}
	}
	return q
}

// queries returns the queries which, one after the other, bring in the order of f what comes after the cursor, and whether
// they bring only what f lets pass.
func (s *Store) queries(f session.Filter, after session.Cursor) (queries []firestore.Query, exact bool) {
	if f.ActiveBefore.IsZero() {
		q := s.equal(f).OrderBy(firestore.DocumentID, firestore.Asc)
		if nameable(string(after.ID)) {
			q = q.StartAfter(string(after.ID))
		}
		return []firestore.Query{q}, f.CreatedBefore.IsZero()
	}
	first := 0
	if after.ID.Valid() {
		first = shard(after.ID)
	}
	for k := first; k < shards; k++ {
		q := s.activeBefore(f, k).OrderBy("lastActive", firestore.Asc).OrderBy(firestore.DocumentID, firestore.Asc)
		if k == first && after.ID.Valid() {
			q = q.StartAfter(micro(after.LastActive), string(after.ID))
		}
		queries = append(queries, q)
	}
	return queries, indexed(f)
}

// activeBefore asks for the sessions of a shard with the activity and the status that f asks for.
func (s *Store) activeBefore(f session.Filter, shard int) firestore.Query {
	q := s.sessions().Where("shard", "==", shard)
	if f.Status != "" {
		q = q.Where("status", "==", string(f.Status))
	}
	// Rounded up, since what is stored is whole microseconds.
	return q.Where("lastActive", "<", micro(f.ActiveBefore.Add(time.Microsecond-1)))
}

// indexed reports whether f, which asks for ActiveBefore, asks for nothing else that no index of a shard has.
func indexed(f session.Filter) bool {
	return f == session.Filter{Status: f.Status, ActiveBefore: f.ActiveBefore}
}

// Count implements [session.Archive]. It takes a CreatedBefore that is hardly past for now, and then counts without reading.
func (s *Store) Count(ctx context.Context, f session.Filter) (int, error) {
	const op = "count"
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	if s.clock.Now().Sub(f.CreatedBefore) < present {
		f.CreatedBefore = time.Time{}
	}
	var count int
	var err error
	switch {
	case f.ActiveBefore.IsZero() && f.CreatedBefore.IsZero():
		count, err = s.count(ctx, s.equal(f))
	case indexed(f):
		var counts [shards]int
		err = eachShard(func(k int) (err error) { counts[k], err = s.count(ctx, s.activeBefore(f, k)); return err })
		for _, n := range counts {
			count += n
		}
	default:
		count, err = s.countRead(ctx, f)
	}
	if err != nil {
		return 0, session.Unavailable(op, err)
	}
	return count, nil
}

// countRead counts the sessions that pass f by reading what f is about.
func (s *Store) countRead(ctx context.Context, f session.Filter) (count int, err error) {
	queries, _ := s.queries(f, session.Cursor{})
	if f.UserID != "" {
		queries = []firestore.Query{s.equal(f).OrderBy(firestore.DocumentID, firestore.Asc)}
	}
	for _, q := range queries {
		q = q.Select("userId", "status", "ipAddress", "device.type", "location.country", "lastActive", "createdAt")
		err := s.scan(ctx, q, pageSize, func(page []*firestore.DocumentSnapshot) (bool, error) {
			sessions, err := readSessions(page)
			for _, each := range sessions {
				if f.Passes(each) {
					count++
				}
			}
			return true, err
		})
		if err != nil {
			return 0, err
		}
	}
	return count, nil
}

// ActiveByUser implements [session.Archive].
func (s *Store) ActiveByUser(ctx context.Context, after session.Session, limit int) ([]session.Session, error) {
	if limit <= 0 {
		return nil, nil
	}
	q := s.sessions().Where("status", "==", string(session.StatusActive)).
		OrderBy("userId", firestore.Asc).OrderBy(firestore.DocumentID, firestore.Asc).Limit(limit)
	if nameable(string(after.ID)) {
		q = q.StartAfter(string(after.UserID), string(after.ID))
	}
	return s.list(ctx, "active sessions", q, nil)
}
