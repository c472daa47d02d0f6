package swarm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// asWorker is the variable that makes the test's own program a worker.
const asWorker = "SWARM_WORKER"

func TestMain(m *testing.M) {
	if _, ok := os.LookupEnv(asWorker); ok {
		if err := Work(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// workerCommand starts the test's own program as a worker.
func workerCommand(t testing.TB) func() *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func() *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self)
		cmd.Env = append(os.Environ(), asWorker+"=1")
		return cmd
	}
}

// service plays the server: what it does with a socket, and with a registration, is the test's to say.
type service struct {
	*httptest.Server
	registered atomic.Int32
	visits     atomic.Int32
	register   func(n int32, w http.ResponseWriter)         // of the n-th registration; nil: 201
	refuse     func(n int32, w http.ResponseWriter) bool    // reports whether it has answered the n-th handshake by itself
	visit      func(n int32, ws *websocket.Conn) (code int) // the n-th socket; 0: cut it
	revoke     func(uid string)
}

func play(t testing.TB, s *service) *service {
	t.Helper()
	upgrader := websocket.Upgrader{CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "https://page.example" }}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/sessions", func(w http.ResponseWriter, _ *http.Request) {
		if n := s.registered.Add(1); s.register != nil {
			s.register(n, w)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("POST /v1/admin/users/{uid}/revoke", func(_ http.ResponseWriter, r *http.Request) { s.revoke(r.PathValue("uid")) })
	mux.HandleFunc("POST /v1/admin/revocations", func(http.ResponseWriter, *http.Request) { s.revoke("") })
	mux.HandleFunc("GET /v1/ws", func(w http.ResponseWriter, r *http.Request) {
		n := s.visits.Add(1)
		if s.refuse != nil && s.refuse(n, w) {
			return
		}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.Close()
		if code := s.visit(n, ws); code != 0 {
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
			_, _, _ = ws.ReadMessage() // the other side closes
		}
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// frame is what a test reads of a browser's frames.
type frame struct {
	Type        string  `json:"type"`
	Token       string  `json:"token"`
	Timestamp   int64   `json:"timestamp"`
	Reconnected float64 `json:"reconnectedAfterMs"`
}

func read(ws *websocket.Conn) (f frame, ok bool) { return f, ws.ReadJSON(&f) == nil }

func say(ws *websocket.Conn, text string) { _ = ws.WriteMessage(websocket.TextMessage, []byte(text)) }

// welcome reads auth and answers with ready; it returns the token.
func welcome(ws *websocket.Conn) string {
	f, _ := read(ws)
	say(ws, `{"type":"ready","heartbeatInterval":20,"session":{},"tokenExpiresAt":"2099-01-01T00:00:00Z"}`)
	return f.Token
}

// answer answers pings until the connection ends.
func answer(ws *websocket.Conn) {
	for f, ok := read(ws); ok; f, ok = read(ws) {
		if f.Type == "ping" {
			say(ws, fmt.Sprintf(`{"type":"pong","timestamp":%d,"tokenValid":true}`, f.Timestamp))
		}
	}
}

// hand is a worker in this process, and who gives it orders.
type hand struct {
	testing.TB
	*member
	in    *io.PipeWriter
	ended chan error
}

// employ has a worker in this process take a plan. Renew may be nil.
func employ(t testing.TB, plan Plan, renew func(int) string) *hand {
	t.Helper()
	orders, in := io.Pipe()
	out, said := io.Pipe()
	h := &hand{TB: t, in: in, ended: make(chan error, 1), member: &member{orders: json.NewEncoder(in), replies: make(chan news, 1), renew: renew}}
	var working sync.WaitGroup
	working.Go(func() { h.ended <- Work(context.WithoutCancel(t.Context()), orders, said); _ = said.Close() })
	working.Go(func() { h.listen(out) })
	t.Cleanup(func() { _ = in.Close(); working.Wait() })
	plan.Origin, plan.Rate = "https://page.example", 1000
	h.do(order{Do: doPlan, Plan: &plan})
	return h
}

func (h *hand) do(o order) news {
	h.Helper()
	n, err := h.ask(h.Context(), o)
	if err != nil {
		h.Fatal(err)
	}
	return n
}

// until counts again and again until it is as it should be.
func (h *hand) until(what string, holds func(Counts) bool) {
	h.Helper()
	const patience = 20 * time.Second
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		if holds(h.do(order{Do: doCount}).Counts) {
			return
		}
	}
	h.Fatalf("in vain: %s: %+v", what, h.do(order{Do: doCount}).Counts)
}
