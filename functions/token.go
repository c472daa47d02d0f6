package functions

import (
	"context"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

const (
	maxToken = 192 << 10
	// skew is how far ahead of our clock a token may have been issued.
	skew = time.Minute
)

var (
	signed   = []jose.SignatureAlgorithm{jose.RS256}
	unsigned = []jose.SignatureAlgorithm{"none"}
)

// times are the claims of every token.
type times struct {
	IssuedAt  int64 `json:"iat"`
	ExpiresAt int64 `json:"exp"`
}

func (t times) hold(now time.Time) bool {
	return t.IssuedAt > 0 && t.IssuedAt <= now.Add(skew).Unix() && t.ExpiresAt > now.Unix()
}

// token is a JWT that has been taken apart and not been verified.
type token struct{ jws *jose.JSONWebSignature }

// parse takes a JWT of one of the algorithms apart and reads its claims, without any trust in them: by their exact names, and each at
// most once, for the standard library's decoder takes "Aud" for "aud" and the last of two. It does nothing but compute.
func parse(text string, algorithms []jose.SignatureAlgorithm, claims any) (token, error) {
	if len(text) > maxToken {
		return token{}, errTooLarge
	}
	jws, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil {
		return token{}, err
	}
	return token{jws}, json.Unmarshal(jws.UnsafePayloadWithoutVerification(), claims)
}

// verify fails with errKeys when it cannot tell, and with something else when the token is not signed with one of the keys.
func (t token) verify(ctx context.Context, k *keys) error {
	key, err := k.find(ctx, t.jws.Signatures[0].Protected.KeyID)
	if err == nil {
		_, err = t.jws.Verify(key)
	}
	return err
}
