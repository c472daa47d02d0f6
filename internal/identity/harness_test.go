package identity

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const testProject = "demo-vigil"

// testClock is the wall clock with an offset, for tests whose clients run in
// real time and cannot wait for it.
type testClock struct{ offset atomic.Int64 }

func (c *testClock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func (c *testClock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func newTestServer(t testing.TB) *Server {
	t.Helper()
	s, err := New(Options{ProjectID: testProject})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wire speaks the protocol to a server without a network, so that it also
// works in a synctest bubble.
type wire struct {
	t testing.TB
	h http.Handler
}

// answer is a decoded response. Its error word is empty on success.
type answer struct {
	code   int
	word   string
	fields map[string]any
}

func (a answer) text(name string) string {
	text, _ := a.fields[name].(string)
	return text
}

func (w wire) send(r *http.Request) answer {
	w.t.Helper()
	recorder := httptest.NewRecorder()
	w.h.ServeHTTP(recorder, r)
	a := answer{code: recorder.Code}
	if err := json.Unmarshal(recorder.Body.Bytes(), &a.fields); err != nil {
		w.t.Errorf("%s %s: the answer is not JSON: %v", r.Method, r.URL.Path, err)
	}
	if problem, ok := a.fields["error"].(map[string]any); ok {
		a.word, _ = problem["message"].(string)
		if int(problem["code"].(float64)) != recorder.Code {
			w.t.Errorf("%s: body says code %v, status is %d", r.URL.Path, problem["code"], recorder.Code)
		}
	}
	return a
}

func newRequest(t testing.TB, path string, body any) *http.Request {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(data))
	r.Host = "127.0.0.1:9099"
	r.Header.Set("Content-Type", "application/json")
	return r
}

type object = map[string]any

func with(o object, name string, value any) object {
	o = maps.Clone(o)
	o[name] = value
	return o
}

// client calls an operation as a browser's SDK does.
func (w wire) client(operation string, body any) answer {
	w.t.Helper()
	return w.send(newRequest(w.t, toolkit+"/v1/accounts:"+operation+"?key=any", body))
}

// admin calls an operation as the Admin SDK does.
func (w wire) admin(operation string, body any) answer {
	w.t.Helper()
	r := newRequest(w.t, toolkit+"/v1/projects/"+testProject+"/accounts"+operation, body)
	r.Header.Set("Authorization", adminCredential)
	return w.send(r)
}

func (w wire) refresh(refreshToken string) answer {
	w.t.Helper()
	return w.send(newRequest(w.t, secureToken+"/v1/token?key=any",
		object{"grant_type": "refresh_token", "refresh_token": refreshToken}))
}

func (w wire) must(a answer) answer {
	w.t.Helper()
	if a.word != "" {
		w.t.Fatalf("refused: %d %s", a.code, a.word)
	}
	return a
}

// wantWord checks the error's word, without the explanation for people.
func (w wire) wantWord(a answer, want refusal) {
	w.t.Helper()
	word, _, _ := strings.Cut(a.word, " : ")
	bare, _, _ := strings.Cut(string(want), " : ")
	if a.code != http.StatusBadRequest || word != bare {
		w.t.Errorf("answer = %d %q, want 400 %s", a.code, a.word, want)
	}
}

const (
	anaEmail    = "ana@example.com"
	anaPassword = "correct horse"
)

func (w wire) signUpAna() answer {
	w.t.Helper()
	return w.must(w.client("signUp", object{"email": anaEmail, "password": anaPassword}))
}

func (w wire) signInAna() answer {
	w.t.Helper()
	return w.must(w.client("signInWithPassword", object{"email": anaEmail, "password": anaPassword}))
}

// claimsOf decodes a token without the code under test.
func claimsOf(t testing.TB, token string) object {
	t.Helper()
	var claims object
	if _, err := decodeToken(token, &claims); err != nil {
		t.Fatalf("token: %v", err)
	}
	return claims
}

func seconds(t testing.TB, claims object, name string) int64 {
	t.Helper()
	n, ok := claims[name].(json.Number)
	if !ok {
		t.Fatalf("claim %s = %v, want a number", name, claims[name])
	}
	value, err := n.Int64()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func mintCustomToken(t testing.TB, payload object) string {
	t.Helper()
	full := object{
		"iss": "firebase-auth-emulator@example.com",
		"aud": customTokenAudience,
		"exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(full, payload)
	token, err := encodeToken(full)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
