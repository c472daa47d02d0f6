package session

import (
	"sync"
	"sync/atomic"
	"time"
)

// dedupeWindow is how long an inbox remembers a notice: longer than a feed goes back in its catch-up. After an outage a
// feed may go back further; to apply a notice again does no harm.
const dedupeWindow = 10 * time.Minute

// Inbox is where notices reach an instance, from its own commits and from the feed alike, each applied once. It also
// keeps the proof of how current the instance's knowledge is. Safe for concurrent use.
type Inbox struct {
	period time.Duration
	born   time.Time                 // local, monotonic
	proven atomic.Pointer[time.Time] // local, monotonic; nil: never. To be looked at while notices are being applied

	mu          sync.Mutex
	subscribers []func(Notice)
	forgetters  []func()
	seen        map[string]time.Time // id to the local time of its delivery
	pruned      time.Time
	recovered   time.Time // local, monotonic: when proof came back after a gap
}

// NewInbox returns an inbox of a feed that proves itself once in a period. Knowledge counts as current while it was proven
// within two of them.
func NewInbox(period time.Duration) *Inbox {
	return &Inbox{period: period, born: localNow(), seen: make(map[string]time.Time)}
}

// Subscribe has every later notice applied by apply, in the order of subscription. Apply must not block and not deliver.
func (b *Inbox) Subscribe(apply func(Notice)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers = append(b.subscribers, apply)
}

// OnGap has forget called when proof comes back after it had lapsed: notices may have come and gone in the meantime.
// Forget must not block and not deliver.
func (b *Inbox) OnGap(forget func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgetters = append(b.forgetters, forget)
}

// Deliver applies n unless it has been applied. When it returns, n is applied, by this call or another.
func (b *Inbox) Deliver(n Notice) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := localNow()
	if _, ok := b.seen[n.ID]; ok {
		return
	}
	b.seen[n.ID] = now
	b.prune(now)
	for _, apply := range b.subscribers {
		apply(n)
	}
}

func (b *Inbox) prune(now time.Time) {
	if now.Sub(b.pruned) < dedupeWindow/10 {
		return
	}
	b.pruned = now
	for id, at := range b.seen {
		if now.Sub(at) > dedupeWindow {
			delete(b.seen, id)
		}
	}
}

// Prove implements [Sink].
func (b *Inbox) Prove(began time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.proven.Load()
	gap := began.Sub(b.born)
	if last != nil {
		gap = began.Sub(*last)
	}
	if gap > b.period+b.period/2 { // a catch-up has failed
		b.recovered = localNow()
	}
	if gap > 2*b.period {
		for _, forget := range b.forgetters {
			forget()
		}
	}
	if last == nil || began.After(*last) {
		b.proven.Store(&began)
	}
}

// Age is how long ago the feed was last proven, and false if it never was.
func (b *Inbox) Age() (time.Duration, bool) {
	return b.ageAt(localNow())
}

func (b *Inbox) ageAt(local time.Time) (time.Duration, bool) {
	proven := b.proven.Load()
	if proven == nil {
		return 0, false
	}
	return local.Sub(*proven), true
}

// Current reports whether the instance may answer from what it knows.
func (b *Inbox) Current() bool { return b.currentAt(localNow()) }

func (b *Inbox) currentAt(local time.Time) bool {
	age, proven := b.ageAt(local)
	return proven && age <= 2*b.period
}

// Steady reports whether the feed has been proven without a gap for at least d. Until then another instance may
// still be busy storing activity that an outage held up.
func (b *Inbox) Steady(d time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.recovered.IsZero() || time.Since(b.recovered) >= d
}

// localNow is a local moment with its monotonic reading, for spans of time; what is decided goes by [Clock].
func localNow() time.Time { return time.Now() } //nolint:forbidigo // spans only
