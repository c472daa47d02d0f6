package firestore

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vigilhq/vigil/internal/session"
)

// write is one of the writes of a commit.
type write struct {
	ref     *firestore.DocumentRef
	do      verb
	data    any       // a map, except that replace and create also take a struct
	version time.Time // of update and remove: the one that the document must still have; zero: any
}

// verb says what a write does.
type verb int

const (
	replace verb = iota // whatever is there
	create              // only where nothing is
	merge               // change these fields, of a new document where there is none
	update              // change these fields of a document that is there
	remove
)

// commit makes writes together or not at all, and returns the version that the first has made. It is one call without locks: a
// transaction is three, and Google's BulkWriter does not hold together.
func (s *Store) commit(ctx context.Context, writes ...write) (version time.Time, err error) {
	batch := s.client.Batch() //nolint:staticcheck // deprecated, but nothing else is one atomic call
	for _, w := range writes {
		switch w.do {
		case replace:
			batch.Set(w.ref, w.data)
		case create:
			batch.Create(w.ref, w.data)
		case merge:
			batch.Set(w.ref, w.data, firestore.MergeAll)
		case update:
			batch.Update(w.ref, w.updates(), w.preconditions()...)
		case remove:
			batch.Delete(w.ref, w.preconditions()...)
		}
	}
	results, err := batch.Commit(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return results[0].UpdateTime, nil
}

// transacted makes w a part of a transaction.
func (w write) transacted(tx *firestore.Transaction) error {
	switch w.do {
	case create:
		return tx.Create(w.ref, w.data)
	case merge:
		return tx.Set(w.ref, w.data, firestore.MergeAll)
	case update:
		return tx.Update(w.ref, w.updates(), w.preconditions()...)
	case remove:
		return tx.Delete(w.ref, w.preconditions()...)
	default:
		return tx.Set(w.ref, w.data)
	}
}

func (w write) updates() []firestore.Update {
	fields, _ := w.data.(map[string]any)
	changed := make([]firestore.Update, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		changed = append(changed, firestore.Update{Path: name, Value: fields[name]})
	}
	return changed
}

func (w write) preconditions() []firestore.Precondition {
	if w.version.IsZero() {
		return nil
	}
	return []firestore.Precondition{firestore.LastUpdateTime(w.version)}
}

// oneByOne commits writes together or, where another writer has done something to one of their documents, each by itself; one
// whose condition does not hold any more is left out. It counts those that were made.
func (s *Store) oneByOne(ctx context.Context, writes []write) (made int, err error) {
	if len(writes) == 0 {
		return 0, nil
	}
	one, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := s.commit(one, writes...); err == nil {
		return len(writes), nil
	} else if !contended(err) {
		return 0, err
	}
	for _, w := range writes {
		err := s.settle(ctx, "write", callTimeout, func(ctx context.Context) error {
			_, err := s.commit(ctx, w)
			if err == nil {
				made++
			}
			if settled(err) {
				return nil
			}
			return err
		})
		if err != nil {
			return made, err
		}
	}
	return made, nil
}

// settle repeats try while it loses against other writers. Try reads what is there and decides anew each time. What it fails
// with is unavailable unless it says itself what it is.
func (s *Store) settle(ctx context.Context, op string, timeout time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for delay := 10 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		err := try(ctx)
		if contended(err) && pause(ctx, delay) == nil {
			continue
		}
		var said *session.Error
		if err == nil || errors.As(err, &said) {
			return err
		}
		return session.Unavailable(op, err)
	}
}

// settled reports whether a write failed because its condition does not hold, which waiting does not change.
func settled(err error) bool {
	switch status.Code(err) {
	case codes.FailedPrecondition, codes.AlreadyExists, codes.NotFound:
		return true
	default:
		return false
	}
}

// contended reports whether a write failed because of what another writer did to its documents. It may also be one's
// own write of a moment ago, whose answer was lost and which Google's client has then repeated. The emulator
// cancels a commit, made or not, of which it was about to tell a listener that goes away.
func contended(err error) bool {
	switch status.Code(err) {
	case codes.Aborted, codes.FailedPrecondition, codes.AlreadyExists, codes.NotFound, codes.Canceled:
		return true
	default:
		return false
	}
}

// pause waits for up to d, at random so that those who met once do not meet again.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(rand.N(d))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
