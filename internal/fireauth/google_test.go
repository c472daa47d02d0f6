package fireauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/identity"
)

const (
	testProject  = "demo-vigil"
	emulatorHost = "127.0.0.1:9099"
	testKID      = "key-1"
)

type object = map[string]any

// google is all of Google that the unmodified SDK talks to, behind one end of an in-memory pipe, so that it works in a
// synctest bubble. The accounts are those of an identity.Server; what production adds is done here: TLS, access
// tokens, and ID tokens signed with a key of our own.
type google struct {
	t       testing.TB
	signed  bool // production: ID tokens are signed
	users   *identity.Server
	refresh sync.Map // ID token → refresh token

	keyFault, tokenFault, userFault atomic.Pointer[fault] // what answers in place of a service
	keysAsked, usersAsked           atomic.Int32
	cacheControl                    atomic.Value // string
	accessPath                      atomic.Value // string: of the latest request to the account service
}

// newGoogle takes over the process's HTTP for the time of the test: the SDK makes its clients from the default one.
func newGoogle(t testing.TB) *google {
	users, err := identity.New(identity.Options{ProjectID: testProject})
	if err != nil {
		t.Fatal(err)
	}
	g := &google{t: t, users: users}
	g.cacheControl.Store("public, max-age=21600")
	lines := make(pipes)
	closed, hangUp := context.WithCancel(context.Background())
	roots := x509.NewCertPool()
	roots.AddCert(tlsIdentity().Leaf)
	usual := http.DefaultTransport
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			near, far := net.Pipe()
			if strings.HasSuffix(addr, ":443") {
				far = tls.Server(far, &tls.Config{Certificates: []tls.Certificate{tlsIdentity()}})
			}
			select {
			case lines <- far:
				return near, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-closed.Done():
				return nil, net.ErrClosed
			}
		},
	}
	http.DefaultTransport = transport
	server := &http.Server{Handler: g, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(&bytes.Buffer{}, "", 0)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener{lines, closed}) })
	t.Cleanup(func() {
		http.DefaultTransport = usual
		hangUp()
		_ = server.Close()
		serving.Wait()
		transport.CloseIdleConnections()
	})
	return g
}

type pipes chan net.Conn

type listener struct {
	pipes
	closed context.Context
}

func (l listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.pipes:
		return c, nil
	case <-l.closed.Done():
		return nil, net.ErrClosed
	}
}
func (l listener) Close() error   { return nil }
func (l listener) Addr() net.Addr { return &net.TCPAddr{} }

// tlsIdentity is a certificate for everything of Google's that the tests use, valid in bubbles and outside.
var tlsIdentity = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der := certify(&key.PublicKey, key)
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
})

var signingKey = sync.OnceValue(newRSA)

func newRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func certify(public crypto.PublicKey, signer crypto.Signer) []byte {
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, public, signer)
	if err != nil {
		panic(err)
	}
	return der
}

var certificate = &x509.Certificate{
	SerialNumber: big.NewInt(1), BasicConstraintsValid: true, IsCA: true,
	NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	DNSNames: []string{"www.googleapis.com", "identitytoolkit.googleapis.com", "oauth2.googleapis.com"},
}

// publicKeys is the answer of the key endpoint.
var publicKeys = sync.OnceValue(func() []byte {
	der := certify(&signingKey().PublicKey, signingKey())
	return encode(object{testKID: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))})
})

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func (g *google) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Host {
	case "www.googleapis.com":
		g.keysAsked.Add(1)
		answer(w, r, &g.keyFault, g.serveKeys)
	case "oauth2.googleapis.com":
		answer(w, r, &g.tokenFault, serveAccessToken)
	case "identitytoolkit.googleapis.com", emulatorHost:
		if r.URL.Path != "/" {
			g.usersAsked.Add(1)
		}
		g.accessPath.Store(r.URL.Path)
		answer(w, r, &g.userFault, g.serveUsers)
	default:
		g.t.Errorf("a request to %s", r.Host)
	}
}

func answer(w http.ResponseWriter, r *http.Request, instead *atomic.Pointer[fault], usual http.HandlerFunc) {
	if h := instead.Load(); h != nil {
		(*h)(w, r)
		return
	}
	usual(w, r)
}

func (g *google) serveKeys(w http.ResponseWriter, _ *http.Request) {
	if value := g.cacheControl.Load().(string); value != "" {
		w.Header().Set("Cache-Control", value)
	}
	_, _ = w.Write(publicKeys())
}

func serveAccessToken(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(encode(object{"access_token": "access", "token_type": "Bearer", "expires_in": 3600}))
}

// serveUsers brings a request to the identity server, which takes all emulator's credentials and no tenants.
func (g *google) serveUsers(w http.ResponseWriter, r *http.Request) {
	if r.Host == emulatorHost {
		g.users.ServeHTTP(w, r)
		return
	}
	if r.Header.Get("Authorization") != "Bearer access" {
		g.t.Error("a request without the access token")
	}
	r.Host = emulatorHost
	r.Header.Set("Authorization", "Bearer owner")
	r.URL.Path = "/identitytoolkit.googleapis.com" + strings.Replace(r.URL.Path, "/tenants/acme", "", 1)
	g.users.ServeHTTP(w, r)
}

// fault answers in place of one of Google's services.
type fault = http.HandlerFunc

func status(code int) fault {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func text(body string) fault {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// hang reads the request, so that the server notices when the client has gone, and never answers.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// serviceAccount is a key file as the Google Cloud console hands it out, but for the key.
func serviceAccount() object {
	key, err := x509.MarshalPKCS8PrivateKey(signingKey())
	if err != nil {
		panic(err)
	}
	return object{
		"type": "service_account", "project_id": "another", "client_email": "vigil@example.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		"token_uri":   "https://oauth2.googleapis.com/token",
	}
}

// credentials puts credentials where an operator would, for the SDK to find them.
func credentials(t testing.TB, content object) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(file, encode(content), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
}

// production opens a verifier that checks signatures.
func (g *google) production(change ...func(*Options)) *Verifier {
	g.t.Helper()
	credentials(g.t, serviceAccount())
	g.signed = true
	return g.open(Options{ProjectID: testProject}, change...)
}

// emulator opens a verifier in emulator mode.
func (g *google) emulator(change ...func(*Options)) *Verifier {
	g.t.Helper()
	return g.open(Options{ProjectID: testProject, EmulatorHost: emulatorHost}, change...)
}

func (g *google) open(options Options, change ...func(*Options)) *Verifier {
	g.t.Helper()
	for _, c := range change {
		c(&options)
	}
	v, err := Open(g.t.Context(), options)
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

// jwt is a token with a header and a payload as they are, signed with a key.
func jwt(header, payload []byte, key *rsa.PrivateKey) string {
	content := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(content))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return content + "." + base64.RawURLEncoding.EncodeToString(signature)
}

var goodHeader = object{"alg": "RS256", "kid": testKID, "typ": "JWT"}

// claims is a payload that is right in everything, except for what is put over it. Nil takes a claim away.
func claims(over object) object {
	now := time.Now().Unix()
	payload := object{
		"iss": "https://securetoken.google.com/" + testProject, "aud": testProject, "sub": "ana", "user_id": "ana",
		"auth_time": now, "iat": now, "exp": now + 3600,
		"firebase": object{"sign_in_provider": "password", "identities": object{}},
	}
	maps.Copy(payload, over)
	maps.DeleteFunc(payload, func(_ string, value any) bool { return value == nil })
	return payload
}

func goodToken(over object) string {
	return jwt(encode(goodHeader), encode(claims(over)), signingKey())
}
