package firestore

import (
	"context"
	"math/rand/v2"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// purgeBatch is how many documents are deleted at once.
const purgeBatch = 100

// Purge implements [session.Archive]. Several may do it at once: each begins with a shard of its own choice, and deletes what is
// still as it was read.
func (s *Store) Purge(ctx context.Context, now time.Time, limit int) (sessions int, more bool, err error) {
	const op = "purge"
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	first, rest := rand.N(shards), limit
	for i := range shards {
		k := (first + i) % shards
		for _, kept := range []*firestore.CollectionRef{s.sessions(), s.events(), s.notices()} {
			n, err := s.purge(ctx, kept.Where("shard", "==", k), now, rest)
			if kept.ID == s.sessions().ID {
				sessions += n
			}
			if rest -= n; err != nil {
				return sessions, true, session.Unavailable(op, err)
			}
		}
	}
	others := []firestore.Query{s.notices().Where("shard", "==", everyShard), s.users().Query, s.jobs().Query, s.mailed().Query}
	if s.mailCollection != "" {
		others = append(others, s.mails().Query)
	}
	for _, kept := range others {
		n, err := s.purge(ctx, kept, now, rest)
		if rest -= n; err != nil {
			return sessions, true, session.Unavailable(op, err)
		}
	}
	return sessions, rest == 0, nil
}

// purge deletes up to limit documents of a query that are due, and counts them.
func (s *Store) purge(ctx context.Context, q firestore.Query, now time.Time, limit int) (purged int, err error) {
	if limit <= 0 {
		return 0, nil
	}
	q = q.Where("purgeAt", "<=", micro(now)).OrderBy("purgeAt", firestore.Asc).OrderBy(firestore.DocumentID, firestore.Asc)
	err = s.scan(ctx, q, min(limit, purgeBatch), func(page []*firestore.DocumentSnapshot) (bool, error) {
		var deletions []write
		for _, snap := range page {
			if mayGo(snap) && purged+len(deletions) < limit {
				deletions = append(deletions, write{ref: snap.Ref, do: remove, version: snap.UpdateTime})
			}
		}
		made, err := s.oneByOne(ctx, deletions)
		purged += made
		return purged < limit, err
	})
	return purged, err
}

// mayGo reports whether a document may be deleted when its time is over: not a session that nobody has ended yet, and not a
// revocation that Firebase has not been told.
func mayGo(snap *firestore.DocumentSnapshot) bool {
	doc := snap.Data()
	return doc["status"] != string(session.StatusActive) && doc["tokensPending"] != true
}
