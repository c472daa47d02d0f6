package session

import "context"

// LookUp asks Firebase about the accounts of users with open sockets, in batches, acts on those that are gone or disabled
// and returns the others. A batch in which everybody seems to be missing is believed only if a single look-up agrees.
func (r *Registry) LookUp(ctx context.Context, uids []UserID) (map[UserID]Account, error) {
	found := make(map[UserID]Account, len(uids))
	for len(uids) > 0 {
		batch := uids[:min(len(uids), MaxAccounts)]
		uids = uids[len(batch):]
		accounts, err := r.lookUpBatch(ctx, batch)
		if err != nil {
			return found, err
		}
		for uid, a := range accounts {
			r.states.PutAccount(a)
			if a.Gone() == "" {
				found[uid] = a
			} else {
				r.endGone(ctx, a)
			}
		}
	}
	return found, nil
}

// AccountKnown reports whether the account has been looked up within the time that its state may be reused.
func (r *Registry) AccountKnown(uid UserID) bool {
	return r.states.Checked(uid, r.settings.UserStateTTL)
}

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
	one, err := r.accounts.Account(ctx, batch[0])
	if err != nil {
		return nil, err
	}
	if !one.Missing {
		return nil, &Error{Op: "look up accounts", Code: CodeUnavailable}
	}
	return accounts, nil
}

// endGone ends the sessions of an account that has been looked up and may not sign in any more.
func (r *Registry) endGone(ctx context.Context, a Account) {
	e := End{Reason: a.Gone(), By: ActorSystem}
	if e.Reason == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if _, err := r.endEach(ctx, a.UserID, func(Session) (End, bool) { return e, true }); err != nil {
		r.log.Warn("sessions of an account not ended yet", "user", a.UserID, "reason", e.Reason, "error", err)
	}
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
