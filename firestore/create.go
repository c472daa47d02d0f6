package firestore

import (
	"context"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vigilhq/vigil/internal/session"
)

// Create implements [session.Store]. It tries to create at once: whoever calls it has looked for the session before. Of many
// that try at the same time all but one fail at their commit, and then read what the one has written.
func (s *Store) Create(ctx context.Context, from session.Session, rec session.Record) (stored session.Session, created bool, err error) {
	const op = "create"
	if !from.ID.Valid() {
		return session.Session{}, false, &session.Error{Op: op, Code: session.CodeInvalidRequest}
	}
	r := registration{
		Store: s, op: op, from: from, rec: rec, doc: s.newSessionDoc(from),
		ref: s.sessions().Doc(string(from.ID)), user: s.users().Doc(userName(from.UserID)),
	}
	again := false
	err = s.settle(ctx, op, callTimeout, func(ctx context.Context) (err error) {
		if again {
			var found bool
			if stored, created, found, err = r.find(ctx); err != nil || found {
				return err
			}
		}
		again = true
		stored, err = r.register(ctx)
		created = err == nil
		return err
	})
	if err != nil {
		return session.Session{}, false, err
	}
	return stored, created, nil
}

// registration is one call of [Store.Create].
type registration struct {
	*Store
	op        string
	from      session.Session
	rec       session.Record
	doc       sessionDoc
	ref, user *firestore.DocumentRef
}

// find reads the session that is there, and whether this registration has created it.
func (r registration) find(ctx context.Context) (stored session.Session, own, found bool, err error) {
	snaps, err := r.get(ctx, r.user, r.ref)
	if err != nil {
		return session.Session{}, false, false, err
	}
	if err := r.admit(snaps[0]); err != nil {
		return session.Session{}, false, false, err
	}
	if !snaps[1].Exists() {
		return session.Session{}, false, false, nil
	}
	stored, writeID, err := readSession(snaps[1])
	return stored, writeID == r.doc.WriteID, true, err
}

// register creates the document of the session in a transaction that reads its user's. It does not read the session's:
// the lock would have simultaneous registrations of one sign-in wait for each other in a circle.
func (r registration) register(ctx context.Context) (session.Session, error) {
	writes, err := r.record(ctx, r.rec)
	if err != nil {
		return session.Session{}, err
	}
	type result struct {
		version time.Time
		err     error
	}
	done := make(chan result, 1)
	// The roll-back of a transaction takes its time even when ctx is over; nobody has to wait for it.
	go func() {
		var commit firestore.CommitResponse
		err := r.client.RunTransaction(ctx, func(_ context.Context, tx *firestore.Transaction) error {
			return r.transact(tx, writes)
		}, firestore.WithCommitResponseTo(&commit))
		if err != nil {
			done <- result{err: err}
			return
		}
		done <- result{version: commit.CommitTime()}
	}()
	select {
	case <-ctx.Done():
		return session.Session{}, ctx.Err()
	case made := <-done:
		if status.Code(made.err) == codes.InvalidArgument {
			// What Firestore says to a repeated commit whose transaction is over: look whether it was made.
			made.err = status.Error(codes.Aborted, made.err.Error())
		}
		if made.err != nil {
			return session.Session{}, made.err
		}
		return r.doc.session(made.version)
	}
}

func (r registration) transact(tx *firestore.Transaction, writes []write) error {
	sent := time.Now()
	snaps, err := tx.GetAll([]*firestore.DocumentRef{r.user})
	if err != nil {
		return err
	}
	r.clock.Observe(snaps[0].ReadTime, sent, time.Now())
	if err := r.admit(snaps[0]); err != nil {
		return err
	}
	for _, w := range append(writes, write{ref: r.ref, do: create, data: r.doc}) {
		if err := w.transacted(tx); err != nil {
			return err
		}
	}
	return nil
}

// admit fails with token_revoked or user_disabled if the user's document, as far as there is one, does not let the sign-in in.
func (r registration) admit(user *firestore.DocumentSnapshot) error {
	doc, err := readUser(user)
	if err != nil {
		return err
	}
	decided := doc.user(r.from.UserID)
	if reason := decided.Gone(); reason != "" {
		return &session.Error{Op: r.op, Code: session.CodeUserDisabled, Reason: reason}
	}
	if decided.Revoked(r.from.AuthTime) {
		return &session.Error{Op: r.op, Code: session.CodeTokenRevoked}
	}
	return nil
}
