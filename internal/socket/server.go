// Package socket carries the WebSocket protocol (RFC 6455) over gorilla/websocket: it upgrades requests, guards what comes
// before authentication, and moves frames between a connection and its live.Peer. It decides nothing about sessions.
//
// The handler returns once the connection is upgraded, so that net/http's buffers and the request go. What stays per idle connection is one
// reading goroutine, on a small stack: no writer, no timer.
//
// # How a connection ends
//
// Whoever closes, the last frames have [writeTimeout] to go out and the other side has [closeTimeout] to answer; then the
// connection is cut, whatever state it is in. From the close on, nothing that comes in counts. A reader that does not take a frame in
// [writeTimeout] is cut at once.
package socket

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/session"
)

const (
	readLimit   = 16 << 10 // bytes of a message
	readBuffer  = 288      // bytes: gorilla shares more than 256, and Go allocates as many; what is longer is read into where it belongs
	writeBuffer = 4 << 10  // bytes, pooled: only what is being written has one
)

const (
	// acceptsPerSecond is how many handshakes are answered, whoever asks, with as many at once after a pause. When every browser
	// of 15,000 comes back at the same time, the last is in after three seconds; two cores, of which each takes about 3,000 in a second with all that
	// follows until ready, have time for the sockets that are open.
	acceptsPerSecond = 4000
	maxRetryAfter    = 5 // seconds, for those beyond
)

// Server upgrades requests and runs their connections. Use [New].
type Server struct {
	hub      *live.Hub
	upgrader websocket.Upgrader
	accepts  *rate.Limiter
	lobby    lobby
	ctx      context.Context // of every connection: they outlive their requests
	cancel   context.CancelFunc

	mu      sync.Mutex     // orders cancel and the first step of a connection
	running sync.WaitGroup // connections and writers
}

// New returns a server whose connections join the hub. AllowedOrigin decides about the Origin header of a handshake; a
// missing one is refused without asking.
func New(hub *live.Hub, allowedOrigin func(string) bool) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	return &Server{
		hub: hub, accepts: rate.NewLimiter(acceptsPerSecond, acceptsPerSecond), lobby: newLobby(), ctx: ctx, cancel: cancel,
		upgrader: websocket.Upgrader{
			WriteBufferSize: writeBuffer, WriteBufferPool: new(sync.Pool),
			CheckOrigin: func(r *http.Request) bool {
				origins := r.Header.Values("Origin")
				return len(origins) == 1 && allowedOrigin(origins[0])
			},
			Error: refuseUpgrade,
		},
	}
}

// Close ends the work under way for all connections, refuses new ones and waits until all goroutines are gone or ctx is
// done. Drain the hub before.
func (s *Server) Close(ctx context.Context) {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Serve upgrades a request from a client at origin.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, origin session.Origin) {
	if !s.accepts.Allow() {
		w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(maxRetryAfter))) // not all at the same time again
		refuse(w, http.StatusServiceUnavailable, "too many sockets are being opened at once")
		return
	}
	if query := r.URL.Query(); query.Has("token") || query.Has("access_token") || query.Has("id_token") {
		refuse(w, http.StatusBadRequest, "a token does not belong in a URL, where logs and histories keep it: send it in the first frame")
		return
	}
	leave, ok := s.lobby.enter(origin)
	if !ok {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusTooManyRequests, "too many sockets have not authenticated yet")
		return
	}
	if !s.begin() {
		leave()
		w.Header().Set("Retry-After", "2")
		refuse(w, http.StatusServiceUnavailable, "this instance is shutting down")
		return
	}
	c, err := s.upgrade(w, r)
	if err != nil { // the upgrader has answered
		leave()
		s.running.Done()
		return
	}
	c.leave, c.peer = leave, s.hub.Connect(c, origin)
	go c.read()
}

// upgrade opens a connection that nobody reads yet.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) (c *conn, err error) {
	c = &conn{server: s}
	if c.ws, err = s.upgrader.Upgrade(&hijacker{w, &c.line}, r, w.Header()); err != nil {
		return nil, err
	}
	c.ws.SetReadLimit(readLimit)
	c.ws.SetPingHandler(c.pinged)
	c.ws.SetPongHandler(func(string) error { c.ponged(); return nil }) // of what await does not see
	c.writing = true
	c.write(c.line.take()) // the answer to the handshake; when that fails, so will reading
	return c, nil
}

// begin counts one more connection, unless the server is closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.running.Add(1)
	return true
}

func refuseUpgrade(w http.ResponseWriter, _ *http.Request, status int, reason error) {
	detail := strings.TrimPrefix(reason.Error(), "websocket: ")
	if status == http.StatusForbidden {
		detail = "pages of this origin may not open sockets"
	}
	w.Header().Set("Sec-Websocket-Version", "13")
	refuse(w, status, detail)
}

// refuse answers a handshake in the shape of the API's errors (RFC 9457).
func refuse(w http.ResponseWriter, status int, detail string) {
	code, title := "internal", "Internal error"
	switch status {
	case http.StatusBadRequest:
		code, title = "invalid_request", "Invalid request"
	case http.StatusForbidden:
		code, title = "forbidden", "Forbidden"
	case http.StatusMethodNotAllowed:
		code, title = "method_not_allowed", "Method not allowed"
	case http.StatusTooManyRequests:
		code, title = "rate_limited", "Too many requests"
	case http.StatusServiceUnavailable:
		code, title = "unavailable", "Unavailable"
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client may be gone
		"type": "urn:vigil:problem:" + code, "title": title, "status": status, "detail": detail, "code": code,
		"requestId": w.Header().Get("X-Request-Id"),
	})
}
