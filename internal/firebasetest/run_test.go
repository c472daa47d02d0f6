package firebasetest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/tied"
)

// patience is how long a test waits for what must come: a failure's delay, not an assertion about speed.
const patience = 3 * time.Minute

// printed is what a process has printed so far.
type printed struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *printed) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(data)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// running is `make run-emulators`, on free ports.
type running struct {
	*testing.T
	process        *exec.Cmd
	exited         <-chan struct{}
	stdout, stderr printed
}

func build(t *testing.T, folder, name, path string) string {
	t.Helper()
	program := filepath.Join(folder, name)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, path).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", path, err, out)
	}
	return program
}

func runEmulators(t *testing.T) *running {
	t.Helper()
	folder := t.TempDir()
	ports, err := freePorts(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{T: t}
	r.process = exec.Command(build(t, folder, "run", "./run"), "-free-ports", "-vigil", build(t, folder, "vigil", "../../cmd/vigil")) //nolint:noctx // ended below
	r.process.Env = append(os.Environ(), "ADDR="+net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0])), "OPS_ADDR=")
	r.process.Stdout, r.process.Stderr = &r.stdout, &r.stderr
	if r.exited, err = tied.Start(r.process, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.process.Process.Signal(syscall.SIGTERM) // it may be gone
		r.wait()
	})
	r.await("Ctrl-C stops everything")
	return r
}

// await waits until something is printed.
func (r *running) await(text string) {
	r.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(r.stdout.String(), text) {
		select {
		case <-r.exited:
			r.Fatalf("it has ended:\n%s\n%s", r.stdout.String(), r.stderr.String())
		case <-deadline:
			r.Fatalf("%q is not printed:\n%s\n%s", text, r.stdout.String(), r.stderr.String())
		case <-tick.C:
		}
	}
}

func (r *running) wait() {
	r.Helper()
	select {
	case <-r.exited:
	case <-time.After(patience):
		_ = r.process.Process.Kill()
		r.Error("it does not end")
	}
}

// printedAfter is the first word after a text in what it printed.
func (r *running) printedAfter(text string) string {
	r.Helper()
	_, rest, ok := strings.Cut(r.stdout.String(), text)
	if !ok {
		r.Fatalf("%q is not in:\n%s", text, r.stdout.String())
	}
	return strings.Fields(rest)[0]
}

// commands are those that it prints between two texts, as a newcomer would paste them.
func (r *running) commands(from, to string) string {
	r.Helper()
	_, text, ok := strings.Cut(r.stdout.String(), from)
	if !ok {
		r.Fatalf("%q is not in:\n%s", from, r.stdout.String())
	}
	text, _, _ = strings.Cut(text, to)
	var commands strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "  ") {
			commands.WriteString(line)
		}
	}
	return commands.String()
}

// The emulators start with the shipped firebase.json, its rules and indexes; the service runs against them; what is printed walks
// through the main job, while the rules let in who may; and Ctrl-C leaves nothing behind.
func TestRunEmulators(t *testing.T) {
	t.Parallel()
	r := runEmulators(t)
	hosts := map[string]string{
		"the service": strings.TrimSuffix(strings.TrimPrefix(r.printedAfter("API "), "http://"), "/v1"),
		"Auth":        strings.TrimPrefix(r.printedAfter("Auth "), "http://"),
		"Firestore":   r.printedAfter("Firestore "),
	}
	for name, host := range hosts {
		if !listens(t, host) {
			t.Fatalf("%s is not at %s", name, host)
		}
	}

	const read = `curl -s -o /dev/null -w '%{http_code}\n' "http://$FIRESTORE/v1/projects/$PROJECT/databases/(default)/documents/activeSessions/$ID"`
	script := exec.CommandContext(t.Context(), "bash", "-c", r.commands("Paste these", "Throw the user out")+
		`ID=$(curl -s "http://$API/v1/sessions/current" -H "Authorization: Bearer $TOKEN" | sed 's/{"id":"\([0-9a-f]*\).*/\1/')`+"\n"+
		`echo "the user reads $(`+read+` -H "Authorization: Bearer $TOKEN"), a stranger $(`+read+`)"`+"\n"+
		r.commands("Throw the user out", "Ctrl-C")+
		`echo "then the user reads $(`+read+` -H "Authorization: Bearer $TOKEN"), the server $(`+read+` -H "Authorization: Bearer owner")"`)
	script.Env = append(os.Environ(), "API="+hosts["the service"], "FIRESTORE="+hosts["Firestore"], "PROJECT="+Project)
	out, err := script.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	inOrder(t, string(out), `"name":"my terminal"`, "HTTP/1.1 204 No Content", "X-Vigil-User: ana", "the user reads 200, a stranger 403",
		`"userId":"admin"`, `"ended":1`, "HTTP/1.1 401 Unauthorized", `"code":"token_revoked"`, "then the user reads 403, the server 200")
	if logs := r.stderr.String(); strings.Contains(logs, "eyJ") {
		t.Errorf("14.2.1, 16.2.5: a token is in the log:\n%s", logs)
	}

	if err := r.process.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	r.wait()
	if code := r.process.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, r.stderr.String())
	}
	for name, host := range hosts {
		if listens(t, host) {
			t.Errorf("%s still runs", name)
		}
	}
}

// listens reports whether anybody takes connections at host.
func listens(t *testing.T, host string) bool {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			t.Errorf("%s is missing, or out of order, in:\n%s", part, text)
			return
		}
		rest = after
	}
}
