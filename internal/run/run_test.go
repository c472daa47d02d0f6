package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/tied"
)

// patience is how long a test waits for what must come: a failure's delay, not an assertion about speed.
const patience = time.Minute

// role is the variable that makes the test's own program a dashboard: one that answers with its environment, or one that fails.
const role = "RUN_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "answer":
		environment := strings.Join(os.Environ(), "\n")
		err := http.ListenAndServe(os.Getenv("RUN_HOST"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, environment)
		}))
		fmt.Println(err)
	case "fail":
		fmt.Println("there is no build")
		os.Exit(1)
	default:
		os.Exit(m.Run())
	}
}

func freeHost(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// dashboard is the test's own program in a role, at host.
func dashboard(t *testing.T, as, host string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(role, as) // what is tested adds to the environment
	t.Setenv("RUN_HOST", host)
	return exec.Command(self) //nolint:noctx // what ends it is the test
}

// vigilDev is the command that `make run` runs, on free ports.
func vigilDev(t *testing.T, flags ...string) []string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "vigil")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/vigil").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return append([]string{program, "dev", "--addr=127.0.0.1:0", "--identity-addr=127.0.0.1:0", "--ops-addr="}, flags...)
}

// get is what host answers, or nothing when nobody is there.
func get(t *testing.T, host string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	return string(text)
}

// valueOf is a variable in an environment.
func valueOf(variable, environment string) string {
	for line := range strings.Lines(environment) {
		if value, ok := strings.CutPrefix(line, variable+"="); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func TestRun(t *testing.T) {
	host := freeHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout tied.Tail
	ended := make(chan error, 1)
	command, site := vigilDev(t), dashboard(t, "answer", host)
	go func() { ended <- run(ctx, command, site, host, &stdout) }()

	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(stdout.String(), "Open the dashboard") {
		select {
		case err := <-ended:
			t.Fatalf("it has ended: %v\n%s", err, stdout.String())
		case <-deadline:
			t.Fatalf("no invitation in:\n%s", stdout.String())
		case <-tick.C:
		}
	}
	_, invitation, _ := strings.Cut(stdout.String(), lastLine)
	_, port, _ := net.SplitHostPort(host)
	for _, part := range []string{"http://localhost:" + port + "\n", "ana@example.com     password  ana-password", "admin@example.com   password  admin-password"} {
		if !strings.Contains(invitation, part) {
			t.Errorf("%q is not in the invitation:\n%s", part, invitation)
		}
	}

	environment := get(t, host)
	api, auth := valueOf("NEXT_PUBLIC_VIGIL_URL", environment), valueOf("NEXT_PUBLIC_AUTH_EMULATOR_URL", environment)
	if project := valueOf("NEXT_PUBLIC_FIREBASE_PROJECT_ID", environment); project != "demo-vigil" {
		t.Errorf("the dashboard is told the project %q", project)
	}
	if own := valueOf("VIGIL_URL", environment); own != api {
		t.Errorf("the dashboard's pages go to %q, and its server to %q", api, own)
	}
	api, auth = strings.TrimPrefix(api, "http://"), strings.TrimPrefix(auth, "http://")
	if get(t, api+"/readyz") == "" || get(t, auth) == "" {
		t.Fatalf("the dashboard is told of a service at %q and of accounts at %q, and they are not there", api, auth)
	}

	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for name, place := range map[string]string{"the dashboard": host, "the service": api, "the identity server": auth} {
		if get(t, place) != "" {
			t.Errorf("%s still runs", name)
		}
	}
}

func TestRunEndsWithEither(t *testing.T) {
	t.Run("settings that are wrong", func(t *testing.T) {
		host := freeHost(t)
		err := run(t.Context(), vigilDev(t, "--idle-timeout=never"), dashboard(t, "answer", host), host, io.Discard)
		if exitCode(err) != 2 {
			t.Errorf("%v, exit code %d", err, exitCode(err))
		}
	})
	t.Run("a dashboard that is not built", func(t *testing.T) {
		host := freeHost(t)
		err := run(t.Context(), vigilDev(t), dashboard(t, "fail", host), host, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "there is no build") {
			t.Errorf("%v", err)
		}
	})
	t.Run("a port that is taken", func(t *testing.T) {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		host := listener.Addr().String()
		if err := run(t.Context(), []string{"/nowhere"}, exec.Command("/nowhere"), host, io.Discard); err == nil || !strings.Contains(err.Error(), "PORT=") { //nolint:noctx // neither starts
			t.Errorf("%v", err)
		}
	})
	t.Run("programs that are not there", func(t *testing.T) {
		if err := run(t.Context(), []string{"/nowhere"}, exec.Command("/nowhere"), freeHost(t), io.Discard); !errors.Is(err, os.ErrNotExist) { //nolint:noctx // neither starts
			t.Errorf("%v", err)
		}
	})
}

// The same lines are read from what `make run-emulators` prints.
func TestIntroductionOfEmulators(t *testing.T) {
	i := newIntroduction(io.Discard)
	for _, part := range []string{"\n  API        http://127.0.0.1:8080/v1\n  Auth       http://127.0.0.1:9099   (connectAuthEmulator, project demo-vigil)\n",
		"  Firestore  127.0.0.1:8081   (connectFirestoreEmulator)\n\n  user       ana@example.com     password  ana-password\n\nCtrl-C stops", " everything.\n"} {
		if _, err := i.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	<-i.complete
	if got := strings.Join(i.environment(), " "); got != "VIGIL_URL=http://127.0.0.1:8080 NEXT_PUBLIC_VIGIL_URL=http://127.0.0.1:8080 "+
		"NEXT_PUBLIC_AUTH_EMULATOR_URL=http://127.0.0.1:9099 NEXT_PUBLIC_FIREBASE_PROJECT_ID=demo-vigil" {
		t.Error(got)
	}
}
