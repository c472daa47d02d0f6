package wire

// CloseCode is the status of a closing WebSocket (RFC 6455, section 7.4). After 4000 to 4499 a client may reconnect, with
// full jitter; after 4500 to 4999 it must not.
type CloseCode int

// The close codes.
const (
	CloseRestart       CloseCode = 4000 // the server restarts or drains
	CloseTokenExpired  CloseCode = 4001 // no valid token within the grace
	CloseUnavailable   CloseCode = 4002 // a dependency is down, or the feed unproven
	CloseSlow          CloseCode = 4003 // the client reads too slowly
	CloseSilent        CloseCode = 4004 // nothing heard for the disconnect timeout
	CloseTooMany       CloseCode = 4005 // too many messages, or too many sockets of one session
	CloseReplaced      CloseCode = 4006 // the session was replaced, or the token is of another sign-in
	CloseProtocol      CloseCode = 4500 // not a message that was due
	CloseUnauthorized  CloseCode = 4501 // no auth in time, or a token that is not accepted
	CloseRevoked       CloseCode = 4502 // the session was ended
	CloseIdle          CloseCode = 4503 // ended for idleness
	CloseExpired       CloseCode = 4504 // its lifetime is over
	CloseAccountGone   CloseCode = 4505 // the account is disabled or deleted
	firstTerminalClose CloseCode = 4500

	// CloseNone stands for no close from this side: the client has left, or the network has failed. It is never sent.
	CloseNone CloseCode = 0
)

// Terminal reports whether a client must not reconnect.
func (c CloseCode) Terminal() bool { return c >= firstTerminalClose }
