package localgoogle

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/fireauth"
	"github.com/vigilhq/vigil/internal/session"
)

// tokens is the variable that makes the test's own program a client with the unmodified SDK: JSON of the tokens to verify.
// Go reads HTTPS_PROXY and SSL_CERT_FILE once in a process.
const tokens = "LOCALGOOGLE_TOKENS"

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(tokens); ok {
		if err := client(text); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// client verifies a user's token and an administrator's, looks both up, and revokes the user's tokens.
func client(text string) error {
	var given map[string]string
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	verifier, err := fireauth.Open(ctx, fireauth.Options{ProjectID: os.Getenv("FIREBASE_PROJECT_ID")})
	if err != nil {
		return err
	}
	ask := make([]session.UserID, 0, session.MaxAccounts)
	for uid, token := range given {
		id, err := verifier.Verify(ctx, token)
		if err != nil || string(id.UserID) != uid {
			return fmt.Errorf("verify %s: %v, %w", uid, id, err)
		}
		if forged, err := verifier.Verify(ctx, token[:len(token)-8]+"AAAAAAAA"); session.CodeOf(err) != session.CodeTokenInvalid {
			return fmt.Errorf("a forged signature: %v, %w", forged, err)
		}
		ask = append(ask, id.UserID)
	}
	for len(ask) < session.MaxAccounts {
		ask = append(ask, session.UserID(fmt.Sprint("user-", len(ask))))
	}
	before, err := verifier.Accounts(ctx, ask)
	if err != nil {
		return err
	}
	if err := verifier.RevokeTokens(ctx, "ana"); err != nil {
		return err
	}
	after, err := verifier.Account(ctx, "ana")
	switch {
	case err != nil:
		return err
	case len(before) != session.MaxAccounts, before["ana"].Missing, before["ana"].Disabled, before["ana"].Claims["admin"] != nil:
		return fmt.Errorf("accounts: %v", before)
	case before["boss"].Claims["admin"] != true:
		return fmt.Errorf("no claim: %v", before["boss"])
	case time.Since(before["ana"].TokensValidAfter) < 24*time.Hour, time.Since(after.TokensValidAfter) > time.Minute:
		return fmt.Errorf("tokens count from %s, and after a revocation from %s", before["ana"].TokensValidAfter, after.TokensValidAfter)
	}
	return nil
}

func start(t testing.TB) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{ProjectID: "demo-local", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// The SDK in a process of its own, with nothing but this environment, takes the stand-in for Google.
func TestUnmodifiedSDK(t *testing.T) {
	s := start(t)
	s.SetClaims("boss", map[string]any{"admin": true})
	given, err := json.Marshal(map[string]string{"ana": s.Token("ana", nil), "boss": s.Token("boss", nil)})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(s.Environ(), tokens+"="+string(given))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := s.Asked()
	want := Asked{Keys: got.Keys, AccessTokens: 1, LookUps: 2, Accounts: session.MaxAccounts + 1, Updates: 1}
	if got != want || got.Keys < 1 {
		t.Errorf("asked %+v, want %+v", got, want)
	}
}

// through is a client that does what Environ has a process do.
func (s *Server) through(t *testing.T) *http.Client {
	t.Helper()
	proxy := &url.URL{Scheme: "http", Host: s.proxy.Addr().String()}
	certificate, err := os.ReadFile(filepath.Join(s.options.Dir, certificateFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func TestRefusals(t *testing.T) {
	s := start(t)
	client := s.through(t)
	const accounts = "https://identitytoolkit.googleapis.com/v1/projects/demo-local/accounts:"
	for name, c := range map[string]struct {
		url, access, body string
		want              int
	}{
		"without the access token": {accounts + "lookup", "x", `{"localId":["ana"]}`, http.StatusUnauthorized},
		"no JSON":                  {accounts + "lookup", s.access, `x`, http.StatusBadRequest},
		"101 accounts":             {accounts + "lookup", s.access, `{"localId":["a"` + strings.Repeat(`,"a"`, 100) + `]}`, http.StatusBadRequest},
		"an update of two":         {accounts + "update", s.access, `{"localId":["a","b"]}`, http.StatusBadRequest},
		"claims that are no JSON":  {accounts + "update", s.access, `{"localId":"a","customAttributes":"x"}`, http.StatusBadRequest},
		"claims":                   {accounts + "update", s.access, `{"localId":"a","customAttributes":"{}"}`, http.StatusOK},
		"another project's":        {strings.Replace(accounts, "local", "else", 1) + "lookup", s.access, `{"localId":["ana"]}`, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+c.access)
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != c.want || response.ProtoMajor != 2 {
				t.Errorf("%s %s, want %d", response.Proto, response.Status, c.want)
			}
		})
	}
}

// The proxy is none for anything else: not for the network, not for other ports, not for plain HTTP.
func TestLeadsNowhereElse(t *testing.T) {
	s := start(t)
	client := s.through(t)
	for _, target := range []string{
		"https://example.com/", "https://firestore.googleapis.com/", "https://www.googleapis.com:8443/", "http://www.googleapis.com/",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
		if err == nil && response.StatusCode != http.StatusForbidden || err != nil && !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s: %v, %v", target, response, err)
		}
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	s := start(t)
	files, err := os.ReadDir(s.options.Dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		if info, err := file.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file.Name(), info.Mode(), err)
		}
	}
}

func TestStart(t *testing.T) {
	for name, options := range map[string]Options{
		"no project": {Dir: t.TempDir()}, "no folder": {ProjectID: "p"}, "a folder that is not there": {ProjectID: "p", Dir: "/nowhere"},
	} {
		if s, err := Start(t.Context(), options); err == nil {
			s.Close()
			t.Errorf("%s: started", name)
		}
	}
}

func TestTokens(t *testing.T) {
	s := start(t)
	uids := []string{"ana", "ben", "cid"}
	for i, token := range s.Tokens(uids, map[string]any{"auth_time": 7}) {
		var claims struct {
			Sub      string `json:"sub"`
			AuthTime int    `json:"auth_time"`
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(payload, &claims); err != nil || claims.Sub != uids[i] || claims.AuthTime != 7 {
			t.Errorf("%d: %+v, %v", i, claims, err)
		}
	}
}

func BenchmarkToken(b *testing.B) {
	s := start(b)
	for b.Loop() {
		s.Token("ana", nil)
	}
}
