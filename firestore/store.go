package firestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	// callTimeout bounds one operation of the store, with everything that it repeats.
	callTimeout = 5 * time.Second
	// revokeTimeout bounds the commit of a revocation. It is longer than a lock can be held up: Firestore answers
	// Aborted after some seconds of waiting for one, and the revocation tries again.
	revokeTimeout = 30 * time.Second
)

// The defaults of [Options].
const (
	DefaultRetention      = 30 * 24 * time.Hour
	DefaultResyncInterval = 15 * time.Second
)

// Options say what to open.
type Options struct {
	ProjectID      string
	EmulatorHost   string         // host:port; empty: where Google's client goes by itself
	Retention      time.Duration  // how long after their end documents are purged
	ResyncInterval time.Duration  // how often a feed catches up
	Clock          *session.Clock // taught the store's time; nil: one of its own
	Logger         *slog.Logger   // nil: silence
}

// Store implements [session.Store], [session.Users] and [session.Publisher]. Safe for concurrent use.
type Store struct {
	client    *firestore.Client
	clock     *session.Clock
	log       *slog.Logger
	retention time.Duration
	resync    time.Duration
}

// Open connects to Firestore; it does not wait for an answer, see [Store.Ping].
func Open(ctx context.Context, o Options) (*Store, error) {
	client, err := dial(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("firestore: %w", err)
	}
	s := &Store{client: client, clock: o.Clock, log: o.Logger, retention: o.Retention, resync: o.ResyncInterval}
	if s.clock == nil {
		s.clock = session.NewClock()
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.retention <= 0 {
		s.retention = DefaultRetention
	}
	if s.resync <= 0 {
		s.resync = DefaultResyncInterval
	}
	return s, nil
}

// Close ends the connection. Nothing may be called afterwards.
func (s *Store) Close() error { return s.client.Close() }

// Ping reports whether Firestore answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.now(ctx)
	return err
}

// now asks Firestore for its time, which it tells with every answer, even that there is no such document.
func (s *Store) now(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	snaps, err := s.get(ctx, s.notices().Doc("none"))
	if err != nil {
		return time.Time{}, session.Unavailable("ping", err)
	}
	return snaps[0].ReadTime, nil
}

// get reads documents at one moment. A missing one is no error.
func (s *Store) get(ctx context.Context, refs ...*firestore.DocumentRef) ([]*firestore.DocumentSnapshot, error) {
	sent := time.Now()
	snaps, err := s.client.GetAll(ctx, refs)
	if err != nil {
		return nil, err
	}
	s.clock.Observe(snaps[0].ReadTime, sent, time.Now())
	return snaps, nil
}

// find reads all documents of a query, which must not have many.
func (s *Store) find(ctx context.Context, q firestore.Query) ([]*firestore.DocumentSnapshot, error) {
	sent := time.Now()
	snaps, err := q.Documents(ctx).GetAll()
	if err != nil {
		return nil, err
	}
	if len(snaps) > 0 {
		s.clock.Observe(snaps[0].ReadTime, sent, time.Now())
	}
	return snaps, nil
}

// batch returns a batch of writes that commit together or not at all.
//
//nolint:staticcheck // deprecated, but one atomic call without locks: a transaction is three calls, BulkWriter is not atomic
func (s *Store) batch() *firestore.WriteBatch { return s.client.Batch() }

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

func notFound(op string) error { return &session.Error{Op: op, Code: session.CodeNotFound} }
