package session

import (
	"context"
	"errors"
	"slices"
	"time"
)

// SignIn is what the edge knows about the device that a session begins on.
type SignIn struct {
	Device    Device
	Client    string // the kind of device as its requests show it, without versions; what new devices are told by
	UserAgent string
	IPAddress string
	Location  *Location
	Replaces  ID // the device's previous session, empty if there is none
}

// Registration is the answer to a sign-in.
type Registration struct {
	Session Session
	Created bool // false: it was live already
	Evicted []ID // ended to keep the limit
}

// Register begins the session that the sign-in is, or finds it live: registration is idempotent. It fails with
// reauth_required for a sign-in that is spent or too old, token_revoked, token_invalid, session_limit, and unavailable.
func (r *Registry) Register(ctx context.Context, id Identity, in SignIn) (Registration, error) {
	now := r.clock.Now()
	s := Session{
		ID: id.SessionID, UserID: id.UserID, Status: StatusActive,
		Device: in.Device, UserAgent: in.UserAgent, IPAddress: in.IPAddress, Location: in.Location,
		SignInProvider: id.SignInProvider, AuthTime: id.AuthTime,
		CreatedAt: now, LastActive: now, IdleTimeout: r.settings.IdleTimeout,
		ExpiresAt: id.AuthTime.Add(r.settings.Lifetime),
	}
	if !now.Before(s.ExpiresAt) {
		return Registration{}, r.spent(ctx, s.ID)
	}
	if err := r.roomFor(ctx, s, in.Replaces); err != nil {
		return Registration{}, err
	}
	stored, created, err := r.store.Create(ctx, s, Record{})
	if err == nil {
		err = id.owns(stored)
	}
	if err != nil {
		return Registration{}, err
	}
	if !created {
		if stored, err = r.judge(ctx, stored); CodeOf(err) == CodeSessionEnded {
			return Registration{}, reauth(err)
		} else if err != nil {
			return Registration{}, err
		}
	}
	// What follows from the session's being there goes through, also if nobody waits for the answer any more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), welcomeTimeout)
	defer cancel()
	reg := Registration{Session: stored, Created: created}
	if in.Replaces != "" && in.Replaces != s.ID {
		if err := r.replace(ctx, s.UserID, in.Replaces); err != nil {
			return Registration{}, err
		}
	}
	if created {
		r.log.Info("session started", "session", s.ID, "user", s.UserID)
	} else if now.Sub(stored.CreatedAt) > welcomeTimeout {
		return reg, nil
	}
	reg.Evicted, err = r.welcome(ctx, stored, created)
	return reg, err
}

// welcomeTimeout bounds what a registration does after its session has been created. If that failed, the client's next
// attempt within this time does it.
const welcomeTimeout = 10 * time.Second

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

// replace ends the session that the same device had before. Another user's, or one that is over, is left alone.
func (r *Registry) replace(ctx context.Context, uid UserID, id ID) error {
	old, err := r.store.Session(ctx, id)
	if CodeOf(err) == CodeNotFound || err == nil && old.UserID != uid {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = r.endLive(ctx, old, End{Reason: ReasonReplaced, By: string(uid)})
	return err
}

// roomFor refuses a sign-in beyond the limit before anything is written, so that most refusals leave no trace.
// Two sign-ins at once are told apart by welcome.
func (r *Registry) roomFor(ctx context.Context, s Session, replaces ID) error {
	if r.settings.MaxSessions == 0 || r.settings.LimitPolicy != LimitReject {
		return nil
	}
	live, err := r.liveSessions(ctx, s.UserID)
	if err != nil {
		return err
	}
	live = slices.DeleteFunc(live, func(other Session) bool { return other.ID == s.ID || other.ID == replaces })
	if len(live) < r.settings.MaxSessions {
		return nil
	}
	if _, err := r.store.Session(ctx, s.ID); CodeOf(err) != CodeNotFound {
		return err // live or spent already: its creation tells
	}
	return &Error{Op: "register", Code: CodeSessionLimit}
}

// liveSessions lists a user's sessions that are not known to be over, in order of creation, and writes down the ends
// that time has brought.
func (r *Registry) liveSessions(ctx context.Context, uid UserID) ([]Session, error) {
	stored, err := r.store.UserSessions(ctx, uid, false)
	if err != nil {
		return nil, err
	}
	live := stored[:0]
	for _, s := range stored {
		switch seen, err := r.judge(ctx, s); CodeOf(err) {
		case "":
			live = append(live, seen)
		case CodeUnavailable: // nobody can tell yet: it counts
			live = append(live, s)
		default:
		}
	}
	return live, nil
}

// welcome keeps the limit after s has been created, and tells the user's other sessions. Every instance sees the
// creations in the order of their commits, so of several at once each judges the same ones to be too many.
func (r *Registry) welcome(ctx context.Context, s Session, created bool) (evicted []ID, err error) {
	live, err := r.liveSessions(ctx, s.UserID)
	if err != nil {
		return nil, err
	}
	if limit := r.settings.MaxSessions; limit > 0 && len(live) > limit {
		if r.settings.LimitPolicy == LimitEvict {
			evicted, err = r.evict(ctx, live[:len(live)-limit])
		} else if slices.IndexFunc(live, func(each Session) bool { return each.ID == s.ID }) >= limit {
			return nil, r.withdraw(ctx, s)
		}
	}
	if created && len(live) > 1 {
		r.announce(ctx, NewNotice(NoticeStarted, s.UserID, "", s.ID))
	}
	return evicted, err
}

func (r *Registry) evict(ctx context.Context, oldest []Session) (evicted []ID, err error) {
	for _, s := range oldest {
		_, ended, err := r.end(ctx, s, End{Reason: ReasonSessionLimit, By: ActorSystem})
		if err != nil {
			return evicted, err
		}
		if ended {
			evicted = append(evicted, s.ID)
		}
	}
	return evicted, nil
}

func (r *Registry) withdraw(ctx context.Context, s Session) error {
	if err := r.store.Withdraw(ctx, s.ID, Record{}); err != nil {
		return err
	}
	r.announce(ctx, NewNotice(NoticeEnded, s.UserID, ReasonSessionLimit, s.ID))
	return &Error{Op: "register", Code: CodeSessionLimit}
}

// announce tells every instance of what no commit of the store tells. That it fails undoes nothing.
func (r *Registry) announce(ctx context.Context, n Notice) {
	n.At = r.clock.Now()
	r.inbox.Deliver(n)
	if err := r.publisher.Publish(ctx, n); err != nil {
		r.log.Warn("notice not published", "kind", n.Kind, "user", n.UserID, "error", err)
	}
}
