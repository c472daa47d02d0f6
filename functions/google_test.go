package functions

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

type object = map[string]any

// google is Google's endpoint of keys, without a network, so that it works in a synctest bubble.
type google struct {
	asked   atomic.Int32
	mu      sync.Mutex
	keys    map[string]*rsa.PublicKey
	header  http.Header
	instead http.HandlerFunc // what answers in place of the endpoint
}

func newGoogle() *google {
	return &google{
		keys:   map[string]*rsa.PublicKey{"key-1": &firstKey().PublicKey},
		header: http.Header{"Cache-Control": {"public, max-age=19302, must-revalidate, no-transform"}},
	}
}

// set changes what the endpoint says.
func (g *google) set(change func(*google)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

func (g *google) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	instead, keys, header := g.instead, maps.Clone(g.keys), g.header.Clone()
	g.mu.Unlock()
	if instead != nil {
		instead(w, r)
		return
	}
	maps.Copy(w.Header(), header)
	set := []object{{"kty": "EC", "kid": "curve", "crv": "P-256", "x": "", "y": ""}, {"kty": "future", "kid": "new"}}
	for name, key := range keys {
		set = append(set, object{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": name,
			"n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
		})
	}
	_, _ = w.Write(encode(object{"keys": set}))
}

// RoundTrip implements [http.RoundTripper].
func (g *google) RoundTrip(r *http.Request) (*http.Response, error) {
	g.asked.Add(1)
	recorder := httptest.NewRecorder()
	g.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// through has a function ask this Google.
func (g *google) through(k *keys) { k.client = &http.Client{Transport: g} }

func fail(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

var firstKey, secondKey = sync.OnceValue(newRSA), sync.OnceValue(newRSA)

func newRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// jwt is a token with a header and a payload as they are, signed with a key.
func jwt(header, payload []byte, key *rsa.PrivateKey) string {
	content := b64(header) + "." + b64(payload)
	sum := sha256.Sum256([]byte(content))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return content + "." + b64(signature)
}

// over is an object with other values; nil takes one away.
func over(o object, with object) object {
	o = maps.Clone(o)
	maps.Copy(o, with)
	maps.DeleteFunc(o, func(_ string, value any) bool { return value == nil })
	return o
}

var goodHeader = object{"alg": "RS256", "kid": "key-1", "typ": "JWT"}

func seconds(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// post calls a function.
func post(t *testing.T, f http.HandlerFunc, body []byte, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	f(w, r)
	return w
}

// wantError expects an answer in the shape that Identity Platform knows.
func wantError(t *testing.T, w *httptest.ResponseRecorder, code int, status string) {
	t.Helper()
	var answer struct {
		Error struct{ Status, Message string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != code || answer.Error.Status != status || answer.Error.Message == "" {
		t.Errorf("%d %s, want %d %s", w.Code, w.Body, code, status)
	}
	if w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("content type %q", w.Header().Get("Content-Type"))
	}
}
