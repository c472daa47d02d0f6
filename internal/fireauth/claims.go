package fireauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	// maxToken is far above what Firebase issues: an ID token with a full kilobyte of custom claims has less than 3 KiB.
	maxToken = 8 << 10
	maxSID   = 128
	// skew is how far ahead of our clock a token may have been issued.
	skew = time.Minute
	// maxSecond ends the year 9999, the last that has a form in RFC 3339.
	maxSecond = 253402300799
)

// expected is what a token must say about itself.
type expected struct {
	issuer, audience, tenant string
}

// errExpired tells the one failure of read that is not an invalid token.
var errExpired = errors.New("expired")

// read reads a token that nobody has verified yet, so it does nothing but compute. It demands what
// https://firebase.google.com/docs/auth/admin/verify-id-tokens#verify_id_tokens_using_a_third-party_jwt_library
// lists for the payload. The header and the signature are left to the SDK.
//
// It reads claims by their exact names. All Firebase projects share Google's signing keys, and custom claims are the
// developer's to choose: a foreign project can have a token signed that says "Aud", "Iss" and "Sub" besides its true
// aud, iss and sub. The SDK, whose decoder ignores case, would go by whichever comes last.
func (want expected) read(token string, now time.Time) (session.Identity, error) {
	claims, err := payload(token)
	if err != nil {
		return session.Identity{}, err
	}
	sub, _ := claims["sub"].(string)
	sid, _ := claims["sid"].(string)
	firebase, _ := claims["firebase"].(map[string]any)
	id := session.Identity{
		UserID:    session.UserID(sub),
		AuthTime:  second(claims["auth_time"]),
		IssuedAt:  second(claims["iat"]),
		ExpiresAt: second(claims["exp"]),
		Claims:    claims,
	}
	id.SignInProvider, _ = firebase["sign_in_provider"].(string)
	latest := now.Add(skew)
	switch {
	case claims["aud"] != want.audience:
		return session.Identity{}, errors.New("another audience")
	case claims["iss"] != want.issuer:
		return session.Identity{}, errors.New("another issuer")
	case !want.tenantIs(firebase["tenant"]):
		return session.Identity{}, errors.New("another tenant")
	case !id.UserID.Valid():
		return session.Identity{}, errors.New("sub is not a uid")
	case id.AuthTime.IsZero(), id.AuthTime.After(latest):
		return session.Identity{}, errors.New("auth_time is not in the past")
	case id.IssuedAt.IsZero(), id.IssuedAt.After(latest):
		return session.Identity{}, errors.New("iat is not in the past")
	case id.ExpiresAt.IsZero():
		return session.Identity{}, errors.New("exp is not a time")
	case strings.Contains(sid, "/"):
		// A slash parts uid and sid in what a session's id is computed from: with another, two users could share an id.
		return session.Identity{}, errors.New("sid contains a slash")
	case !now.Before(id.ExpiresAt):
		return session.Identity{}, errExpired
	}
	if len(sid) > maxSID {
		sid = ""
	}
	id.SessionID = session.NewID(id.UserID, sid, id.AuthTime)
	return id, nil
}

// tenantIs treats a tenant that is not a string as a foreign one, not as none.
func (want expected) tenantIs(tenant any) bool {
	return tenant == want.tenant || tenant == nil && want.tenant == ""
}

// payload decodes the middle of three parts in base64url. The alphabet is checked because Go's decoder skips line
// breaks, which would make many texts of one token.
func payload(token string) (map[string]any, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("%d bytes long", len(token))
	}
	if strings.ContainsFunc(token, foreign) {
		return nil, errors.New("foreign characters")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("%d parts", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	err = json.Unmarshal(text, &claims)
	return claims, err
}

func foreign(c rune) bool {
	return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}

// second reads a claim of whole Unix seconds after 1970, or the zero time from anything else.
func second(claim any) time.Time {
	f, ok := claim.(float64)
	if !ok || f < 1 || f > maxSecond || f != math.Trunc(f) {
		return time.Time{}
	}
	return time.Unix(int64(f), 0).UTC()
}
