package fireauth

import (
	"context"
	"time"

	"firebase.google.com/go/v4/auth"

	"github.com/vigilhq/vigil/internal/session"
)

// maxUID is the SDK's limit in bytes; one uid above it fails a whole batch.
const maxUID = 128

func possible(uid session.UserID) bool { return uid != "" && len(uid) <= maxUID }

// Account implements [session.Accounts].
func (v *Verifier) Account(ctx context.Context, uid session.UserID) (session.Account, error) {
	return v.desk.ask(ctx, uid)
}

// Accounts implements [session.Accounts]. A uid that no account can have is missing without being asked for;
// the SDK refuses more than [session.MaxAccounts] and does nothing for none.
func (v *Verifier) Accounts(ctx context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
	accounts := make(map[session.UserID]session.Account, len(uids))
	var ask []auth.UserIdentifier
	for _, uid := range uids {
		accounts[uid] = session.Account{UserID: uid, Missing: true}
		if possible(uid) {
			ask = append(ask, auth.UIDIdentifier{UID: string(uid)})
		}
	}
	found, err := call(ctx, v.lookUps, func(ctx context.Context) (*auth.GetUsersResult, error) {
		return v.client.GetUsers(ctx, ask)
	})
	if err != nil {
		v.meter.LookedUp(0, 0, len(ask))
		return nil, session.Unavailable("look up", err)
	}
	v.meter.LookedUp(len(found.Users), len(ask)-len(found.Users), 0)
	for _, user := range found.Users {
		a := account(user)
		accounts[a.UserID] = a
	}
	return accounts, nil
}

func account(user *auth.UserRecord) session.Account {
	a := session.Account{UserID: session.UserID(user.UID), Disabled: user.Disabled, Claims: user.CustomClaims}
	if user.TokensValidAfterMillis > 0 {
		a.TokensValidAfter = time.UnixMilli(user.TokensValidAfterMillis).UTC()
	}
	return a
}

// RevokeTokens implements [session.Accounts]. Of an account that does not exist there is nothing left to revoke.
// See https://firebase.google.com/docs/auth/admin/manage-sessions#revoke_refresh_tokens.
func (v *Verifier) RevokeTokens(ctx context.Context, uid session.UserID) error {
	if !possible(uid) {
		return nil
	}
	_, err := call(ctx, v.lookUps, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, v.client.RevokeRefreshTokens(ctx, string(uid))
	})
	if err == nil || auth.IsUserNotFound(err) {
		return nil
	}
	return session.Unavailable("revoke tokens", err)
}
