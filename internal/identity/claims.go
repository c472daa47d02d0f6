package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

const maxClaimsLength = 1000

// reservedClaims belong to the token itself. Setting one would let an account
// or a custom token speak for the identity server.
var reservedClaims = []string{
	"acr", "amr", "at_hash", "aud", "auth_time", "azp", "cnf", "c_hash",
	"exp", "firebase", "iat", "iss", "jti", "nbf", "nonce", "sub",
}

// extraClaims is a JSON object that is merged into tokens: the custom claims
// of an account, or the developer claims of a custom token. The raw text is
// kept because the Admin SDK reads it back.
type extraClaims struct {
	raw    string
	values map[string]any
}

func parseExtraClaims(raw string) (extraClaims, error) {
	if len(raw) > maxClaimsLength {
		return extraClaims{}, claimsTooLarge
	}
	var values map[string]any
	if err := decodeExact([]byte(raw), &values); err != nil || values == nil {
		return extraClaims{}, invalidClaims
	}
	for name := range values {
		if slices.Contains(reservedClaims, name) {
			return extraClaims{}, forbiddenClaim.because(name)
		}
	}
	return extraClaims{raw: raw, values: values}, nil
}

// decodeExact decodes one JSON value and nothing after it. Numbers keep their
// digits, so that a claim leaves as it came.
func decodeExact(data []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(v); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
