package functions

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
)

const (
	addrVariable = "VIGIL_TEST_FUNCTIONS_ADDR"
	waitVariable = "VIGIL_TEST_FUNCTIONS_WAIT"
)

// TestMain is also a process that serves: the framework has one registry in each and cannot be told to stop.
func TestMain(m *testing.M) {
	addr := os.Getenv(addrVariable)
	if addr == "" {
		firestoretest.Main(m)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := New(Options{SignInURI: testURI, ProjectID: testProject, Registry: &domain{wait: os.Getenv(waitVariable) != ""}})
	if err == nil {
		err = s.Serve(ctx, addr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await returns when somebody listens.
func await(t *testing.T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

func send(t *testing.T, url string, header http.Header, body []byte) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// output is what a process says.
type output struct {
	mu     sync.Mutex
	text   bytes.Buffer
	waits  chan struct{} // closed when a call waits
	closed bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.text.Write(p)
	if !o.closed && bytes.Contains(o.text.Bytes(), []byte(waiting)) {
		o.closed = true
		close(o.waits)
	}
	return len(p), nil
}

// process is a process that serves.
func process(t *testing.T, variables ...string) (url string, cmd *exec.Cmd, said *output) {
	t.Helper()
	addr := freeAddr(t)
	said = &output{waits: make(chan struct{})}
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), append(variables, addrVariable+"="+addr)...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, addr)
	return "http://" + addr, cmd, said
}

// wantEnd tells a process to end.
func wantEnd(t *testing.T, cmd *exec.Cmd, said *output) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &said.text)
	}
}

func TestServeAll(t *testing.T) {
	url, cmd, said := process(t)
	deleted, gone := deletion2(`{"oldValue":{"uid":"ana"}}`)
	for path, c := range map[string]struct {
		header http.Header
		body   []byte
		want   int
	}{
		"/" + BeforeSignIn:  {nil, request("a.b.c"), http.StatusUnauthorized},
		"/" + OnRevocation:  {binary(written, "application/protobuf"), nil, http.StatusNoContent},
		"/" + OnUserDeleted: {deleted, gone, http.StatusNoContent},
		"/" + Sweep:         {nil, nil, http.StatusOK},
		"/":                 {nil, nil, http.StatusNotFound},
		"/sweep":            {nil, nil, http.StatusNotFound},
	} {
		if status, answer := send(t, url+path, c.header, c.body); status != c.want {
			t.Errorf("%s: %d %s, want %d", path, status, answer, c.want)
		}
	}
	wantEnd(t, cmd, said)
}

func TestServeOne(t *testing.T) {
	url, cmd, said := process(t, "FUNCTION_TARGET="+Sweep)
	if status, answer := send(t, url+"/", nil, nil); status != http.StatusOK || !strings.HasPrefix(answer, `{"expired":`) {
		t.Errorf("%d %s", status, answer)
	}
	wantEnd(t, cmd, said)
}

// A call that waits when the process is told to end is answered: its caller tries again elsewhere.
func TestServeEndsInOrder(t *testing.T) {
	url, cmd, said := process(t, waitVariable+"=1")
	answered := make(chan int, 1)
	go func() {
		status, _ := send(t, url+"/"+Sweep, nil, nil)
		answered <- status
	}()
	<-said.waits
	wantEnd(t, cmd, said)
	if status := <-answered; status != http.StatusServiceUnavailable {
		t.Errorf("answered %d", status)
	}
}

func TestServeRefuses(t *testing.T) {
	s := newServer(t, &domain{})
	if err := s.Serve(t.Context(), "nowhere"); err == nil {
		t.Error("an address without a port is served")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), addrVariable+"="+freeAddr(t), "FUNCTION_TARGET=Sweeep")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "Sweeep") {
		t.Errorf("a function that there is not: %v\n%s", err, out)
	}
}
