package session

import (
	"reflect"
	"slices"
)

// claimEmail is where a token has its user's address.
const claimEmail = "email"

// ownClaims are those that Firebase itself puts into a token. What they say and is needed, an [Identity] says in its other fields.
var ownClaims = []string{
	"aud", "auth_time", claimEmail, "email_verified", "exp", "firebase", "iat", "iss", "name", "phone_number", "picture", "provider_id",
	"sid", "sub", "user_id",
}

// remembers reports whether a claim is remembered with the token. A token's claims as Go has them are larger than all else that is known of a
// user, and of most users they are Firebase's own alone.
func (r *Registry) remembers(claim string) bool {
	return claim == r.settings.AdminClaim || claim == claimEmail && r.signInMail != nil || !slices.Contains(ownClaims, claim)
}

// worthwhile returns the claims that are remembered, nil if there are none.
func (r *Registry) worthwhile(claims map[string]any) map[string]any {
	var kept map[string]any
	for name, value := range claims {
		if !r.remembers(name) {
			continue
		}
		if kept == nil {
			kept = make(map[string]any)
		}
		kept[name] = value
	}
	return kept
}

// ClaimsDiffer reports whether an account's custom claims are not those that a token of it carries. What a token has beyond them may be
// a custom token's own; of those only the admin claim is known to belong to the account.
func (r *Registry) ClaimsDiffer(id Identity, a Account) bool {
	for name, value := range a.Claims {
		if r.remembers(name) && !reflect.DeepEqual(id.Claims[name], value) {
			return true
		}
	}
	return id.Claims[r.settings.AdminClaim] == true && a.Claims[r.settings.AdminClaim] != true
}
