package fireauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func seconds(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// header is a good token with another header.
func header(over object) string {
	h := object{"alg": "RS256", "kid": testKID, "typ": "JWT"}
	for name, value := range over {
		h[name] = value
		if value == nil {
			delete(h, name)
		}
	}
	return jwt(encode(h), encode(claims(nil)), signingKey())
}

// hmacWithPublicKey is the classic confusion: the public key as the secret of a symmetric signature.
func hmacWithPublicKey(algorithm string) string {
	content := base64.RawURLEncoding.EncodeToString(encode(object{"alg": algorithm, "kid": testKID})) + "." +
		base64.RawURLEncoding.EncodeToString(encode(claims(nil)))
	der, err := x509.MarshalPKIXPublicKey(&signingKey().PublicKey)
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(content))
	return content + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// parts are a good token's.
func parts() []string { return strings.Split(goodToken(nil), ".") }

// foreignProject is a token that Google would sign for the owner of another project, who has chosen custom claims
// that differ in nothing but case from those that name the project and the user.
func foreignProject(iss, aud string) string {
	return jwt(encode(goodHeader), fmt.Appendf(nil, `{"iss":"https://securetoken.google.com/%[3]s","aud":%[4]q,"sub":"mallory",`+
		`"iat":%[1]d,"auth_time":%[1]d,"exp":%[2]d,"firebase":{"sign_in_provider":"custom"},`+
		`"Iss":"https://securetoken.google.com/%[5]s","Aud":%[5]q,"Sub":"ana"}`,
		seconds(0), seconds(time.Hour), iss, aud, testProject), signingKey())
}

const invalid, expired = session.CodeTokenInvalid, session.CodeTokenExpired

// attack is a token that must be refused, never answered with unavailable. Those that are signed with a key of
// Google's cannot be made up: they are another project's, of another purpose, or from another time.
type attack struct {
	name  string
	token func() string
	want  session.Code
	seen  where
}

// where an attack is seen.
type where int

const (
	inClaims    where = iota // by our own reading, before the SDK gets to see the token
	inHeader                 // by the SDK
	inSignature              // by the SDK, and by nobody in emulator mode
)

func over(name string, value any) func() string {
	return func() string { return goodToken(object{name: value}) }
}

var attacks = []attack{
	{"alg none, no signature", func() string {
		p := parts()
		return base64.RawURLEncoding.EncodeToString(encode(object{"alg": "none"})) + "." + p[1] + "."
	}, invalid, inSignature},
	{"alg none", func() string { return header(object{"alg": "none"}) }, invalid, inSignature},
	{"alg missing", func() string { return header(object{"alg": nil}) }, invalid, inSignature},
	{"alg in odd case", func() string { return header(object{"alg": "rS256"}) }, invalid, inSignature},
	{"alg none in odd case", func() string { return header(object{"alg": "NonE"}) }, invalid, inSignature},
	{"alg RS512", func() string { return header(object{"alg": "RS512"}) }, invalid, inSignature},
	{"alg HS256, public key as secret", func() string { return hmacWithPublicKey("HS256") }, invalid, inSignature},
	{"alg RS256, public key as secret", func() string { return hmacWithPublicKey("RS256") }, invalid, inSignature},
	{"kid missing", func() string { return header(object{"kid": nil}) }, invalid, inSignature},
	{"kid empty", func() string { return header(object{"kid": ""}) }, invalid, inSignature},
	{"kid foreign", func() string { return header(object{"kid": "key-2"}) }, invalid, inSignature},
	{"kid path-like", func() string { return header(object{"kid": "../../../../dev/null"}) }, invalid, inSignature},
	{"kid a URL", func() string { return header(object{"kid": "https://evil.example/key", "jku": "https://evil.example"}) }, invalid, inSignature},
	{"kid a number", func() string { return header(object{"kid": 1}) }, invalid, inHeader},
	{"another key under a known kid", func() string { return jwt(encode(goodHeader), encode(claims(nil)), otherKey()) }, invalid, inSignature},
	{"signature missing", func() string { p := parts(); return p[0] + "." + p[1] + "." }, invalid, inSignature},
	{"signature cut", func() string { t := goodToken(nil); return t[:len(t)-4] }, invalid, inSignature},
	{"payload of another token", func() string {
		p, q := parts(), strings.Split(goodToken(object{"sub": "bea"}), ".")
		return p[0] + "." + q[1] + "." + p[2]
	}, invalid, inSignature},

	{"aud of another project", over("aud", "foreign"), invalid, inClaims},
	{"aud missing", over("aud", nil), invalid, inClaims},
	{"aud a list", over("aud", []string{testProject}), invalid, inClaims},
	{"iss of another project", over("iss", "https://securetoken.google.com/foreign"), invalid, inClaims},
	{"iss look-alike", over("iss", "https://securetoken.google.com/"+testProject+"/"), invalid, inClaims},
	{"iss Google's own", over("iss", "https://accounts.google.com"), invalid, inClaims},
	{"iss missing", over("iss", nil), invalid, inClaims},
	{"another project's, with look-alike claims", func() string { return foreignProject("foreign", "foreign") }, invalid, inClaims},
	{"aud of another project, with a look-alike", func() string { return foreignProject(testProject, "foreign") }, invalid, inClaims},
	{"iss of another project, with a look-alike", func() string { return foreignProject("foreign", testProject) }, invalid, inClaims},
	{"session cookie", over("iss", "https://session.firebase.google.com/"+testProject), invalid, inClaims},
	{"custom token", func() string {
		return jwt(encode(object{"alg": "RS256"}), encode(object{
			"iss": "vigil@example.com", "sub": "vigil@example.com", "uid": "ana", "iat": seconds(0), "exp": seconds(time.Hour),
			"aud": "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit",
		}), signingKey())
	}, invalid, inClaims},
	{"a tenant where there is none", over("firebase", object{"tenant": "acme"}), invalid, inClaims},
	{"a tenant that is no string", over("firebase", object{"tenant": 7}), invalid, inClaims},

	{"sub missing", over("sub", nil), invalid, inClaims},
	{"sub empty", over("sub", ""), invalid, inClaims},
	{"sub a number", over("sub", 7), invalid, inClaims},
	{"sub of 129 characters", over("sub", strings.Repeat("x", 129)), invalid, inClaims},
	{"auth_time missing", over("auth_time", nil), invalid, inClaims},
	{"auth_time zero", over("auth_time", 0), invalid, inClaims},
	{"auth_time negative", over("auth_time", -1), invalid, inClaims},
	{"auth_time not whole", over("auth_time", 1e9+.5), invalid, inClaims},
	{"auth_time text", over("auth_time", "1700000000"), invalid, inClaims},
	{"auth_time beyond every date", over("auth_time", 1e300), invalid, inClaims},
	{"auth_time in the future", func() string { return goodToken(object{"auth_time": seconds(2 * time.Minute)}) }, invalid, inClaims},
	{"auth_time in odd case", func() string { return goodToken(object{"auth_time": nil, "Auth_Time": seconds(0)}) }, invalid, inClaims},
	{"iat missing", over("iat", nil), invalid, inClaims},
	{"iat in the future", func() string { return goodToken(object{"iat": seconds(2 * time.Minute)}) }, invalid, inClaims},
	{"iat far in the future", func() string { return goodToken(object{"iat": seconds(time.Hour)}) }, invalid, inClaims},
	{"exp missing", over("exp", nil), invalid, inClaims},
	{"exp now", func() string { return goodToken(object{"exp": seconds(0)}) }, expired, inClaims},
	{"exp 1 s ago", func() string { return goodToken(object{"exp": seconds(-time.Second)}) }, expired, inClaims},
	{"exp 299 s ago", func() string { return goodToken(object{"exp": seconds(-299 * time.Second)}) }, expired, inClaims},
	{"exp a day ago", func() string { return goodToken(object{"exp": seconds(-24 * time.Hour)}) }, expired, inClaims},

	{"empty", func() string { return "" }, invalid, inClaims},
	{"1 MB of dots", func() string { return strings.Repeat(".", 1<<20) }, invalid, inClaims},
	{"8 KiB of dots", func() string { return strings.Repeat(".", maxToken) }, invalid, inClaims},
	{"too long", over("pad", strings.Repeat("x", maxToken)), invalid, inClaims},
	{"two parts", func() string { p := parts(); return p[0] + "." + p[1] }, invalid, inClaims},
	{"four parts", func() string { return goodToken(nil) + "." }, invalid, inClaims},
	{"encrypted, five parts", func() string { return goodToken(nil) + ".e.f" }, invalid, inClaims},
	{"garbage base64", func() string { return "****.****.****" }, invalid, inClaims},
	{"standard base64", func() string { p := parts(); return p[0] + "." + p[1] + "+/=." + p[2] }, invalid, inClaims},
	{"a payload of impossible length", func() string { p := parts(); return p[0] + ".a." + p[2] }, invalid, inClaims},
	{"a line break in the signature", func() string { t := goodToken(nil); return t[:len(t)-8] + "\n" + t[len(t)-8:] }, invalid, inClaims},
	{"two tokens in one", func() string { return goodToken(nil) + "," + goodToken(nil) }, invalid, inClaims},
	{"header not JSON", func() string { return jwt([]byte("x"), encode(claims(nil)), signingKey()) }, invalid, inHeader},
	{"payload not JSON", func() string { return jwt(encode(goodHeader), []byte("x"), signingKey()) }, invalid, inClaims},
	{"payload null", func() string { return jwt(encode(goodHeader), []byte("null"), signingKey()) }, invalid, inClaims},
	{"payload a list", func() string { return jwt(encode(goodHeader), []byte("[]"), signingKey()) }, invalid, inClaims},
	{"payload two objects", func() string {
		return jwt(encode(goodHeader), append(encode(claims(nil)), encode(claims(nil))...), signingKey())
	}, invalid, inClaims},
	{"payload nested deep", func() string {
		return jwt(encode(goodHeader), []byte(strings.Repeat("[", 5000)), signingKey())
	}, invalid, inClaims},
}

var otherKey = sync.OnceValue(newRSA)

func TestAttacks(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				v := g.production()
				if _, err := v.Verify(t.Context(), goodToken(nil)); err != nil {
					t.Fatal(err)
				}
				asked := g.keysAsked.Load()
				_, err := v.Verify(t.Context(), a.token())
				wantCode(t, err, a.want)
				if g.keysAsked.Load() != asked || g.usersAsked.Load() != 0 {
					t.Error("a bad token caused a request")
				}
				if err != nil && strings.Contains(err.Error(), "eyJ") {
					t.Errorf("a piece of the token is in the error: %v", err)
				}
			})
		})
	}
}

// What the claims say is judged without the SDK, which would find most of it, too, but not all.
func TestAttacksOnClaims(t *testing.T) {
	want := expected{issuer: "https://securetoken.google.com/" + testProject, audience: testProject}
	for _, a := range attacks {
		id, err := want.read(a.token(), time.Now())
		if refused := err != nil; refused != (a.seen == inClaims) || refused && id.Claims != nil {
			t.Errorf("%s: %v, %v", a.name, id, err)
		}
	}
}

// In emulator mode the signature is nobody's concern; everything else is, and before the account is asked for.
func TestAttacksOnEmulator(t *testing.T) {
	for _, a := range attacks {
		if a.seen == inSignature {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle(t)
				_, err := g.emulator().Verify(t.Context(), a.token())
				wantCode(t, err, a.want)
				if g.usersAsked.Load() != 0 {
					t.Error("a bad token caused a request")
				}
			})
		})
	}
}

// Nothing but the reading of exact names stands between a look-alike claim and somebody else's account. When this
// fails, the SDK has learned to tell case, and the reason given in claims.go is history.
func TestSDKTakesLookAlikeClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token, err := newGoogle(t).production().client.VerifyIDToken(t.Context(), foreignProject("foreign", "foreign"))
		if err != nil || token.UID != "ana" {
			t.Errorf("the SDK says %+v, %v", token, err)
		}
	})
}
