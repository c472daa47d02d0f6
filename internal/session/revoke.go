package session

import (
	"context"
	"errors"
	"time"
)

// EndOwn ends one of the caller's own sessions, for the reason logout if it is the one the request came with and
// revoked otherwise. One that is over already stays as it is. It fails with not_found for another user's.
func (r *Registry) EndOwn(ctx context.Context, caller Admission, id ID) error {
	s, err := r.find(ctx, id)
	if err == nil && s.UserID != caller.Identity.UserID {
		err = &Error{Op: "end", Code: CodeNotFound}
	}
	if err != nil {
		return err
	}
	_, err = r.endLive(ctx, s, caller.ownEnd(id))
	return err
}

// EndOthers ends all of the caller's sessions but the one the request came with, and counts them.
func (r *Registry) EndOthers(ctx context.Context, caller Admission) (int, error) {
	return r.endEach(ctx, caller.Identity.UserID, func(s Session) (End, bool) {
		return caller.ownEnd(s.ID), s.ID != caller.Session.ID
	})
}

// EndAll ends all of the caller's sessions, and counts them.
func (r *Registry) EndAll(ctx context.Context, caller Admission) (int, error) {
	return r.endEach(ctx, caller.Identity.UserID, func(s Session) (End, bool) { return caller.ownEnd(s.ID), true })
}

func (a Admission) ownEnd(id ID) End {
	e := End{Reason: ReasonRevoked, By: string(a.Identity.UserID), IP: a.Origin.Address()}
	if id == a.Session.ID {
		e.Reason = ReasonLogout
	}
	return e
}

func (r *Registry) find(ctx context.Context, id ID) (Session, error) {
	if !id.Valid() {
		return Session{}, &Error{Op: "find", Code: CodeNotFound}
	}
	return r.store.Session(ctx, id)
}

// endEach ends those of a user's live sessions that choose wants, and counts them. It goes on past failures.
func (r *Registry) endEach(ctx context.Context, uid UserID, choose func(Session) (End, bool)) (int, error) {
	stored, err := r.store.UserSessions(ctx, uid, false)
	if err != nil {
		return 0, err
	}
	r.states.Doubt(uid) // those that others have ended already are not listed
	return r.endMany(ctx, stored, choose)
}

// endLive ends a stored session for a reason of somebody's, unless time was faster: that end is written down instead.
func (r *Registry) endLive(ctx context.Context, s Session, e End, events ...Event) (ended bool, err error) {
	if over, natural, err := r.passed(s); err == nil && over.Status != s.Status {
		stored, _, err := r.end(ctx, s, natural)
		if err != nil || stored.Status == StatusEnded {
			return false, err
		}
	}
	_, ended, err = r.end(ctx, s, e, events...)
	return ended, err
}

// Revocation is the answer to [Registry.RevokeUser].
type Revocation struct {
	Ended     int       // sessions that this call ended
	RevokedAt time.Time // every sign-in up to then is dead
}

// revocationTimeout bounds the commit of a revocation, and then what follows from it: both may have to wait for a lock that the
// target's own requests hold.
const revocationTimeout = 30 * time.Second

// revoke ends everything a user has: every sign-in up to now, in Vigil at once and on every instance, and then what the decree asks
// for in Firebase. Its truth is one commit that the target cannot block; whatever is left undone after it,
// by a crash or a failure, [Registry.FinishRevocations] of any instance completes. It fails with unavailable when not all of it
// could be done, in which case it is safe to ask again.
func (r *Registry) revoke(ctx context.Context, uid UserID, reason Reason, d Decree) (Revocation, error) {
	return r.revokeBy(ctx, NewNotice(NoticeEnded, uid, reason), d)
}

// revokeBy is revoke with the notice to be published.
func (r *Registry) revokeBy(ctx context.Context, n Notice, d Decree) (Revocation, error) {
	began, uid, reason := localNow(), n.UserID, n.Reason
	// From here on the revocation goes through, also if nobody waits for the answer any more.
	ctx = context.WithoutCancel(ctx)
	committing, cancel := context.WithTimeout(ctx, revocationTimeout)
	defer cancel()
	revokedAt, err := r.users.Revoke(committing, n, d)
	if err != nil {
		return Revocation{}, err
	}
	n.Before, n.At = revokedAt, revokedAt
	r.inbox.Deliver(n)
	r.log.Info("user revoked", "user", uid, "reason", reason, "by", d.By)

	ended, err := r.complete(ctx, User{ID: uid, RevokedAt: revokedAt, RevokeReason: reason, RevokedBy: d.By}, d.Deleted)
	if err != nil {
		return Revocation{}, partial(err)
	}
	r.meter.Revoked(time.Since(began))
	return Revocation{Ended: ended, RevokedAt: revokedAt}, nil
}

func partial(err error) error {
	return &Error{Op: "revoke", Code: CodeUnavailable, Err: err,
		Message: "The user's sign-ins are refused from now on; the rest of the revocation is completed as soon as possible."}
}

// complete does what is left to do after the commit of a revocation, and writes down that it is done. A user can lock the documents of
// their own sessions for a while, with a transaction of a client's: that must not keep their refresh tokens alive.
func (r *Registry) complete(ctx context.Context, u User, finishing bool) (ended int, err error) {
	ctx, cancel := context.WithTimeout(ctx, revocationTimeout)
	defer cancel()
	unlocked, stop := context.WithTimeout(ctx, revocationTimeout/2)
	defer stop()
	ended, err = r.endRevoked(unlocked, u)
	pending, failure := r.settle(ctx, u.ID, finishing)
	if err := errors.Join(err, failure); err != nil || !pending {
		return ended, err
	}
	return ended, r.users.TokensRevoked(ctx, u.ID, u.RevokedAt) // a later one has ends of its own to be written
}

// endRevoked writes down the ends that a revocation has brought.
func (r *Registry) endRevoked(ctx context.Context, u User) (int, error) {
	return r.endEach(ctx, u.ID, func(s Session) (End, bool) {
		return End{Reason: u.RevokeReason, By: u.RevokedBy}, u.Revoked(s.AuthTime)
	})
}

// settle does in Firebase what is pending for a user, and reports whether anything was. Firebase can only revoke as of now, which would
// end sign-ins made since; so one that finishes what another instance has begun does not ask again what has been done, or
// what there is nobody left to do to. An account that was found deleted is never deleted here: one that is there was created since.
func (r *Registry) settle(ctx context.Context, uid UserID, finishing bool) (pending bool, err error) {
	u, err := r.users.User(ctx, uid) // as it is now: an admin may have decided otherwise since
	if err != nil || !u.TokensPending {
		return false, err
	}
	account, err := r.states.Account(ctx, uid, 0)
	if err != nil {
		return true, err
	}
	switch {
	case account.Missing:
	case u.DeletePending:
		err = r.editor.Delete(ctx, uid)
	default:
		if u.DisablePending && !account.Disabled {
			err = r.editor.SetDisabled(ctx, uid, true)
		}
		if told := account.TokensValidAfter.Unix() >= u.RevokedAt.Unix(); err == nil && !(told && finishing) {
			err = r.accounts.RevokeTokens(ctx, uid)
		}
	}
	if err == nil && (u.DeletePending || u.ErasePending) {
		err = r.users.Erase(ctx, uid)
	}
	if err != nil {
		return true, err
	}
	if _, err := r.states.Account(ctx, uid, 0); err != nil { // what has been done is known here
		return true, err
	}
	if u.Gone() != "" { // and everywhere, also where somebody looked before it had been done
		return true, r.tellAccountChanged(ctx, uid)
	}
	return true, nil
}

// pendingBatch is how many unfinished revocations are completed at a time.
const pendingBatch = 100

// FinishRevocations completes revocations whose instance has not done so within twice the feed's period.
func (r *Registry) FinishRevocations(ctx context.Context) error {
	pending, err := r.users.PendingUsers(ctx, r.clock.Now().Add(-2*r.settings.FeedResync), pendingBatch)
	if err != nil {
		return err
	}
	var failures []error
	for _, u := range pending {
		if err := r.finish(ctx, u); err != nil {
			failures = append(failures, err)
			continue
		}
		r.log.Info("revocation completed", "user", u.ID)
	}
	return errors.Join(failures...)
}

// pendingLook is how often a pending revocation is looked at by whoever waits to finish it.
const pendingLook = 3 * time.Second

// FinishRevocation completes the revocation of one user if its instance has not done so within twice the feed's period, and waits for
// that: ctx has to allow for it. It returns when nothing is pending, and fails with unavailable when it could not be done. The read
// that finds the revocation pending has told the clock the store's time, also in a process that has just started.
func (r *Registry) FinishRevocation(ctx context.Context, uid UserID) error {
	for {
		u, err := r.users.User(ctx, uid)
		if err != nil || !u.TokensPending {
			return err
		}
		// A revocation is pending since the moment that it carries.
		wait := u.RevokedAt.Add(2 * r.settings.FeedResync).Sub(r.clock.Now())
		if wait <= 0 {
			err := r.finish(ctx, u)
			if err == nil {
				r.log.Info("revocation completed", "user", uid)
			}
			return err
		}
		if err := pause(ctx, min(wait, pendingLook)); err != nil {
			return err
		}
	}
}

func (r *Registry) finish(ctx context.Context, u User) error {
	_, err := r.complete(ctx, u, true)
	return err
}
