package sessiontest

import (
	"slices"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// model says what has to become of users and sessions, without stores, memories, notices or instances: the policy in a page.
type model struct {
	session.Policy
	users    map[session.UserID]*modelUser
	sessions []*modelSession // in order of creation
	jobs     []*modelJob
}

type modelUser struct {
	id        session.UserID
	revokedAt time.Time
	barred    bool           // disabled or deleted
	deleted   bool           // for good
	pending   session.Reason // of a revocation that its instance did not live to finish
}

type modelSession struct {
	id       session.ID
	user     *modelUser
	device   string
	authTime time.Time
	created  time.Time
	active   map[int]time.Time // the last activity, by the instance that it came to
	over     session.Reason    // empty while live
	overAt   time.Time
}

// modelJob is a mass revocation.
type modelJob struct {
	id     string
	filter session.Filter
	at     time.Time
}

// lastActive is the latest activity.
func (s *modelSession) lastActive() time.Time {
	latest := s.created
	for _, at := range s.active {
		latest = latestOf(latest, at)
	}
	return latest
}

func latestOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// age ends what time ends.
func (m *model) age(now time.Time) {
	for _, s := range m.sessions {
		idle, end := s.lastActive().Add(m.IdleTimeout), s.authTime.Add(m.Lifetime)
		switch {
		case s.over != "":
		case !now.Before(idle) && idle.Before(end):
			s.over, s.overAt = session.ReasonIdleTimeout, idle
		case !now.Before(end):
			s.over, s.overAt = session.ReasonAbsoluteTimeout, end
		}
	}
}

func (m *model) find(id session.ID) *modelSession {
	for _, s := range m.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}

// end ends those of the live sessions that are chosen, for what choose says is the reason, and counts them.
func (m *model) end(now time.Time, choose func(*modelSession) session.Reason) (ended []session.ID) {
	for _, s := range m.sessions {
		if s.over != "" {
			continue
		}
		if reason := choose(s); reason != "" {
			s.over, s.overAt = reason, now
			ended = append(ended, s.id)
		}
	}
	return ended
}

func (m *model) live(u *modelUser) (live []*modelSession) {
	for _, s := range m.sessions {
		if s.user == u && s.over == "" {
			live = append(live, s)
		}
	}
	return live
}

// answer is what somebody is told.
type answer struct {
	code   session.Code
	reason session.Reason // where one belongs to the code
}

// admit is what the gate says to a sign-in.
func (m *model) admit(in signIn) answer {
	s := m.find(in.id.SessionID)
	switch {
	case in.user.barred:
		return answer{code: session.CodeUserDisabled}
	case !in.id.AuthTime.After(in.user.revokedAt):
		return answer{code: session.CodeTokenRevoked}
	case s == nil:
		return answer{code: session.CodeSessionRequired}
	case s.over != "":
		return answer{session.CodeSessionEnded, s.over}
	default:
		return answer{}
	}
}

// welcomeTime is how long after its creation a registration that comes again is completed once more in any case; later on it is as long
// as nothing has happened in the session.
const welcomeTime = 10 * time.Second

// unsure reports whether an instance may not know yet that something has happened in a session: activity that came to another one
// within the touch interval.
func (m *model) unsure(s *modelSession, instance int, now time.Time) bool {
	return s != nil && now.Before(s.created.Add(m.TouchInterval)) && s.lastActive().After(s.created) && !s.active[instance].After(s.created)
}

// register is what registering a sign-in is answered, and which sessions it ends to keep the limit.
func (m *model) register(in signIn, replaces session.ID, now time.Time) (a answer, evicted []session.ID) {
	if a := m.admit(in); a.code == session.CodeUserDisabled || a.code == session.CodeTokenRevoked {
		return a, nil
	}
	s := m.find(in.id.SessionID)
	switch {
	case s != nil && s.over != "":
		return answer{session.CodeReauthRequired, s.over}, nil
	case !now.Before(in.id.AuthTime.Add(m.Lifetime)):
		return answer{code: session.CodeReauthRequired}, nil
	case s == nil:
		others := slices.DeleteFunc(m.live(in.user), func(other *modelSession) bool { return other.id == replaces })
		if m.LimitPolicy == session.LimitReject && len(others) >= m.MaxSessions {
			return answer{code: session.CodeSessionLimit}, nil
		}
		s = &modelSession{
			id: in.id.SessionID, user: in.user, device: in.device, authTime: in.id.AuthTime, created: now, active: make(map[int]time.Time),
		}
		m.sessions = append(m.sessions, s)
	}
	m.end(now, func(old *modelSession) session.Reason {
		if old.id == replaces && old.user == s.user && old != s {
			return session.ReasonReplaced
		}
		return ""
	})
	if now.Sub(s.created) > welcomeTime && s.lastActive().After(s.created) {
		return answer{}, nil
	}
	return m.keepLimit(s, now)
}

// excess are those of a user's sessions that are too many.
func (m *model) excess(u *modelUser) []*modelSession {
	live := m.live(u)
	switch more := len(live) - m.MaxSessions; {
	case more <= 0:
		return nil
	case m.LimitPolicy == session.LimitReject:
		return live[m.MaxSessions:]
	default:
		return live[:more]
	}
}

func (m *model) keepLimit(s *modelSession, now time.Time) (answer, []session.ID) {
	excess := m.excess(s.user)
	among := slices.Contains(excess, s)
	if m.LimitPolicy == session.LimitReject {
		if among {
			m.sessions = slices.DeleteFunc(m.sessions, func(other *modelSession) bool { return other == s })
			return answer{code: session.CodeSessionLimit}, nil
		}
		return answer{}, nil
	}
	evicted := m.end(now, beyond(excess))
	if among {
		return answer{session.CodeReauthRequired, session.ReasonSessionLimit}, nil
	}
	return answer{}, evicted
}

func beyond(excess []*modelSession) func(*modelSession) session.Reason {
	return func(s *modelSession) session.Reason {
		if slices.Contains(excess, s) {
			return session.ReasonSessionLimit
		}
		return ""
	}
}

// revoke ends a user's sign-ins up to the moment, for a reason.
func (m *model) revoke(u *modelUser, at time.Time, reason session.Reason, now time.Time) (ended int) {
	u.revokedAt, u.pending = latestOf(u.revokedAt, at), ""
	return len(m.end(now, func(s *modelSession) session.Reason {
		if s.user == u && !s.authTime.After(at) {
			return reason
		}
		return ""
	}))
}

// work does all mass revocations.
func (m *model) work(now time.Time) (ended int) {
	for _, j := range m.jobs {
		if now.After(j.at.Add(m.Lifetime)) {
			continue // it has failed
		}
		ended += len(m.end(now, func(s *modelSession) session.Reason {
			as := session.Session{UserID: s.user.id, Status: session.StatusActive, Device: session.Device{Type: s.device}, CreatedAt: s.created}
			if j.filter.Passes(as) && s.created.Before(j.at) {
				return session.ReasonAdminRevoked
			}
			return ""
		}))
	}
	m.jobs = nil
	return ended
}

// sweep cleans up. Grace is how long a revocation is left to its own instance.
func (m *model) sweep(now time.Time, grace time.Duration) (limited, purged int) {
	for _, u := range m.users {
		limited += len(m.end(now, beyond(m.excess(u))))
	}
	before := len(m.sessions)
	m.sessions = slices.DeleteFunc(m.sessions, func(s *modelSession) bool { return s.over != "" && !s.overAt.Add(m.Retention).After(now) })
	m.jobs = slices.DeleteFunc(m.jobs, func(j *modelJob) bool { return !j.at.Add(m.Retention).After(now) })
	for _, u := range m.users {
		if u.pending != "" && u.revokedAt.Before(now.Add(-grace)) {
			m.revoke(u, u.revokedAt, u.pending, now)
		}
	}
	return limited, before - len(m.sessions)
}
