package live

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// Conn is the connection to a browser, as a [Peer] needs it. No method blocks; after Close all of them do nothing.
type Conn interface {
	Send(frame []byte)
	// Ping sends the frame, unless it is nil, and asks the other side for a sign of life.
	Ping(frame []byte)
	// Close sends the last frame, unless it is nil, and closes.
	Close(code wire.CloseCode, last []byte)
}

// stage is where a peer stands. Only auth moves it from greeting to ready; any stage may be followed by closed.
type stage uint8

const (
	greeting  stage = iota // auth is awaited
	verifying              // it has come, its token is being verified
	pending                // the token is verified, the state is being read: receives closes, no pushes
	ready                  // it is the session's
	closed
)

// Peer is one connected browser tab: the server's side of the WebSocket protocol, without the WebSocket. Receive is called by
// one goroutine at a time; the other methods are safe for concurrent use.
//
// Local times are kept as what has passed since hub.origin: there are many peers, and a [time.Time] is three words.
type Peer struct {
	hub      *Hub
	conn     Conn
	origin   session.Origin
	deadline Deadline
	messages allowance
	heard    atomic.Int64 // when the last frame came

	mu       sync.Mutex
	stage    stage
	returned bool         // it has told of its reconnection
	fault    session.Code // why the token does not count any more, empty while it does
	room     *room        // from pending on
	identity *session.Identity
	token    uint64        // a hash of the identity's, see renew
	authBy   time.Duration // while greeting
	alone    bool          // the last ping went without an answer to a heartbeat
	pinged   time.Duration // from pending on: when the last ping went
	nextPing time.Duration // from pending on
	graceBy  time.Duration // by when a valid token must have come, if fault is set
}

// Heard notes a sign of life: a frame of any kind.
func (p *Peer) Heard() { p.hear() }

func (p *Peer) hear() (now time.Duration) {
	now = p.hub.sinceOrigin()
	p.heard.Store(int64(now))
	return now
}

// Allow notes one more message or control frame, and reports whether that is still acceptable; otherwise the peer is closed.
func (p *Peer) Allow() bool {
	if p.messages.take(p.hear(), p.hub.pace) {
		return true
	}
	p.close(wire.CloseTooMany, nil)
	return false
}

// Violate closes the peer for sending what the protocol does not know.
func (p *Peer) Violate() { p.close(wire.CloseProtocol, nil) }

// Gone tells that the connection is lost or closed: with the code that the transport has closed it with by itself, or
// [wire.CloseNone].
func (p *Peer) Gone(code wire.CloseCode) {
	p.mu.Lock()
	if p.stage != closed {
		p.stage = closed
		p.hub.options.Meter.SocketClosed(code)
	}
	p.mu.Unlock()
	p.hub.leave(p)
}

// Receive handles a text frame.
func (p *Peer) Receive(ctx context.Context, frame []byte) {
	if !p.Allow() {
		return
	}
	request, err := wire.Decode(frame)
	if err != nil || (request.Type == wire.TypeAuth) != (p.at() == greeting) {
		p.Violate()
		return
	}
	// Nobody need have looked yet: the process may have been stopped, and this be the first that it does. Of auth the gate says so.
	if request.Type != wire.TypeAuth && !p.hub.inbox.Current() {
		p.close(wire.CloseUnavailable, nil)
		return
	}
	switch request.Type { //nolint:exhaustive // the others are the server's: Decode refuses them
	case wire.TypeAuth:
		p.authenticate(ctx, request.Token)
	case wire.TypePing:
		p.ping(ctx, request)
	case wire.TypeActivity:
		p.active(ctx)
	}
}

func (p *Peer) at() stage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stage
}

// authenticate joins the hub first and reads the state second: a revocation between the two finds the peer there.
func (p *Peer) authenticate(ctx context.Context, token string) {
	p.mu.Lock()
	if p.stage == greeting {
		p.stage = verifying
	}
	p.mu.Unlock()
	id, err := p.hub.gate.Verify(ctx, token)
	if err == nil {
		err = p.hub.checkAge(&id)
	}
	if err != nil {
		p.refuse(err)
		return
	}
	if !p.hub.join(p, &id, p.hub.hash(token)) {
		return
	}
	if err := p.hub.askAbout(ctx, id.UserID); err != nil {
		p.refuse(err)
		return
	}
	admission, err := p.hub.gate.Admit(ctx, token, p.origin)
	p.origin = session.Origin{} // nobody asks again
	if err != nil {
		p.refuse(err)
		return
	}
	p.hub.welcome(p, admission) //nolint:contextcheck // what it may look up is the room's, not the frame's
}

// refuse closes the peer for an error of the gate.
func (p *Peer) refuse(err error) { p.close(closeFor(err)) }

// ping answers with a pong; a token that comes with it is checked and takes the place of the one held.
func (p *Peer) ping(ctx context.Context, request wire.Request) {
	var fault session.Code // of the token that came
	if request.Token != "" {
		fault = p.renew(ctx, request.Token)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage != ready {
		return
	}
	p.age()
	p.noteReturn(request)
	if p.fault != "" && fault == "" {
		fault = p.fault
	}
	pong := wire.Encode(wire.Pong{
		Type: wire.TypePong, Timestamp: request.Timestamp, ServerTime: wire.Time(p.hub.registry.Now()),
		TokenValid: p.fault == "", Error: string(fault), IdleDeadline: wire.Time(p.room.idleDeadline()),
	})
	if came := time.Duration(p.heard.Load()); p.alone || came-p.pinged >= p.hub.pingPause() {
		p.conn.Ping(pong)
		p.pinged, p.alone = came, false
	} else {
		p.conn.Send(pong)
	}
	p.nextPing = p.hub.afterHeartbeat(p.pinged)
}

// noteReturn counts a reconnection, once: a client that repeats itself has not reconnected again. The caller holds p.mu.
func (p *Peer) noteReturn(request wire.Request) {
	if after, ok := away(request.ReconnectedAfterMS); ok && !p.returned {
		p.returned = true
		p.hub.options.Meter.Reconnected(after)
	}
}

// renew takes over a token, or returns why not: that it cannot be checked leaves everything as it is, one that is not accepted
// starts the grace, and one that says that somebody else sits here, or nobody may, closes the peer.
func (p *Peer) renew(ctx context.Context, token string) (fault session.Code) {
	hash := p.hub.hash(token)
	p.mu.Lock()
	held := p.identity
	same := hash == p.token && p.fault == "" // if it only looks the same: nothing changes, and the one held goes on to expire
	p.mu.Unlock()
	if same {
		return ""
	}
	id, err := p.hub.gate.Authenticate(ctx, token)
	if err == nil {
		err = p.hub.checkAge(&id)
	}
	fault = session.CodeOf(err)
	switch {
	case id.UserID != "" && id.UserID != held.UserID: // whatever there is to say of that account is not for here
		p.close(wire.CloseUnauthorized, last(wire.TypeAuthExpired, string(session.CodeTokenInvalid)))
	case fault == session.CodeUnavailable:
	case fault == session.CodeTokenExpired, fault == session.CodeTokenInvalid:
		p.mu.Lock()
		p.distrust(fault)
		p.mu.Unlock()
	case fault != "":
		p.refuse(err)
	case id.SessionID != held.SessionID:
		p.close(wire.CloseReplaced, nil)
	default:
		p.mu.Lock()
		p.identity, p.token, p.fault = &id, hash, ""
		p.mu.Unlock()
		p.hub.deadlines.Arm(&p.deadline, p.untilTokenExpires(&id))
	}
	return fault
}

// active records that the person did something. A peer whose token does not count any more speaks for nobody.
func (p *Peer) active(ctx context.Context) {
	p.mu.Lock()
	counts := p.stage == ready && p.fault == ""
	r := p.room
	p.mu.Unlock()
	if counts {
		p.hub.touch(ctx, r)
	}
}

// due is the peer's deadline: it does what the time has come for and says when the next thing is.
func (p *Peer) due() time.Duration {
	now := p.hub.sinceOrigin()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.stage {
	case closed:
		return 0
	case verifying:
		return 0 // join arms the next one
	case greeting:
		if now >= p.authBy {
			p.closeLocked(wire.CloseUnauthorized, last(wire.TypeAuthExpired, string(session.CodeTokenMissing)))
		}
		return p.authBy - now
	case pending, ready:
	}
	silentAt := time.Duration(p.heard.Load()) + p.hub.options.DisconnectTimeout
	if now >= silentAt {
		p.closeLocked(wire.CloseSilent, nil)
		return 0
	}
	if now >= p.nextPing {
		p.conn.Ping(nil)
		p.pinged, p.alone, p.nextPing = now, true, now+p.hub.options.HeartbeatInterval
	}
	next := min(silentAt, p.nextPing) - now
	if p.stage == pending {
		return next
	}
	left := p.age()
	switch {
	case p.fault == "":
		return min(next, left)
	case now < p.graceBy:
		return min(next, p.graceBy-now)
	default:
		p.closeLocked(wire.CloseTokenExpired, last(wire.TypeAuthExpired, string(p.fault)))
		return 0
	}
}

// age starts the grace when time has taken the token's validity, and returns how long it has left. The caller holds p.mu.
func (p *Peer) age() time.Duration {
	left := p.untilTokenExpires(p.identity)
	if left <= 0 && p.fault == "" {
		p.hub.options.Meter.TokenExpired()
		p.distrust(session.CodeTokenExpired)
	}
	return left
}

// distrust starts the grace, unless it has begun. The caller holds p.mu.
func (p *Peer) distrust(fault session.Code) {
	if p.fault != "" {
		return
	}
	p.fault, p.graceBy = fault, p.hub.sinceOrigin()+p.hub.options.ReauthGrace
	p.hub.deadlines.Arm(&p.deadline, p.hub.options.ReauthGrace)
}

func (p *Peer) untilTokenExpires(id *session.Identity) time.Duration {
	return p.hub.tokenExpiry(id).Sub(p.hub.registry.Now())
}

// close closes the peer, once.
func (p *Peer) close(code wire.CloseCode, lastFrame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeLocked(code, lastFrame)
}

func (p *Peer) closeLocked(code wire.CloseCode, lastFrame []byte) {
	if p.stage == closed {
		return
	}
	p.stage = closed
	p.hub.options.Meter.SocketClosed(code)
	p.conn.Close(code, lastFrame)
}

// push sends a frame to a peer that is ready.
func (p *Peer) push(frame []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage == ready {
		p.conn.Send(frame)
	}
}
