package localgoogle

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// TokenLifetime is how long ID tokens count, as Firebase's.
const TokenLifetime = time.Hour

// SetClaims gives an account custom claims, which its tokens have from now on.
func (s *Server) SetClaims(uid string, claims map[string]any) {
	a := s.account(uid)
	a.claims = claims
	s.accounts.Store(uid, a)
}

// Token returns an ID token of a sign-in of just now, signed with RS256, which takes most of a millisecond. What is in over, which
// may be nil, takes the place of claims of the same name: auth_time, for instance, which with the uid names the sign-in.
func (s *Server) Token(uid string, over map[string]any) string {
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": "https://securetoken.google.com/" + s.options.ProjectID, "aud": s.options.ProjectID, "sub": uid, "user_id": uid,
		"auth_time": now, "iat": now, "exp": now + int64(TokenLifetime/time.Second),
		"firebase": map[string]any{"sign_in_provider": "password", "identities": map[string]any{}},
	}
	maps.Copy(claims, s.account(uid).claims)
	maps.Copy(claims, over)
	content := base64.RawURLEncoding.EncodeToString(tokenHeader) + "." + base64.RawURLEncoding.EncodeToString(encode(claims))
	sum := sha256.Sum256([]byte(content))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		panic(fmt.Sprintf("localgoogle: sign: %v", err)) // the key and the length are right
	}
	return content + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// Tokens returns a token for each uid, in this order, with all processors at work.
func (s *Server) Tokens(uids []string, over map[string]any) []string {
	tokens := make([]string, len(uids))
	var next atomic.Int64
	var signing sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		signing.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(uids)); i = next.Add(1) - 1 {
				tokens[i] = s.Token(uids[i], over)
			}
		})
	}
	signing.Wait()
	return tokens
}

var tokenHeader = encode(map[string]string{"alg": "RS256", "kid": keyID, "typ": "JWT"})

// encode writes values that are made of what JSON has.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("localgoogle: encode: %v", err))
	}
	return data
}
