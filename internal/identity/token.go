package identity

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	issuerPrefix = "https://securetoken.google.com/"

	customTokenAudience = "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"
	serviceAccountHost  = ".iam.gserviceaccount.com"
)

var errMalformedToken = errors.New("malformed token")

// tokenHeader says "unsigned", which is what the SDKs expect in emulator mode.
type tokenHeader struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
}

var unsigned = tokenHeader{Algorithm: "none", Type: "JWT"}

// idToken is what the server reads of an id token a client presents.
type idToken struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	AuthTime int64  `json:"auth_time"`
	Firebase struct {
		Provider string `json:"sign_in_provider"`
	} `json:"firebase"`
}

// recent reports whether the sign-in behind the token may still change
// credentials.
func (t idToken) recent(now time.Time) bool {
	return now.Unix()-t.AuthTime <= int64(recentLogin/time.Second)
}

// customToken is a token the Admin SDK minted to sign a user in.
type customToken struct {
	Issuer   string          `json:"iss"`
	Audience string          `json:"aud"`
	UID      string          `json:"uid"`
	Expires  int64           `json:"exp"`
	TenantID string          `json:"tenant_id"`
	Claims   json.RawMessage `json:"claims"`
}

func encodeToken(payload any) (string, error) {
	header, err := json.Marshal(unsigned)
	if err != nil {
		return "", fmt.Errorf("encode token header: %w", err)
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return "", fmt.Errorf("encode token: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode(header) + "." + encode(body) + ".", nil
}

// decodeToken reads a token's payload and reports whether it carries a
// signature, which this server could not check.
func decodeToken(raw string, payload any) (signed bool, err error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return false, errMalformedToken
	}
	var header tokenHeader
	if err := decodePart(parts[0], &header); err != nil {
		return false, err
	}
	if err := decodePart(parts[1], payload); err != nil {
		return false, err
	}
	return header.Algorithm != unsigned.Algorithm || parts[2] != "", nil
}

func decodePart(part string, v any) error {
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return fmt.Errorf("%w: %w", errMalformedToken, err)
	}
	if err := decodeExact(data, v); err != nil {
		return fmt.Errorf("%w: %w", errMalformedToken, err)
	}
	return nil
}

func parseIDToken(raw string) (idToken, error) {
	var token idToken
	signed, err := decodeToken(raw, &token)
	if err != nil {
		return idToken{}, err
	}
	if signed || token.Subject == "" {
		return idToken{}, errMalformedToken
	}
	return token, nil
}

// parseCustomToken returns the uid and the developer claims of a custom token
// for this project.
func parseCustomToken(raw, project string, now time.Time) (uid string, claims extraClaims, err error) {
	var token customToken
	signed, err := decodeToken(raw, &token)
	switch {
	case err != nil:
		return "", extraClaims{}, invalidCustomToken.because("Invalid assertion format. 3 dot separated segments required.")
	case token.Audience != customTokenAudience:
		return "", extraClaims{}, invalidCustomToken.because("The audience is not the Identity Toolkit. An id token is not a custom token.")
	case ofAnotherProject(token.Issuer, project):
		return "", extraClaims{}, credentialMismatch
	case signed:
		return "", extraClaims{}, invalidCustomToken.because("This server cannot check signatures. Mint the token with FIREBASE_AUTH_EMULATOR_HOST set.")
	case token.Expires <= now.Unix():
		return "", extraClaims{}, invalidCustomToken.because("The token has expired.")
	case token.TenantID != "":
		return "", extraClaims{}, tenantsUnsupported
	case token.UID == "":
		return "", extraClaims{}, missingIdentifier
	}
	if len(token.Claims) == 0 {
		return token.UID, extraClaims{}, nil
	}
	claims, err = parseExtraClaims(string(token.Claims))
	return token.UID, claims, err
}

// ofAnotherProject can tell only for the service accounts of a project.
// Whatever else an emulator-mode SDK writes as issuer says nothing.
func ofAnotherProject(issuer, project string) bool {
	return strings.HasSuffix(issuer, serviceAccountHost) &&
		!strings.HasSuffix(issuer, "@"+project+serviceAccountHost)
}
