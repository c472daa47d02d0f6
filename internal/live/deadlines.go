package live

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Deadlines calls back what is due: one timer and one goroutine for all the deadlines of an instance. Use
// [NewDeadlines]. Safe for concurrent use.
type Deadlines struct {
	wake chan struct{} // the earliest deadline has changed

	mu    sync.Mutex
	armed deadlineHeap
}

// Deadline is one callback that can be due. Create it with [NewDeadline].
type Deadline struct {
	due func() time.Duration

	// Guarded by Deadlines.mu.
	at    time.Time
	index int // in the heap, -1 while not armed
}

// NewDeadline returns a deadline that is not armed. When it is due, the callback runs on the goroutine of
// [Deadlines.Run]: it must not block. It returns when to call it again, zero or less for no more.
// What has moved a deadline away in the meantime need not tell: the callback finds out and returns the rest.
func NewDeadline(due func() time.Duration) *Deadline { return &Deadline{due: due, index: -1} }

// NewDeadlines returns an empty set of deadlines.
func NewDeadlines() *Deadlines { return &Deadlines{wake: make(chan struct{}, 1)} }

// Arm has dl called back after in, or earlier if it is armed for an earlier time.
func (d *Deadlines) Arm(dl *Deadline, in time.Duration) {
	at := time.Now().Add(in)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case dl.index < 0:
		dl.at = at
		heap.Push(&d.armed, dl)
	case at.Before(dl.at):
		dl.at = at
		heap.Fix(&d.armed, dl.index)
	default:
		return
	}
	if dl.index == 0 {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
}

// Disarm has dl not called back any more, unless it is being called back just now.
func (d *Deadlines) Disarm(dl *Deadline) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if dl.index >= 0 {
		heap.Remove(&d.armed, dl.index)
	}
}

// After calls f once after in, on the goroutine of Run: f must not block.
func (d *Deadlines) After(in time.Duration, f func()) {
	d.Arm(NewDeadline(func() time.Duration { f(); return 0 }), in)
}

// Run calls back what is due until ctx is done.
func (d *Deadlines) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		case <-timer.C:
		}
		for dl := d.pop(); dl != nil; dl = d.pop() {
			if again := dl.due(); again > 0 {
				d.Arm(dl, again)
			}
		}
		if next, ok := d.next(); ok {
			timer.Reset(time.Until(next))
		}
	}
}

// pop takes out the earliest deadline if it is due.
func (d *Deadlines) pop() *Deadline {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.armed) == 0 || time.Now().Before(d.armed[0].at) {
		return nil
	}
	return heap.Pop(&d.armed).(*Deadline) //nolint:forcetypeassert // the heap holds nothing else
}

func (d *Deadlines) next() (time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.armed) == 0 {
		return time.Time{}, false
	}
	return d.armed[0].at, true
}

// deadlineHeap implements [heap.Interface], earliest first.
type deadlineHeap []*Deadline

func (h deadlineHeap) Len() int           { return len(h) }
func (h deadlineHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h deadlineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements [heap.Interface].
func (h *deadlineHeap) Push(x any) {
	dl := x.(*Deadline) //nolint:forcetypeassert // the heap holds nothing else
	dl.index = len(*h)
	*h = append(*h, dl)
}

// Pop implements [heap.Interface].
func (h *deadlineHeap) Pop() any {
	old := *h
	dl := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	dl.index = -1
	return dl
}
