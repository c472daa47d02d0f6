package session

import (
	"net/netip"
	"slices"
	"time"
	"unique"
)

// packed is a [Session] as it is remembered: for as long as its user is there, while a Session is made anew for each request. It
// takes a third of the room, and most of the texts it has in common with others. Never changed once it is made.
type packed struct {
	id        ID
	common    unique.Handle[common]
	ipAddress string
	location  *Location
	networks  []netip.Prefix // without the empty ones at the end
	version   time.Time

	// In microseconds, which is all that stores keep.
	authTime, createdAt, lastActive, expiresAt, endedAt int64
}

// common is what sessions of many users share.
type common struct {
	status         Status
	device         Device
	userAgent      string
	signInProvider string
	idleTimeout    time.Duration
	endReason      Reason
	endedBy        string
}

func pack(s Session) *packed {
	p := &packed{
		id: s.ID, ipAddress: s.IPAddress, location: s.Location,
		common:   unique.Make(common{s.Status, s.Device, s.UserAgent, s.SignInProvider, s.IdleTimeout, s.EndReason, s.EndedBy}),
		authTime: s.AuthTime.UnixMicro(), createdAt: s.CreatedAt.UnixMicro(), lastActive: s.LastActive.UnixMicro(),
		expiresAt: s.ExpiresAt.UnixMicro(), endedAt: s.EndedAt.UnixMicro(), version: s.Version,
	}
	last := len(s.Networks)
	for last > 0 && !s.Networks[last-1].IsValid() {
		last--
	}
	p.networks = append(p.networks, s.Networks[:last]...)
	return p
}

// unpack writes the session, which is a user's, into s.
func (p *packed) unpack(uid UserID, s *Session) {
	c := p.common.Value()
	*s = Session{
		ID: p.id, UserID: uid, Status: c.status, Device: c.device, UserAgent: c.userAgent, IPAddress: p.ipAddress,
		Location: p.location, SignInProvider: c.signInProvider, AuthTime: fromMicro(p.authTime), CreatedAt: fromMicro(p.createdAt),
		LastActive: fromMicro(p.lastActive), IdleTimeout: c.idleTimeout, ExpiresAt: fromMicro(p.expiresAt),
		EndedAt: fromMicro(p.endedAt), EndReason: c.endReason, EndedBy: c.endedBy, Version: p.version,
	}
	copy(s.Networks[:], p.networks)
}

func fromMicro(us int64) time.Time { return time.UnixMicro(us).UTC() }

// find returns where a session is remembered, and false if it is not. The caller holds u.mu.
func (u *state) find(id ID) (int, bool) {
	i := slices.IndexFunc(u.sessions, func(p *packed) bool { return p.id == id })
	return i, i >= 0
}

// remember keeps a session of the user's. The caller holds u.mu.
func (u *state) remember(s Session) {
	i, ok := u.find(s.ID)
	switch {
	case ok:
		u.sessions[i] = pack(s)
	case len(u.sessions) >= maxUserSessions:
		u.sessions = []*packed{pack(s)}
	default:
		u.sessions = append(u.sessions, pack(s))
	}
}
