package memory

import (
	"context"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// proofInterval is how often a feed proves itself: there is nothing to catch up with in one process.
const proofInterval = 100 * time.Millisecond

// maxAnnounced bounds the memory of notices that are published already.
const maxAnnounced = 10_000

// Feed brings the notices of one [Store].
type Feed struct{ store *Store }

// Feed returns a feed of the notices committed from the moment it runs.
func (m *Store) Feed() *Feed { return &Feed{store: m} }

// subscription is the queue of one running feed: unbounded, since a writer must never wait for a reader.
type subscription struct {
	queue []session.Notice // guarded by the store's mu
	wake  chan struct{}
}

// announce queues n for every running feed. The caller holds m.mu.
func (m *Store) announce(n session.Notice) {
	n.At = m.version
	if len(m.announced) >= maxAnnounced {
		clear(m.announced)
	}
	m.announced[n.ID] = struct{}{}
	for sub := range m.feeds {
		sub.queue = append(sub.queue, n)
		select {
		case sub.wake <- struct{}{}:
		default:
		}
	}
}

// Publish implements [session.Publisher].
func (m *Store) Publish(ctx context.Context, n session.Notice, events ...session.Event) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable("publish", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.announced[n.ID]; ok {
		return nil
	}
	m.next()
	m.record(session.Record{Notices: []session.Notice{n}, Events: events})
	return nil
}

// Run implements [session.Feed].
func (f *Feed) Run(ctx context.Context, sink session.Sink) error {
	sub := &subscription{wake: make(chan struct{}, 1)}
	f.store.mu.Lock()
	f.store.feeds[sub] = struct{}{}
	f.store.mu.Unlock()
	defer func() {
		f.store.mu.Lock()
		delete(f.store.feeds, sub)
		f.store.mu.Unlock()
	}()

	proof := time.NewTicker(proofInterval)
	defer proof.Stop()
	for {
		began := time.Now()
		f.store.mu.Lock()
		queue := sub.queue
		sub.queue = nil
		f.store.mu.Unlock()
		for _, n := range queue {
			sink.Deliver(n)
		}
		sink.Prove(began)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.wake:
		case <-proof.C:
		}
	}
}
