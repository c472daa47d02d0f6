// Package firestoretest runs the Firestore emulator for tests: one for all tests of a binary, or one of a test's own to kill
// and restart, and a [Proxy] to cut or stall the way to it. Every test takes a [ProjectID], which
// isolates it from the others.
//
// A package that uses it says so in one place:
//
//	func TestMain(m *testing.M) { firestoretest.Main(m) }
package firestoretest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/tied"
)

// startTimeout is how long the emulator may take to be ready: 3 to 5 seconds on a machine that does nothing else.
const startTimeout = 90 * time.Second

// mainClass is where the emulator's jar, which does not say so itself, is entered.
const mainClass = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"

var shared struct {
	mu       sync.Mutex
	main     bool
	emulator *Emulator
	err      error
}

// Main runs the tests of a package, stops the emulator that they shared, and exits.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is [Main] for a package that has more to do before it exits with the code.
func Run(m *testing.M) (code int) {
	shared.main = true
	code = m.Run()
	if shared.emulator != nil {
		shared.emulator.stop()
	}
	return code
}

// Start returns the address of the emulator that all tests of the binary share, and starts it for the first of them.
// The package needs [Main], since a test's end is not the emulator's.
func Start(tb testing.TB) (host string) {
	tb.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.main {
		tb.Fatal("firestoretest: the package's TestMain calls neither firestoretest.Main nor Run")
	}
	if shared.emulator == nil && shared.err == nil {
		shared.emulator, shared.err = launch()
	}
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.emulator.Host()
}

// ProjectID returns the id of a project that no other test has.
func ProjectID(tb testing.TB) string {
	tb.Helper()
	return "demo-" + strings.ToLower(rand.Text())[:20]
}

// Emulator is an emulator of a test's own.
type Emulator struct {
	jar  string
	port int
	args []string

	process *exec.Cmd
	output  *tied.Tail
	exited  <-chan struct{}
}

// New starts an emulator, with further arguments of its command line, which ends with the test.
func New(tb testing.TB, args ...string) *Emulator {
	tb.Helper()
	e, err := launch(args...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.stop)
	return e
}

// Host is the address of the emulator, host:port. It is the same after a restart.
func (e *Emulator) Host() string { return fmt.Sprintf("127.0.0.1:%d", e.port) }

// Kill ends the emulator as a crash would. Its data is lost.
func (e *Emulator) Kill() { e.stop() }

// Restart starts the emulator again after [Emulator.Kill], empty and at the same address.
func (e *Emulator) Restart(tb testing.TB) {
	tb.Helper()
	if err := e.start(); err != nil {
		tb.Fatal(err)
	}
}

// launch starts an emulator on a free port, and on another one if somebody else was faster to take it.
func launch(args ...string) (*Emulator, error) {
	jar, err := findJar()
	if err != nil {
		return nil, err
	}
	for range 3 {
		e := &Emulator{jar: jar, args: args}
		if e.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = e.start(); err == nil {
			return e, nil
		}
	}
	return nil, err
}

func (e *Emulator) start() error {
	// These flags of the machine make it start fast and stay small, instead of running fast for long.
	args := []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m", "-cp", e.jar,
		mainClass, "--host=127.0.0.1", fmt.Sprintf("--port=%d", e.port)}
	e.output = &tied.Tail{}
	e.process = exec.CommandContext(context.Background(), "java", append(args, e.args...)...)
	e.process.Stdout, e.process.Stderr = e.output, e.output
	var err error
	if e.exited, err = tied.Start(e.process, syscall.SIGKILL); err != nil {
		return fmt.Errorf("firestoretest: cannot start the Firestore emulator: %w", err)
	}
	if err := e.await(); err != nil {
		e.stop()
		return err
	}
	return nil
}

// await returns when the emulator answers.
func (e *Emulator) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if answers(ctx, "http://"+e.Host()) {
			return nil
		}
		select {
		case <-e.exited:
			return fmt.Errorf("firestoretest: the Firestore emulator ended at once:\n%s", e.output)
		case <-ctx.Done():
			return fmt.Errorf("firestoretest: the Firestore emulator is not ready after %s:\n%s", startTimeout, e.output)
		case <-tick.C:
		}
	}
}

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// stop kills the process, if it still runs, and returns when it is gone.
func (e *Emulator) stop() {
	if e.process.Process == nil {
		return // never started
	}
	_ = e.process.Process.Kill()
	<-e.exited
}

func freePort() (int, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// findJar returns the path of the emulator's jar.
func findJar() (string, error) {
	if jar := os.Getenv("FIRESTORE_EMULATOR_JAR"); jar != "" {
		if _, err := os.Stat(jar); err != nil {
			return "", fmt.Errorf("firestoretest: FIRESTORE_EMULATOR_JAR: %w", err)
		}
		return jar, nil
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	var said bytes.Buffer
	script := exec.CommandContext(context.Background(), filepath.Join(root, "scripts", "firestore-emulator.sh"))
	script.Stderr = &said
	out, err := script.Output()
	if err != nil {
		return "", errors.New("firestoretest: " + cmp.Or(strings.TrimSpace(said.String()), err.Error()))
	}
	return strings.TrimSpace(string(out)), nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("firestoretest: no go.mod above the working directory")
		}
	}
}
