package session

import (
	"context"
	"time"
)

// Identity is the holder of a verified ID token.
type Identity struct {
	UserID         UserID
	SessionID      ID        // computed from the token, see [NewID]
	AuthTime       time.Time // of the sign-in; survives refreshes of the token
	IssuedAt       time.Time
	ExpiresAt      time.Time // the token's raw exp
	SignInProvider string
	// Claims are all of the token's where a [Verifier] says who it is. A [Gate] leaves out those that Firebase sets itself: see [Gate.Claims].
	// Shared, do not change.
	Claims map[string]any
}

// owns fails with token_invalid when the session under the identity's id is another user's, which no verifier should let
// come about.
func (i Identity) owns(s Session) error {
	if s.UserID != i.UserID {
		return &Error{Op: "session", Code: CodeTokenInvalid}
	}
	return nil
}

// Verifier checks ID tokens.
type Verifier interface {
	// Verify checks form, signature, issuer, audience, tenant and expiry. It fails with token_invalid, token_expired or,
	// when it cannot tell, unavailable. An implementation that cannot help looking up the account may also
	// answer user_disabled or token_revoked; a caller must not rely on it.
	Verify(ctx context.Context, token string) (Identity, error)
	// Claims returns all that a token says which has been verified. It asks nobody.
	Claims(token string) map[string]any
}

// Account is what Firebase Authentication says about an account.
type Account struct {
	UserID           UserID
	Missing          bool // no such account
	Disabled         bool
	TokensValidAfter time.Time      // tokens issued before this second are revoked
	Claims           map[string]any // custom claims as they are now; shared, do not change
}

// Revoked reports whether a token issued at issuedAt has been revoked in Firebase. The comparison is the Admin
// SDK's, in whole seconds: a token of the very second of a revocation is valid, since a sign-up, a password
// change and an e-mail change set the time to the second of the token they issue.
func (a Account) Revoked(issuedAt time.Time) bool {
	return issuedAt.Unix() < a.TokensValidAfter.Unix()
}

// Gone returns why nobody may use the account any more, empty if they may.
func (a Account) Gone() Reason {
	switch {
	case a.Missing:
		return ReasonUserDeleted
	case a.Disabled:
		return ReasonUserDisabled
	default:
		return ""
	}
}

// Accounts is Firebase Authentication's own view on accounts.
type Accounts interface {
	// Account looks up one account. A missing one is no error. It fails with unavailable.
	Account(ctx context.Context, uid UserID) (Account, error)
	// Accounts looks up at most [MaxAccounts] accounts at once. The answer holds every uid that was asked for.
	Accounts(ctx context.Context, uids []UserID) (map[UserID]Account, error)
	// RevokeTokens ends all refresh tokens of the account, as of now.
	RevokeTokens(ctx context.Context, uid UserID) error
}

// Editor changes accounts in Firebase Authentication. Every method fails with unavailable when it cannot tell whether it has
// succeeded, and with not_found when there is no such account. What Firebase refuses to accept is invalid_request with
// the Field, "email" or "password", and a Message that is safe to show.
type Editor interface {
	// SetEmail changes the address and marks it unverified. Firebase ends all refresh tokens of the account with it.
	SetEmail(ctx context.Context, uid UserID, email string) error
	// SetPassword changes the password. Firebase ends all refresh tokens of the account with it.
	SetPassword(ctx context.Context, uid UserID, password string) error
	// SetDisabled disables the account or enables it again.
	SetDisabled(ctx context.Context, uid UserID, disabled bool) error
	// SetClaim sets one custom claim to true, or removes it, and leaves the others as they are.
	SetClaim(ctx context.Context, uid UserID, claim string, on bool) error
	// Delete deletes the account. One that is gone already is no error.
	Delete(ctx context.Context, uid UserID) error
}

// MaxAccounts is how many accounts one batched look-up takes.
const MaxAccounts = 100
