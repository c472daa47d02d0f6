package sessiontest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// Data is everything that a store offers.
type Data interface {
	session.Store
	session.Users
	session.Publisher
}

// Outage is a store that can be taken away, and watched: it passes calls on to another one. Safe for concurrent use.
type Outage struct {
	data Data

	mu     sync.Mutex
	down   bool
	calls  map[string]int
	before func(op string)
	after  func(op string)
}

// NewOutage returns a store that is up.
func NewOutage(data Data) *Outage {
	return &Outage{data: data, calls: make(map[string]int), before: func(string) {}, after: func(string) {}}
}

// SetDown makes every call fail with unavailable, or reach the store again.
func (o *Outage) SetDown(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

// Before has f called at the beginning of every call, with the name of its method.
func (o *Outage) Before(f func(op string)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.before = f
}

// After has f called when the store has answered a read, before the caller learns the answer.
func (o *Outage) After(f func(op string)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.after = f
}

func (o *Outage) leave(op string) {
	o.mu.Lock()
	after := o.after
	o.mu.Unlock()
	after(op)
}

// StaleTouch is what [Outage.Calls] counts the touches under whose session is not current: a real store pays for each with a
// failed write and a read.
const StaleTouch = "Touch of a stale session"

// Calls counts the calls of a method.
func (o *Outage) Calls(op string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.calls[op]
}

var errOutage = errors.New("the store is down")

func (o *Outage) enter(op string) error {
	o.mu.Lock()
	o.calls[op]++
	before := o.before
	o.mu.Unlock()
	before(op)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return session.Unavailable(op, errOutage)
	}
	return nil
}

// Create implements [session.Store].
func (o *Outage) Create(ctx context.Context, s session.Session) (session.Session, bool, error) {
	if err := o.enter("Create"); err != nil {
		return session.Session{}, false, err
	}
	return o.data.Create(ctx, s)
}

// Session implements [session.Store].
func (o *Outage) Session(ctx context.Context, id session.ID) (session.Session, error) {
	if err := o.enter("Session"); err != nil {
		return session.Session{}, err
	}
	defer o.leave("Session")
	return o.data.Session(ctx, id)
}

// UserSessions implements [session.Store].
func (o *Outage) UserSessions(ctx context.Context, uid session.UserID, all bool) ([]session.Session, error) {
	if err := o.enter("UserSessions"); err != nil {
		return nil, err
	}
	return o.data.UserSessions(ctx, uid, all)
}

// Touch implements [session.Store].
func (o *Outage) Touch(ctx context.Context, s session.Session, at time.Time, n *session.Notice) (session.Session, error) {
	if err := o.enter("Touch"); err != nil {
		return session.Session{}, err
	}
	if stored, err := o.data.Session(ctx, s.ID); err == nil && !stored.Version.Equal(s.Version) {
		o.mu.Lock()
		o.calls[StaleTouch]++
		o.mu.Unlock()
	}
	return o.data.Touch(ctx, s, at, n)
}

// End implements [session.Store].
func (o *Outage) End(ctx context.Context, id session.ID, e session.End, n *session.Notice) (session.Session, bool, error) {
	if err := o.enter("End"); err != nil {
		return session.Session{}, false, err
	}
	return o.data.End(ctx, id, e, n)
}

// Withdraw implements [session.Store].
func (o *Outage) Withdraw(ctx context.Context, id session.ID) error {
	if err := o.enter("Withdraw"); err != nil {
		return err
	}
	return o.data.Withdraw(ctx, id)
}

// User implements [session.Users].
func (o *Outage) User(ctx context.Context, uid session.UserID) (session.User, error) {
	if err := o.enter("User"); err != nil {
		return session.User{}, err
	}
	defer o.leave("User")
	return o.data.User(ctx, uid)
}

// Revoke implements [session.Users].
func (o *Outage) Revoke(ctx context.Context, n session.Notice, by string) (time.Time, error) {
	if err := o.enter("Revoke"); err != nil {
		return time.Time{}, err
	}
	return o.data.Revoke(ctx, n, by)
}

// TokensRevoked implements [session.Users].
func (o *Outage) TokensRevoked(ctx context.Context, uid session.UserID, revokedAt time.Time) error {
	if err := o.enter("TokensRevoked"); err != nil {
		return err
	}
	return o.data.TokensRevoked(ctx, uid, revokedAt)
}

// PendingUsers implements [session.Users].
func (o *Outage) PendingUsers(ctx context.Context, before time.Time, limit int) ([]session.User, error) {
	if err := o.enter("PendingUsers"); err != nil {
		return nil, err
	}
	return o.data.PendingUsers(ctx, before, limit)
}

// Publish implements [session.Publisher].
func (o *Outage) Publish(ctx context.Context, n session.Notice) error {
	if err := o.enter("Publish"); err != nil {
		return err
	}
	return o.data.Publish(ctx, n)
}
