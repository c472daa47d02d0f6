package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/wire"
)

// read waits for something to come and acts on it. Then a new goroutine does the same: acting takes a deep stack, which waiting would
// keep. It ends the connection when reading fails.
func (c *conn) read() {
	c.await()
	if err := c.receive(); err != nil {
		c.end(err)
		return
	}
	go c.read()
}

// Of a frame that a client sends (RFC 6455, section 5.2).
const (
	pongFrame  = 0x80 | websocket.PongMessage // the first byte of a whole one
	maskBit    = 0x80                         // of the second byte; the others are the size
	maskKey    = 4                            // bytes
	maxControl = 125                          // bytes of a control frame, besides its header
)

// await waits for something that gorilla has to read. Pongs it takes out itself: they say nothing more than that there is somebody, and gorilla
// would go on to wait for what comes after them, deep inside.
func (c *conn) await() {
	for {
		head, err := c.line.ahead.Peek(2)
		if err != nil || head[0] != pongFrame || head[1] < maskBit || head[1] > maskBit|maxControl {
			return // what has failed fails again
		}
		if _, err := c.line.ahead.Discard(len(head) + maskKey + int(head[1]&^maskBit)); err != nil {
			return
		}
		c.ponged()
	}
}

// receive moves the next message to the peer, which is done with it when this returns. The first one is auth, or the peer closes.
func (c *conn) receive() error {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return err
	}
	message := buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
	defer release(message)
	_, err = message.ReadFrom(r)
	switch {
	case err != nil:
		return err
	case c.closing(): // nothing counts any more
	case kind != websocket.TextMessage, !utf8.Valid(message.Bytes()):
		c.peer.Violate()
	default:
		c.line.taken = 0
		c.peer.Receive(c.server.ctx, message.Bytes())
		if c.leave != nil && !c.closing() {
			c.leave()
			c.leave = nil
		}
	}
	return nil
}

// pinged is gorilla's handler of pings.
func (c *conn) pinged(data string) error {
	c.line.taken = 0
	if c.peer.Allow() {
		c.send(websocket.PongMessage, []byte(data))
	}
	return nil
}

// ponged is what a pong leads to.
func (c *conn) ponged() {
	c.line.taken = 0
	c.peer.Allow()
}

// end is what a failed read leads to.
func (c *conn) end(err error) {
	code := verdict(err)
	if c.tooSlow() {
		c.peer.Gone(wire.CloseSlow)
	} else {
		c.peer.Gone(code)
	}
	if closed := new(websocket.CloseError); errors.As(err, &closed) {
		c.answer()
	} else {
		c.explain(code)
		c.hangUp()
	}
	if c.leave != nil {
		c.leave()
	}
	c.server.running.Done()
}

// verdict is the close that a failed read calls for, none if the other side has said goodbye or is gone.
func verdict(err error) wire.CloseCode {
	var closed *websocket.CloseError
	var broken net.Error
	switch {
	case errors.As(err, &closed), errors.As(err, &broken):
		return wire.CloseNone
	case errors.Is(err, websocket.ErrReadLimit):
		return websocket.CloseMessageTooBig
	case errors.Is(err, errFlood):
		return wire.CloseTooMany
	default:
		return websocket.CloseProtocolError // gorilla has said so already
	}
}

// explain tells the other side why nothing more will be read and hears it out: to cut a connection with unread bytes is to reset
// it, which can take the close frame with it.
func (c *conn) explain(code wire.CloseCode) {
	if code == wire.CloseNone {
		return
	}
	c.Close(code, nil)
	_, _ = io.Copy(io.Discard, c.line.Conn) // until it is gone, or has been cut
}
