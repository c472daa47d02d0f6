package firestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"cloud.google.com/go/firestore"
	"cloud.google.com/go/firestore/apiv1/firestorepb"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	// callTimeout bounds one operation of the store, with everything that it repeats.
	callTimeout = 5 * time.Second
	// revokeTimeout bounds the commit of a revocation. It is longer than a lock can be held up: Firestore answers
	// Aborted after some seconds of waiting for one, and the revocation tries again.
	revokeTimeout = 30 * time.Second
	// scanTimeout bounds what reads or writes page after page, each of which has callTimeout, and a count of very many.
	scanTimeout = time.Minute
	// pageSize bounds what is held in memory at once.
	pageSize = 500
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
	MailCollection string         // for the extension "Trigger Email"; empty: mails are dropped
	Meter          Meter          // nil: nothing is counted
	Clock          *session.Clock // taught the store's time; nil: one of its own
	Logger         *slog.Logger   // nil: silence
}

// Store implements [session.Store], [session.Users], [session.Publisher], [session.Archive], [session.Trail] and
// [session.Jobs]. Safe for concurrent use.
type Store struct {
	client         *firestore.Client
	clock          *session.Clock
	log            *slog.Logger
	retention      time.Duration
	resync         time.Duration
	mailCollection string
}

// Open connects to Firestore; it does not wait for an answer, see [Store.Ping].
func Open(ctx context.Context, o Options) (*Store, error) {
	client, err := dial(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("firestore: %w", err)
	}
	s := &Store{
		client: client, clock: o.Clock, log: o.Logger,
		retention: o.Retention, resync: o.ResyncInterval, mailCollection: o.MailCollection,
	}
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

// page reads the documents of a query that has a limit.
func (s *Store) page(ctx context.Context, q firestore.Query) ([]*firestore.DocumentSnapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.find(ctx, q)
}

// scan reads a query that has an order, size documents at a time, until visit wants no more. A visit is called with each page
// as it came.
func (s *Store) scan(ctx context.Context, q firestore.Query, size int, visit func(page []*firestore.DocumentSnapshot) (more bool, err error)) error {
	for {
		page, err := s.page(ctx, q.Limit(size))
		if err != nil {
			return err
		}
		if more, err := visit(page); err != nil || !more || len(page) < size {
			return err
		}
		q = q.StartAfter(page[len(page)-1])
	}
}

// eachShard calls f for all shards at once.
func eachShard(f func(shard int) error) error {
	var failures [shards]error
	var running sync.WaitGroup
	for k := range shards {
		running.Go(func() { failures[k] = f(k) })
	}
	running.Wait()
	return errors.Join(failures[:]...)
}

// count counts the documents of a query without reading them. For very many that takes longer than a call.
func (s *Store) count(ctx context.Context, q firestore.Query) (int, error) {
	result, err := q.NewAggregationQuery().WithCount("count").Get(ctx)
	if err != nil {
		return 0, err
	}
	n, ok := result["count"].(*firestorepb.Value)
	if !ok {
		return 0, errors.New("no count in the answer")
	}
	return int(n.GetIntegerValue()), nil
}

// countAt is count that also tells the moment at which it has counted.
func (s *Store) countAt(ctx context.Context, q firestore.Query) (n int, at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	sent := time.Now()
	if n, err = s.count(context.WithValue(ctx, readTime{}, &at), q); err != nil {
		return 0, time.Time{}, err
	}
	if at.IsZero() {
		return 0, time.Time{}, errors.New("no time in the answer")
	}
	s.clock.Observe(at, sent, time.Now())
	return n, at, nil
}

func notFound(op string) error { return &session.Error{Op: op, Code: session.CodeNotFound} }
