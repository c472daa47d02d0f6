// Package socket carries the WebSocket protocol (RFC 6455) over gorilla/websocket: it upgrades requests, guards what comes
// before authentication, and moves frames between a connection and its live.Peer. It decides nothing about sessions.
//
// The handler returns once the connection is upgraded, so that net/http's buffers and the request go; what stays per idle
// connection is one reading goroutine.
package socket

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/live"
)

// Limits of what has not authenticated.
const (
	readLimit       = 16 << 10 // bytes of a message
	bufferSize      = 512      // bytes; longer frames take several reads or writes
	maxGreeting     = 10_000   // sockets before auth
	maxGreetingByIP = 100      // of one address
)

// Server upgrades requests and runs their connections. Use [New].
type Server struct {
	hub      *live.Hub
	upgrader websocket.Upgrader
	ctx      context.Context // of every connection: they outlive their requests
	cancel   context.CancelFunc
	readers  sync.WaitGroup

	mu       sync.Mutex
	greeting map[string]int // sockets before auth, by client address
	greeters int
}

// New returns a server whose connections join the hub. AllowedOrigin decides about the Origin header of a handshake; a
// missing one is refused without asking.
func New(hub *live.Hub, allowedOrigin func(string) bool) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{hub: hub, ctx: ctx, cancel: cancel, greeting: make(map[string]int)}
	s.upgrader = websocket.Upgrader{
		ReadBufferSize: bufferSize, WriteBufferSize: bufferSize, WriteBufferPool: new(sync.Pool),
		CheckOrigin: func(r *http.Request) bool {
			origins := r.Header.Values("Origin")
			return len(origins) == 1 && allowedOrigin(origins[0])
		},
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			refuse(w, status, reason.Error())
		},
	}
	return s
}

// Close ends the work under way for all connections and waits until their goroutines are gone or ctx is done. Drain the hub
// before.
func (s *Server) Close(ctx context.Context) {
	s.cancel()
	done := make(chan struct{})
	go func() {
		s.readers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Serve upgrades a request from the client's address.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, clientIP string) {
	for _, name := range []string{"token", "access_token", "id_token"} {
		if r.URL.Query().Has(name) {
			refuse(w, http.StatusBadRequest, "a token does not belong into a URL, where logs and histories keep it: send it in the first frame")
			return
		}
	}
	if !s.admit(clientIP) {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusTooManyRequests, "too many sockets of this address have not authenticated yet")
		return
	}
	var once sync.Once
	greeted := func() { once.Do(func() { s.release(clientIP) }) }
	ws, err := s.upgrader.Upgrade(w, r, w.Header())
	if err != nil {
		greeted() // the upgrader has answered
		return
	}
	s.readers.Go(func() { s.read(ws, greeted) })
}

// read moves frames to the peer until the connection ends. The first frame is auth, or the peer closes.
func (s *Server) read(ws *websocket.Conn, greeted func()) {
	defer greeted()
	defer func() { _ = ws.Close() }() // the other side may be gone already
	c := &conn{ws: ws}
	peer := s.hub.Connect(c)
	defer peer.Gone()

	ws.SetReadLimit(readLimit)
	ws.SetPongHandler(func(string) error { peer.Allow(); return nil })
	ws.SetPingHandler(func(data string) error {
		if peer.Allow() {
			c.enqueue(frame{websocket.PongMessage, []byte(data)})
		}
		return nil
	})
	for {
		kind, data, err := ws.ReadMessage()
		if err != nil {
			return
		}
		if kind != websocket.TextMessage {
			peer.Violate()
			continue
		}
		peer.Receive(s.ctx, data)
		greeted()
	}
}

func (s *Server) admit(clientIP string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.greeters >= maxGreeting || s.greeting[clientIP] >= maxGreetingByIP {
		return false
	}
	s.greeters++
	s.greeting[clientIP]++
	return true
}

func (s *Server) release(clientIP string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.greeters--
	if s.greeting[clientIP]--; s.greeting[clientIP] == 0 {
		delete(s.greeting, clientIP)
	}
}

// refuse answers a handshake in the shape of the API's errors (RFC 9457).
func refuse(w http.ResponseWriter, status int, detail string) {
	code := map[int]string{http.StatusForbidden: "forbidden", http.StatusTooManyRequests: "rate_limited"}[status]
	if code == "" {
		code = "invalid_request"
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client may be gone
		"type": "about:blank", "title": http.StatusText(status), "status": status, "code": code, "detail": detail,
	})
}
