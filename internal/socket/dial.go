package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/wire"
)

// Client is the browser's side of a connection, for programs. Read is for one goroutine at a time, and so is Write.
type Client struct{ ws *websocket.Conn }

// Dial opens a WebSocket to a ws or wss URL, as a page of the origin would.
func Dial(ctx context.Context, url, origin string) (*Client, error) {
	ws, answer, err := websocket.DefaultDialer.DialContext(ctx, url, http.Header{"Origin": {origin}})
	if answer != nil {
		defer answer.Body.Close()
	}
	switch {
	case err == nil:
		return &Client{ws: ws}, nil
	case answer == nil:
		return nil, fmt.Errorf("dial %s: %w", url, err)
	default:
		detail, _ := io.ReadAll(io.LimitReader(answer.Body, 1024)) // gorilla has read it: it cannot fail
		return nil, fmt.Errorf("dial %s: %s: %s", url, answer.Status, detail)
	}
}

// ClosedError says how the server closed the connection.
type ClosedError struct{ Code wire.CloseCode }

func (e *ClosedError) Error() string { return fmt.Sprintf("closed by the server: %d", e.Code) }

// Read returns the next frame. It answers the server's protocol pings while it waits, and fails with [ClosedError] when the
// server has closed the connection, with any other error when that is lost.
func (c *Client) Read() ([]byte, error) {
	_, data, err := c.ws.ReadMessage()
	var closed *websocket.CloseError
	if errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure { // gorilla's word for a lost connection
		return nil, &ClosedError{Code: wire.CloseCode(closed.Code)}
	}
	return data, err
}

// Write sends a message.
func (c *Client) Write(message any) error {
	return c.ws.WriteMessage(websocket.TextMessage, wire.Encode(message))
}

// Close closes the connection without a word.
func (c *Client) Close() error { return c.ws.Close() }
