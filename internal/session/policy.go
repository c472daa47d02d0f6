package session

import "time"

// Phase is where a session stands in its life.
type Phase int

// The phases, in the order in which a session passes through them. See the package documentation for the diagram.
const (
	PhaseActive  Phase = iota // live
	PhaseWarned               // live, about to end for idleness
	PhaseIdle                 // over: idle for too long
	PhaseExpired              // over: its lifetime has passed
	PhaseEnded                // over: ended by somebody, or written down as over
)

// Live reports whether a session in this phase may be used.
func (p Phase) Live() bool { return p == PhaseActive || p == PhaseWarned }

// LimitPolicy says what happens to a sign-in beyond [Policy.MaxSessions].
type LimitPolicy string

// The limit policies.
const (
	LimitEvict  LimitPolicy = "evict"  // the oldest session ends
	LimitReject LimitPolicy = "reject" // the new one is refused
)

// IPPolicy says what happens to a session that is used from another network than before.
type IPPolicy string

// The IP policies.
const (
	IPOff    IPPolicy = "off"    // nothing
	IPWarn   IPPolicy = "warn"   // its user is alerted
	IPStrict IPPolicy = "strict" // it ends
)

// Policy holds the rules that decide about sessions. All of its methods are pure.
type Policy struct {
	IdleTimeout   time.Duration // without activity a session ends
	IdleWarning   time.Duration // how long before that its user is warned
	Lifetime      time.Duration // from the sign-in to the absolute end
	TouchInterval time.Duration // at most one stored activity per session in this time
	ReauthMaxAge  time.Duration // how recent a sign-in sensitive operations ask for
	Retention     time.Duration // how long ended sessions are kept
	MaxSessions   int           // per user; 0: no limit
	LimitPolicy   LimitPolicy

	SuspiciousSessions    int // more live sessions than this raise an alert; 0: never
	SuspiciousDeviceTypes int // more types of devices at once than this raise an alert; 0: never

	IPPolicy   IPPolicy
	IPv4, IPv6 int // bits of an address that name a network
}

// WarnAt is when the user of s is to be warned of the idle timeout.
func (p Policy) WarnAt(s Session) time.Time { return p.warnAt(&s) }

func (p *Policy) warnAt(s *Session) time.Time { return s.idleDeadline().Add(-p.IdleWarning) }

// TouchIntervalFor is the touch interval of s: short enough that activity is stored well before anybody is warned, also
// for a session that began under a shorter idle timeout.
func (p Policy) TouchIntervalFor(s Session) time.Duration {
	if half := (s.IdleTimeout - p.IdleWarning) / 2; half > 0 {
		return min(p.TouchInterval, half)
	}
	return min(p.TouchInterval, s.IdleTimeout/6)
}

// Deadline is when s ends if nothing more happens to it, and why.
func (p Policy) Deadline(s Session) (time.Time, Reason) { return s.deadline() }

func (s *Session) deadline() (time.Time, Reason) {
	if idle := s.idleDeadline(); idle.Before(s.ExpiresAt) {
		return idle, ReasonIdleTimeout
	}
	return s.ExpiresAt, ReasonAbsoluteTimeout
}

// Phase judges s at now, and says when to look again: the moment of the next change that time alone brings,
// zero when there is none. A deadline counts as passed at its very instant.
func (p Policy) Phase(s Session, now time.Time) (Phase, time.Time) { return p.phase(&s, now) }

// phase is Phase without a copy of the session.
func (p *Policy) phase(s *Session, now time.Time) (Phase, time.Time) {
	if s.Status == StatusEnded {
		return PhaseEnded, time.Time{}
	}
	deadline, reason := s.deadline()
	warnAt := p.warnAt(s)
	switch {
	case !now.Before(deadline) && reason == ReasonIdleTimeout:
		return PhaseIdle, time.Time{}
	case !now.Before(deadline):
		return PhaseExpired, time.Time{}
	case !now.Before(warnAt):
		return PhaseWarned, deadline
	case warnAt.Before(deadline):
		return PhaseActive, warnAt
	default:
		return PhaseActive, deadline
	}
}

// Settle returns s as it is at now: a session past its deadline is ended for everybody, at that deadline,
// whether or not anything has written so yet.
func (p Policy) Settle(s Session, now time.Time) Session {
	phase, _ := p.Phase(s, now)
	if phase.Live() || phase == PhaseEnded {
		return s
	}
	s.Status, s.EndedBy = StatusEnded, ActorSystem
	s.EndedAt, s.EndReason = p.Deadline(s)
	return s
}

// Recent reports whether a sign-in at authTime is at most window old, in whole seconds.
func Recent(authTime, now time.Time, window time.Duration) bool {
	return now.Sub(authTime)/time.Second <= window/time.Second
}
