package firebasetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/functions"
	"github.com/vigilhq/vigil/internal/fireauth"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/tied"
)

var sidForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// function is the URI of the real BeforeSignIn, which a process can serve but once.
var function = sync.OnceValues(func() (string, error) {
	ports, err := freePorts(context.Background(), 1)
	if err != nil {
		return "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	uri := "http://" + addr + "/" + functions.BeforeSignIn
	server, err := functions.New(functions.Options{SignInURI: uri, ProjectID: Project, Unsigned: true})
	if err != nil {
		return "", err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(context.Background(), addr) }()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", addr); err == nil {
			return uri, conn.Close()
		}
		select {
		case err := <-failed:
			return "", err
		case <-tick.C:
		}
	}
})

// withFunction registers the real function with the official emulator, and returns a caller of that.
func withFunction(t *testing.T) (*caller, *Emulators) {
	t.Helper()
	e := Start(t)
	uri, err := function()
	if err != nil {
		t.Fatal(err)
	}
	e.BeforeSignIn(t, uri)
	return &caller{Context: t.Context(), base: "http://" + e.AuthHost()}, e
}

func sidOf(token string) string {
	sid, _ := claimsOf(token)["sid"].(string)
	return sid
}

// sameSecond signs one user in three times within one second.
func sameSecond(t *testing.T, c *caller) []device {
	t.Helper()
	for range 10 {
		c.nextSecond()
		first := c.newcomer()
		devices := []device{first, c.again(first), c.again(first)}
		if seconds(first.idToken, "auth_time") == seconds(devices[2].idToken, "auth_time") {
			return devices
		}
	}
	t.Fatal("three sign-ins take longer than a second, ten times")
	return nil
}

// Every sign-in has a sid of its own, those of one second too, and keeps it over refreshes on its own device; so they are sessions of
// their own, where the emulator's auth_time would melt them together.
func TestSignInsAreNamedBySid(t *testing.T) {
	c, e := withFunction(t)
	verifier, err := fireauth.Open(t.Context(), fireauth.Options{ProjectID: Project, EmulatorHost: e.AuthHost()})
	if err != nil {
		t.Fatal(err)
	}
	devices := sameSecond(t, c)
	sessions := make(map[session.ID]bool)
	for _, d := range devices {
		sid := sidOf(d.idToken)
		if !sidForm.MatchString(sid) {
			t.Errorf("sid = %q", sid)
		}
		refreshed := c.done(c.refresh(d.refreshToken))
		for _, token := range []string{
			d.idToken, refreshed.text("id_token"), c.done(c.refresh(refreshed.text("refresh_token"))).text("id_token"),
		} {
			if got := sidOf(token); got != sid {
				t.Errorf("sid = %q after a refresh, and was %q", got, sid)
			}
			identity, err := verifier.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			sessions[identity.SessionID] = true
		}
	}
	if len(sessions) != len(devices) {
		t.Errorf("%d sign-ins are %d sessions", len(devices), len(sessions))
	}
}

func TestSignInsAreNamedBySidInTheClientSDK(t *testing.T) {
	requireSDK(t)
	c, _ := withFunction(t)
	script := exec.CommandContext(c, "node", "sids.mjs")
	script.Dir, script.Stderr = jsSDK, &tied.Tail{}
	script.Env = append(os.Environ(), "IDENTITY_URL="+c.base, "IDENTITY_PROJECT="+Project)
	out, err := script.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, script.Stderr)
	}
	var devices [][]string
	if err := json.Unmarshal(out, &devices); err != nil || len(devices) != 3 {
		t.Fatalf("%v: %s", err, out)
	}
	seen := make(map[string]bool)
	for _, sids := range devices {
		seen[sids[0]] = true
		if !sidForm.MatchString(sids[0]) || sids[1] != sids[0] || sids[2] != sids[0] {
			t.Errorf("sids of one device: %q", sids)
		}
	}
	if len(seen) != 3 {
		t.Errorf("sids of three devices: %q", devices)
	}
}

// Which sign-ins have no sid, although the function is there. They are named by their time.
func TestSignInsWithoutSid(t *testing.T) {
	c, _ := withFunction(t)
	d := c.newcomer()
	changed := c.done(c.client("update", object{"idToken": d.idToken, "password": otherPassword, "returnSecureToken": true}))
	for name, token := range map[string]string{
		"anonymous":                c.done(c.client("signUp", object{"returnSecureToken": true})).text("idToken"),
		"custom token":             c.done(c.customSignIn(customToken("custom-"+newEmail(), nil))).text("idToken"),
		"after a password change":  changed.text("idToken"),
		"and a refresh after that": c.done(c.refresh(changed.text("refreshToken"))).text("id_token"),
	} {
		if sid := sidOf(token); sid != "" {
			t.Errorf("%s: sid = %q", name, sid)
		}
	}
}

// A function that is down, or refuses, fails the sign-in: Firebase's decision, and why BeforeSignIn needs nothing that can be down. Where
// it cannot have Google's keys it answers that there is nothing to add, on which the sign-in goes on.
func TestFunctionThatCannotName(t *testing.T) {
	e := Start(t)
	c := &caller{Context: t.Context(), base: "http://" + e.AuthHost()}
	d := c.newcomer()
	answering := func(code int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = fmt.Fprint(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	ports, err := freePorts(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ uri, want string }{
		"nothing to add": {answering(http.StatusOK, "{}"), "signed in"},
		"refuses":        {answering(http.StatusUnauthorized, "{}"), "BLOCKING_FUNCTION_ERROR_RESPONSE"},
		"is down":        {fmt.Sprintf("http://127.0.0.1:%d/", ports[0]), "500 BLOCKING_FUNCTION_ERROR_RESPONSE"},
	} {
		t.Run(name, func(t *testing.T) {
			e.BeforeSignIn(t, test.uri)
			a := c.signIn(d.email, password)
			if got := a.outcome("signed in"); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if a.word == "" && sidOf(a.text("idToken")) != "" {
				t.Error("a sid out of nowhere")
			}
		})
	}
	if a := c.signIn(d.email, password); a.word != "" {
		t.Errorf("after the tests the function is still there: %s", a.word)
	}
}
