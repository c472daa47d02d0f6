package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/wire"
)

// Client is the browser's side of a connection, for programs. Read is for one goroutine at a time, and so is Write.
type Client struct{ ws *websocket.Conn }

// Dial opens a WebSocket to a ws or wss URL, as a page of the origin would.
func Dial(ctx context.Context, url, origin string) (*Client, error) {
	return NewDialer(origin, netip.Addr{}).Dial(ctx, url)
}

// Dialer opens WebSockets as pages of one origin would. Use [NewDialer]. Safe for concurrent use.
type Dialer struct {
	origin  string
	gorilla websocket.Dialer
}

// clientBuffers are shared: only a client that is writing has one.
var clientBuffers sync.Pool

// NewDialer returns a dialer that connects from a local address; from whichever suits, if that is the zero one.
func NewDialer(origin string, from netip.Addr) *Dialer {
	var dialer net.Dialer
	if from.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: from.AsSlice()}
	}
	return &Dialer{origin, websocket.Dialer{
		Proxy: http.ProxyFromEnvironment, NetDialContext: dialer.DialContext, HandshakeTimeout: handshakeTimeout,
		ReadBufferSize: clientReadBuffer, WriteBufferSize: clientWriteBuffer, WriteBufferPool: &clientBuffers,
	}}
}

const (
	handshakeTimeout  = 45 * time.Second // as gorilla's own dialer
	clientReadBuffer  = 512              // bytes; longer frames take several reads
	clientWriteBuffer = 2 << 10          // bytes: a frame with an ID token in it
)

// Dial opens a WebSocket to a ws or wss URL. It fails with [RefusedError] when the server answers with anything else than one.
func (d *Dialer) Dial(ctx context.Context, url string) (*Client, error) {
	ws, answer, err := d.gorilla.DialContext(ctx, url, http.Header{"Origin": {d.origin}})
	if answer != nil {
		defer answer.Body.Close()
	}
	switch {
	case err == nil:
		return &Client{ws: ws}, nil
	case answer == nil:
		return nil, fmt.Errorf("dial %s: %w", url, err)
	default:
		detail, _ := io.ReadAll(io.LimitReader(answer.Body, 1024))                // gorilla has read it: it cannot fail
		seconds, _ := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 16) // a date would be nothing of ours
		refused := &RefusedError{Status: answer.StatusCode, Detail: strings.TrimSpace(string(detail)), RetryAfter: time.Duration(seconds) * time.Second}
		return nil, fmt.Errorf("dial %s: %w", url, refused)
	}
}

// RefusedError says how the server has answered a handshake that it refused.
type RefusedError struct {
	Status     int           // of HTTP
	Detail     string        // the beginning of the answer
	RetryAfter time.Duration // zero: the server does not say
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Status, http.StatusText(e.Status), e.Detail)
}

// ClosedError says how the server closed the connection.
type ClosedError struct{ Code wire.CloseCode }

func (e *ClosedError) Error() string { return fmt.Sprintf("closed by the server: %d", e.Code) }

// Read returns the next frame. It answers the server's protocol pings while it waits, and fails with [ClosedError] when the
// server has closed the connection, with any other error when that is lost.
func (c *Client) Read() ([]byte, error) {
	_, data, err := c.ws.ReadMessage()
	var closed *websocket.CloseError
	switch {
	case !errors.As(err, &closed):
		return data, err
	case closed.Code == websocket.CloseAbnormalClosure: // gorilla's word for an end without a close
		return nil, io.ErrUnexpectedEOF
	default:
		return nil, &ClosedError{Code: wire.CloseCode(closed.Code)}
	}
}

// Write sends a message.
func (c *Client) Write(message any) error { return c.WriteFrame(wire.Encode(message)) }

// WriteFrame sends a text frame. It fails, and so does every later one, when the connection takes no more for five seconds.
func (c *Client) WriteFrame(frame []byte) error {
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeTimeout)) // cannot fail
	return c.ws.WriteMessage(websocket.TextMessage, frame)
}

// Close closes the connection without a word.
func (c *Client) Close() error { return c.ws.Close() }
