package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
)

// ChangeEmail changes the address of the caller's account. The caller's other sessions end; Firebase ends all refresh tokens,
// the caller's too, so that they have to sign in again. It fails with invalid_request where Firebase does not accept the address,
// and with unavailable. The caller must have passed [Gate.RequireSensitive].
func (r *Registry) ChangeEmail(ctx context.Context, caller Admission, email string) error {
	err := r.editor.SetEmail(ctx, caller.Identity.UserID, email)
	return r.credentialsChanged(ctx, caller, EventEmailChanged, err)
}

// ChangePassword is [Registry.ChangeEmail] for the password.
func (r *Registry) ChangePassword(ctx context.Context, caller Admission, password string) error {
	err := r.editor.SetPassword(ctx, caller.Identity.UserID, password)
	return r.credentialsChanged(ctx, caller, EventPasswordChanged, err)
}

// credentialsChanged ends the caller's other sessions after a change that Firebase has made, as far as err can tell. It goes through, also if nobody waits any
// more: the caller's own token is worth nothing from now on, so that they could not ask again.
func (r *Registry) credentialsChanged(ctx context.Context, caller Admission, t EventType, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revocationTimeout)
	defer cancel()
	uid, ip := caller.Identity.UserID, caller.Origin.Address()
	if err != nil && !r.changedAllTheSame(ctx, caller, err) {
		return err
	}
	r.note(ctx, newEvent(t, AudienceUser, uid, caller.Session.ID, string(uid), ip))
	_, err = r.endEach(ctx, uid, func(s Session) (End, bool) {
		return End{Reason: ReasonCredentialsChanged, By: string(uid), IP: ip}, s.ID != caller.Session.ID
	})
	return err
}

// changedAllTheSame reports whether Firebase has changed the credentials although it could not say so: then it has ended the tokens of
// before, which were good a moment ago.
func (r *Registry) changedAllTheSame(ctx context.Context, caller Admission, err error) bool {
	if CodeOf(err) != CodeUnavailable {
		return false
	}
	account, err := r.accounts.Account(ctx, caller.Identity.UserID)
	return err == nil && account.Revoked(caller.Identity.IssuedAt)
}

// DeleteAccount deletes the caller's account: everything ends, Firebase forgets it, and what is kept for the audit loses the
// personal data. What has begun is completed by any instance. The caller must have passed [Gate.RequireSensitive].
func (r *Registry) DeleteAccount(ctx context.Context, caller Admission) error {
	uid := caller.Identity.UserID
	e := newEvent(EventAccountDeleted, AudienceUser, uid, caller.Session.ID, string(uid), caller.Origin.Address())
	_, err := r.revoke(ctx, uid, ReasonUserDeleted, Decree{By: string(uid), Delete: true, Events: []Event{e}})
	return err
}

// UserDeleted ends everything that is left of an account that has been deleted in Firebase, and strips the personal data from what is
// kept for the audit. The report of it, named so that a repetition is told, is a hint and not believed: nothing happens while there is
// an account of this name, and nothing happens again for one that has been deleted through Vigil, or that has been reported before. It
// fails with unavailable when not all of it could be done, in which case it is safe to report it again.
func (r *Registry) UserDeleted(ctx context.Context, uid UserID, report string) error {
	account, err := r.states.Account(ctx, uid, 0) // a missing one's sessions end on being looked up
	if err != nil || !account.Missing {
		return err
	}
	u, err := r.users.User(ctx, uid)
	if err != nil {
		return err
	}
	newest, err := r.store.RecentSessions(ctx, uid, 1)
	switch {
	case err != nil:
		return err
	case len(newest) == 0 || !u.DeletedAt.IsZero() && !newest[0].CreatedAt.After(u.DeletedAt):
		return r.FinishRevocation(ctx, uid)
	}
	sum := sha256.Sum256([]byte(string(uid) + "\x00" + report))
	n, e := NewNotice(NoticeEnded, uid, ReasonUserDeleted), newEvent(EventAccountDeleted, AudienceUser, uid, "", ActorSystem, "")
	n.ID = "deleted-" + hex.EncodeToString(sum[:16])
	e.ID = n.ID
	_, err = r.revokeBy(ctx, n, Decree{By: ActorSystem, Deleted: true, Events: []Event{e}})
	return err
}
