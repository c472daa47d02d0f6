package identity

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func FuzzParseIDToken(f *testing.F) {
	token, err := encodeToken(object{"iss": issuerPrefix + testProject, "aud": testProject, "sub": "ana", "iat": 1, "exp": 2})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "..", "a.b.c", token, token + "c2ln", strings.Repeat(".", 1000), "e30.e30.", "e30.bnVsbA."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := parseIDToken(raw)
		if err != nil {
			return
		}
		if token.Subject == "" || strings.Count(raw, ".") != 2 || !strings.HasSuffix(raw, ".") {
			t.Errorf("accepted %q as %+v", raw, token)
		}
	})
}

func FuzzParseCustomToken(f *testing.F) {
	now := time.Unix(1_000_000_000, 0)
	for _, seed := range []string{
		"", "a.b.c",
		mintCustomToken(f, object{"uid": "ana", "exp": now.Unix() + 1, "claims": object{"sid": "s-1"}}),
		mintCustomToken(f, object{"uid": "ana", "exp": now.Unix() + 1, "claims": object{"sub": "x"}}),
		mintCustomToken(f, object{"uid": "ana", "exp": 1e300}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		uid, claims, err := parseCustomToken(raw, testProject, now)
		if err != nil {
			return
		}
		if uid == "" || !strings.HasSuffix(raw, ".") {
			t.Errorf("accepted %q for %q", raw, uid)
		}
		for _, name := range reservedClaims {
			if _, found := claims.values[name]; found {
				t.Errorf("claim %s got through", name)
			}
		}
	})
}

// FuzzRequest sends any body to any operation: the answer is always JSON and
// never a failure of the server.
func FuzzRequest(f *testing.F) {
	operations := []string{
		"signUp", "signInWithPassword", "signInWithCustomToken", "lookup", "update", "delete", "createAuthUri", "batchDelete",
	}
	for i := range operations {
		f.Add(i, true, "{}")
		f.Add(i, false, `{"email":"ana@example.com","password":"correct horse","localId":"ana","token":"a.b.c"}`)
		f.Add(i, true, `{"localId":["ana"],"localIds":["ana"],"validSince":"1e9","customAttributes":"{}","email":null}`)
	}
	f.Fuzz(func(t *testing.T, operation int, admin bool, body string) {
		name := operations[uint(operation)%uint(len(operations))]
		path := toolkit + "/v1/accounts:" + name + "?key=any"
		if admin {
			path = toolkit + "/v1/projects/" + testProject + "/accounts:" + name
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
		r.Host = "localhost"
		if admin {
			r.Header.Set("Authorization", adminCredential)
		}
		if got := (wire{t, newTestServer(t)}).send(r); got.code >= http.StatusInternalServerError {
			t.Errorf("%s %q: %d %s", path, body, got.code, got.word)
		}
	})
}

// FuzzLoopbackAuthority holds the host guard against the standard library's
// reading of the same authority.
func FuzzLoopbackAuthority(f *testing.F) {
	for _, host := range append(foreignHosts, loopbackHosts...) {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, authority string) {
		if !LoopbackAuthority(authority) {
			return
		}
		u, err := url.Parse("http://" + authority + "/")
		if err != nil {
			return // no client can ask for it
		}
		host := strings.ToLower(u.Hostname())
		if u.User != nil || host != "localhost" && host != "::1" && !strings.HasPrefix(host, "127.") {
			t.Errorf("%q passes, and leads to %q", authority, u.Host)
		}
	})
}
