package firestore

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vigilhq/vigil/internal/session"
)

// Create implements [session.Store]. Most calls find the session there, since every tab registers, and take no lock.
func (s *Store) Create(ctx context.Context, from session.Session) (stored session.Session, created bool, err error) {
	const op = "create"
	if !from.ID.Valid() {
		return session.Session{}, false, &session.Error{Op: op, Code: session.CodeInvalidRequest}
	}
	ref, user := s.sessions().Doc(string(from.ID)), s.users().Doc(userName(from.UserID))
	doc := s.newSessionDoc(from)
	err = s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		snaps, err := s.get(ctx, user, ref)
		if err != nil {
			return err
		}
		if err := admit(op, from, snaps[0]); err != nil {
			return err
		}
		if snaps[1].Exists() {
			found, err := readSession(snaps[1])
			stored, created = found.session(snaps[1].UpdateTime), found.WriteID == doc.WriteID
			return err
		}
		version, err := s.register(ctx, op, from, user, ref, doc)
		stored, created = doc.session(version), err == nil
		return err
	})
	if err != nil {
		return session.Session{}, false, err
	}
	return stored, created, nil
}

// register creates the document of a session in a transaction that reads its user's. It does not read the session's:
// the lock would have simultaneous registrations of one sign-in wait for each other in a circle.
func (s *Store) register(ctx context.Context, op string, from session.Session, user, ref *firestore.DocumentRef, doc sessionDoc) (time.Time, error) {
	type result struct {
		version time.Time
		err     error
	}
	done := make(chan result, 1)
	// The roll-back of a transaction takes its time even when ctx is over; nobody has to wait for it.
	go func() {
		var commit firestore.CommitResponse
		err := s.client.RunTransaction(ctx, func(_ context.Context, tx *firestore.Transaction) error {
			snaps, err := tx.GetAll([]*firestore.DocumentRef{user})
			if err != nil {
				return err
			}
			if err := admit(op, from, snaps[0]); err != nil {
				return err
			}
			return tx.Create(ref, doc)
		}, firestore.WithCommitResponseTo(&commit))
		if err != nil {
			done <- result{err: err}
			return
		}
		done <- result{version: commit.CommitTime()}
	}()
	select {
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	case r := <-done:
		if status.Code(r.err) == codes.InvalidArgument {
			// What Firestore says to a repeated commit whose transaction is over: look whether it was made.
			r.err = status.Error(codes.Aborted, r.err.Error())
		}
		return r.version, r.err
	}
}

// admit fails with token_revoked if the user's document, as far as there is one, revokes the sign-in of from.
func admit(op string, from session.Session, user *firestore.DocumentSnapshot) error {
	doc, err := readUser(user)
	if err != nil {
		return err
	}
	if doc.user(from.UserID).Revoked(from.AuthTime) {
		return &session.Error{Op: op, Code: session.CodeTokenRevoked}
	}
	return nil
}

// Session implements [session.Store].
func (s *Store) Session(ctx context.Context, id session.ID) (session.Session, error) {
	const op = "session"
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	doc, version, err := s.read(ctx, op, id)
	if err != nil && session.CodeOf(err) != session.CodeNotFound {
		return session.Session{}, session.Unavailable(op, err)
	}
	return doc.session(version), err
}

// read reads one session with its version. It fails with not_found.
func (s *Store) read(ctx context.Context, op string, id session.ID) (sessionDoc, time.Time, error) {
	if !id.Valid() {
		return sessionDoc{}, time.Time{}, notFound(op)
	}
	snaps, err := s.get(ctx, s.sessions().Doc(string(id)))
	if err != nil {
		return sessionDoc{}, time.Time{}, err
	}
	if !snaps[0].Exists() {
		return sessionDoc{}, time.Time{}, notFound(op)
	}
	doc, err := readSession(snaps[0])
	return doc, snaps[0].UpdateTime, err
}

func readSession(snap *firestore.DocumentSnapshot) (doc sessionDoc, err error) {
	err = snap.DataTo(&doc)
	return doc, err
}

// UserSessions implements [session.Store].
func (s *Store) UserSessions(ctx context.Context, uid session.UserID, all bool) ([]session.Session, error) {
	const op = "user sessions"
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	query := s.sessions().Where("userId", "==", string(uid))
	if !all {
		query = query.Where("status", "==", string(session.StatusActive))
	}
	snaps, err := s.find(ctx, query)
	if err != nil {
		return nil, session.Unavailable(op, err)
	}
	slices.SortFunc(snaps, func(a, b *firestore.DocumentSnapshot) int {
		return cmp.Or(a.CreateTime.Compare(b.CreateTime), cmp.Compare(a.Ref.ID, b.Ref.ID))
	})
	found := make([]session.Session, len(snaps))
	for i, snap := range snaps {
		doc, err := readSession(snap)
		if err != nil {
			return nil, session.Unavailable(op, err)
		}
		found[i] = doc.session(snap.UpdateTime)
	}
	return found, nil
}

// Touch implements [session.Store]. The usual one is a single call.
func (s *Store) Touch(ctx context.Context, known session.Session, at time.Time, n *session.Notice) (session.Session, error) {
	const op = "touch"
	if !known.ID.Valid() {
		return session.Session{}, notFound(op)
	}
	at = micro(at)
	due := func(s session.Session) bool { return s.Status != session.StatusEnded && at.After(s.LastActive) }
	current := !known.Version.IsZero() && due(known)
	err := s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		if !current {
			doc, version, err := s.read(ctx, op, known.ID)
			if err != nil {
				return err
			}
			if known = doc.session(version); !due(known) {
				return nil
			}
		}
		current = false
		version, err := s.change(ctx, known.ID, known.Version, n, []firestore.Update{{Path: "lastActive", Value: at}})
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

// End implements [session.Store].
func (s *Store) End(ctx context.Context, id session.ID, e session.End, n *session.Notice) (ended session.Session, own bool, err error) {
	const op = "end"
	writeID := rand.Text()
	if n != nil {
		writeID = n.ID // so that whoever tries again with the same notice learns that it was its own
	}
	err = s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		for {
			doc, version, err := s.read(ctx, op, id)
			if err != nil {
				return err
			}
			ended = doc.session(version)
			if ended.Status == session.StatusEnded {
				own = doc.WriteID == writeID
				return nil
			}
			if !e.IfLastActive.IsZero() && !ended.LastActive.Equal(micro(e.IfLastActive)) {
				return nil
			}
			// Read again after it: only the document knows the time that Firestore set.
			if _, err := s.change(ctx, id, version, n, s.endFields(e, writeID)); err != nil {
				return err
			}
		}
	})
	if err != nil {
		return session.Session{}, false, err
	}
	return ended, own, nil
}

func (s *Store) endFields(e session.End, writeID string) []firestore.Update {
	var endedAt any = firestore.ServerTimestamp
	purgeAt := s.clock.Now().Add(s.retention)
	if !e.At.IsZero() {
		endedAt, purgeAt = micro(e.At), micro(e.At.Add(s.retention))
	}
	return []firestore.Update{
		{Path: "status", Value: string(session.StatusEnded)},
		{Path: "endedAt", Value: endedAt},
		{Path: "endReason", Value: string(e.Reason)},
		{Path: "endedBy", Value: nullable(e.By)},
		{Path: "purgeAt", Value: purgeAt},
		{Path: "writeId", Value: writeID},
	}
}

// change updates a session that is still in the given version and publishes the notice, if any, in the same commit. It
// returns the new version.
func (s *Store) change(ctx context.Context, id session.ID, version time.Time, n *session.Notice, fields []firestore.Update) (time.Time, error) {
	batch := s.batch().Update(s.sessions().Doc(string(id)), fields, firestore.LastUpdateTime(version))
	if n != nil {
		batch.Set(s.notices().Doc(n.ID), s.noticeFields(*n))
	}
	results, err := batch.Commit(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return results[0].UpdateTime, nil
}

// Withdraw implements [session.Store]. A session that was ended meanwhile stays: its sign-in is spent.
func (s *Store) Withdraw(ctx context.Context, id session.ID) error {
	const op = "withdraw"
	err := s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		doc, version, err := s.read(ctx, op, id)
		if err != nil || doc.Status == string(session.StatusEnded) {
			return err
		}
		_, err = s.sessions().Doc(string(id)).Delete(ctx, firestore.LastUpdateTime(version))
		return err
	})
	if session.CodeOf(err) == session.CodeNotFound {
		return nil
	}
	return err
}
