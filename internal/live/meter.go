package live

import (
	"time"

	"github.com/vigilhq/vigil/internal/wire"
)

// Meter counts what happens to sockets. Its methods are called under locks: they must not block, and be safe for concurrent use.
type Meter interface {
	// SocketClosed notes a socket's end, once: the code of the close, or [wire.CloseNone] where nobody here has closed it.
	SocketClosed(code wire.CloseCode)
	// Reconnected notes how long a client says that it has been without a connection, at most [maxAway].
	Reconnected(after time.Duration)
	// TokenExpired notes that a token has expired on a socket, or was too old for one.
	TokenExpired()
}

// maxAway is the longest time without a connection that a client is believed. It is not on one's word that an average
// should hang.
const maxAway = 24 * time.Hour

// away reads the reconnectedAfterMs of a ping, and reports whether it tells of a reconnection.
func away(ms float64) (time.Duration, bool) {
	if !(ms > 0) { // not a number is not more than nothing
		return 0, false
	}
	return time.Duration(min(ms, float64(maxAway.Milliseconds())) * float64(time.Millisecond)), true
}

// noMeter counts nothing.
type noMeter struct{}

func (noMeter) SocketClosed(wire.CloseCode) {}
func (noMeter) Reconnected(time.Duration)   {}
func (noMeter) TokenExpired()               {}
