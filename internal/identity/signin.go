package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"time"
)

const (
	providerPassword  = "password"
	providerAnonymous = "anonymous"
	providerCustom    = "custom"

	// recentLogin is how fresh a sign-in must be to change an account's
	// credentials or to delete it.
	recentLogin = 5 * time.Minute
)

// signIn is one sign-in on one device, and the record behind one refresh
// token. Everything that must survive a refresh is here and not in the account.
type signIn struct {
	account  *account
	at       time.Time
	provider string
	claims   extraClaims // developer claims of a custom token
	revoked  bool
}

// refreshHash is what the server keeps of a refresh token.
type refreshHash [sha256.Size]byte

// grant is what a sign-in or a refresh hands out.
type grant struct {
	uid          string
	idToken      string
	refreshToken string
}

// signIn begins a sign-in and issues its first tokens.
func (s *Server) signIn(a *account, provider string, claims extraClaims, now time.Time) (grant, error) {
	secret := make([]byte, 32)
	rand.Read(secret)
	refreshToken := base64.RawURLEncoding.EncodeToString(secret)

	record := &signIn{account: a, at: now, provider: provider, claims: claims}
	s.directory.signIns[sha256.Sum256([]byte(refreshToken))] = record
	a.signIns = append(a.signIns, record)
	a.lastLoginAt = now
	return s.issue(record, refreshToken, now)
}

// refresh issues a new id token for a sign-in that still stands. The refresh
// token stays the same, as in production.
func (s *Server) refresh(refreshToken string, now time.Time) (grant, error) {
	record := s.directory.signIns[sha256.Sum256([]byte(refreshToken))]
	switch {
	case record == nil:
		return grant{}, invalidRefreshToken
	case record.account.deleted:
		return grant{}, userNotFound
	case record.account.disabled:
		return grant{}, userDisabled
	case record.revoked || record.at.Unix() < record.account.validSince:
		return grant{}, tokenExpired
	}
	return s.issue(record, refreshToken, now)
}

func (s *Server) issue(record *signIn, refreshToken string, now time.Time) (grant, error) {
	a := record.account
	idToken, err := encodeToken(s.idClaims(record, now))
	if err != nil {
		return grant{}, err
	}
	a.lastRefreshAt = now
	return grant{uid: a.uid, idToken: idToken, refreshToken: refreshToken}, nil
}

// idClaims is the payload of an id token. What the server vouches for is
// written last, so that no custom claim can pass for it.
func (s *Server) idClaims(record *signIn, now time.Time) map[string]any {
	a := record.account
	payload := make(map[string]any)
	setUnlessEmpty(payload, "name", a.displayName)
	setUnlessEmpty(payload, "picture", a.photoURL)
	maps.Copy(payload, a.claims.values)
	maps.Copy(payload, record.claims.values)

	for _, vouched := range []string{"email", "email_verified", "phone_number", "provider_id"} {
		delete(payload, vouched)
	}
	identities := make(map[string][]string)
	if a.email != "" {
		payload["email"] = a.email
		payload["email_verified"] = a.emailVerified
		identities["email"] = []string{a.email}
	}
	if a.phone != "" {
		payload["phone_number"] = a.phone
		identities["phone"] = []string{a.phone}
	}
	if record.provider == providerAnonymous {
		payload["provider_id"] = providerAnonymous
	}
	payload["firebase"] = map[string]any{
		"identities":       identities,
		"sign_in_provider": record.provider,
	}
	payload["iss"] = s.issuer()
	payload["aud"] = s.project
	payload["sub"] = a.uid
	payload["user_id"] = a.uid
	payload["auth_time"] = record.at.Unix()
	payload["iat"] = now.Unix()
	payload["exp"] = now.Unix() + s.ttlSeconds()
	return payload
}

// bearer returns the account that an id token still speaks for.
func (s *Server) bearer(raw string, now time.Time) (*account, idToken, error) {
	if raw == "" {
		return nil, idToken{}, missingIDToken
	}
	token, err := parseIDToken(raw)
	if err != nil || token.Issuer != s.issuer() || token.Audience != s.project {
		return nil, idToken{}, invalidIDToken
	}
	a := s.directory.byUID[token.Subject]
	switch {
	case a == nil:
		return nil, idToken{}, userNotFound
	case a.disabled:
		return nil, idToken{}, userDisabled
	case token.IssuedAt < a.validSince || token.Expires <= now.Unix():
		return nil, idToken{}, tokenExpired
	}
	return a, token, nil
}

func setUnlessEmpty(payload map[string]any, name, value string) {
	if value != "" {
		payload[name] = value
	}
}
