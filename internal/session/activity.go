package session

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Activity stores what users do, coalesced: the first activity at least [Policy.TouchInterval] after the stored one is
// written at once, later ones by one trailing write. So the stored time lags behind what the
// user does by at most that interval. A write that fails is retried with the newest time until it is stored. Safe for concurrent use.
type Activity struct {
	policy Policy
	store  Store
	clock  *Clock
	inbox  *Inbox
	after  func(time.Duration, func())
	log    *slog.Logger

	trailing sync.WaitGroup
	slots    chan struct{} // bounds the trailing writes under way

	mu      sync.RWMutex
	touches map[ID]*touch
	stored  func(Session) // told of every write, and of sessions found ended
	gone    func(Session) // told of sessions found missing
}

// touch is the unstored activity of one session. Guarded by Activity.mu.
type touch struct {
	session   Session   // as last known to be stored
	latest    time.Time // the activity to be stored
	reset     bool      // it came after the warning
	scheduled bool      // a trailing write is due
	writing   bool
	failing   time.Time // local time since when writes fail, zero if they do not
}

const (
	touchTimeout = 5 * time.Second
	touchRetry   = time.Second // and up to as much again, at random
	maxTrailing  = 64
)

// newActivity returns an Activity that has its trailing writes started by after, which must call back once, on any
// goroutine, after the duration.
func newActivity(policy Policy, store Store, clock *Clock, inbox *Inbox, after func(time.Duration, func()), log *slog.Logger) *Activity {
	return &Activity{policy: policy, store: store, clock: clock, inbox: inbox, after: after, log: log,
		slots: make(chan struct{}, maxTrailing), touches: make(map[ID]*touch),
		stored: func(Session) {}, gone: func(Session) {}}
}

// Touch records that the user of s was active at the given time, when s was live, and returns s with that activity. When
// the activity is due to be stored at once, Touch waits for that; if it fails with unavailable, the activity still counts
// here and is stored later. It fails with session_ended and session_required when that turns out to be so.
func (a *Activity) Touch(ctx context.Context, s Session, at time.Time) (Session, error) {
	a.mu.Lock()
	t, ok := a.touches[s.ID]
	if !ok {
		t = &touch{session: s, latest: s.LastActive}
		a.touches[s.ID] = t
	} else if s.Version.After(t.session.Version) {
		stored := t.session.LastActive
		if t.session = s; !s.LastActive.After(t.latest) { // it may be this instance's own, which nobody has stored
			t.session.LastActive = stored
		}
	}
	s.LastActive = later(t.latest, s.LastActive)
	t.reset = t.reset || !at.Before(a.policy.WarnAt(s))
	t.latest = later(t.latest, at)
	s.LastActive = t.latest
	due, failing := a.claim(t, at), !t.failing.IsZero() //nolint:contextcheck // a trailing write outlives its cause
	a.mu.Unlock()
	switch {
	case due:
		return s, a.write(ctx, t)
	case failing:
		return s, &Error{Op: "touch", Code: CodeUnavailable}
	default:
		return s, nil
	}
}

// Last returns the later of the stored activity of s and this instance's own.
func (a *Activity) Last(s Session) time.Time { return a.last(s.ID, s.LastActive) }

func (a *Activity) last(id ID, stored time.Time) time.Time {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if t, ok := a.touches[id]; ok {
		return later(t.latest, stored)
	}
	return stored
}

// Stuck reports whether some activity could not be stored for longer than the touch interval.
func (a *Activity) Stuck() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.touches {
		if !t.failing.IsZero() && time.Since(t.failing) >= a.policy.TouchInterval {
			return true
		}
	}
	return false
}

// Flush stores all activity now, for a shutdown when no more is recorded. It returns the first failure.
func (a *Activity) Flush(ctx context.Context) error {
	idle := make(chan struct{})
	go func() {
		a.trailing.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
		return Unavailable("flush", ctx.Err())
	}
	a.mu.Lock()
	var due []*touch
	for _, t := range a.touches {
		if !t.writing && t.latest.After(t.session.LastActive) {
			t.writing = true
			due = append(due, t)
		}
	}
	a.mu.Unlock()
	var writes errgroup.Group
	writes.SetLimit(maxTrailing)
	for _, t := range due {
		writes.Go(func() error { return unlessOver(a.write(ctx, t)) })
	}
	return writes.Wait()
}

// unlessOver drops the error that a session is over: nothing is lost with its activity.
func unlessOver(err error) error {
	if code := CodeOf(err); code == CodeSessionEnded || code == CodeSessionRequired {
		return nil
	}
	return err
}

// claim decides whether t is to be written now, in which case the caller has to; otherwise it sees to a later write.
// The caller holds a.mu.
func (a *Activity) claim(t *touch, now time.Time) bool {
	switch due := t.session.LastActive.Add(a.policy.TouchIntervalFor(t.session)); {
	case t.writing || !t.failing.IsZero():
		return false // whoever writes looks again afterwards
	case !t.latest.After(t.session.LastActive):
		a.forget(t)
		return false
	case !now.Before(due): // as is all activity after the warning: it comes twice the interval later
		t.writing = true
		return true
	default:
		a.schedule(t, due.Sub(now))
		return false
	}
}

// forget drops t, unless another has taken its place. The caller holds a.mu.
func (a *Activity) forget(t *touch) {
	if a.touches[t.session.ID] == t {
		delete(a.touches, t.session.ID)
	}
}

// schedule has t looked at again after d. The caller holds a.mu.
func (a *Activity) schedule(t *touch, d time.Duration) {
	if t.scheduled {
		return
	}
	t.scheduled = true
	a.after(d, func() {
		a.mu.Lock()
		t.scheduled = false
		retry := !t.failing.IsZero() && !t.writing
		t.writing = t.writing || retry
		due := retry || a.claim(t, a.clock.Now())
		a.mu.Unlock()
		if due {
			a.begin(t)
		}
	})
}

// begin starts a trailing write of t, which the caller has claimed.
func (a *Activity) begin(t *touch) {
	a.trailing.Go(func() {
		a.slots <- struct{}{}
		defer func() { <-a.slots }()
		_ = a.write(context.Background(), t) // logged and retried there
	})
}

// write stores the newest activity of t, which the caller has claimed, also if nobody waits for it any more.
func (a *Activity) write(ctx context.Context, t *touch) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), touchTimeout)
	defer cancel()
	a.mu.Lock()
	s, at, reset := t.session, t.latest, t.reset
	a.mu.Unlock()

	var notice *Notice
	if reset {
		n := NewNotice(NoticeReset, s.UserID, "", s.ID)
		notice = &n
	}
	stored, err := a.store.Touch(ctx, s, at, notice)
	missing := CodeOf(err) == CodeNotFound
	ended := err == nil && stored.Status == StatusEnded

	a.mu.Lock()
	t.writing = false
	switch {
	case missing, ended:
		a.forget(t)
	case err != nil:
		if t.failing.IsZero() {
			t.failing = localNow()
		}
		a.schedule(t, touchRetry+rand.N(touchRetry)) //nolint:contextcheck // a retry outlives its cause
	default:
		t.session, t.failing, t.reset = stored, time.Time{}, false
		if a.claim(t, a.clock.Now()) { //nolint:contextcheck // a trailing write outlives its cause
			a.begin(t) //nolint:contextcheck // the same
		}
	}
	a.mu.Unlock()

	switch {
	case missing:
		a.gone(s)
		return missingIsRequired(err)
	case err != nil:
		a.log.Warn("activity not stored yet", "session", s.ID, "error", err)
		return err
	}
	a.stored(stored)
	if ended {
		return EndedError(stored)
	}
	if notice != nil {
		notice.At = at
		a.inbox.Deliver(*notice)
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
