package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// SignIn is what the edge knows about the device that a session begins on.
type SignIn struct {
	Device    Device
	UserAgent string
	Origin    Origin
	Language  string // that the user reads, as in Accept-Language; empty when unknown
	Replaces  ID     // the device's previous session, empty if there is none
}

// Registration is the answer to a sign-in.
type Registration struct {
	Session Session
	Created bool    // false: it was live already
	Evicted []ID    // ended to keep the limit
	Alerts  []Alert // what is unusual about it
}

// welcomeTimeout bounds what a registration does after its session has been created. If that failed, the client's next
// attempt does it, as long as nothing has happened in the session.
const welcomeTimeout = 10 * time.Second

// Register begins the session that the sign-in is, or finds it live: registration is idempotent. It fails with
// reauth_required for a sign-in that is spent or too old, token_revoked, token_invalid, session_limit, ip_changed and unavailable.
func (r *Registry) Register(ctx context.Context, id Identity, in SignIn) (Registration, error) {
	if !r.clock.Now().Before(id.AuthTime.Add(r.settings.Lifetime)) {
		return Registration{}, r.spent(ctx, id.SessionID)
	}
	stored, err := r.store.Session(ctx, id.SessionID)
	switch CodeOf(err) {
	case "":
		return r.again(ctx, id, stored, in)
	case CodeNotFound:
		return r.begin(ctx, id, in)
	default:
		return Registration{}, err
	}
}

// begin creates the session of a sign-in that has none.
func (r *Registry) begin(ctx context.Context, id Identity, in SignIn) (Registration, error) {
	s := r.newSession(id, in)
	live, history, err := r.past(ctx, s, in.Replaces)
	if err != nil {
		return Registration{}, err
	}
	if limit := r.settings.MaxSessions; limit > 0 && len(live) >= limit {
		if r.settings.LimitPolicy == LimitReject {
			return Registration{}, r.refuse(ctx, s)
		}
		live = live[len(live)-limit+1:] // the others are about to end
	}
	alerts := r.settings.suspect(s, live, history)
	rec := r.recordStart(id, s, in, alerts, len(live) > 0)
	stored, created, err := r.store.Create(ctx, s, rec)
	if err != nil {
		return Registration{}, err
	}
	if !created {
		return r.again(ctx, id, stored, in)
	}
	r.states.Begun(stored)
	r.meter.SessionStarted()
	r.log.Info("session started", "session", s.ID, "user", s.UserID)
	for _, a := range alerts {
		r.meter.AlertRaised(a.Type)
		r.log.Info("security alert", "user", s.UserID, "session", s.ID, "alert", a.Type)
	}
	for _, n := range rec.Notices {
		n.At = stored.Version
		r.inbox.Deliver(n)
	}
	evicted, err := r.welcome(ctx, stored, in)
	return Registration{Session: stored, Created: true, Evicted: evicted, Alerts: alerts}, err
}

// again answers a sign-in whose session is there already.
func (r *Registry) again(ctx context.Context, id Identity, stored Session, in SignIn) (Registration, error) {
	if err := id.owns(stored); err != nil {
		return Registration{}, err
	}
	s, err := r.judge(ctx, stored)
	if err == nil {
		s, err = r.judgeOrigin(ctx, s, in.Origin)
	}
	if CodeOf(err) == CodeSessionEnded {
		return Registration{}, reauth(err)
	}
	if err != nil {
		return Registration{}, err
	}
	reg := Registration{Session: s}
	if r.clock.Now().Sub(s.CreatedAt) <= welcomeTimeout || s.LastActive.Equal(s.CreatedAt) {
		reg.Evicted, err = r.welcome(ctx, s, in)
		return reg, err
	}
	return reg, r.replace(ctx, s, in)
}

func (r *Registry) newSession(id Identity, in SignIn) Session {
	now := r.clock.Now()
	return Session{
		ID: id.SessionID, UserID: id.UserID, Status: StatusActive,
		Device: in.Device, UserAgent: in.UserAgent, IPAddress: in.Origin.Address(), Location: in.Origin.Location(),
		Networks:       r.settings.networksOf(in.Origin.IP),
		SignInProvider: id.SignInProvider, AuthTime: id.AuthTime,
		CreatedAt: now, LastActive: now, IdleTimeout: r.settings.IdleTimeout,
		ExpiresAt: id.AuthTime.Add(r.settings.Lifetime),
	}
}

// past reads what s is compared with: the user's other sessions that are live, in order of creation and without the one that s
// replaces, and the latest of all.
func (r *Registry) past(ctx context.Context, s Session, replaces ID) (live, history []Session, err error) {
	reads, ctx := errgroup.WithContext(ctx)
	reads.Go(func() (err error) { live, err = r.liveSessions(ctx, s.UserID); return err })
	reads.Go(func() (err error) { history, err = r.store.RecentSessions(ctx, s.UserID, remembered); return err })
	if err := reads.Wait(); err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(live, func(other Session) bool { return other.ID == s.ID || other.ID == replaces }), history, nil
}

// recordStart is what a session that begins says to others, in the commit of its creation.
func (r *Registry) recordStart(id Identity, s Session, in SignIn, alerts []Alert, others bool) Record {
	started := newEvent(EventSessionStarted, AudienceUser, s.UserID, s.ID, string(s.UserID), s.IPAddress).
		with("device", s.Device.kindForPeople()).with("signInProvider", s.SignInProvider)
	if s.Location != nil {
		started = started.with("country", s.Location.Country)
	}
	rec := Record{Events: []Event{started}}
	if others {
		rec.Notices = append(rec.Notices, NewNotice(NoticeStarted, s.UserID, "", s.ID))
	}
	for _, a := range alerts {
		rec.Events = append(rec.Events, alertEvent(s, a, s.IPAddress))
		if others {
			rec.Notices = append(rec.Notices, alertNotice(s.UserID, a))
		}
	}
	if to, _ := id.Claims[claimEmail].(string); to != "" && r.signInMail != nil {
		if rec.Mail = r.signInMail(to, in.Language, s); rec.Mail != nil {
			rec.Mail.UserID = s.UserID
		}
	}
	return rec
}

// CanRegister fails with reauth_required for a sign-in that is spent or too old, like [Registry.Register], and changes
// nothing else.
func (r *Registry) CanRegister(ctx context.Context, id Identity) error {
	if !r.clock.Now().Before(id.AuthTime.Add(r.settings.Lifetime)) {
		return r.spent(ctx, id.SessionID)
	}
	stored, err := r.store.Session(ctx, id.SessionID)
	if CodeOf(err) == CodeNotFound {
		return nil
	}
	if err == nil {
		err = id.owns(stored)
	}
	if err == nil {
		_, err = r.judge(ctx, stored)
	}
	if CodeOf(err) == CodeSessionEnded {
		return reauth(err)
	}
	return err
}

// spent is the answer to a sign-in whose lifetime is over, whatever became of it.
func (r *Registry) spent(ctx context.Context, id ID) error {
	e := &Error{Op: "register", Code: CodeReauthRequired}
	stored, err := r.store.Session(ctx, id)
	switch CodeOf(err) {
	case "":
		e.Reason = r.settled(stored, r.clock.Now()).EndReason
	case CodeNotFound:
	default:
		return err
	}
	return e
}

// reauth turns "this session ended" into "sign in again".
func reauth(err error) error {
	e := &Error{Op: "register", Code: CodeReauthRequired, Err: err}
	var ended *Error
	if errors.As(err, &ended) {
		e.Reason = ended.Reason
	}
	return e
}

// welcome does what follows from the session's being there, also if nobody waits for the answer any more.
func (r *Registry) welcome(ctx context.Context, s Session, in SignIn) (evicted []ID, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), welcomeTimeout)
	defer cancel()
	if err := r.replace(ctx, s, in); err != nil {
		return nil, err
	}
	return r.keepLimit(ctx, s)
}

// replace ends the session that the same device had before. Another user's, or one that is over, is left alone.
func (r *Registry) replace(ctx context.Context, s Session, in SignIn) error {
	if in.Replaces == "" || in.Replaces == s.ID {
		return nil
	}
	old, err := r.store.Session(ctx, in.Replaces)
	if CodeOf(err) == CodeNotFound || err == nil && old.UserID != s.UserID {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = r.endLive(ctx, old, End{Reason: ReasonReplaced, By: string(s.UserID), IP: in.Origin.Address()})
	return err
}
