package firestore

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	// overlap is how far a catch-up goes back before the last one: further than a commit can wait behind locks, since its
	// time is that of its request.
	overlap = 2 * time.Minute
	// listenerLife is how long a listener lives: it keeps all that it has shown.
	listenerLife = 30 * time.Minute
	// listenerRoom is how many notices a listener shows, beyond those it has begun with, before another takes its place.
	listenerRoom = 10_000
	// listenerLag is how long a catch-up waits, at most, for the listener to bring what has just become visible, before it reads that itself.
	listenerLag = time.Second
	// retryDelay bounds the pause before something that has failed is tried again.
	retryDelay = 2 * time.Second
)

// Feed implements [session.Feed]: a listener brings notices at once, and a catch-up brings at every interval whatever the
// listener has missed. Google's listener is silent while nothing happens, gives up for good on some errors and may stall
// without one; so it is only ever the fast path, and the completed catch-up is the proof. A catch-up has Firestore count the notices, which
// costs next to nothing, and reads them only if the listener has not brought as many.
type Feed struct {
	store  *Store
	client *firestore.Client // of the listener; tests give it a connection of its own, to break
	life   time.Duration     // of a listener
	room   int               // of a listener, in notices
}

// Feed returns the feed of all notices.
func (s *Store) Feed() *Feed {
	return &Feed{store: s, client: s.client, life: listenerLife, room: listenerRoom}
}

// Publish implements [session.Publisher].
func (s *Store) Publish(ctx context.Context, n session.Notice, events ...session.Event) error {
	return s.settle(ctx, "publish", callTimeout, func(ctx context.Context) error {
		_, err := s.commit(ctx, append(s.eventWrites(events), write{ref: s.notices().Doc(n.ID), do: create, data: s.noticeFields(n)})...)
		return unlessMade(err)
	})
}

// unlessMade returns err unless it says that the notice to create is there: then it is published already, perhaps by an
// attempt whose answer was lost.
func unlessMade(err error) error {
	if status.Code(err) == codes.AlreadyExists {
		return nil
	}
	return err
}

// Run implements [session.Feed]. It may be called any number of times.
func (f *Feed) Run(ctx context.Context, sink session.Sink) error {
	r := &run{Feed: f, sink: sink, shown: make(map[string]*showing), rebuild: func() {}}
	var listening sync.WaitGroup
	defer listening.Wait()
	failed := false
	for ctx.Err() == nil {
		began := time.Now()
		err := r.catchUp(ctx, began)
		switch {
		case ctx.Err() != nil:
		case err != nil && !failed:
			f.store.log.WarnContext(ctx, "feed: catch-up fails", slog.Any("error", err))
		case err == nil && failed:
			f.store.log.InfoContext(ctx, "feed: catch-up works again")
			r.restart() // Google's client may sleep for a minute before it opens its listener again
		}
		failed = err != nil
		if failed {
			_ = pause(ctx, min(retryDelay, f.store.resync))
			continue
		}
		if !r.listens {
			r.listens = true
			listening.Go(func() { r.listen(ctx) })
		}
		wait(ctx, f.store.resync-time.Since(began))
	}
	return ctx.Err()
}

// run is one run of a feed.
type run struct {
	*Feed
	sink    session.Sink
	listens bool // only of the goroutine that catches up

	mu      sync.Mutex
	since   time.Time           // the cursor: every notice before it has been delivered
	shown   map[string]*showing // the notices since then that have been delivered
	rebuild func()              // ends the present listener; another follows
}

// showing is how a notice came.
type showing struct {
	at       time.Time // of the notice
	visible  time.Time // since when
	caughtUp time.Time // local: when a catch-up brought it first
	listened bool      // the listener brought it, too
}

// catchUp delivers what became visible since the last catch-up began. The cursor is a read time that Firestore has
// told, never the time of a notice: those become visible out of order.
func (r *run) catchUp(ctx context.Context, began time.Time) error {
	query, err := r.begin(ctx)
	if err != nil {
		return err
	}
	count, at, err := r.store.countAt(ctx, query)
	if err != nil {
		return err
	}
	if !r.brought(ctx, count, at) {
		err := r.store.scan(ctx, query.OrderBy(firestore.DocumentID, firestore.Asc), pageSize, func(page []*firestore.DocumentSnapshot) (bool, error) {
			for _, snap := range page {
				r.deliver(ctx, snap, false)
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	r.advance(ctx, at.Add(-overlap))
	r.sink.Prove(began)
	return nil
}

// begin returns the query of a catch-up.
func (r *run) begin(ctx context.Context) (firestore.Query, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.since.IsZero() { // nobody else runs yet
		now, err := r.store.now(ctx)
		if err != nil {
			return firestore.Query{}, err
		}
		r.since = now.Add(-overlap)
	}
	return r.query(r.store.client), nil
}

// brought reports whether all notices since the cursor that were visible at that time, of which there are count, have been delivered. The
// listener has a moment for those that it is just about to bring.
func (r *run) brought(ctx context.Context, count int, at time.Time) bool {
	const looks = 20
	for range looks {
		n := r.delivered(at)
		if n >= count || !r.listens {
			return n == count
		}
		wait(ctx, min(listenerLag, r.store.resync/4)/looks)
	}
	return false
}

// delivered counts the notices since the cursor that have been delivered and were visible at that time.
func (r *run) delivered(at time.Time) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.shown {
		if s.at.After(r.since) && !s.visible.After(at) {
			n++
		}
	}
	return n
}

// query asks for all notices since the cursor. The caller holds r.mu.
func (r *run) query(client *firestore.Client) firestore.Query {
	return client.Collection(r.store.notices().ID).Where("at", ">", r.since).OrderBy("at", firestore.Asc)
}

// deliver hands a notice to the sink unless that has been done. When it returns, the sink has it: delivering
// under the lock keeps a catch-up from proving what the listener is just about to deliver.
func (r *run) deliver(ctx context.Context, snap *firestore.DocumentSnapshot, listened bool) {
	var doc noticeDoc
	if err := snap.DataTo(&doc); err != nil {
		// It will not get better by waiting: it is not one of ours.
		r.store.log.ErrorContext(ctx, "feed: unreadable notice", slog.String("notice", snap.Ref.ID), slog.Any("error", err))
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s, known := r.shown[snap.Ref.ID]
	if !known {
		s = &showing{at: doc.At, visible: snap.UpdateTime}
		r.shown[snap.Ref.ID] = s
		for _, n := range doc.notices(snap.Ref.ID) {
			r.sink.Deliver(n)
		}
	}
	s.listened = s.listened || listened
	if s.caughtUp.IsZero() && !listened {
		s.caughtUp = time.Now()
	}
}

// advance moves the cursor, forgets the notices before it, and has the listener rebuilt if it
// still owes one that an earlier catch-up has brought: then it has stalled.
func (r *run) advance(ctx context.Context, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.since = since
	var owed []*showing
	stalled := false
	for id, s := range r.shown {
		switch {
		case !s.at.After(since):
			delete(r.shown, id)
		case !s.listened && !s.caughtUp.IsZero():
			owed = append(owed, s)
			stalled = stalled || time.Since(s.caughtUp) >= r.store.resync
		}
	}
	if !stalled {
		return
	}
	r.store.log.WarnContext(ctx, "feed: listener has fallen silent")
	for _, s := range owed {
		s.caughtUp = time.Now() // the next listener gets its time, too
	}
	r.rebuild()
}

// restart replaces the listener.
func (r *run) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rebuild()
}

// listen keeps a listener until ctx is done.
func (r *run) listen(ctx context.Context) {
	const shortest = retryDelay / 16
	delay := shortest
	for ctx.Err() == nil {
		healthy, err := r.listenOnce(ctx)
		if healthy {
			delay = shortest
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if delay == shortest {
			r.store.log.WarnContext(ctx, "feed: listener fails", slog.Any("error", err))
		}
		_ = pause(ctx, delay)
		delay = min(2*delay, retryDelay)
	}
}

// listenOnce delivers what one listener shows. It reports whether it has shown anything, and what ended it: nil where that was
// its age, its size or a rebuild.
func (r *run) listenOnce(ctx context.Context) (healthy bool, err error) {
	life, cancel := context.WithTimeout(ctx, r.life)
	defer cancel()
	r.mu.Lock()
	query := r.query(r.client)
	r.rebuild = cancel
	r.mu.Unlock()
	snapshots := query.Snapshots(life)
	defer snapshots.Stop()
	for left := 0; ; {
		snap, err := snapshots.Next()
		if life.Err() != nil {
			return healthy, nil // on purpose
		}
		if err != nil {
			return healthy, err
		}
		for _, change := range snap.Changes {
			if change.Kind != firestore.DocumentRemoved {
				r.deliver(ctx, change.Doc, true)
			}
		}
		if !healthy { // at least as many as it began with, so that a flood does not have them all read over and over
			healthy, left = true, max(r.room, 2*len(snap.Changes))
		}
		if left -= len(snap.Changes); left < 0 {
			return healthy, nil
		}
	}
}

// wait waits for d.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
