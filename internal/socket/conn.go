package socket

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/wire"
)

const (
	writeTimeout = 5 * time.Second // for one frame, and for all that is left at a close
	closeTimeout = 2 * time.Second // for the other side to answer a close
	maxQueued    = 1000            // frames waiting for a slow reader
)

// frame is one queued write.
type frame struct {
	kind int // of gorilla/websocket
	data []byte
}

// conn writes to a WebSocket without ever making the caller wait: frames queue up, and a writer exists only while there are
// any. It implements live.Conn.
type conn struct {
	ws      *websocket.Conn
	intake  *intake         // what ws reads from
	running *sync.WaitGroup // counts the writer

	mu      sync.Mutex
	queue   []frame
	writing bool
	slow    bool      // closed because the queue was full
	closeBy time.Time // once a close is queued or writing has failed: no frame is queued any more, those left are out by then
}

// Send implements live.Conn.
func (c *conn) Send(data []byte) { c.enqueue(frame{websocket.TextMessage, data}) }

// Ping implements live.Conn.
func (c *conn) Ping() { c.enqueue(frame{websocket.PingMessage, nil}) }

// Close implements live.Conn.
func (c *conn) Close(code wire.CloseCode, last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closeBy.IsZero() {
		return
	}
	if last != nil {
		c.queue = append(c.queue, frame{websocket.TextMessage, last})
	}
	c.bye(code)
}

// closing reports whether the connection is about to end from this side.
func (c *conn) closing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closeBy.IsZero()
}

// tooSlow reports whether the other side has been given up because it does not read.
func (c *conn) tooSlow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.slow
}

func (c *conn) enqueue(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.closeBy.IsZero():
	case len(c.queue) >= maxQueued:
		c.queue, c.slow = nil, true
		c.bye(wire.CloseSlow)
	default:
		c.append(f)
	}
}

// bye queues the close. The caller holds c.mu.
func (c *conn) bye(code wire.CloseCode) {
	c.closeBy = time.Now().Add(writeTimeout)
	c.append(frame{websocket.CloseMessage, websocket.FormatCloseMessage(int(code), "")})
}

// append queues f and sees that somebody writes it. The caller holds c.mu.
func (c *conn) append(f frame) {
	c.queue = append(c.queue, f)
	if !c.writing {
		c.writing = true
		c.running.Go(c.write) // the reader still counts, or there would be nobody to call
	}
}

// write empties the queue. A reader that does not take a frame in time is given up: it gets no close frame, since that
// would have to wait behind.
func (c *conn) write() {
	for {
		f, deadline, ok := c.next()
		if !ok {
			return
		}
		err := c.writeOne(f, deadline)
		if err == nil && f.kind != websocket.CloseMessage {
			continue
		}
		var late net.Error
		c.stop(errors.As(err, &late) && late.Timeout())
		if err != nil && !errors.Is(err, websocket.ErrCloseSent) { // which gorilla does by itself on a protocol error
			c.hangUp()
			return
		}
		time.AfterFunc(closeTimeout, c.hangUp)
		c.finish()
		return
	}
}

// next takes the next frame and says by when it has to be out. Without any the writer is done.
func (c *conn) next() (f frame, deadline time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.queue, c.writing = nil, false
		return frame{}, time.Time{}, false
	}
	f, c.queue = c.queue[0], c.queue[1:]
	if deadline = c.closeBy; deadline.IsZero() {
		deadline = time.Now().Add(writeTimeout)
	}
	return f, deadline, true
}

// stop ends writing for good. Slow: because the other side does not read.
func (c *conn) stop(slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow = c.slow || slow
	c.queue, c.writing, c.closeBy = nil, false, time.Now()
}

func (c *conn) writeOne(f frame, deadline time.Time) error {
	if f.kind != websocket.TextMessage {
		return c.ws.WriteControl(f.kind, f.data, deadline)
	}
	_ = c.ws.SetWriteDeadline(deadline) // cannot fail
	return c.ws.WriteMessage(f.kind, f.data)
}

// finish tells the other side that nothing more will come, where the network can tell: nobody has to wait for that.
func (c *conn) finish() {
	if half, ok := c.intake.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it may be cut already
	}
}

// hangUp cuts the connection, which ends its reader, too.
func (c *conn) hangUp() { _ = c.ws.Close() } // it may be cut already
