package socket

import (
	"errors"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/vigilhq/vigil/internal/wire"
)

// headLength is how many bytes an idle connection reads: all of a ping without a token, and of most control frames.
const headLength = 64

// wait is all that an idle connection has running: one read, on a stack that never has to grow. When something comes, a worker takes over.
func (c *conn) wait() {
	for {
		c.have, _ = c.nc.Read(c.head[:]) // what has failed fails again for the worker
		if !c.pong() {
			break
		}
	}
	c.server.wake(c)
}

// pong reports whether nothing has come but the answer to a ping of ours: nothing in it has to be read.
func (c *conn) pong() bool {
	const size = 6 // with a mask and without content
	return c.have == size && c.head[0] == 0x80|byte(ws.OpPong) && c.head[1] == 0x80 && c.peer.Allow()
}

// Read implements [io.Reader]: the head, and then what comes after it.
func (c *conn) Read(p []byte) (int, error) {
	if c.have > 0 {
		n := copy(p, c.head[:c.have])
		c.have = 0
		return n, nil
	}
	return c.nc.Read(p)
}

// attend moves what has come to the peer, and ends the connection when reading fails. When nothing more is there, it has somebody else wait.
func (c *conn) attend(r *reader) {
	for r.reset(c); ; {
		kind, data, err := r.next()
		if err != nil {
			c.end(err)
			return
		}
		c.receive(kind, data)
		if r.done() {
			go c.wait()
			return
		}
	}
}

// receive acts on a message or a control frame. The first message is auth, or the peer closes.
func (c *conn) receive(kind ws.OpCode, data []byte) {
	switch {
	case kind == ws.OpPing:
		if c.peer.Allow() {
			c.enqueue(ws.OpPong, data)
		}
	case kind == ws.OpPong:
		c.peer.Allow()
	case c.closing(): // nothing counts any more
	case kind != ws.OpText, !utf8.Valid(data):
		c.peer.Violate()
	default:
		c.peer.Receive(c.server.ctx, data)
		if c.leave != nil && !c.closing() {
			c.leave()
			c.leave = nil
		}
	}
}

// end is what a failed read leads to.
func (c *conn) end(err error) {
	code := verdict(err)
	if c.tooSlow() {
		c.peer.Gone(wire.CloseSlow)
	} else {
		c.peer.Gone(code)
	}
	var bye goodbye
	if errors.As(err, &bye) {
		c.answer(bye.code)
	} else {
		c.explain(code)
		c.hangUp()
	}
	if c.leave != nil {
		c.leave()
	}
	c.server.running.Done()
}

// explain tells the other side why nothing more will be read and hears it out: to cut a connection with unread bytes is to reset
// it, which can take the close frame with it.
func (c *conn) explain(code wire.CloseCode) {
	if code == wire.CloseNone {
		return
	}
	c.Close(code, nil)
	_, _ = io.Copy(io.Discard, c.nc) // until it is gone, or has been cut
}
