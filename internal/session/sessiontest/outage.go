package sessiontest

import (
	"errors"
	"sync"

	"github.com/vigilhq/vigil/internal/session"
)

// Data is everything that a store offers.
type Data interface {
	session.Store
	session.Users
	session.Publisher
	session.Archive
	session.Trail
	session.Jobs
}

// Outage is a store that can be taken away, and watched: it passes calls on to another one. Its methods are in ports.go. Safe
// for concurrent use.
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

// After has f called when the store has answered, before the caller learns the answer.
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

// do passes a call on.
func (o *Outage) do(op string, call func() error) error {
	if err := o.enter(op); err != nil {
		return err
	}
	return call()
}

// ask passes a call on that has an answer, unless the store is down.
func ask[T any](o *Outage, op string, call func() (T, error)) (answer T, err error) {
	if err := o.enter(op); err != nil {
		return answer, err
	}
	defer o.leave(op)
	return call()
}

// win passes a call on that says besides its answer whether it was the one to change something.
func win[T any](o *Outage, op string, call func() (T, bool, error)) (answer T, won bool, err error) {
	err = o.do(op, func() error { answer, won, err = call(); return err })
	return answer, won, err
}
