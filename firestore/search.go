package firestore

import (
	"context"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// filteredPage is how many sessions are read at once, at least, when some of them may not pass.
const filteredPage = 100

// searchTimeout bounds a search, which reads about [session.SearchReads] sessions: a mass revocation must not wait for it longer.
const searchTimeout = 8 * time.Second

// Search implements [session.Archive].
func (s *Store) Search(ctx context.Context, f session.Filter, after session.Cursor, limit int) (found []session.Session, next *session.Cursor, err error) {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	l := look{Store: s, f: f, after: after, limit: limit, reads: max(limit, session.SearchReads), reached: after}
	queries, exact := s.queries(f, after)
	for _, q := range queries {
		if l.enough() {
			return l.found, &l.reached, nil
		}
		size := limit - len(l.found)
		if !exact {
			size = max(size, filteredPage)
		}
		err := s.scan(ctx, q, min(size, max(l.reads, filteredPage), pageSize), func(page []*firestore.DocumentSnapshot) (bool, error) {
			l.at(ctx, page)
			return !l.enough(), nil
		})
		if err != nil {
			return nil, nil, session.Unavailable("search", err)
		}
	}
	if l.enough() {
		return l.found, &l.reached, nil
	}
	return l.found, nil, nil
}

// look is one call of [Store.Search].
type look struct {
	*Store
	f       session.Filter
	after   session.Cursor
	limit   int
	reads   int // that are left
	found   []session.Session
	reached session.Cursor
}

// at looks at a page for what passes, and notes how far that is.
func (l *look) at(ctx context.Context, page []*firestore.DocumentSnapshot) {
	for _, snap := range page {
		if len(l.found) == l.limit {
			return
		}
		l.reads--
		if place := placeOf(snap, l.f); place.ID.Valid() { // no search goes on at a name that no session has
			l.reached = place
		}
		if each, ok := l.readable(ctx, snap); ok && l.f.Passes(each) {
			l.found = append(l.found, each)
		}
	}
}

// enough reports whether the call is over before its last session, from where the next one can go on.
func (l *look) enough() bool { return len(l.found) >= l.limit || l.reads <= 0 && l.reached != l.after }

// placeOf is the place of a document in a search with f, whether or not it can be read as a session.
func placeOf(snap *firestore.DocumentSnapshot, f session.Filter) session.Cursor {
	place := session.Cursor{ID: session.ID(snap.Ref.ID)}
	if f.ByActivity() {
		place.LastActive, _ = snap.Data()["lastActive"].(time.Time)
	}
	return place
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
	if !f.ByActivity() {
		q := s.equal(f).OrderBy(firestore.DocumentID, firestore.Asc)
		if nameable(string(after.ID)) {
			q = q.StartAfter(string(after.ID))
		}
		return []firestore.Query{q}, f.CreatedBefore.IsZero() && f.ActiveBefore.IsZero()
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

// indexed reports whether f asks for ActiveBefore, and for nothing else that no index of a shard has.
func indexed(f session.Filter) bool {
	return f.ByActivity() && f == session.Filter{Status: f.Status, ActiveBefore: f.ActiveBefore}
}

// Count implements [session.Archive].
func (s *Store) Count(ctx context.Context, f session.Filter) (count int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	f.CreatedBefore = time.Time{} // no index has it
	if indexed(f) {
		var counts [shards]int
		err = eachShard(func(k int) (err error) { counts[k], err = s.count(ctx, s.activeBefore(f, k)); return err })
		for _, n := range counts {
			count += n
		}
	} else {
		count, err = s.count(ctx, s.equal(f))
	}
	if err != nil {
		return 0, session.Unavailable("count", err)
	}
	return count, nil
}

// ActiveByUser implements [session.Archive].
func (s *Store) ActiveByUser(ctx context.Context, after session.Session, limit int) ([]session.Session, error) {
	q := s.sessions().Where("status", "==", string(session.StatusActive)).
		OrderBy("userId", firestore.Asc).OrderBy(firestore.DocumentID, firestore.Asc)
	if nameable(string(after.ID)) {
		q = q.StartAfter(string(after.UserID), string(after.ID))
	}
	return s.first(ctx, "active sessions", q, limit)
}
