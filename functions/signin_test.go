package functions

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	testProject = "demo-vigil"
	testURI     = "https://europe-west1-demo-vigil.cloudfunctions.net/BeforeSignIn"
)

// signInClaimsOf is what Identity Platform says about a sign-in, as its documentation shows it.
func signInClaimsOf(with object) object {
	return over(object{
		"iss": "https://securetoken.google.com/" + testProject, "aud": testURI, "iat": seconds(0), "exp": seconds(time.Hour),
		"event_id": "qk8CEBeGtGSBw5OcDZfIbQ", "event_type": "beforeSignIn", "sub": "ana", "sign_in_method": "password",
		"ip_address": "203.0.113.7", "user_agent": "Mozilla/5.0", "locale": "en",
		"user_record": object{"uid": "ana", "email": "ana@example.com", "custom_claims": object{"Aud": "a", "aud": "b"}},
	}, with)
}

func signInToken(with object) string {
	return jwt(encode(goodHeader), encode(signInClaimsOf(with)), firstKey())
}

func signInHeader(with object) string {
	return jwt(encode(over(goodHeader, with)), encode(signInClaimsOf(nil)), firstKey())
}

func request(token string) []byte { return encode(object{"data": object{"jwt": token}}) }

// newSignIn is BeforeSignIn, asking a Google of the test's own for keys.
func newSignIn(t *testing.T, g *google, log *slog.Logger) http.HandlerFunc {
	t.Helper()
	s, err := New(Options{SignInURI: testURI, ProjectID: testProject, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	f := &signIn{uri: testURI, issuer: "https://securetoken.google.com/" + testProject, keys: newKeys(secureTokenKeys)}
	g.through(f.keys)
	return s.call(BeforeSignIn, signInBudget, maxSignIn, f.serve)
}

// sidOf returns the sid of an answer, empty if it gives none.
func sidOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var answer struct {
		UserRecord *struct {
			UpdateMask    string
			SessionClaims map[string]string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
		return ""
	}
	if answer.UserRecord == nil {
		if strings.TrimSpace(w.Body.String()) != "{}" {
			t.Errorf("answer %s", w.Body)
		}
		return ""
	}
	sid := answer.UserRecord.SessionClaims["sid"]
	if answer.UserRecord.UpdateMask != "sessionClaims" || len(answer.UserRecord.SessionClaims) != 1 ||
		!regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(sid) {
		t.Errorf("answer %s", w.Body)
	}
	return sid
}

func TestEverySignInIsNamedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle()
		f := newSignIn(t, g, nil)
		token := signInToken(nil)
		seen := make(map[string]bool)
		for range 100 {
			seen[sidOf(t, post(t, f, request(token), nil))] = true
		}
		if len(seen) != 100 || seen[""] || g.asked.Load() != 1 {
			t.Errorf("%d names, keys asked for %d times", len(seen), g.asked.Load())
		}
	})
}

// hmacWithPublicKey is the classic confusion: the public key as the secret of a symmetric signature.
func hmacWithPublicKey(algorithm string) string {
	content := b64(encode(object{"alg": algorithm, "kid": "key-1"})) + "." + b64(encode(signInClaimsOf(nil)))
	der, err := x509.MarshalPKIXPublicKey(&firstKey().PublicKey)
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write([]byte(content))
	return content + "." + b64(mac.Sum(nil))
}

func parts() []string { return strings.Split(signInToken(nil), ".") }

// raw is a signed token whose payload is a text with two places for times.
func raw(payload string) string {
	return jwt(encode(goodHeader), fmt.Appendf(nil, payload, seconds(0), seconds(time.Hour)), firstKey())
}

// signInAttacks are tokens that Google has not made for this function. Those that are wrong in what they claim must not make anybody
// ask for keys.
var signInAttacks = []struct {
	name   string
	token  func() string
	silent bool
}{
	{"alg none, no signature", func() string { p := parts(); return b64(encode(object{"alg": "none"})) + "." + p[1] + "." }, true},
	{"alg none, signed", func() string { return signInHeader(object{"alg": "none"}) }, true},
	{"alg missing", func() string { return signInHeader(object{"alg": nil}) }, true},
	{"alg in odd case", func() string { return signInHeader(object{"alg": "rS256"}) }, true},
	{"alg RS512", func() string { return signInHeader(object{"alg": "RS512"}) }, true},
	{"alg twice", func() string {
		return jwt([]byte(`{"alg":"none","alg":"RS256","kid":"key-1"}`), encode(signInClaimsOf(nil)), firstKey())
	}, true},
	{"alg HS256, public key as secret", func() string { return hmacWithPublicKey("HS256") }, true},
	{"alg RS256, public key as secret", func() string { return hmacWithPublicKey("RS256") }, false},
	{"kid missing", func() string { return signInHeader(object{"kid": nil}) }, false},
	{"kid empty", func() string { return signInHeader(object{"kid": ""}) }, false},
	{"kid foreign", func() string { return signInHeader(object{"kid": "key-9"}) }, false},
	{"kid path-like", func() string { return signInHeader(object{"kid": "../../../../dev/null"}) }, false},
	{"kid a URL", func() string {
		return signInHeader(object{"kid": "https://evil.example/key", "jku": "https://evil.example"})
	}, false},
	{"kid a number", func() string { return signInHeader(object{"kid": 1}) }, true},
	{"kid of a key of another kind", func() string { return signInHeader(object{"kid": "curve"}) }, false},
	{"key of its own", func() string {
		jwk := object{"kty": "RSA", "n": b64(secondKey().N.Bytes()), "e": "AQAB"}
		return jwt(encode(over(goodHeader, object{"jwk": jwk})), encode(signInClaimsOf(nil)), secondKey())
	}, false},
	{"critical header", func() string { return signInHeader(object{"crit": []string{"exp"}, "exp": 1}) }, false},
	{"another key under a known kid", func() string { return jwt(encode(goodHeader), encode(signInClaimsOf(nil)), secondKey()) }, false},
	{"signature missing", func() string { p := parts(); return p[0] + "." + p[1] + "." }, false},
	{"signature cut", func() string { t := signInToken(nil); return t[:len(t)-4] }, false},
	{"signature taken away", func() string { p := parts(); return p[0] + "." + p[1] + ".SIGNATURE_REMOVED_BY_GOOGLE" }, false},
	{"payload of another token", func() string {
		p, q := parts(), strings.Split(signInToken(object{"sub": "bea"}), ".")
		return p[0] + "." + q[1] + "." + p[2]
	}, false},

	{"aud another function's", func() string { return signInToken(object{"aud": testURI + "2"}) }, true},
	{"aud a prefix", func() string { return signInToken(object{"aud": strings.TrimSuffix(testURI, "/BeforeSignIn")}) }, true},
	{"aud in odd case", func() string { return signInToken(object{"aud": strings.ToUpper(testURI)}) }, true},
	{"aud the project, as in an ID token", func() string { return signInToken(object{"aud": testProject}) }, true},
	{"aud missing", func() string { return signInToken(object{"aud": nil}) }, true},
	{"aud a list", func() string { return signInToken(object{"aud": []string{testURI}}) }, true},
	{"iss another project's", func() string { return signInToken(object{"iss": "https://securetoken.google.com/foreign"}) }, true},
	{"iss look-alike", func() string {
		return signInToken(object{"iss": "https://securetoken.google.com/" + testProject + "/"})
	}, true},
	{"iss missing", func() string { return signInToken(object{"iss": nil}) }, true},
	{"look-alikes besides another project's", func() string {
		return raw(`{"iss":"https://securetoken.google.com/foreign","aud":"foreign","event_type":"beforeSignIn","iat":%d,"exp":%d,` +
			`"Iss":"https://securetoken.google.com/` + testProject + `","Aud":"` + testURI + `"}`)
	}, true},
	{"aud twice", func() string {
		return raw(`{"iss":"https://securetoken.google.com/` + testProject + `","aud":"foreign","event_type":"beforeSignIn","iat":%d,"exp":%d,` +
			`"aud":"` + testURI + `"}`)
	}, true},
	{"another event", func() string { return signInToken(object{"event_type": "beforeCreate"}) }, true},
	{"event in odd case", func() string { return signInToken(object{"event_type": "BeforeSignIn"}) }, true},
	{"no event, as in an ID token", func() string { return signInToken(object{"event_type": nil}) }, true},
	{"expired by one second", func() string { return signInToken(object{"exp": seconds(-time.Second)}) }, true},
	{"expires now", func() string { return signInToken(object{"exp": seconds(0)}) }, true},
	{"exp missing", func() string { return signInToken(object{"exp": nil}) }, true},
	{"exp a text", func() string { return signInToken(object{"exp": "9999999999"}) }, true},
	{"exp beyond all numbers", func() string { return signInToken(object{"exp": 1e300}) }, true},
	{"iat in the future", func() string { return signInToken(object{"iat": seconds(2 * time.Minute)}) }, true},
	{"iat missing", func() string { return signInToken(object{"iat": nil}) }, true},
	{"payload an array", func() string { return jwt(encode(goodHeader), []byte(`[]`), firstKey()) }, true},
	{"payload null", func() string { return jwt(encode(goodHeader), []byte(`null`), firstKey()) }, true},
	{"payload no JSON", func() string { return jwt(encode(goodHeader), []byte(`{"iss":`), firstKey()) }, true},
	{"payload with trailing data", func() string {
		return jwt(encode(goodHeader), append(encode(signInClaimsOf(nil)), '{', '}'), firstKey())
	}, true},
	{"dots", func() string { return strings.Repeat(".", 1000) }, true},
	{"two parts", func() string { p := parts(); return p[0] + "." + p[1] }, true},
	{"four parts", func() string { return signInToken(nil) + "." }, true},
	{"a general serialization", func() string {
		p := parts()
		return string(encode(object{"payload": p[1], "signatures": []object{{"protected": p[0], "signature": p[2]}}}))
	}, true},
}

func TestSignInAttacks(t *testing.T) {
	for _, a := range signInAttacks {
		t.Run(a.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle()
				f := newSignIn(t, g, nil)
				body := request(a.token())
				if len(body) > maxSignIn { // it would be another defence's
					t.Fatal("the request is too large")
				}
				wantError(t, post(t, f, body, nil), http.StatusUnauthorized, "UNAUTHENTICATED")
				if asked := g.asked.Load(); a.silent && asked > 0 {
					t.Errorf("keys asked for %d times", asked)
				}
				if sidOf(t, post(t, f, request(signInToken(nil)), nil)) == "" {
					t.Error("Google itself is not heard any more")
				}
			})
		})
	}
}

// The Auth emulator signs nothing. Everything else is checked all the same.
func TestUnsignedSignIns(t *testing.T) {
	const uri = "http://127.0.0.1:8081/BeforeSignIn"
	s, err := New(Options{SignInURI: uri, ProjectID: testProject, Unsigned: true})
	if err != nil {
		t.Fatal(err)
	}
	emulated := func(with object) string {
		return b64(encode(object{"alg": "none", "typ": "JWT"})) + "." + b64(encode(signInClaimsOf(over(object{"aud": uri}, with)))) + "."
	}
	if sidOf(t, post(t, s.functions[BeforeSignIn], request(emulated(nil)), nil)) == "" {
		t.Error("no sid")
	}
	for name, token := range map[string]string{
		"signed":         jwt(encode(goodHeader), encode(signInClaimsOf(object{"aud": uri})), firstKey()),
		"another aud":    emulated(object{"aud": testURI}),
		"another issuer": emulated(object{"iss": "https://securetoken.google.com/foreign"}),
		"another event":  emulated(object{"event_type": "beforeCreate"}),
		"expired":        emulated(object{"exp": seconds(-time.Second)}),
		"future iat":     emulated(object{"iat": seconds(2 * time.Minute)}),
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, post(t, s.functions[BeforeSignIn], request(token), nil), http.StatusUnauthorized, "UNAUTHENTICATED")
		})
	}
}

func TestSignInRequests(t *testing.T) {
	f := newSignIn(t, newGoogle(), nil)
	token := signInToken(nil)
	for name, body := range map[string]string{
		"nothing": "", "null": "null", "no data": "{}", "no token": `{"data":{}}`, "an empty token": `{"data":{"jwt":""}}`,
		"a number": `{"data":{"jwt":1}}`, "another case": `{"Data":{"JWT":"` + token + `"}}`,
		"two tokens": `{"data":{"jwt":"` + token + `","jwt":"` + token + `"}}`, "an array": `[]`, "half": `{"data":{"jwt":"` + token,
		"trailing data": `{"data":{"jwt":"` + token + `"}}{}`, "deep": strings.Repeat("[", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, post(t, f, []byte(body), nil), http.StatusBadRequest, "INVALID_ARGUMENT")
		})
	}
	for _, kind := range []string{"", "application/json; charset=utf-8", "text/plain"} {
		if sidOf(t, post(t, f, request(token), http.Header{"Content-Type": {kind}})) == "" {
			t.Errorf("no sid for the content type %q", kind)
		}
	}
	w := httptest.NewRecorder()
	f(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	wantError(t, w, http.StatusMethodNotAllowed, "INVALID_ARGUMENT")
	if w.Header().Get("Allow") != http.MethodPost {
		t.Errorf("allowed is %q", w.Header().Get("Allow"))
	}
}

// Whatever becomes of the endpoint, a sign-in goes on: within the budget, and without sid where it cannot be told whose request it is.
func TestKeysThatCannotBeHadKeepNobodyOut(t *testing.T) {
	for name, instead := range map[string]http.HandlerFunc{
		"refused": fail(http.StatusServiceUnavailable), "hanging": hang, "not JSON": say("<html>"), "no keys": say(`{"keys":[]}`),
		"a key that is none": say(`{"keys":[{"kty":"RSA","kid":"key-1","n":"AQ","e":""}]}`), "a long answer": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(" ", 2*maxKeys))
			newGoogle().ServeHTTP(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGoogle()
				g.instead = instead
				f := newSignIn(t, g, nil)
				began := time.Now()
				if sid := sidOf(t, post(t, f, request(signInToken(nil)), nil)); sid != "" || time.Since(began) > signInBudget {
					t.Errorf("sid %q after %s", sid, time.Since(began))
				}
				for range 10 { // meanwhile nobody waits
					at := time.Now()
					if sid := sidOf(t, post(t, f, request(signInToken(nil)), nil)); sid != "" || time.Since(at) > 0 {
						t.Errorf("sid %q after %s", sid, time.Since(at))
					}
				}
				// What is wrong in its claims is told without keys.
				wantError(t, post(t, f, request(signInToken(object{"aud": "x"})), nil), http.StatusUnauthorized, "UNAUTHENTICATED")
				if g.asked.Load() != 1 {
					t.Errorf("asked %d times", g.asked.Load())
				}
				g.set(func(g *google) { g.instead = nil })
				<-time.After(retryPause)
				if sidOf(t, post(t, f, request(signInToken(nil)), nil)) == "" {
					t.Error("no sid when the keys are back")
				}
			})
		})
	}
}

// Whoever is kept out by a wrong setting has to be able to read why, and nobody may fill the log.
func TestRefusalsAreLoggedNowAndThen(t *testing.T) {
	inGoogle(t, func(t *testing.T, g *google, _ *keys) {
		var log bytes.Buffer
		f := newSignIn(t, g, slog.New(slog.NewTextHandler(&log, nil)))
		elsewhere := request(signInToken(object{"aud": testURI + "/"}))
		for range 50 {
			wantError(t, post(t, f, elsewhere, nil), http.StatusUnauthorized, "UNAUTHENTICATED")
		}
		<-time.After(complaintInterval)
		wantError(t, post(t, f, elsewhere, nil), http.StatusUnauthorized, "UNAUTHENTICATED")
		if lines := strings.Count(log.String(), "another audience"); lines != 2 {
			t.Errorf("%d lines:\n%s", lines, &log)
		}
	})
}

// Identity Platform fails a sign-in on any answer but 200: what is wrong with the function, or too much for it, must keep nobody out.
func TestAFunctionThatFailsKeepsNobodyOut(t *testing.T) {
	s, err := New(Options{SignInURI: testURI, ProjectID: testProject})
	if err != nil {
		t.Fatal(err)
	}
	good := request(signInToken(nil))
	broken := s.call(BeforeSignIn, signInBudget, maxSignIn, func(http.ResponseWriter, *http.Request, []byte) error { panic("broken") })
	failing := s.call(BeforeSignIn, signInBudget, maxSignIn, func(http.ResponseWriter, *http.Request, []byte) error { return io.ErrUnexpectedEOF })
	for name, answer := range map[string]func() *httptest.ResponseRecorder{
		"a panic":  func() *httptest.ResponseRecorder { return post(t, broken, good, nil) },
		"an error": func() *httptest.ResponseRecorder { return post(t, failing, good, nil) },
		"a request that is too large": func() *httptest.ResponseRecorder {
			return post(t, s.functions[BeforeSignIn], bytes.Repeat([]byte(" "), maxSignIn+1), nil)
		},
		"a token that is too large": func() *httptest.ResponseRecorder {
			body := request(signInToken(object{"raw_user_info": strings.Repeat("a", maxToken*4/5)}))
			if len(body) > maxSignIn {
				t.Fatal("the request is too large")
			}
			return post(t, s.functions[BeforeSignIn], body, nil)
		},
	} {
		if sid := sidOf(t, answer()); sid != "" {
			t.Errorf("%s: sid %q", name, sid)
		}
	}
	s.drain()
	if sid := sidOf(t, post(t, s.functions[BeforeSignIn], good, nil)); sid != "" {
		t.Errorf("while the process ends: sid %q", sid)
	}
}

// No token is written down, whatever is wrong with it.
func TestTokensAreNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		g := newGoogle()
		f := newSignIn(t, g, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		g.instead = fail(http.StatusServiceUnavailable)
		post(t, f, request(signInToken(nil)), nil)
		for _, a := range signInAttacks {
			post(t, f, request(a.token()), nil)
		}
		if log.Len() == 0 || strings.Contains(log.String(), "eyJ") {
			t.Errorf("log: %s", log.String())
		}
	})
}

// Nothing but Google's own request gets an answer with a name in it, and nothing makes the function fail.
func FuzzSignIn(f *testing.F) {
	s, err := New(Options{SignInURI: testURI, ProjectID: testProject})
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{"{}", `{"data":{"jwt":"a.b.c"}}`, string(request("eyJhbGciOiJSUzI1NiJ9.e30.AA")), string(request("eyJhbGciOiJub25lIn0.e30."))} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := post(t, s.functions[BeforeSignIn], body, nil)
		tooLarge := len(body) > maxToken && w.Code == http.StatusOK && w.Body.String() == "{}"
		if w.Code != http.StatusBadRequest && w.Code != http.StatusUnauthorized && !tooLarge {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
