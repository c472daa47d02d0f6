package metrics

import (
	"strconv"
	"time"

	"github.com/vigilhq/vigil/internal/wire"
)

// closeCodes are the codes of the protocol, and those of RFC 6455 that the transport closes with.
var closeCodes = []wire.CloseCode{
	wire.CloseNone, wire.CloseRestart, wire.CloseTokenExpired, wire.CloseUnavailable, wire.CloseSlow, wire.CloseSilent,
	wire.CloseTooMany, wire.CloseReplaced, wire.CloseProtocol, wire.CloseUnauthorized, wire.CloseRevoked, wire.CloseIdle,
	wire.CloseExpired, wire.CloseAccountGone, protocolError, tooBig,
}

// Of RFC 6455, section 7.4.1.
const (
	protocolError wire.CloseCode = 1002
	tooBig        wire.CloseCode = 1009
)

func codeLabel(code wire.CloseCode) string {
	if code == wire.CloseNone {
		return "client"
	}
	return strconv.Itoa(int(code))
}

func (m *Metrics) addSockets() {
	m.closed = newFamily(m.counters("sockets_closed_total",
		`Sockets that have closed, by close code; "client": by the client or the network.`, "code"), codeLabel, closeCodes...)
	m.silent = m.counter("heartbeat_failures_total", "Sockets closed because nothing had been heard for WS_DISCONNECT_TIMEOUT.")
	m.reconnections = m.counter("socket_reconnections_total", "Sockets whose clients said that they had reconnected.")
	m.reconnection = m.histogram("socket_reconnection_seconds",
		"Time that clients said they had been disconnected for, in seconds; the sum by the count is the mean.",
		.5, 1, 2, 5, 10, 30, 60, 300, 1800, 14400)
}

// SocketClosed implements the meter of the sockets.
func (m *Metrics) SocketClosed(code wire.CloseCode) {
	m.closed.of(code).Inc()
	if code == wire.CloseSilent {
		m.silent.Inc()
	}
}

// Reconnected implements the meter of the sockets.
func (m *Metrics) Reconnected(after time.Duration) {
	m.reconnections.Inc()
	m.reconnection.Observe(after.Seconds())
}
