// Package live holds the open sockets of an instance: the [Hub] that knows them, the [Peer] that speaks the protocol with one
// browser tab, and the [Deadlines] that tell all of them what time has brought. It knows no network library; a
// transport brings [Conn] and feeds frames in.
//
// # A peer's life
//
//	          auth           token verified         state read
//	greeting ──────▶ verifying ──────────────▶ pending ──────────▶ ready
//
// and from each of them to closed: no auth in time, a bad token, a notice of an end, silence, a protocol error, a restart.
//
// A peer joins the hub first and has its state read second: a revocation between the two finds it there and closes it. Until it is
// ready it receives closes only, so that a stranger never hears a push.
//
// # What time brings
//
// Peers of one session sit in one room. The room's deadline follows the session: at the warning and at the end it has the
// session read again before it acts, since the stored document is the truth and another instance may have
// stored activity. The peer's deadline follows the connection: time for auth, pings, silence, the token's expiry and the
// grace to renew it. Neither has a timer or a goroutine of its own.
//
// # Locks
//
// Hub.mu comes before Peer.mu. No lock is held while anything is read or written outside.
package live
