package firestore

import (
	"context"
	"errors"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/iterator"

	"github.com/vigilhq/vigil/internal/session"
)

// User implements [session.Users].
func (s *Store) User(ctx context.Context, uid session.UserID) (session.User, error) {
	const op = "user"
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	snaps, err := s.get(ctx, s.users().Doc(userName(uid)))
	if err != nil {
		return session.User{}, session.Unavailable(op, err)
	}
	doc, err := readUser(snaps[0])
	if err != nil {
		return session.User{}, session.Unavailable(op, err)
	}
	return doc.user(uid), nil
}

// readUser reads the document of a user, the zero one where there is none.
func readUser(snap *firestore.DocumentSnapshot) (doc userDoc, err error) {
	if snap.Exists() {
		err = snap.DataTo(&doc)
	}
	return doc, err
}

// Revoke implements [session.Users]. Calling it again with the same notice, after a failure, revokes only once.
func (s *Store) Revoke(ctx context.Context, n session.Notice, d session.Decree) (time.Time, error) {
	const op = "revoke"
	user := s.users().Doc(userName(n.UserID))
	fields := map[string]any{
		"userId":        string(n.UserID),
		"revokedAt":     firestore.ServerTimestamp,
		"revokeReason":  string(n.Reason),
		"revokedBy":     d.By,
		"tokensPending": true,
		"updatedAt":     firestore.ServerTimestamp,
		"purgeAt":       s.clock.Now().Add(s.retention),
	}
	if d.Disable {
		fields["disabled"], fields["disablePending"] = true, true
	}
	if d.Delete {
		fields["deletedAt"], fields["deletePending"] = firestore.ServerTimestamp, true
	}
	if d.Deleted {
		fields["deletedAt"], fields["erasePending"] = firestore.ServerTimestamp, true
	}
	notice := s.noticeFields(n)
	delete(notice, "sessionIds")
	notice["before"] = firestore.ServerTimestamp
	err := s.settle(ctx, op, revokeTimeout, func(ctx context.Context) error {
		_, err := s.commit(ctx, append(s.eventWrites(d.Events),
			write{ref: user, do: merge, data: fields},
			write{ref: s.notices().Doc(n.ID), do: create, data: notice})...)
		return unlessMade(err)
	})
	if err != nil {
		return time.Time{}, err
	}
	return s.raise(ctx, op, n.UserID)
}

// raise puts RevokedAt to the latest of the user's revocations and returns it. The time of a commit is that of its
// request, so one that waited behind a lock may have set an earlier time than one that overtook it.
func (s *Store) raise(ctx context.Context, op string, uid session.UserID) (latest time.Time, err error) {
	ref := s.users().Doc(userName(uid))
	err = s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		snaps, err := s.get(ctx, ref)
		if err != nil {
			return err
		}
		doc, err := readUser(snaps[0])
		if err != nil {
			return err
		}
		latest = value(doc.RevokedAt)
		// Of all users: those of this one alone would need a composite index, and there are few so recent.
		later, err := s.find(ctx, s.notices().Where("before", ">", latest))
		if err != nil {
			return err
		}
		for _, snap := range later {
			var notice noticeDoc
			if err := snap.DataTo(&notice); err != nil {
				return err
			}
			if before := value(notice.Before); notice.UserID == string(uid) && before.After(latest) {
				latest = before
			}
		}
		if latest.Equal(value(doc.RevokedAt)) {
			return nil
		}
		_, err = ref.Update(ctx, []firestore.Update{{Path: "revokedAt", Value: latest}}, firestore.LastUpdateTime(snaps[0].UpdateTime))
		return err
	})
	return latest, err
}

// TokensRevoked implements [session.Users].
func (s *Store) TokensRevoked(ctx context.Context, uid session.UserID, revokedAt time.Time) error {
	const op = "tokens revoked"
	ref := s.users().Doc(userName(uid))
	return s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		snaps, err := s.get(ctx, ref)
		if err != nil {
			return err
		}
		doc, err := readUser(snaps[0])
		if err != nil || !doc.TokensPending || value(doc.RevokedAt).After(revokedAt) {
			return err
		}
		_, err = ref.Update(ctx, []firestore.Update{
			{Path: "tokensPending", Value: false},
			{Path: "disablePending", Value: false},
			{Path: "deletePending", Value: false},
			{Path: "erasePending", Value: false},
			{Path: "updatedAt", Value: firestore.ServerTimestamp},
			{Path: "purgeAt", Value: s.clock.Now().Add(s.retention)},
		}, firestore.LastUpdateTime(snaps[0].UpdateTime))
		return err
	})
}

// PendingUsers implements [session.Users]. Those pending are few at any time, so that their age is judged here.
func (s *Store) PendingUsers(ctx context.Context, before time.Time, limit int) ([]session.User, error) {
	const op = "pending users"
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	it := s.users().Where("tokensPending", "==", true).Documents(ctx)
	defer it.Stop()
	var found []session.User
	for len(found) < limit {
		snap, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, session.Unavailable(op, err)
		}
		doc, err := readUser(snap)
		if err != nil {
			return nil, session.Unavailable(op, err)
		}
		if doc.UpdatedAt.Before(before) {
			found = append(found, doc.user(session.UserID(doc.UserID)))
		}
	}
	return found, nil
}

// Enable implements [session.Users]. It leaves updatedAt alone, which is the age of a pending revocation.
func (s *Store) Enable(ctx context.Context, uid session.UserID, events ...session.Event) error {
	return s.settle(ctx, "enable", callTimeout, func(ctx context.Context) error {
		_, err := s.commit(ctx, append(s.eventWrites(events), write{ref: s.users().Doc(userName(uid)), do: merge, data: map[string]any{
			"userId":   string(uid),
			"disabled": false, "disablePending": false,
			"purgeAt": s.clock.Now().Add(s.retention),
		}})...)
		return err
	})
}
