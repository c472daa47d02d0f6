package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// LookUp asks Firebase about the accounts of users with open sockets, in batches, and acts on those that are gone or disabled. It goes on
// past failures. A batch in which everybody seems to be missing is believed only if a single look-up agrees.
func (r *Registry) LookUp(ctx context.Context, uids []UserID) error {
	var failures []error
	for batch := range slices.Chunk(uids, MaxAccounts) {
		asked := r.states.ask()
		accounts, err := r.lookUpBatch(ctx, batch)
		failures = append(failures, err)
		for _, a := range accounts {
			if a.Gone() != "" {
				if err := cmp.Or(ctx.Err(), r.endGone(ctx, a)); err != nil {
					failures = append(failures, err)
					continue // not known before it has had its effect
				}
			}
			r.states.PutAccount(a, asked)
		}
	}
	return errors.Join(failures...)
}

// AccountKnown reports whether the account has been asked about at most maxAge ago.
func (r *Registry) AccountKnown(uid UserID, maxAge time.Duration) bool {
	return r.states.Checked(uid, maxAge)
}

// AskAccount has an account asked about, unless it has been at most maxAge ago. It fails with unavailable.
func (r *Registry) AskAccount(ctx context.Context, uid UserID, maxAge time.Duration) error {
	_, err := r.states.Account(ctx, uid, maxAge)
	return err
}

// AccountChecked returns when the account was asked about last, by the local clock, and the zero time if it was not or a notice has
// contradicted the answer since.
func (r *Registry) AccountChecked(uid UserID) time.Time {
	u := r.states.of(uid)
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.checked
}

// KnownAccount returns what has been looked up last of an account, by whatever asked, and false if nothing has.
func (r *Registry) KnownAccount(uid UserID) (Account, bool) { return r.states.KnownAccount(uid) }

func (r *Registry) lookUpBatch(ctx context.Context, batch []UserID) (map[UserID]Account, error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	accounts, err := r.accounts.Accounts(ctx, batch)
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		if !a.Missing {
			return accounts, nil
		}
	}
	// The shortest: one that is too long to exist is missing without anybody having been asked.
	shortest := slices.MinFunc(batch, func(a, b UserID) int { return len(a) - len(b) })
	one, err := r.accounts.Account(ctx, shortest)
	if err != nil {
		return nil, err
	}
	if !one.Missing {
		return nil, &Error{Op: "look up accounts", Code: CodeUnavailable}
	}
	return accounts, nil
}

// endGone ends the sessions of an account that has been looked up and may not sign in any more.
func (r *Registry) endGone(ctx context.Context, a Account) error {
	e := End{Reason: a.Gone(), By: ActorSystem}
	if e.Reason == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	_, err := r.endEach(ctx, a.UserID, func(Session) (End, bool) { return e, true })
	return err
}

// EndIfRevoked ends the session of id if the account's tokens have been revoked since the token was issued:
// through Vigil, and the session has ended already, or in Firebase, and it ends now.
func (r *Registry) EndIfRevoked(ctx context.Context, id Identity, a Account) {
	if !a.Revoked(id.IssuedAt) {
		return
	}
	s, err := r.live(ctx, id)
	if err == nil {
		_, _, err = r.end(ctx, s, End{Reason: ReasonTokensRevoked, By: ActorSystem})
	}
	switch CodeOf(err) {
	case "", CodeSessionRequired, CodeSessionEnded:
	default:
		r.log.Warn("session of a revoked sign-in not ended yet", "session", id.SessionID, "error", err)
	}
}
