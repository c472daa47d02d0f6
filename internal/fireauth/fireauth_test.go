package fireauth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestEmulator(t *testing.T) {
	sessiontest.TestVerifier(t, func(t *testing.T) sessiontest.Firebase {
		g := newGoogle(t)
		return backend{g.emulator(), g}
	})
}

func TestProduction(t *testing.T) {
	sessiontest.TestVerifier(t, func(t *testing.T) sessiontest.Firebase {
		g := newGoogle(t)
		g.cacheControl.Store("") // the SDK then asks for the keys each time, so that they can be down
		return backend{g.production(), g}
	})
}

// backend is the google behind a verifier as [sessiontest.Firebase].
type backend struct {
	*Verifier
	*google
}

var _ sessiontest.SIDs = backend{}

func (b backend) SignIn(uid session.UserID) string { return b.SignInAs(uid, "") }

func (b backend) SignInAs(uid session.UserID, sid string) string {
	custom := object{
		"iss": "vigil@example.com", "uid": uid, "exp": time.Now().Add(time.Hour).Unix(),
		"aud": "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit",
	}
	if sid != "" {
		custom["claims"] = object{"sid": sid}
	}
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(encode(custom)) + "."
	signIn := b.ask("/identitytoolkit.googleapis.com/v1/accounts:signInWithCustomToken?key=any", object{"token": unsigned})
	return b.issue(signIn["idToken"], signIn["refreshToken"])
}

func (b backend) Refresh(token string) string {
	refresh, _ := b.google.refresh.Load(token)
	grant := b.ask("/securetoken.googleapis.com/v1/token?key=any", object{"grant_type": "refresh_token", "refresh_token": refresh})
	return b.issue(grant["id_token"], grant["refresh_token"])
}

// issue signs an ID token of the identity server's where production would have.
func (b backend) issue(idToken, refreshToken any) string {
	token := idToken.(string)
	if b.signed {
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil {
			b.t.Fatal(err)
		}
		token = jwt(encode(goodHeader), payload, signingKey())
	}
	b.google.refresh.Store(token, refreshToken)
	return token
}

func (b backend) SetClaims(uid session.UserID, claims map[string]any) {
	text := "{}"
	if claims != nil {
		text = string(encode(claims))
	}
	b.admin("update", object{"localId": uid, "customAttributes": text})
}

func (b backend) SetDisabled(uid session.UserID, disabled bool) {
	b.admin("update", object{"localId": uid, "disableUser": disabled})
}

func (b backend) Delete(uid session.UserID) { b.admin("delete", object{"localId": uid}) }

func (b backend) SetDown(down bool) {
	var f *fault
	if down {
		unavailable := status(http.StatusServiceUnavailable)
		f = &unavailable
	}
	b.keyFault.Store(f)
	b.userFault.Store(f)
}

func (b backend) admin(operation string, body object) {
	b.ask("/identitytoolkit.googleapis.com/v1/projects/"+testProject+"/accounts:"+operation, body)
}

// ask goes to the identity server past the network.
func (b backend) ask(path string, body object) object {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), http.MethodPost, path, bytes.NewReader(encode(body)))
	r.Host = emulatorHost
	if strings.Contains(path, "/projects/") {
		r.Header.Set("Authorization", "Bearer owner")
	}
	w := httptest.NewRecorder()
	b.users.ServeHTTP(w, r)
	var answer object
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		b.t.Fatalf("%s: %d %s %v", path, w.Code, w.Body, err)
	}
	return answer
}
