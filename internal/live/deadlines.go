package live

import (
	"context"
	"math"
	"sync"
	"time"
)

// Deadlines calls back what is due: one timer and one goroutine for all the deadlines of an instance. Use
// [NewDeadlines]. Safe for concurrent use.
type Deadlines struct {
	origin time.Time     // local, monotonic
	wake   chan struct{} // the earliest deadline has changed

	mu    sync.Mutex
	armed deadlineHeap
}

// Deadline is one callback that can be due. Create it with [NewDeadline].
type Deadline struct {
	whose callee
	place int // in the heap, from 1; zero while not armed. Guarded by Deadlines.mu.
}

// callee is who has a deadline.
type callee interface{ due() time.Duration }

// dueFunc is a callee that is nothing more.
type dueFunc func() time.Duration

func (f dueFunc) due() time.Duration { return f() }

// NewDeadline returns a deadline that is not armed. When it is due, the callback runs on the goroutine of
// [Deadlines.Run]: it must not block. It returns when to call it again, zero or less for no more.
// What has moved a deadline away in the meantime need not tell: the callback finds out and returns the rest.
func NewDeadline(due func() time.Duration) *Deadline { return &Deadline{whose: dueFunc(due)} }

// NewDeadlines returns an empty set of deadlines.
func NewDeadlines() *Deadlines {
	return &Deadlines{origin: time.Now(), wake: make(chan struct{}, 1)}
}

// Arm has dl called back after in, at once if that is over, or earlier if it is armed for an earlier time.
func (d *Deadlines) Arm(dl *Deadline, in time.Duration) {
	now := time.Since(d.origin)
	at := now + min(max(in, 0), math.MaxInt64-now) // a sum that wrapped around would be first in the heap, and never due
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case dl.place == 0:
		d.armed = append(d.armed, armed{})
		d.armed.up(len(d.armed)-1, armed{at, dl})
	case at < d.armed[dl.place-1].at:
		d.armed.up(dl.place-1, armed{at, dl})
	default:
		return
	}
	if dl.place == 1 {
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
	if dl.place > 0 {
		d.armed.remove(dl.place - 1)
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
		dl, next := d.pop()
		for ; dl != nil; dl, next = d.pop() {
			if again := dl.whose.due(); again > 0 {
				d.Arm(dl, again)
			}
		}
		if next > 0 {
			timer.Reset(next)
		}
	}
}

// pop takes out the earliest deadline if it is due; otherwise it says in what time it will be, zero if there is none.
func (d *Deadlines) pop() (due *Deadline, next time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.armed) == 0 {
		return nil, 0
	}
	if next := d.armed[0].at - time.Since(d.origin); next > 0 {
		return nil, next
	}
	due = d.armed[0].deadline
	d.armed.remove(0)
	return due, 0
}

// armed is a deadline that is due at some time since the origin.
type armed struct {
	at       time.Duration
	deadline *Deadline
}

// deadlineHeap has the earliest first, and no node later than its four children: they lie side by side, and the times with
// them, so that few cache lines are touched where there are many deadlines.
type deadlineHeap []armed

const children = 4

// set puts a at i.
func (h deadlineHeap) set(i int, a armed) {
	h[i] = a
	a.deadline.place = i + 1
}

// up puts a at i, or as much nearer to the first as its time wants.
func (h deadlineHeap) up(i int, a armed) {
	for i > 0 {
		parent := (i - 1) / children
		if h[parent].at <= a.at {
			break
		}
		h.set(i, h[parent])
		i = parent
	}
	h.set(i, a)
}

// down puts a at i, or as much farther from the first as its time wants.
func (h deadlineHeap) down(i int, a armed) {
	for {
		first := i*children + 1
		if first >= len(h) {
			break
		}
		least := first
		for child := first + 1; child < min(first+children, len(h)); child++ {
			if h[child].at < h[least].at {
				least = child
			}
		}
		if a.at <= h[least].at {
			break
		}
		h.set(i, h[least])
		i = least
	}
	h.set(i, a)
}

// remove takes out what is at i.
func (h *deadlineHeap) remove(i int) {
	old := *h
	old[i].deadline.place = 0
	last := old[len(old)-1]
	old[len(old)-1] = armed{}
	*h = old[:len(old)-1]
	switch {
	case i == len(*h):
	case i > 0 && last.at < old[(i-1)/children].at:
		h.up(i, last)
	default:
		h.down(i, last)
	}
}
