package firestore

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// Session implements [session.Store].
func (s *Store) Session(ctx context.Context, id session.ID) (session.Session, error) {
	const op = "session"
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, _, err := s.read(ctx, op, id)
	if err != nil && session.CodeOf(err) != session.CodeNotFound {
		return session.Session{}, session.Unavailable(op, err)
	}
	return found, err
}

// read reads one session, and the writeId of its document.
func (s *Store) read(ctx context.Context, op string, id session.ID) (found session.Session, writeID string, err error) {
	if !id.Valid() {
		return session.Session{}, "", notFound(op)
	}
	snaps, err := s.get(ctx, s.sessions().Doc(string(id)))
	if err != nil {
		return session.Session{}, "", err
	}
	if !snaps[0].Exists() {
		return session.Session{}, "", notFound(op)
	}
	return readSession(snaps[0])
}

func readSession(snap *firestore.DocumentSnapshot) (found session.Session, writeID string, err error) {
	var doc sessionDoc
	if err := snap.DataTo(&doc); err != nil {
		return session.Session{}, "", err
	}
	if doc.SessionID != snap.Ref.ID {
		return session.Session{}, "", fmt.Errorf("the document %s calls itself %q", snap.Ref.ID, doc.SessionID)
	}
	found, err = doc.session(snap.UpdateTime)
	return found, doc.WriteID, err
}

// readable reads one session of many. One that is not of our making must not stop the others.
func (s *Store) readable(ctx context.Context, snap *firestore.DocumentSnapshot) (found session.Session, ok bool) {
	found, _, err := readSession(snap)
	if err != nil {
		s.log.ErrorContext(ctx, "unreadable session", slog.String("session", snap.Ref.ID), slog.Any("error", err))
	}
	return found, err == nil
}

// UserSessions implements [session.Store].
func (s *Store) UserSessions(ctx context.Context, uid session.UserID, all bool) ([]session.Session, error) {
	query := s.sessions().Where("userId", "==", string(uid))
	if !all {
		query = query.Where("status", "==", string(session.StatusActive))
	}
	snaps, err := s.page(ctx, query)
	if err != nil {
		return nil, session.Unavailable("user sessions", err)
	}
	slices.SortFunc(snaps, func(a, b *firestore.DocumentSnapshot) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), cmp.Compare(a.Ref.ID, b.Ref.ID))
	})
	found := make([]session.Session, 0, len(snaps))
	for _, snap := range snaps {
		if each, ok := s.readable(ctx, snap); ok {
			found = append(found, each)
		}
	}
	return found, nil
}

// RecentSessions implements [session.Store].
func (s *Store) RecentSessions(ctx context.Context, uid session.UserID, limit int) ([]session.Session, error) {
	query := s.sessions().Where("userId", "==", string(uid)).OrderBy("createdAt", firestore.Desc)
	return s.first(ctx, "recent sessions", query, limit)
}

// first reads the first sessions of a query that has an order, up to limit of them.
func (s *Store) first(ctx context.Context, op string, q firestore.Query, limit int) (found []session.Session, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = s.scan(ctx, q, limit, func(page []*firestore.DocumentSnapshot) (bool, error) {
		for _, snap := range page {
			if each, ok := s.readable(ctx, snap); ok && len(found) < limit {
				found = append(found, each)
			}
		}
		return len(found) < limit, nil
	})
	if err != nil {
		return nil, session.Unavailable(op, err)
	}
	return found, nil
}

// Touch implements [session.Store]. The usual one is a single call.
func (s *Store) Touch(ctx context.Context, known session.Session, at time.Time, n *session.Notice) (session.Session, error) {
	const op = "touch"
	if !known.ID.Valid() {
		return session.Session{}, notFound(op)
	}
	var rec session.Record
	if n != nil {
		rec.Notices = []session.Notice{*n}
	}
	at = micro(at)
	due := func(s session.Session) bool { return s.Status != session.StatusEnded && at.After(s.LastActive) }
	current := !known.Version.IsZero() && due(known)
	err := s.settle(ctx, op, callTimeout, func(ctx context.Context) (err error) {
		if !current {
			if known, _, err = s.read(ctx, op, known.ID); err != nil || !due(known) {
				return err
			}
		}
		current = false
		version, err := s.change(ctx, known, rec, map[string]any{"lastActive": at})
		if err != nil {
			return err
		}
		known.LastActive, known.Version = at, version
		return nil
	})
	if err != nil {
		return session.Session{}, err
	}
	return known, nil
}

// Move implements [session.Store]. The usual one is a single call.
func (s *Store) Move(ctx context.Context, known session.Session, networks session.Networks, rec session.Record) (stored session.Session, moved bool, err error) {
	const op = "move"
	if !known.ID.Valid() {
		return session.Session{}, false, notFound(op)
	}
	stored = known
	writeID := mark(rec, rand.Text())
	current := !known.Version.IsZero() && known.Status != session.StatusEnded
	err = s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		if !current {
			found, last, err := s.read(ctx, op, known.ID)
			if err != nil {
				return err
			}
			stored, moved = found, last == writeID
			if moved || found.Status == session.StatusEnded || found.Networks != known.Networks {
				return nil
			}
		}
		current = false
		version, err := s.change(ctx, stored, rec, map[string]any{
			"networks": cidrs(networks[:session.OwnNetworks]), "otherNetworks": cidrs(networks[session.OwnNetworks:]), "writeId": writeID,
		})
		if err != nil {
			return err
		}
		stored.Networks, stored.Version, moved = networks, version, true
		return nil
	})
	if err != nil {
		return session.Session{}, false, err
	}
	return stored, moved, nil
}

// End implements [session.Store].
func (s *Store) End(ctx context.Context, id session.ID, e session.End, rec session.Record) (ended session.Session, own bool, err error) {
	const op = "end"
	writeID := mark(rec, rand.Text())
	err = s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		for {
			found, last, err := s.read(ctx, op, id)
			if err != nil {
				return err
			}
			ended = found
			if ended.Status == session.StatusEnded {
				own = last == writeID
				return nil
			}
			if !e.IfLastActive.IsZero() && !ended.LastActive.Equal(micro(e.IfLastActive)) {
				return nil
			}
			// Read again after it: only the document knows the time that Firestore set.
			if _, err := s.change(ctx, ended, rec, s.endFields(e, writeID)); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return session.Session{}, false, err
	}
	return ended, own, nil
}

// EndTogether implements [session.Store]. The notices of each reason are one document.
func (s *Store) EndTogether(ctx context.Context, endings []session.Ending) (at time.Time, ok bool, err error) {
	const op = "end together"
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var writes []write
	notices := make(map[session.Reason][]session.Notice)
	for _, each := range endings {
		if !each.Session.ID.Valid() || each.Session.Version.IsZero() {
			return time.Time{}, false, nil // not read from here
		}
		writes = append(writes, write{
			ref: s.sessions().Doc(string(each.Session.ID)), do: update, version: each.Session.Version,
			data: s.endFields(each.End, mark(each.Record, rand.Text())),
		})
		writes = append(writes, s.eventWrites(each.Record.Events)...)
		for _, n := range each.Record.Notices {
			notices[n.Reason] = append(notices[n.Reason], n)
		}
	}
	for _, each := range notices {
		writes = append(writes, s.together(each))
	}
	at, err = s.commit(ctx, writes...)
	switch {
	case err == nil:
		return at, true, nil
	case contended(err):
		return time.Time{}, false, nil
	default:
		return time.Time{}, false, session.Unavailable(op, err)
	}
}

func (s *Store) endFields(e session.End, writeID string) map[string]any {
	var endedAt any = firestore.ServerTimestamp
	purgeAt := s.clock.Now().Add(s.retention)
	if !e.At.IsZero() {
		endedAt, purgeAt = micro(e.At), micro(e.At.Add(s.retention))
	}
	return map[string]any{
		"status":    string(session.StatusEnded),
		"endedAt":   endedAt,
		"endReason": string(e.Reason),
		"endedBy":   nullable(e.By),
		"purgeAt":   purgeAt,
		"writeId":   writeID,
	}
}

// change updates a session that is still in the version of known and commits the record with it. It returns the new version.
func (s *Store) change(ctx context.Context, known session.Session, rec session.Record, fields map[string]any) (time.Time, error) {
	writes, err := s.record(ctx, rec)
	if err != nil {
		return time.Time{}, err
	}
	change := write{ref: s.sessions().Doc(string(known.ID)), do: update, data: fields, version: known.Version}
	return s.commit(ctx, append([]write{change}, writes...)...)
}

// Withdraw implements [session.Store].
func (s *Store) Withdraw(ctx context.Context, id session.ID, rec session.Record) error {
	const op = "withdraw"
	err := s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		found, _, err := s.read(ctx, op, id)
		if err != nil || found.Status == session.StatusEnded {
			return err
		}
		writes, err := s.record(ctx, rec)
		if err != nil {
			return err
		}
		_, err = s.commit(ctx, append(writes, write{ref: s.sessions().Doc(string(id)), do: remove, version: found.Version})...)
		return err
	})
	if session.CodeOf(err) == session.CodeNotFound {
		return nil
	}
	return err
}
