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
	"errors"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

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
	lobbyRetryAfter  = 10 * time.Second
)

const opServe = "open a socket"

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

// Serve upgrades a request from a client at origin. It returns nil once the connection is taken over, whatever becomes of that.
// Otherwise nothing is answered yet: the error is a [session.Error] for the caller to show, with the headers that w has by then.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, origin session.Origin) error {
	if !s.accepts.Allow() {
		return &session.Error{
			Op: opServe, Code: session.CodeUnavailable, Message: "Too many sockets are being opened at once.",
			RetryAfter: time.Duration(1+rand.IntN(maxRetryAfter)) * time.Second, // not all at the same time again
		}
	}
	if !r.ProtoAtLeast(1, 1) { // whose Upgrade header means nothing (RFC 9110, section 7.8)
		return refusal(w, http.StatusBadRequest, errors.New("a handshake needs HTTP/1.1"))
	}
	if field := tokenIn(r); field != "" {
		return &session.Error{
			Op: opServe, Code: session.CodeInvalidRequest, Field: field,
			Message: "must not be in a URL, where logs and histories keep it: send it in the first frame",
		}
	}
	leave, ok := s.lobby.enter(origin)
	if !ok {
		return &session.Error{
			Op: opServe, Code: session.CodeRateLimited, Message: "Too many sockets have not authenticated yet.", RetryAfter: lobbyRetryAfter,
		}
	}
	if !s.begin() {
		leave()
		return &session.Error{Op: opServe, Code: session.CodeUnavailable, Message: "This instance is shutting down."}
	}
	c, err := s.upgrade(w, r)
	if c == nil {
		leave()
		s.running.Done()
		return err
	}
	c.leave, c.peer = leave, s.hub.Connect(c, origin)
	go c.read()
	return nil
}

// tokenIn returns what in the URL of a handshake has a token, by its name or, whatever it is called, by how ID tokens begin; empty: nothing.
func tokenIn(r *http.Request) (field string) {
	query := r.URL.Query()
	for _, name := range []string{"token", "access_token", "id_token"} {
		if query.Has(name) {
			return name
		}
	}
	if strings.Contains(r.URL.RawQuery, "eyJ") {
		return "query"
	}
	return ""
}

// upgrade opens a connection that nobody reads yet. It returns neither that nor an error when the connection is taken over and lost.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) (*conn, error) {
	var refused error
	upgrader := s.upgrader
	upgrader.Error = func(_ http.ResponseWriter, _ *http.Request, status int, reason error) {
		refused = refusal(w, status, reason)
	}
	c := &conn{server: s}
	ws, err := upgrader.Upgrade(&hijacker{w, &c.line}, r, w.Header())
	if err != nil {
		return nil, refused
	}
	c.ws = ws
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

// refusal is the error for what gorilla has not upgraded.
func refusal(w http.ResponseWriter, status int, reason error) error {
	switch status {
	case http.StatusBadRequest:
		w.Header().Set("Sec-Websocket-Version", "13") // RFC 6455, section 4.4
		return &session.Error{
			Op: opServe, Code: session.CodeInvalidRequest, Err: reason,
			Field: headerOf(reason), Message: "must be that of a WebSocket's handshake (RFC 6455)",
		}
	case http.StatusForbidden:
		return &session.Error{
			Op: opServe, Code: session.CodeForbidden, Err: reason,
			Message: "The Origin header does not name an origin that may open sockets.",
		}
	default:
		return &session.Error{Op: opServe, Code: session.CodeInternal, Err: reason}
	}
}

var quotedHeader = regexp.MustCompile(`'([\w-]+)' header`)

// headerOf is the header that gorilla complains about, which it names in words alone.
func headerOf(reason error) string {
	if found := quotedHeader.FindStringSubmatch(reason.Error()); found != nil {
		return http.CanonicalHeaderKey(found[1])
	}
	return "Upgrade"
}
