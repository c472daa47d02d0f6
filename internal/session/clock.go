package session

import (
	"sync/atomic"
	"time"
)

// Clock tells store time: what the store's own clock would show now. It learns the local clock's offset from the
// times that the store reports and is carried by the monotonic clock, so that a wall clock that steps neither ends
// sessions nor makes them immortal. Use [NewClock]. Safe for concurrent use.
type Clock struct {
	origin time.Time // with its monotonic reading
	offset atomic.Int64
}

// NewClock returns a clock that shows local time until it has observed the store's.
func NewClock() *Clock {
	return &Clock{origin: time.Now()} //nolint:forbidigo // the origin that the monotonic clock carries on from
}

// Now is the present moment in store time, in UTC and rounded down to the microsecond that stores keep.
func (c *Clock) Now() time.Time {
	now, _ := c.read()
	return now
}

// read is Now, and with it the local moment with its monotonic reading, for spans of time.
func (c *Clock) read() (store, local time.Time) {
	elapsed := time.Since(c.origin)
	return c.at(elapsed).Add(time.Duration(c.offset.Load())), c.origin.Add(elapsed)
}

func (c *Clock) at(elapsed time.Duration) time.Time {
	return c.origin.Round(0).UTC().Add(elapsed).Truncate(time.Microsecond)
}

// Observe corrects the clock by a time the store reported in its answer to a request. Sent and received are local
// times with their monotonic readings. The store read its clock somewhere between the two; the
// offset moves just far enough to agree with that, so slow answers cannot blur what fast ones have taught.
func (c *Clock) Observe(store, sent, received time.Time) {
	least := int64(store.Sub(c.at(received.Sub(c.origin))))
	most := int64(store.Sub(c.at(sent.Sub(c.origin))))
	for {
		old := c.offset.Load()
		if c.offset.CompareAndSwap(old, min(max(old, least), most)) {
			return
		}
	}
}

// Offset is the difference between store time and the local clock's.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) }
