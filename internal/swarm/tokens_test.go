package swarm

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// token makes what looks like an ID token of a user.
func token(t testing.TB, uid string, expires time.Time) string {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"sub": uid, "exp": expires.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(payload) + ".c2ln"
}

func TestReadTokens(t *testing.T) {
	now := time.Now()
	ana, ben := token(t, "ana", now.Add(time.Hour)), token(t, "ben", now.Add(time.Hour))
	got, err := ReadTokens(strings.NewReader("\n  "+ana+"  \r\n\n"+ben), now)
	if err != nil || len(got) != 2 || got[0] != ana || got[1] != ben {
		t.Errorf("%q, %v", got, err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"a word":                        {ana + "\nsecret", "line 2 is not an ID token"},
		"two parts":                     {"a.b", "line 1 is not an ID token"},
		"a payload that is none":        {"a.!.c", "line 1 is not an ID token"},
		"JSON that says nothing":        {"a.e30.c", "line 1 is not an ID token"},
		"something that breaks a frame": {ana + `"`, "line 1 is not an ID token"},
		"a long one":                    {ana + strings.Repeat("c", 8<<10), "line 1 is not an ID token"},
		"an expired one":                {ana + "\n" + token(t, "cid", now.Add(-time.Minute)), "line 2 has expired at"},
		"one twice":                     {ana + "\n\n" + ana, "line 3 is line 1 again"},
	} {
		_, err := ReadTokens(strings.NewReader(c.text), now)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "eyJ") || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: quoted in %q", name, err)
		}
	}
	if _, err := ReadTokens(strings.NewReader(strings.Repeat("a", 1<<20)), now); err == nil || strings.Contains(err.Error(), "aa") {
		t.Errorf("a line without end: %.80v", err)
	}
}
