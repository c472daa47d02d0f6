package firebasetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/tied"
)

const (
	// startTimeout is how long the emulators may take: 10 to 30 seconds on machines of two cores, most of it for the compilation
	// of Google's API description by the Auth emulator.
	startTimeout = 3 * time.Minute
	// stopTimeout is how long they may take to end in order. The CLI itself waits 4 seconds for Java.
	stopTimeout = 15 * time.Second
	// attempts is how often a free port may turn out to be taken by somebody who was faster.
	attempts = 3
)

// Options say which emulators to start, and where.
type Options struct {
	Firestore bool // Firestore too, which needs Java and the emulator's jar; else Auth alone
	FreePorts bool // any free ports, instead of those that firebase.json gives
}

// Emulators are running emulators.
type Emulators struct {
	auth, firestore string // host:port
	folder          string // the CLI's files; removed in the end
	process         *exec.Cmd
	exited          <-chan struct{}
	output          *tied.Tail
	stop            sync.Once
}

// AuthHost is the address of the Auth emulator, host:port, as FIREBASE_AUTH_EMULATOR_HOST wants it.
func (e *Emulators) AuthHost() string { return e.auth }

// FirestoreHost is the address of the Firestore emulator, host:port, as FIRESTORE_EMULATOR_HOST wants it; empty without one.
func (e *Emulators) FirestoreHost() string { return e.firestore }

// Exited is closed when the emulators have ended.
func (e *Emulators) Exited() <-chan struct{} { return e.exited }

// Output is the last of what they have printed.
func (e *Emulators) Output() string { return e.output.String() }

// Launch starts emulators and returns when they answer. They end with [Emulators.Stop], with this process, and when ctx ends
// before they answer. Its errors are one line that says what to install where something is missing.
func Launch(ctx context.Context, options Options) (e *Emulators, err error) {
	cli, err := findCLI(ctx)
	if err != nil {
		return nil, err
	}
	for range attempts {
		if e, err = cli.launch(ctx, options); err == nil || !options.FreePorts || !taken(err) {
			break
		}
	}
	return e, err
}

// taken reports whether somebody else has a port: in our words, or in the CLI's.
func taken(err error) bool {
	return errors.Is(err, errTaken) || strings.Contains(err.Error(), "port taken")
}

func (cli cli) launch(ctx context.Context, options Options) (*Emulators, error) {
	folder, err := os.MkdirTemp("", "vigil-emulators")
	if err != nil {
		return nil, fmt.Errorf("firebasetest: %w", err)
	}
	e := &Emulators{folder: folder, output: &tied.Tail{}}
	if err := e.start(ctx, cli, options); err != nil {
		e.Stop()
		return nil, err
	}
	return e, nil
}

func (e *Emulators) start(ctx context.Context, cli cli, options Options) error {
	config, err := readConfig(ctx, filepath.Join(cli.root, "firebase.json"), options)
	if err != nil {
		return err
	}
	file, err := config.file(e.folder)
	if err != nil {
		return err
	}
	// Nothing of the user's own CLI: no login, no settings, no telemetry. Nor does it find other emulators of the project in its temporary folder.
	env := append(os.Environ(), "TMPDIR="+e.folder, "XDG_CONFIG_HOME="+e.folder, "NO_UPDATE_NOTIFIER=1", "NO_COLOR=1", "FORCE_COLOR=0")
	only := []string{"auth"}
	e.auth = config.host("auth")
	if options.Firestore {
		jar, err := firestoretest.RunnableJar(e.folder) //nolint:contextcheck // it only looks for a file
		if err != nil {
			return err
		}
		env = append(env, "FIRESTORE_EMULATOR_BINARY_PATH="+jar)
		only = append(only, "firestore")
		e.firestore = config.host("firestore")
	}
	if err := config.vacant(ctx, only); err != nil {
		return err
	}
	e.process = exec.CommandContext(context.WithoutCancel(ctx), cli.node, cli.script,
		"emulators:start", "--only", strings.Join(only, ","), "--project", Project, "--config", file)
	e.process.Dir, e.process.Env = e.folder, env // its logs go to the working directory
	e.process.Stdout, e.process.Stderr = e.output, e.output
	// The CLI starts Java in a session of its own, and ends it when it is asked to end itself.
	if e.exited, err = tied.Start(e.process, syscall.SIGTERM); err != nil {
		return fmt.Errorf("firebasetest: cannot start the Firebase CLI: %w", err)
	}
	return e.await(ctx)
}

// await returns when the emulators answer.
func (e *Emulators) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !answers(ctx, e.auth) || e.firestore != "" && !answers(ctx, e.firestore) {
		select {
		case <-e.exited:
			return fmt.Errorf("firebasetest: the emulators ended at once:\n%s", e.output)
		case <-ctx.Done():
			return fmt.Errorf("firebasetest: the emulators are not ready: %w\n%s", ctx.Err(), e.output)
		case <-tick.C:
		}
	}
	return nil
}

// Stop ends the emulators, if they still run, and returns when they are gone.
func (e *Emulators) Stop() { e.stop.Do(func() { e.end(stopTimeout) }) }

// end gives the emulators some time to end in order.
func (e *Emulators) end(patience time.Duration) {
	defer func() { _ = os.RemoveAll(e.folder) }() // a temporary folder
	if e.process == nil || e.process.Process == nil {
		return
	}
	// Once only: at the second signal the CLI leaves Java behind.
	_ = e.process.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.exited:
		return
	case <-time.After(patience):
	}
	started := children(e.process.Process.Pid) // while they still are
	_ = e.process.Process.Kill()
	<-e.exited
	for _, pid := range started {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// children are the processes that a process has started, none where there is no ps.
func children(of int) (pids []int) {
	list, _ := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output() //nolint:noctx // it waits for nothing
	for line := range strings.Lines(string(list)) {
		var pid, parent int
		if n, _ := fmt.Sscan(line, &pid, &parent); n == 2 && parent == of {
			pids = append(pids, pid)
		}
	}
	return pids
}

func answers(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host, nil)
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
