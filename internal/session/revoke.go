package session

import (
	"context"
	"errors"
	"time"
)

// EndOwn ends one of the caller's own sessions, for the reason logout if it is the one the request came with and
// revoked otherwise. One that is over already stays as it is. It fails with not_found for another user's.
func (r *Registry) EndOwn(ctx context.Context, caller Session, id ID) error {
	s, err := r.find(ctx, id)
	if err == nil && s.UserID != caller.UserID {
		err = &Error{Op: "end", Code: CodeNotFound}
	}
	if err != nil {
		return err
	}
	_, err = r.endLive(ctx, s, ownEnd(caller, id))
	return err
}

// EndOthers ends all of the caller's sessions but the one the request came with, and counts them.
func (r *Registry) EndOthers(ctx context.Context, caller Session) (int, error) {
	return r.endEach(ctx, caller.UserID, func(s Session) (End, bool) {
		return ownEnd(caller, s.ID), s.ID != caller.ID
	})
}

// EndAll ends all of the caller's sessions, and counts them.
func (r *Registry) EndAll(ctx context.Context, caller Session) (int, error) {
	return r.endEach(ctx, caller.UserID, func(s Session) (End, bool) { return ownEnd(caller, s.ID), true })
}

func ownEnd(caller Session, id ID) End {
	if id == caller.ID {
		return End{Reason: ReasonLogout, By: string(caller.UserID)}
	}
	return End{Reason: ReasonRevoked, By: string(caller.UserID)}
}

// AdminEnd ends any session on behalf of an admin. One that is over already stays as it is. It fails with not_found.
func (r *Registry) AdminEnd(ctx context.Context, admin UserID, id ID) error {
	s, err := r.find(ctx, id)
	if err != nil {
		return err
	}
	_, err = r.endLive(ctx, s, End{Reason: ReasonAdminRevoked, By: string(admin)})
	return err
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
	var count int
	var failures []error
	for _, s := range stored {
		e, chosen := choose(s)
		if !chosen {
			continue
		}
		ended, err := r.endLive(ctx, s, e)
		if err != nil {
			failures = append(failures, err)
		} else if ended {
			count++
		}
	}
	return count, errors.Join(failures...)
}

// endLive ends a stored session for a reason of somebody's, unless time was faster: that end is written down instead.
func (r *Registry) endLive(ctx context.Context, s Session, e End) (ended bool, err error) {
	if over, natural, err := r.passed(s); err == nil && over.Status != s.Status {
		stored, _, err := r.end(ctx, s, natural)
		if err != nil || stored.Status == StatusEnded {
			return false, err
		}
	}
	_, ended, err = r.end(ctx, s, e)
	return ended, err
}

// Revocation is the answer to [Registry.RevokeUser].
type Revocation struct {
	Ended     int       // sessions that this call ended
	RevokedAt time.Time // every sign-in up to then is dead
}

// revocationTimeout bounds a revocation, which may have to wait for a lock that the target's own requests hold.
const revocationTimeout = 30 * time.Second

// RevokeUser ends everything a user has: every sign-in up to now, in Vigil at once and on every instance, and then the
// refresh tokens in Firebase. Its truth is one commit that the target cannot block; whatever is left undone after it,
// by a crash or a failure, [Registry.FinishRevocations] of any instance completes. It fails with not_found for an
// account that exists neither in Firebase nor here, and with unavailable when not all of it could be done, in
// which case it is safe to ask again.
func (r *Registry) RevokeUser(ctx context.Context, uid UserID, reason Reason, by string) (Revocation, error) {
	account, err := r.states.Account(ctx, uid, 0)
	if err != nil {
		return Revocation{}, err
	}
	if account.Missing {
		if known, err := r.store.UserSessions(ctx, uid, true); err != nil {
			return Revocation{}, err
		} else if len(known) == 0 {
			return Revocation{}, &Error{Op: "revoke", Code: CodeNotFound}
		}
	}
	// From here on the revocation goes through, also if nobody waits for the answer any more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revocationTimeout)
	defer cancel()
	n := NewNotice(NoticeEnded, uid, reason)
	revokedAt, err := r.users.Revoke(ctx, n, Decree{By: by})
	if err != nil {
		return Revocation{}, err
	}
	n.Before, n.At = revokedAt, revokedAt
	r.inbox.Deliver(n)
	r.log.Info("user revoked", "user", uid, "reason", reason, "by", by)

	ended, err := r.endRevoked(ctx, User{ID: uid, RevokedAt: revokedAt, RevokeReason: reason, RevokedBy: by})
	if err != nil {
		return Revocation{}, partial(err)
	}
	if !account.Missing {
		if err := r.accounts.RevokeTokens(ctx, uid); err != nil {
			return Revocation{}, partial(err)
		}
	}
	if err := r.users.TokensRevoked(ctx, uid, revokedAt); err != nil {
		return Revocation{}, partial(err)
	}
	return Revocation{Ended: ended, RevokedAt: revokedAt}, nil
}

func partial(err error) error {
	return &Error{Op: "revoke", Code: CodeUnavailable, Err: err,
		Message: "The user's sign-ins are refused from now on; the rest of the revocation is completed as soon as possible."}
}

// endRevoked writes down the ends that a revocation has brought.
func (r *Registry) endRevoked(ctx context.Context, u User) (int, error) {
	return r.endEach(ctx, u.ID, func(s Session) (End, bool) {
		return End{Reason: u.RevokeReason, By: u.RevokedBy}, u.Revoked(s.AuthTime)
	})
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

// finish completes one revocation. Firebase can only revoke as of now, which would end sign-ins made since; so it is not
// asked again if it has been told, or if there is nobody left to tell about.
func (r *Registry) finish(ctx context.Context, u User) error {
	if _, err := r.endRevoked(ctx, u); err != nil {
		return err
	}
	account, err := r.states.Account(ctx, u.ID, 0)
	if err != nil {
		return err
	}
	if !account.Missing && account.TokensValidAfter.Unix() < u.RevokedAt.Unix() {
		if err := r.accounts.RevokeTokens(ctx, u.ID); err != nil {
			return err
		}
	}
	return r.users.TokensRevoked(ctx, u.ID, u.RevokedAt)
}
