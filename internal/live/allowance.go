package live

import (
	"sync/atomic"
	"time"
)

// A peer may send a burst of messages, and on average a few per second.
const (
	messagesPerSecond = 5
	messageBurst      = 60
)

// allowance is what a peer may still send: a token bucket in one word, the time at which it will be full again. The zero value is
// full. Safe for concurrent use.
type allowance struct{ full atomic.Int64 }

// take takes one message at now, a time since any origin, if there is one left.
func (a *allowance) take(now time.Duration) bool {
	const each = time.Second / messagesPerSecond
	for {
		old := a.full.Load()
		full := max(time.Duration(old), now) + each
		if full-now > messageBurst*each {
			return false
		}
		if a.full.CompareAndSwap(old, int64(full)) {
			return true
		}
	}
}
