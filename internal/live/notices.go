package live

import (
	"context"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// apply is the hub's subscription to the inbox: it does not block.
func (h *Hub) apply(n session.Notice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	rooms := h.rooms[n.UserID]
	if len(rooms) == 0 {
		return
	}
	switch n.Kind {
	case session.NoticeEnded:
		h.applyEnded(n)
	case session.NoticeReset:
		for _, id := range n.SessionIDs {
			if r := rooms.of(id); r != nil {
				h.look(r)
			}
		}
	case session.NoticeStarted:
		for _, id := range n.SessionIDs {
			h.tasks.Do(func(ctx context.Context) { h.tellStarted(ctx, n.UserID, id) })
		}
	case session.NoticeAlert:
		frame := wire.Encode(wire.SecurityAlert{Type: wire.TypeSecurityAlert, Alert: n.Alert})
		for _, r := range rooms {
			r.push(frame)
		}
	case session.NoticeClaims:
		frame := wire.Encode(wire.ClaimsChanged{Type: wire.TypeClaimsChanged})
		for _, r := range rooms {
			r.claims = nil // compared with the token again, which may be a fresh one by then
			r.push(frame)
		}
	}
}

// applyEnded closes the sockets of sessions that ended, and tells the user's others. The caller holds h.mu.
func (h *Hub) applyEnded(n session.Notice) {
	code, lastFrame := closeForEnd(n.Reason)
	var news [][]byte
	if !n.Found {
		for _, id := range n.SessionIDs {
			news = append(news, wire.Encode(wire.SessionClosed{Type: wire.TypeSessionClosed, SessionID: string(id), Reason: string(n.Reason)}))
		}
	}
	for _, r := range h.rooms[n.UserID] {
		if n.Concerns(r.identity.UserID, r.identity.SessionID, r.identity.AuthTime) {
			h.closeRoomLocked(r, code, lastFrame)
			continue
		}
		for _, frame := range news {
			r.push(frame)
		}
	}
}

// tellStarted tells a user's other sessions that one has begun.
func (h *Hub) tellStarted(ctx context.Context, uid session.UserID, id session.ID) {
	s, err := h.registry.Session(ctx, uid, id)
	if err != nil {
		h.log.Warn("start of session not told", "session", id, "error", err)
		return
	}
	if s.Status != session.StatusActive {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.rooms[uid] {
		if r.identity.SessionID != id {
			r.push(wire.Encode(wire.SessionStarted{
				Type: wire.TypeSessionStarted, Session: h.policy.ViewFor(s, r.identity.SessionID),
			}))
		}
	}
}

// look reads a room's session anew and does what it finds: warn, take the warning back, close, or just look again later.
func (h *Hub) look(r *room) {
	h.tasks.Do(func(ctx context.Context) {
		known, ok := r.session()
		if !ok {
			return // pending peers read the session themselves
		}
		s, err := h.registry.Look(ctx, known)
		switch session.CodeOf(err) {
		case "":
			h.update(r, s)
		case session.CodeUnavailable:
			h.cannotTell(r, known)
		default:
			code, lastFrame := closeFor(err)
			h.closeRoom(r, code, lastFrame)
		}
	})
}

// cannotTell looks again later, unless the session is over whatever the store would say.
func (h *Hub) cannotTell(r *room, known session.Session) {
	if !h.registry.Now().Before(known.ExpiresAt) {
		code, lastFrame := closeForEnd(session.ReasonAbsoluteTimeout)
		h.closeRoom(r, code, lastFrame)
		return
	}
	h.mu.Lock()
	r.unsure = true
	h.mu.Unlock()
	h.deadlines.Arm(&r.deadline, lookRetry)
}

// update brings a room up to a session that has just been read or touched.
func (h *Hub) update(r *room, s session.Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.learn(s)
	r.unsure = false
	s, _ = r.session()
	now := h.registry.Now()
	phase, next := h.policy.Phase(s, now)
	switch {
	case phase == session.PhaseWarned && !r.warned:
		r.warned = true
		r.push(h.warning(s, now))
	case phase == session.PhaseActive && r.warned:
		r.warned = false
		r.push(wire.Encode(wire.IdleReset{
			Type: wire.TypeIdleReset, WarnAt: wire.Time(h.policy.WarnAt(s)), IdleDeadline: wire.Time(s.IdleDeadline()),
		}))
	}
	h.deadlines.Arm(&r.deadline, next.Sub(now))
}

func (h *Hub) warning(s session.Session, now time.Time) []byte {
	return wire.Encode(wire.IdleWarning{
		Type: wire.TypeIdleWarning, IdleDeadline: wire.Time(s.IdleDeadline()),
		Remaining: max(s.IdleDeadline().Sub(now), 0).Milliseconds(),
	})
}

// touch records activity of a room's session.
func (h *Hub) touch(ctx context.Context, r *room) {
	s, ok := r.session()
	if !ok {
		return
	}
	s, err := h.registry.Touch(ctx, s)
	switch session.CodeOf(err) {
	case "":
		r.learn(s)
	case session.CodeUnavailable: // kept, and stored later
	default:
		code, lastFrame := closeFor(err)
		h.closeRoom(r, code, lastFrame)
	}
}
