package live

import (
	"sync/atomic"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// room holds the peers that one session has on this instance.
type room struct {
	hub      *Hub
	identity *session.Identity // of the peer that came first: user, session and sign-in are everybody's
	deadline Deadline
	known    atomic.Pointer[vitals] // as last read; nil until a peer has been admitted

	// Guarded by Hub.mu.
	peers  []*Peer        // oldest first
	warned bool           // the peers have been told of the idle deadline
	unsure bool           // the last look has failed
	claims map[string]any // of the account, as the last check found them; nil: not checked
}

// rooms are those of one user: rarely more than a few.
type rooms []*room

// of is the room of a session, nil if there is none.
func (all rooms) of(id session.ID) *room {
	for _, r := range all {
		if r.identity.SessionID == id {
			return r
		}
	}
	return nil
}

// vitals are what a room keeps of its session: a whole one is several times as large.
type vitals struct {
	lastActive  time.Time
	idleTimeout time.Duration
	expiresAt   time.Time
	version     time.Time // the store's
}

// session is the room's session with the activity that this instance knows of, and false while all peers are pending. It has what a
// policy judges by, and no version: to the store it is one that has to be read before it can be changed, unless the registry knows it whole.
func (r *room) session() (session.Session, bool) {
	known := r.known.Load()
	if known == nil {
		return session.Session{}, false
	}
	s := session.Session{
		ID: r.identity.SessionID, UserID: r.identity.UserID, Status: session.StatusActive, AuthTime: r.identity.AuthTime,
		LastActive: known.lastActive, IdleTimeout: known.idleTimeout, ExpiresAt: known.expiresAt,
	}
	s.LastActive = r.hub.registry.LastActive(s)
	return s, true
}

func (r *room) idleDeadline() time.Time {
	s, _ := r.session()
	return s.IdleDeadline()
}

// learn takes over a session that has been read or touched; of one that is older than what is known, only a later activity.
func (r *room) learn(s session.Session) {
	for {
		old := r.known.Load()
		v := vitals{s.LastActive, s.IdleTimeout, s.ExpiresAt, s.Version}
		if old != nil && old.version.After(v.version) {
			v = *old
			v.lastActive = s.LastActive
		}
		if old != nil && old.lastActive.After(v.lastActive) {
			v.lastActive = old.lastActive
		}
		if r.known.CompareAndSwap(old, &v) {
			return
		}
	}
}

// push sends a frame to every peer that is ready. The caller holds Hub.mu.
func (r *room) push(frame []byte) {
	for _, p := range r.peers {
		p.push(frame)
	}
}

// due is the room's deadline. What time seems to bring is looked up first: another instance may know of activity.
func (r *room) due() time.Duration {
	s, ok := r.session()
	r.hub.mu.Lock()
	warned, unsure, empty := r.warned, r.unsure, len(r.peers) == 0
	r.hub.mu.Unlock()
	if !ok || empty {
		return 0
	}
	now := r.hub.registry.Now()
	phase, next := r.hub.policy.Phase(s, now)
	if !unsure && (phase == session.PhaseActive && !warned || phase == session.PhaseWarned && warned) {
		return next.Sub(now)
	}
	r.hub.look(r)
	return 0
}
