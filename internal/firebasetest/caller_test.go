package firebasetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"firebase.google.com/go/v4/auth"
)

const (
	toolkit     = "/identitytoolkit.googleapis.com"
	secureToken = "/securetoken.googleapis.com/v1/token"

	customTokenAudience = "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"
)

type object = map[string]any

// caller speaks to one identity server: as clients and administrators do over HTTP, and through the Admin SDK. What it cannot go on
// without makes it panic with an [impasse].
type caller struct {
	context.Context
	base   string // URL
	sdk    *auth.Client
	script func() (map[string]string, error)
}

// impasse ends an observation that a server does not let happen.
type impasse string

func (c *caller) must(err error) {
	if err != nil {
		panic(impasse(err.Error()))
	}
}

// answer is a decoded response. Its word is empty on success.
type answer struct {
	code   int
	word   string // the error in Google's words: TOKEN_EXPIRED, or the status where the message is for people
	fields object
	header http.Header
}

func (a answer) text(name string) string {
	text, _ := a.fields[name].(string)
	return text
}

// outcome is the refusal, or what to say of a success. 400 is the code of every refusal by word.
func (a answer) outcome(success string) string {
	switch {
	case a.word == "":
		return success
	case a.code == http.StatusBadRequest:
		return a.word
	default:
		return fmt.Sprintf("%d %s", a.code, a.word)
	}
}

// call sends a request. A header's value is set, and one named Host is the host that the request claims to be for.
func (c *caller) call(method, path, contentType, body string, header map[string]string) answer {
	request, err := http.NewRequestWithContext(c, method, c.base+path, strings.NewReader(body))
	c.must(err)
	if body != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	request.Host = header["Host"]
	response, err := http.DefaultClient.Do(request)
	c.must(err)
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	c.must(err)
	a := answer{code: response.StatusCode, header: response.Header}
	if json.Unmarshal(data, &a.fields) != nil && a.code == http.StatusOK {
		panic(impasse(fmt.Sprintf("%s %s answers what is no JSON: %.100s", method, path, data)))
	}
	if a.code != http.StatusOK {
		problem, _ := a.fields["error"].(object)
		message, _ := problem["message"].(string)
		a.word, _, _ = strings.Cut(message, " : ")
		if strings.Trim(a.word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" || a.word == "" {
			a.word, _ = problem["status"].(string)
		}
		if a.word == "" {
			a.word = http.StatusText(a.code)
		}
	}
	return a
}

func (c *caller) json(method, path string, body any, header map[string]string) answer {
	data, err := json.Marshal(body)
	c.must(err)
	return c.call(method, path, "application/json", string(data), header)
}

// client calls an operation as a browser's SDK does.
func (c *caller) client(operation string, body object) answer {
	return c.json(http.MethodPost, toolkit+"/v1/accounts:"+operation+"?key=any", body, nil)
}

var owner = map[string]string{"Authorization": "Bearer owner"}

// admin calls an operation as an Admin SDK does.
func (c *caller) admin(operation string, body object) answer {
	return c.json(http.MethodPost, toolkit+"/v1/projects/"+Project+"/accounts"+operation, body, owner)
}

func (c *caller) get(path string) answer { return c.call(http.MethodGet, path, "", "", owner) }

func (c *caller) refresh(refreshToken string) answer {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	return c.call(http.MethodPost, secureToken+"?key=any", "application/x-www-form-urlencoded", form.Encode(), nil)
}

func (c *caller) done(a answer) answer {
	if a.word != "" {
		panic(impasse(fmt.Sprintf("refused: %d %s", a.code, a.word)))
	}
	return a
}

const (
	password      = "correct horse"
	otherPassword = "battery staple"
)

// device is a signed-in user on one device.
type device struct{ uid, email, idToken, refreshToken string }

func newEmail() string { return strings.ToLower(rand.Text()) + "@example.com" }

func deviceOf(a answer, email string) device {
	d := device{email: email, idToken: a.text("idToken"), refreshToken: a.text("refreshToken")}
	d.uid, _ = claimsOf(d.idToken)["user_id"].(string)
	return d
}

// newcomer signs a new user up.
func (c *caller) newcomer() device {
	email := newEmail()
	return deviceOf(c.done(c.client("signUp", object{"email": email, "password": password, "returnSecureToken": true})), email)
}

func (c *caller) signIn(email, password string) answer {
	return c.client("signInWithPassword", object{"email": email, "password": password, "returnSecureToken": true})
}

// again signs the user in on another device.
func (c *caller) again(d device) device {
	return deviceOf(c.done(c.signIn(d.email, password)), d.email)
}

func (c *caller) customSignIn(token string) answer {
	return c.client("signInWithCustomToken", object{"token": token, "returnSecureToken": true})
}

// verify is what the Admin SDK says of an ID token, revocation and all.
func (c *caller) verify(idToken string) string {
	_, err := c.sdk.VerifyIDTokenAndCheckRevoked(c, idToken)
	switch {
	case err == nil:
		return "valid"
	case auth.IsIDTokenRevoked(err):
		return "revoked"
	case auth.IsUserDisabled(err):
		return "disabled"
	case auth.IsIDTokenInvalid(err):
		return "invalid"
	case auth.IsUserNotFound(err):
		return "no such user"
	default:
		panic(impasse(err.Error()))
	}
}

// nextSecond returns in the next second: times in tokens are whole seconds.
func (c *caller) nextSecond() {
	now := time.Now()
	select {
	case <-time.After(now.Truncate(time.Second).Add(1010 * time.Millisecond).Sub(now)):
	case <-c.Done():
		c.must(c.Err())
	}
}

// claimsOf reads a token without verifying it.
func claimsOf(token string) object {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		panic(impasse("no token: " + token))
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims object
	if err != nil || json.Unmarshal(data, &claims) != nil {
		panic(impasse("no claims: " + token))
	}
	return claims
}

func seconds(token, claim string) int64 {
	n, ok := claimsOf(token)[claim].(float64)
	if !ok {
		panic(impasse("no " + claim))
	}
	return int64(n)
}

func provider(token string) string {
	firebase, _ := claimsOf(token)["firebase"].(object)
	name, _ := firebase["sign_in_provider"].(string)
	return name
}

// mint is an unsigned token, as emulators issue them.
func mint(payload object) string {
	var token bytes.Buffer
	for _, part := range []object{{"alg": "none", "typ": "JWT"}, payload} {
		data, err := json.Marshal(part)
		if err != nil {
			panic(impasse(err.Error()))
		}
		token.WriteString(base64.RawURLEncoding.EncodeToString(data) + ".")
	}
	return token.String()
}

// altered is a token with other claims.
func altered(token string, changes object) string {
	claims := claimsOf(token)
	maps.Copy(claims, changes)
	return mint(claims)
}

// customToken is one as the Admin SDK mints it in emulator mode, with changes.
func customToken(uid string, changes object) string {
	now := time.Now().Unix()
	payload := object{
		"iss": "firebase-auth-emulator@example.com", "sub": "firebase-auth-emulator@example.com", "aud": customTokenAudience,
		"iat": now, "exp": now + 3600, "uid": uid,
	}
	maps.Copy(payload, changes)
	return mint(payload)
}
