package socket

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/wire"
)

const (
	writeTimeout   = 5 * time.Second // for what is being written, and for all that is left at a close
	closeTimeout   = 2 * time.Second // for the other side to answer a close
	maxQueued      = 1000            // frames waiting for a slow reader
	maxQueuedBytes = 256 << 10       // of those frames
)

// conn writes to a WebSocket without ever making the caller wait: what the network takes at once goes at once, the rest queues up, and
// a writer exists only while there is any. It implements live.Conn.
type conn struct {
	ws     *websocket.Conn
	line   line // what ws reads from and writes to
	server *Server

	// Of whoever reads.
	peer  *live.Peer
	leave func() // gives the place in the lobby back; nil once it has

	mu      sync.Mutex // also of what is written with ws
	writing bool
	slow    bool      // closed because the other side does not read
	left    bool      // the other side has said goodbye: nobody has to be waited for
	closeBy time.Time // once a close is queued or writing has failed: no frame is queued any more, those left are out by then
}

// Send implements live.Conn.
func (c *conn) Send(frame []byte) { c.send(websocket.TextMessage, frame) }

// Ping implements live.Conn.
func (c *conn) Ping(frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if (frame == nil || c.enqueue(websocket.TextMessage, frame)) && c.enqueue(websocket.PingMessage, nil) {
		c.flush()
	}
}

// Close implements live.Conn.
func (c *conn) Close(code wire.CloseCode, last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closeBy.IsZero() {
		return
	}
	if last != nil {
		c.append(websocket.TextMessage, last)
	}
	c.bye(code)
}

// answer is the end that the other side has asked for. To a close gorilla has written the answer, to an end without one there is none.
func (c *conn) answer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closeBy.IsZero() {
		c.hangUp()
		return
	}
	c.left, c.closeBy = true, time.Now().Add(writeTimeout)
	c.flush()
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

func (c *conn) send(kind int, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.enqueue(kind, data) {
		c.flush()
	}
}

// enqueue queues a frame, and reports whether that is to be flushed. The caller holds c.mu.
func (c *conn) enqueue(kind int, data []byte) bool {
	switch {
	case !c.closeBy.IsZero():
		return false
	case c.line.full(len(data)):
		c.line.take()
		c.slow = true
		c.bye(wire.CloseSlow)
		return false
	default:
		c.append(kind, data)
		return true
	}
}

// bye has the close written. The caller holds c.mu.
func (c *conn) bye(code wire.CloseCode) {
	c.closeBy = time.Now().Add(writeTimeout)
	c.append(websocket.CloseMessage, websocket.FormatCloseMessage(int(code), ""))
	c.flush()
}

// append queues a frame. The caller holds c.mu.
func (c *conn) append(kind int, data []byte) {
	_ = c.ws.WriteMessage(kind, data) // the line takes everything; gorilla nothing after a close, of which it writes some by itself
}

// flush writes what the network takes at once, and sees that somebody writes the rest. The caller holds c.mu.
func (c *conn) flush() {
	if c.writing {
		return
	}
	if batch := c.line.take(); batch != nil {
		if batch.Next(writeAtOnce(c.line.Conn, batch.Bytes())); batch.Len() > 0 {
			c.writing = true
			c.server.running.Go(func() { c.write(batch) }) // the reader still counts, or there would be nobody to call
			return
		}
		release(batch)
	}
	c.finish()
}

// write writes a batch and empties the queue. A reader that does not take what is written in time is given up: it gets no close frame, since that
// would have to wait behind.
func (c *conn) write(batch *bytes.Buffer) {
	for batch != nil {
		_ = c.line.Conn.SetWriteDeadline(c.writeBy()) // it may be cut already
		_, err := c.line.Conn.Write(batch.Bytes())
		release(batch)
		if err != nil {
			var late net.Error
			c.stop(errors.As(err, &late) && late.Timeout())
			c.hangUp()
			return
		}
		batch = c.next()
	}
}

// writeBy is when what is written now has to be out.
func (c *conn) writeBy() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closeBy.IsZero() {
		return time.Now().Add(writeTimeout)
	}
	return c.closeBy
}

// next takes all frames. Without any the writer is done.
func (c *conn) next() *bytes.Buffer {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch := c.line.take()
	if batch == nil {
		c.writing = false
		_ = c.line.Conn.SetWriteDeadline(time.Time{}) // or nothing would go at once any more; it may be cut already
		c.finish()
	}
	return batch
}

// stop ends writing for good. Slow: because the other side does not read.
func (c *conn) stop(slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.line.take()
	c.slow = c.slow || slow
	c.writing, c.closeBy = false, time.Now()
}

// finish ends a connection whose close is out: it tells the other side that nothing more will come, where the network can tell, and gives it
// time to answer. The caller holds c.mu.
func (c *conn) finish() {
	switch {
	case c.closeBy.IsZero():
	case c.left:
		c.hangUp()
	default:
		if half, ok := c.line.Conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // it may be cut already
		}
		time.AfterFunc(closeTimeout, c.hangUp)
	}
}

// hangUp cuts the connection, which ends its reader, too.
func (c *conn) hangUp() { _ = c.line.Close() } // it may be cut already
