// Package swarm is many browsers in few processes: the load of `vigil swarm`, and what is measured of it.
//
//	Run                                      Work, in processes of its own
//	fleet ── one order at a time, as JSON ──▶ worker ── browser … browser
//	      ◀── one reply ──────────────────
//	      ◀── a browser needs a new token ──
//
// There are several workers because a process may not have more than so many descriptors. A browser registers its sign-in, opens a
// socket, authenticates, sends heartbeats and activity, renews its token, and comes back with full jitter, as the client package
// does. One goroutine for each connection reads it; all that is sent is sent by one more for all of them, from one heap of deadlines.
//
// The load is open-loop: a frame is due at its time whether or not the one before has been answered, and a latency counts from that
// time on, so that a server that stalls cannot hide it by being asked less. All spans are of the monotonic clock of one process; the
// one of a ping travels in the ping. Beside every latency stands how late a timer of ten milliseconds has fired in the very same
// processes and time: that is the machine's own noise, and what is not above it says nothing about the server.
package swarm
