package swarm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// echoes is a server that sends every frame back.
func echoes(t testing.TB) *service {
	return play(t, &service{visit: func(_ int32, ws *websocket.Conn) int {
		for {
			kind, data, err := ws.ReadMessage()
			if err != nil || ws.WriteMessage(kind, data) != nil {
				return 0
			}
		}
	}})
}

// plainRun is a run of two processes against a plain server.
func plainRun(t testing.TB, s *service) Options {
	return Options{
		Plan:      Plan{Protocol: Plain, URL: s.URL, Origin: "https://page.example", Browsers: 20, Rate: 200, Heartbeat: 50 * time.Millisecond},
		Processes: 2, Command: workerCommand(t), Duration: time.Second, Progress: func(string, Counts) {},
	}
}

// idle is a process that does nothing.
func idle(t testing.TB) (pid int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "cat")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// Two processes hold all their browsers, and what they have measured adds up.
func TestRun(t *testing.T) {
	s := echoes(t)
	o := plainRun(t, s)
	o.Server.PID = idle(t)
	stages := make(map[string]bool)
	o.Progress = func(stage string, _ Counts) { stages[stage] = true }
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c := report.Counts
	if c.Connected != 20 || c.Open != 20 || report.Alive.Clients != 20 || s.visits.Load() != 20 || report.Unanswered != 0 || c.Pings < 20*10 {
		t.Errorf("%+v", report)
	}
	if got := report.Latencies[Ping]; got.Count < 20*10 || got.P50 <= 0 || got.Max < got.P99 || got.Lateness.Count < 20 {
		t.Errorf("%+v", got)
	}
	if u := report.Server; u == nil || u.Resident <= 0 || u.BaselineResident <= 0 || u.Pings == 0 || u.CPUPerPing == nil || report.Clients == nil {
		t.Errorf("%+v, %+v", u, report.Clients)
	}
	if !stages["connecting"] || !stages["holding"] || len(report.Closes) != 0 || len(report.Failures) != 0 || report.Alive.Server != nil {
		t.Errorf("%v, %+v", stages, report)
	}
	var text strings.Builder
	if err := report.Print(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"20 asked for, 20 connected", "20 here", "ping, to pong", "a timer's lateness meanwhile", "per connection"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}

// An interruption ends the steady time, and everything that was found is reported.
func TestInterrupted(t *testing.T) {
	o := plainRun(t, echoes(t))
	o.Duration = time.Hour
	ctx, interrupt := context.WithCancel(t.Context())
	o.Progress = func(stage string, c Counts) {
		if stage == "holding" && c.Pongs > 0 {
			interrupt()
		}
	}
	report, err := Run(ctx, o)
	if err != nil || !report.Interrupted || report.Alive.Clients != 20 || report.Counts.Pongs == 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// That the server has died is an error, and there is a report nevertheless.
func TestTheServerDies(t *testing.T) {
	o := plainRun(t, echoes(t))
	o.Duration = time.Hour
	died := make(chan struct{})
	o.Died = died
	var once atomic.Bool
	o.Progress = func(_ string, c Counts) {
		if c.Open == 20 && once.CompareAndSwap(false, true) {
			close(died)
		}
	}
	report, err := Run(t.Context(), o)
	if !errors.Is(err, errDied) || report.Interrupted || report.Counts.Connected != 20 {
		t.Errorf("%+v, %v", report, err)
	}
}

// That a worker has died is an error with its last words.
func TestAWorkerDies(t *testing.T) {
	o := plainRun(t, echoes(t))
	o.Command = func() *exec.Cmd {
		return exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", "echo out of descriptors >&2; read -r line")
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "out of descriptors") {
		t.Error(err)
	}
	o.Command = func() *exec.Cmd { return exec.CommandContext(t.Context(), "/nowhere") }
	if _, err := Run(t.Context(), o); err == nil {
		t.Error("it was started from nowhere")
	}
}

func TestServerThatCounts(t *testing.T) {
	collected := 0
	ops := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RequestURI() {
		case "/metrics":
			_, _ = fmt.Fprint(w, "# HELP vigil_sockets_open Open sockets.\n# TYPE vigil_sockets_open gauge\nvigil_sockets_open 1.5e+04\n")
		case "/debug/pprof/heap?gc=1&debug=1":
			collected++
			stack := strings.Repeat("#\t0x1\tmain.f+0x1\tmain.go:1\n", 20)
			for range 16 << 10 { // stacks: a server that has run for long has called for memory from so many places, some ten megabytes of text
				_, _ = io.WriteString(w, "0: 0 [1: 16] @ 0x1\n"+stack)
			}
			_, _ = fmt.Fprint(w, "heap profile: 0: 0 [0: 0] @ heap/1048576\n\n# runtime.MemStats\n# HeapAlloc = 5000\n# HeapSys = 9000\n# Stack = 600 / 700\n")
		case "/nothing/debug/pprof/heap?gc=1&debug=1":
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(ops.Close)
	s := Server{PID: os.Getpid(), Ops: ops.URL}
	if open, err := s.Sockets(t.Context()); open != 15_000 || err != nil {
		t.Errorf("%d, %v", open, err)
	}
	if live, err := s.Collect(t.Context()); live != 5600 || err != nil || collected != 2 {
		t.Errorf("%d bytes after %d collections, %v", live, collected, err)
	}
	if _, err := (Server{Ops: ops.URL + "/nothing"}).Collect(t.Context()); err == nil {
		t.Error("a collection that tells nothing")
	}
	if _, err := (Server{Ops: ops.URL + "/x"}).Sockets(t.Context()); err == nil {
		t.Error("sockets of a server that does not count them")
	}
	if _, err := (Server{}).Sockets(t.Context()); !errors.Is(err, errUnknown) {
		t.Error(err)
	}
	for _, pid := range []int{0, 1 << 30} {
		s := Server{PID: pid}
		if _, err := s.Resident(); err == nil {
			t.Errorf("memory of %d", pid)
		}
		if _, err := s.CPU(); err == nil {
			t.Errorf("CPU time of %d", pid)
		}
	}
	before, err := s.CPU()
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		if after, err := s.CPU(); err != nil || time.Now().After(deadline) {
			t.Fatalf("no CPU time is counted: %v", err)
		} else if after > before {
			return
		}
	}
}
