package live

import (
	"sync/atomic"
	"time"
)

// A peer may send a burst of messages, and on average a few per second. Where heartbeats are that frequent by themselves, a few per heartbeat:
// a client that keeps to the interval sends a ping in each, and the answer to the server's.
const (
	messagesPerSecond    = 5
	messagesPerHeartbeat = 4
	messageBurst         = 60
)

// messagePace is the time in which one more message is allowed.
func messagePace(heartbeat time.Duration) time.Duration {
	return max(min(time.Second/messagesPerSecond, heartbeat/messagesPerHeartbeat), 1)
}

// allowance is what a peer may still send: a token bucket in one word, the time at which it will be full again. The zero value is
// full. Safe for concurrent use.
type allowance struct{ full atomic.Int64 }

// take takes one message at now, a time since any origin, if there is one left. One more is allowed after each.
func (a *allowance) take(now, each time.Duration) bool {
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
