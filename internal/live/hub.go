package live

import (
	"context"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// Options are what an operator decides about sockets.
type Options struct {
	HeartbeatInterval  time.Duration // between protocol pings, and between heartbeats of a client, which is told
	DisconnectTimeout  time.Duration // without any frame for this long a socket is closed
	TokenCheckInterval time.Duration // between checks of the accounts with open sockets
	MaxTokenAge        time.Duration // a token issued longer ago counts as expired
	AuthTimeout        time.Duration // for the first frame
	ReauthGrace        time.Duration // to bring a valid token
	SocketsPerSession  int           // the oldest makes room
	Meter              Meter         // nil: nothing is counted
}

// Hub knows every socket of this instance, and what the store's notices mean for them. Safe for concurrent use.
type Hub struct {
	options   Options
	policy    session.Policy
	gate      *session.Gate
	registry  *session.Registry
	inbox     *session.Inbox
	deadlines *Deadlines
	log       *slog.Logger
	origin    time.Time    // local, monotonic
	seed      maphash.Seed // of the hashes of tokens
	tasks     *background
	pace      time.Duration // in which a peer may send one more message

	mu       sync.Mutex
	peers    map[*Peer]struct{} // all of them, in whatever stage
	rooms    map[session.UserID]rooms
	draining bool
}

const (
	lookRetry      = time.Second
	vitalsInterval = time.Second
	drainPerSecond = 1000 // sockets; their browsers come back to the other instances
)

// NewHub returns a hub that acts on the inbox's notices.
func NewHub(o Options, gate *session.Gate, registry *session.Registry, inbox *session.Inbox, deadlines *Deadlines, log *slog.Logger) *Hub {
	if o.Meter == nil {
		o.Meter = noMeter{}
	}
	h := &Hub{
		options: o, policy: registry.Settings().Policy, gate: gate, registry: registry, inbox: inbox, deadlines: deadlines, log: log,
		origin: time.Now(), seed: maphash.MakeSeed(), tasks: newBackground(), pace: messagePace(o.HeartbeatInterval),
		peers: make(map[*Peer]struct{}), rooms: make(map[session.UserID]rooms),
	}
	inbox.Subscribe(h.apply)
	inbox.OnGap(func() { h.closeAll(wire.CloseUnavailable) })
	deadlines.Arm(NewDeadline(func() time.Duration {
		if !inbox.Current() || registry.Stuck() {
			h.closeAll(wire.CloseUnavailable)
		}
		return vitalsInterval
	}), vitalsInterval)
	return h
}

// Connect takes in a connection from origin that has yet to authenticate.
func (h *Hub) Connect(conn Conn, origin session.Origin) *Peer {
	p := &Peer{hub: h, conn: conn, origin: origin}
	p.deadline.whose = p
	p.authBy = p.hear() + h.options.AuthTimeout
	h.mu.Lock()
	h.peers[p] = struct{}{}
	draining := h.draining
	h.mu.Unlock()
	if draining {
		p.close(wire.CloseRestart, nil)
		return p
	}
	h.deadlines.Arm(&p.deadline, h.options.AuthTimeout)
	return p
}

// sinceOrigin is the local time as peers keep it.
func (h *Hub) sinceOrigin() time.Duration { return time.Since(h.origin) }

// afterHeartbeat is when a peer that sends heartbeats is pinged by itself: a little later than an interval after the last ping, so that a heartbeat of
// every interval comes before, and the ping goes with the answer to it. Many peers share the moment, which mostly finds nothing to do.
func (h *Hub) afterHeartbeat(pinged time.Duration) time.Duration {
	const parts = 64
	interval := h.options.HeartbeatInterval
	part := max(interval/parts, 1)
	return (pinged + interval + min(4*part, (h.options.DisconnectTimeout-interval)/2)).Truncate(part)
}

// pingPause is what lies at least between two pings that go with the answers to heartbeats, however often these come: each ping is answered, and
// that counts as a message.
func (h *Hub) pingPause() time.Duration {
	interval := h.options.HeartbeatInterval
	return min(max(interval/4, time.Second), interval*3/4)
}

// hash tells tokens of one peer apart. Its seed is random and nobody's to know.
func (h *Hub) hash(token string) uint64 { return maphash.String(h.seed, token) }

// Sockets counts the open sockets.
func (h *Hub) Sockets() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.peers)
}

// join seats a peer, pending, in the room of the session that its verified token names. From here on it receives closes.
func (h *Hub) join(p *Peer, id *session.Identity, token uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage != verifying {
		return false
	}
	r := h.room(id)
	if len(r.peers) >= h.options.SocketsPerSession { // some may only be waiting for the other side's goodbye
		r.peers = slices.DeleteFunc(r.peers, func(other *Peer) bool { return other.at() == closed })
	}
	if len(r.peers) >= h.options.SocketsPerSession {
		r.peers[0].close(wire.CloseTooMany, nil)
		r.peers = r.peers[1:]
	}
	r.peers = append(r.peers, p)
	// The first ping comes at a random moment, so that sockets opened at once, whose clients are silent, do not stay in step.
	firstPing := h.options.HeartbeatInterval/2 + rand.N(h.options.HeartbeatInterval/2+1)
	p.stage, p.room, p.identity, p.token = pending, r, id, token
	now := h.sinceOrigin()
	p.pinged, p.nextPing = now-h.options.HeartbeatInterval, now+firstPing
	h.deadlines.Arm(&p.deadline, firstPing)
	return true
}

// room returns the room of a session, new if need be. The caller holds h.mu.
func (h *Hub) room(id *session.Identity) *room {
	r := h.rooms[id.UserID].of(id.SessionID)
	if r == nil {
		r = &room{hub: h, identity: id}
		r.deadline.whose = r
		h.rooms[id.UserID] = append(h.rooms[id.UserID], r)
	}
	return r
}

// welcome makes a pending peer ready, if nothing has closed it in the meantime.
func (h *Hub) welcome(p *Peer, a session.Admission) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stage != pending {
		return
	}
	p.stage = ready
	p.room.learn(a.Session)
	known, _ := p.room.session()
	s := a.Session
	s.LastActive = known.LastActive
	now := h.registry.Now()
	p.conn.Send(wire.Encode(wire.Ready{
		Type: wire.TypeReady, Session: h.policy.ViewFor(s, s.ID), ServerTime: wire.Time(now),
		HeartbeatInterval: h.options.HeartbeatInterval.Milliseconds(),
		WarnAt:            wire.Time(h.policy.WarnAt(s)), IdleDeadline: wire.Time(s.IdleDeadline()),
		ExpiresAt: wire.Time(s.ExpiresAt), TokenExpiresAt: wire.Time(h.tokenExpiry(p.identity)),
	}))
	phase, next := h.policy.Phase(s, now)
	switch {
	case p.room.warned:
		p.conn.Send(h.warning(s, now))
	case phase == session.PhaseWarned:
		h.look(p.room)
	}
	h.deadlines.Arm(&p.room.deadline, next.Sub(now))
	h.deadlines.Arm(&p.deadline, p.untilTokenExpires(p.identity))
}

// tokenExpiry is when a token stops counting on a socket.
func (h *Hub) tokenExpiry(id *session.Identity) time.Time {
	if aged := id.IssuedAt.Add(h.options.MaxTokenAge); aged.Before(id.ExpiresAt) {
		return aged
	}
	return id.ExpiresAt
}

// checkAge fails with token_expired for a token that does not count on a socket any more.
func (h *Hub) checkAge(id *session.Identity) error {
	if h.registry.Now().Before(h.tokenExpiry(id)) {
		return nil
	}
	h.options.Meter.TokenExpired()
	return &session.Error{Op: "auth", Code: session.CodeTokenExpired}
}

// leave forgets a peer.
func (h *Hub) leave(p *Peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.peers, p)
	h.deadlines.Disarm(&p.deadline)
	r := p.room // set before, by the one goroutine that also calls Gone
	if r == nil {
		return
	}
	for i, other := range r.peers {
		if other == p {
			r.peers = append(r.peers[:i:i], r.peers[i+1:]...)
			break
		}
	}
	h.tidy(r)
}

// tidy drops a room without peers. The caller holds h.mu.
func (h *Hub) tidy(r *room) {
	uid := r.identity.UserID
	rooms := h.rooms[uid]
	i := slices.Index(rooms, r)
	if len(r.peers) > 0 || i < 0 {
		return
	}
	r.peers = nil
	h.deadlines.Disarm(&r.deadline)
	if len(rooms) == 1 {
		delete(h.rooms, uid)
		return
	}
	h.rooms[uid] = append(rooms[:i:i], rooms[i+1:]...) // a new one: somebody may be going through the old
}

// closeRoom closes all peers of a room.
func (h *Hub) closeRoom(r *room, code wire.CloseCode, lastFrame []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closeRoomLocked(r, code, lastFrame)
}

func (h *Hub) closeRoomLocked(r *room, code wire.CloseCode, lastFrame []byte) {
	for _, p := range r.peers {
		p.close(code, lastFrame)
	}
	r.peers = nil
	h.tidy(r)
}

// closeAll closes every peer that has authenticated or is about to.
func (h *Hub) closeAll(code wire.CloseCode) {
	for _, p := range h.all() {
		p.close(code, nil)
	}
}

func (h *Hub) all() []*Peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*Peer, 0, len(h.peers))
	for p := range h.peers {
		all = append(all, p)
	}
	return all
}

// Drain closes every socket for a restart, spread over time so that their browsers do not come back all at once, and
// returns when the last one is told; all the rest at once when ctx is done. Later connections are closed at once.
func (h *Hub) Drain(ctx context.Context) {
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	pace := rate.NewLimiter(drainPerSecond, drainPerSecond/10)
	for _, p := range h.all() {
		_ = pace.Wait(ctx) // when time is short, all the rest at once
		p.close(wire.CloseRestart, nil)
	}
	h.tasks.Stop()
}
