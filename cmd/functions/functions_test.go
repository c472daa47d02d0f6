package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/functions"
)

const (
	signInURI = "http://127.0.0.1/BeforeSignIn"
	// onCloudRun is how a process knows that it is there.
	onCloudRun = "K_SERVICE=vigil-functions"
)

// signInRequest is what the Auth emulator calls BeforeSignIn with.
func signInRequest(t *testing.T) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	jwt := part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(map[string]any{
		"iss": "https://securetoken.google.com/demo-functions", "aud": signInURI, "event_type": "beforeSignIn",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "sub": "ana",
	}) + "."
	return `{"data":{"jwt":"` + jwt + `"}}`
}

func TestEmulatorsAreRefused(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"", functions.BeforeSignIn, functions.OnRevocation, functions.OnUserDeleted, functions.Sweep} {
		p := launch(t, onCloudRun, "FIREBASE_PROJECT_ID=demo", "SIGN_IN_URI=https://sign-in.example.com", "FUNCTION_TARGET="+target,
			"FIREBASE_AUTH_EMULATOR_HOST=127.0.0.1:9099", "FIRESTORE_EMULATOR_HOST=127.0.0.1:8081")
		if code := p.exitCode(); code != 2 {
			t.Errorf("%q: exit code %d", target, code)
		}
		wantFaults(t, p.stderr.String(), "FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST")
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ settings, faults []string }{
		"of functions alone": {
			[]string{"FIREBASE_PROJECT_ID=demo", "PORT=http", "FUNCTION_TARGET=BeforeCreate", "SIGN_IN_URI=http://sign-in.example.com", "SWEEP_AUDIENCE=x"},
			[]string{"FUNCTION_TARGET", "PORT", "SIGN_IN_URI", "SWEEP_CALLER"},
		},
		"of the service":              {[]string{onCloudRun, "IDLE_TIMEOUT=soon", "RATE_LIMITS=lots", "STORE=redis"}, []string{"FIREBASE_PROJECT_ID", "IDLE_TIMEOUT", "RATE_LIMITS", "STORE"}},
		"BeforeSignIn without a name": {[]string{"FIREBASE_PROJECT_ID=demo", "FUNCTION_TARGET=BeforeSignIn"}, []string{"SIGN_IN_URI"}},
		"a store that nobody shares":  {[]string{onCloudRun, "FIREBASE_PROJECT_ID=demo", "STORE=memory", "PORT=65536"}, []string{"PORT", "STORE"}},
		"Sweep open to anybody":       {[]string{"FIREBASE_PROJECT_ID=demo"}, []string{"SWEEP_AUDIENCE"}},
	} {
		p := launch(t, c.settings...)
		if code := p.exitCode(); code != 2 {
			t.Errorf("%s: exit code %d", name, code)
		}
		wantFaults(t, p.stderr.String(), c.faults...)
	}
}

func wantFaults(t *testing.T, stderr string, want ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(strings.TrimPrefix(stderr, "functions: ")) {
		variable, _, _ := strings.Cut(line, ":")
		got = append(got, variable)
	}
	if !slices.Equal(got, want) {
		t.Errorf("faults of %v, want %v:\n%s", got, want, stderr)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	nothing := func(string) (string, bool) { return "", false }
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, nothing, &out, &out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{functions.BeforeSignIn, functions.OnRevocation, functions.OnUserDeleted, functions.Sweep} {
		if !strings.Contains(out.String(), "/"+name) {
			t.Errorf("the help does not say what is served at /%s", name)
		}
	}
	for _, variable := range shown {
		if !strings.Contains(out.String(), "--"+config.FlagName(variable)+" ") {
			t.Errorf("the help does not have %s", variable)
		}
	}
	if strings.Contains(out.String(), "--ops-addr") {
		t.Error("the help has a setting that means nothing here")
	}
	for _, args := range [][]string{{"extra"}, {"--no-such-flag"}} {
		if err := run(t.Context(), args, nothing, &out, &out); err == nil || config.ExitCode(err) != 2 {
			t.Errorf("%v: exit code %d, %v", args, config.ExitCode(err), err)
		}
	}
}

func TestEachFunctionAtItsName(t *testing.T) {
	t.Parallel()
	p := emulated(t, "SIGN_IN_URI="+signInURI)
	if code, text := p.call("/"+functions.BeforeSignIn, signInRequest(t)); code != http.StatusOK || !strings.Contains(text, `"sid"`) {
		t.Errorf("BeforeSignIn: %d %s", code, text)
	}
	if code, text := p.call("/"+functions.Sweep, ""); code != http.StatusOK || !strings.Contains(text, `"purged":0`) {
		t.Errorf("Sweep: %d %s", code, text)
	}
	event := []string{"Ce-Specversion: 1.0", "Ce-Id: 1", "Ce-Source: //test", "Content-Type: application/json"}
	written := append([]string{"Ce-Type: google.cloud.firestore.document.v1.written"}, event...)
	if code, text := p.call("/"+functions.OnRevocation, `{"value":{"fields":{"userId":{"stringValue":"ana"},"tokensPending":{"booleanValue":true}}}}`, written...); code != http.StatusNoContent {
		t.Errorf("OnRevocation: %d %s", code, text)
	}
	deleted := append([]string{"Ce-Type: google.firebase.auth.user.v2.deleted"}, event...)
	if code, text := p.call("/"+functions.OnUserDeleted, `{"oldValue":{"uid":"ana"}}`, deleted...); code != http.StatusNoContent {
		t.Errorf("OnUserDeleted: %d %s", code, text)
	}
	if code, _ := p.call("/", ""); code != http.StatusNotFound {
		t.Errorf("/: %d", code)
	}
}

func TestOneFunctionAtTheRoot(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"FUNCTION_TARGET=", "--function-target="} {
		p := emulated(t, setting+functions.Sweep)
		if code, text := p.call("/", ""); code != http.StatusOK || !strings.Contains(text, `"purged":0`) {
			t.Errorf("%s: %d %s", setting, code, text)
		}
	}
}

// The public service of BeforeSignIn has a service account without roles: nothing may be needed that one could give.
func TestBeforeSignInNeedsNoCredentials(t *testing.T) {
	t.Parallel()
	p := launch(t, "FIREBASE_PROJECT_ID=demo-functions", "FUNCTION_TARGET="+functions.BeforeSignIn, "SIGN_IN_URI=https://sign-in.example.com")
	p.awaitListening()
	if code, text := p.call("/", signInRequest(t)); code != http.StatusUnauthorized {
		t.Errorf("an unsigned request: %d %s", code, text)
	}
	p.terminate()
	if code := p.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// The others do need them, and say so instead of serving what cannot work.
func TestTheOthersNeedCredentials(t *testing.T) {
	t.Parallel()
	p := launch(t, onCloudRun, "FIREBASE_PROJECT_ID=demo-functions")
	if code := p.exitCode(); code != 1 || !strings.Contains(p.stderr.String(), "functions: open ") {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
}

func TestTerminationFinishesRequests(t *testing.T) {
	t.Parallel()
	p := launch(t, "FIREBASE_PROJECT_ID=demo-functions", "FUNCTION_TARGET="+functions.BeforeSignIn, "SIGN_IN_URI="+signInURI,
		"ALLOW_EMULATORS=true", "FIREBASE_AUTH_EMULATOR_HOST=127.0.0.1:9")
	p.awaitListening()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	body := signInRequest(t)
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(body))
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err) // the function has begun to read
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.terminate()
	p.eventually("new calls are not taken on, and keep nobody from signing in", func() bool {
		code, text := p.call("/", body)
		return code == http.StatusOK && text == "{}"
	})
	if _, err := conn.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		t.Errorf("%s", response.Status)
	}
	if code := p.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
