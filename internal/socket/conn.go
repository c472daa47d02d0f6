package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/wire"
)

const (
	writeTimeout   = 5 * time.Second // for what is being written, and for all that is left at a close
	closeTimeout   = 2 * time.Second // for the other side to answer a close
	maxQueued      = 1000            // frames waiting for a slow reader
	maxQueuedBytes = 256 << 10       // of those frames
)

// conn is a WebSocket that costs little while nothing happens. Writing never makes the caller wait: what the network takes at once goes
// at once, the rest queues up, and a writer exists only while there is any. It implements live.Conn.
type conn struct {
	nc     net.Conn
	server *Server

	// Of whoever reads.
	peer  *live.Peer
	leave func()           // gives the place in the lobby back; nil once it has
	head  [headLength]byte // what came first after a pause
	have  int              // bytes of head that nobody has read

	mu      sync.Mutex
	queue   *bytes.Buffer // frames for the writer, nil if there are none
	queued  int           // how many
	writing bool
	slow    bool      // closed because the other side does not read
	left    bool      // the other side has said goodbye: nobody has to be waited for
	closeBy time.Time // once a close is queued or writing has failed: no frame is queued any more, those left are out by then
}

// buffers are for the queues of conns.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Send implements live.Conn.
func (c *conn) Send(data []byte) { c.enqueue(ws.OpText, data) }

// Ping implements live.Conn.
func (c *conn) Ping() { c.enqueue(ws.OpPing, nil) }

// Close implements live.Conn.
func (c *conn) Close(code wire.CloseCode, last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closeBy.IsZero() {
		return
	}
	if last != nil {
		c.append(ws.OpText, last)
	}
	c.bye(code)
}

// answer is the end that the other side has asked for with a close.
func (c *conn) answer(code wire.CloseCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closeBy.IsZero() {
		c.hangUp()
		return
	}
	c.left = true
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

func (c *conn) enqueue(op ws.OpCode, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.closeBy.IsZero():
	case c.queued >= maxQueued || c.queue != nil && c.queue.Len()+len(data) > maxQueuedBytes:
		c.drop()
		c.slow = true
		c.bye(wire.CloseSlow)
	default:
		c.append(op, data)
		c.flush()
	}
}

// bye has the close written. The caller holds c.mu.
func (c *conn) bye(code wire.CloseCode) {
	c.closeBy = time.Now().Add(writeTimeout)
	var status []byte // none for a goodbye without one
	if code != wire.CloseNone {
		status = binary.BigEndian.AppendUint16(nil, uint16(code)) //nolint:gosec // close codes have four digits
	}
	c.append(ws.OpClose, status)
	c.flush()
}

// append queues a frame. The caller holds c.mu.
func (c *conn) append(op ws.OpCode, data []byte) {
	if c.queue == nil {
		c.queue = buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
	}
	c.queued++
	_ = ws.WriteFrame(c.queue, ws.NewFrame(op, true, data)) // a buffer takes everything
}

// drop empties the queue. The caller holds c.mu.
func (c *conn) drop() {
	if c.queue != nil {
		release(c.queue)
	}
	c.queue, c.queued = nil, 0
}

// release gives a buffer back, unless it has grown beyond what is usual.
func release(b *bytes.Buffer) {
	if b.Cap() <= writeBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

// flush writes what the network takes at once, and sees that somebody writes the rest. The caller holds c.mu.
func (c *conn) flush() {
	if c.writing {
		return
	}
	if n := writeAtOnce(c.nc, c.queue.Bytes()); n < c.queue.Len() {
		c.queue.Next(n)
		c.writing = true
		c.server.running.Go(c.write) // the reader still counts, or there would be nobody to call
		return
	}
	c.drop()
	c.finish()
}

// write empties the queue. A reader that does not take what is written in time is given up: it gets no close frame, since that
// would have to wait behind.
func (c *conn) write() {
	for {
		batch, deadline, ok := c.next()
		if !ok {
			return
		}
		_ = c.nc.SetWriteDeadline(deadline) // it may be cut already
		_, err := c.nc.Write(batch.Bytes())
		release(batch)
		if err != nil {
			var late net.Error
			c.stop(errors.As(err, &late) && late.Timeout())
			c.hangUp()
			return
		}
	}
}

// next takes all frames and says by when they have to be out. Without any the writer is done.
func (c *conn) next() (batch *bytes.Buffer, deadline time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queue == nil {
		c.writing = false
		_ = c.nc.SetWriteDeadline(time.Time{}) // or nothing would go at once any more; it may be cut already
		c.finish()
		return nil, time.Time{}, false
	}
	batch, c.queue, c.queued = c.queue, nil, 0
	if deadline = c.closeBy; deadline.IsZero() {
		deadline = time.Now().Add(writeTimeout)
	}
	return batch, deadline, true
}

// stop ends writing for good. Slow: because the other side does not read.
func (c *conn) stop(slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop()
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
		if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // it may be cut already
		}
		time.AfterFunc(closeTimeout, c.hangUp)
	}
}

// hangUp cuts the connection, which ends its reader, too.
func (c *conn) hangUp() { _ = c.nc.Close() } // it may be cut already
