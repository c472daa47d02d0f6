package socket

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/wire"
)

const (
	writeTimeout = 5 * time.Second // for one frame
	closeTimeout = 2 * time.Second // for the other side to answer a close
	maxQueued    = 64              // frames waiting for a slow reader
)

// frame is one queued write.
type frame struct {
	kind int // of gorilla/websocket
	data []byte
}

// conn writes to a WebSocket without ever making the caller wait: frames queue up, and a writer exists only while there are
// any. It implements live.Conn.
type conn struct {
	ws *websocket.Conn

	mu      sync.Mutex
	queue   []frame
	writing bool
	closing bool // a close is queued or written: nothing goes after it
}

// Send implements live.Conn.
func (c *conn) Send(data []byte) { c.enqueue(frame{websocket.TextMessage, data}) }

// Ping implements live.Conn.
func (c *conn) Ping() { c.enqueue(frame{websocket.PingMessage, nil}) }

// Close implements live.Conn.
func (c *conn) Close(code wire.CloseCode, last []byte) {
	bye := frame{websocket.CloseMessage, websocket.FormatCloseMessage(int(code), "")}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	c.closing = true
	if last != nil {
		c.queue = append(c.queue, frame{websocket.TextMessage, last})
	}
	c.append(bye)
}

func (c *conn) enqueue(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
	case len(c.queue) >= maxQueued:
		c.closing = true
		c.queue = nil
		c.append(frame{websocket.CloseMessage, websocket.FormatCloseMessage(int(wire.CloseSlow), "")})
	default:
		c.append(f)
	}
}

// append queues f and sees that somebody writes it. The caller holds c.mu.
func (c *conn) append(f frame) {
	c.queue = append(c.queue, f)
	if !c.writing {
		c.writing = true
		go c.write()
	}
}

// write empties the queue. A reader that does not take a frame in time is given up: it gets no close frame, since that
// would have to wait behind.
func (c *conn) write() {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.queue, c.writing = nil, false
			c.mu.Unlock()
			return
		}
		f := c.queue[0]
		c.queue = c.queue[1:]
		c.mu.Unlock()

		if err := c.writeOne(f); err != nil {
			c.mu.Lock()
			c.queue, c.writing, c.closing = nil, false, true
			c.mu.Unlock()
			_ = c.ws.Close() // ends the reader, too
			return
		}
	}
}

func (c *conn) writeOne(f frame) error {
	deadline := time.Now().Add(writeTimeout)
	if f.kind == websocket.TextMessage {
		if err := c.ws.SetWriteDeadline(deadline); err != nil {
			return err
		}
		return c.ws.WriteMessage(f.kind, f.data)
	}
	if err := c.ws.WriteControl(f.kind, f.data, deadline); err != nil {
		return err
	}
	if f.kind == websocket.CloseMessage {
		return c.ws.SetReadDeadline(time.Now().Add(closeTimeout))
	}
	return nil
}
