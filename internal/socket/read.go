package socket

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/wire"
)

// maxIntake is how many bytes may come in for one message, framing included: a message of full size in few fragments.
const maxIntake = 4 * readLimit

var errFlood = errors.New("more framing than message")

// intake is the reading side of a connection, which fails when too much comes in before anything counts as a message or
// as a control frame: gorilla skips fragments without content, however many there are.
type intake struct {
	net.Conn
	taken int // since the last frame that counts
}

func (i *intake) Read(p []byte) (int, error) {
	n, err := i.Conn.Read(p)
	if i.taken += n; i.taken > maxIntake && err == nil {
		err = errFlood
	}
	return n, err
}

// hijacker puts the intake between net/http's connection and gorilla.
type hijacker struct {
	http.ResponseWriter
	intake *intake
}

// Hijack implements [http.Hijacker].
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, buffers, err := http.NewResponseController(h.ResponseWriter).Hijack()
	h.intake = &intake{Conn: nc}
	return h.intake, buffers, err
}

// read moves frames to the peer until reading fails. The first one is auth, or the peer closes.
func (s *Server) read(c *conn, peer *live.Peer, authenticated func()) error {
	allow := func() bool { // one more control frame
		c.intake.taken = 0
		return peer.Allow()
	}
	c.ws.SetReadLimit(readLimit)
	c.ws.SetPongHandler(func(string) error { allow(); return nil })
	c.ws.SetPingHandler(func(data string) error {
		if allow() {
			c.enqueue(frame{websocket.PongMessage, []byte(data)})
		}
		return nil
	})
	for {
		kind, data, err := c.ws.ReadMessage()
		switch {
		case err != nil:
			return err
		case c.closing(): // nothing counts any more
		case kind != websocket.TextMessage, !utf8.Valid(data):
			peer.Violate()
		default:
			c.intake.taken = 0
			peer.Receive(s.ctx, data)
			if !c.closing() {
				authenticated()
			}
		}
	}
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
	_, _ = io.Copy(io.Discard, c.intake.Conn) // until it is gone, or has been cut
}
