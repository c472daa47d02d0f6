package sessiontest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// patience is how long a test waits for what has to happen.
const patience = time.Minute

// Recorder is a [session.Sink] that keeps what it is given, each notice once. Safe for concurrent use.
type Recorder struct {
	mu      sync.Mutex
	notices map[string]session.Notice
	proofs  []proof
	changed chan struct{} // closed at the next change
}

// proof is a proof and the number of notices that had come before it.
type proof struct {
	began   time.Time
	notices int
}

// NewRecorder returns an empty recorder.
func NewRecorder() *Recorder {
	return &Recorder{notices: make(map[string]session.Notice), changed: make(chan struct{})}
}

// RunFeed runs a feed until the end of the test, and returns its recorder after the first proof.
func RunFeed(t testing.TB, feed session.Feed) *Recorder {
	t.Helper()
	r, began := NewRecorder(), time.Now()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- feed.Run(ctx, r) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
	r.awaitProof(t, began)
	return r
}

// Deliver implements [session.Sink].
func (r *Recorder) Deliver(n session.Notice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.notices[n.ID]; !ok {
		r.notices[n.ID] = n
		r.change()
	}
}

// Prove implements [session.Sink].
func (r *Recorder) Prove(began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.proofs = append(r.proofs, proof{began, len(r.notices)})
	r.change()
}

func (r *Recorder) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Notice returns a notice if it has come.
func (r *Recorder) Notice(id string) (session.Notice, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.notices[id]
	return n, ok
}

// AwaitNotice waits for a notice.
func (r *Recorder) AwaitNotice(t testing.TB, id string) session.Notice {
	t.Helper()
	r.await(t, "notice "+id, func() bool { _, ok := r.notices[id]; return ok })
	n, _ := r.Notice(id)
	return n
}

// AwaitProof waits for a proof of all that was visible at the call, and returns how many notices had come before it.
func (r *Recorder) AwaitProof(t testing.TB) (notices int) {
	t.Helper()
	return r.awaitProof(t, time.Now())
}

// awaitProof waits for a proof that began after the given moment.
func (r *Recorder) awaitProof(t testing.TB, moment time.Time) (notices int) {
	t.Helper()
	r.await(t, "proof", func() bool {
		for _, p := range r.proofs {
			if p.began.After(moment) {
				notices = p.notices
				return true
			}
		}
		return false
	})
	return notices
}

// await waits until done, which is called with r.mu held.
func (r *Recorder) await(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		r.mu.Lock()
		ok, changed := done(), r.changed
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("no %s within %s", what, patience)
		}
	}
}
