package socket

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/vigilhq/vigil/internal/wire"
)

const (
	readLimit  = 16 << 10      // bytes of a message
	maxIntake  = 4 * readLimit // bytes that may come in for one message, framing included: one of full size in few fragments
	headLength = 16            // bytes: all of an empty control frame
)

var (
	errLong  = errors.New("message too long")
	errFlood = errors.New("more framing than message")
)

// goodbye is the other side's close.
type goodbye struct{ code wire.CloseCode }

func (g goodbye) Error() string { return fmt.Sprintf("closed by the other side: %d", g.code) }

// wait is all that an idle connection has running: one read, on a stack that never has to grow. When something comes, a worker takes over.
func (c *conn) wait() {
	c.have, _ = c.nc.Read(c.head[:]) // what has failed fails again for the worker
	c.server.wake(c)
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

// reader is what a worker reads with.
type reader struct {
	*bufio.Reader
	message []byte // its space is used again
}

func newReader() *reader { return &reader{Reader: bufio.NewReaderSize(nil, readBuffer)} }

// attend moves what has come to the peer, and ends the connection when reading fails. Between messages, when nothing more is there, it
// has somebody else wait.
func (c *conn) attend(r *reader) {
	r.Reset(c)
	for {
		if err := c.receive(r); err != nil {
			c.end(err)
			return
		}
		if r.Buffered() == 0 {
			go c.wait()
			return
		}
	}
}

// receive reads a message, or a control frame that comes before one, and acts on it. The first message is auth, or the peer closes.
func (c *conn) receive(r *reader) error {
	kind, err := c.read(r)
	switch {
	case err != nil:
		return err
	case kind == ws.OpContinuation, c.closing(): // nothing counts any more
	case kind != ws.OpText, !utf8.Valid(r.message):
		c.peer.Violate()
	default:
		c.peer.Receive(c.server.ctx, r.message)
		if c.leave != nil && !c.closing() {
			c.leave()
			c.leave = nil
		}
	}
	return nil
}

// read reads a message into r. It is [ws.OpContinuation] when it was a control frame instead.
func (c *conn) read(r *reader) (kind ws.OpCode, err error) {
	r.message = r.message[:0]
	taken := 0 // since the last control frame, which counts for itself
	for state := ws.StateServerSide; ; state = state.Set(ws.StateFragmented) {
		h, err := readHeader(r, state)
		if err != nil {
			return 0, err
		}
		if h.OpCode.IsControl() {
			taken = 0
			if err := c.control(r, h); err != nil || !state.Fragmented() {
				return ws.OpContinuation, err
			}
			continue
		}
		if h.Length > int64(readLimit-len(r.message)) {
			return 0, errLong
		}
		if taken += ws.HeaderSize(h) + int(h.Length); taken > maxIntake {
			return 0, errFlood
		}
		if !state.Fragmented() {
			kind = h.OpCode
		}
		if err := r.payload(h); err != nil || h.Fin {
			return kind, err
		}
	}
}

// readHeader reads the header of a frame that may come in this state.
func readHeader(r *reader, state ws.State) (ws.Header, error) {
	h, err := ws.ReadHeader(r)
	switch {
	case errors.Is(err, ws.ErrHeaderLengthMSB):
		return h, errLong
	case err != nil:
		return h, err
	}
	return h, ws.CheckHeader(h, state)
}

// payload appends what a frame carries to the message, as it comes in.
func (r *reader) payload(h ws.Header) error {
	for left, offset := int(h.Length), 0; left > 0; {
		chunk, err := r.Peek(min(left, r.Size()))
		if err != nil {
			return err
		}
		from := len(r.message)
		r.message = append(r.message, chunk...)
		ws.Cipher(r.message[from:], h.Mask, offset)
		_, _ = r.Discard(len(chunk)) // they are there
		left, offset = left-len(chunk), offset+len(chunk)
	}
	return nil
}

// control acts on a control frame.
func (c *conn) control(r *reader, h ws.Header) error {
	payload, err := r.Peek(int(h.Length))
	if err != nil {
		return err
	}
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpClose:
		code, text := ws.ParseCloseFrameData(payload)
		if len(payload) == 0 {
			return goodbye{wire.CloseNone}
		}
		if err := ws.CheckCloseFrameData(code, text); err != nil {
			return err
		}
		return goodbye{wire.CloseCode(code)}
	case ws.OpPing:
		if c.peer.Allow() {
			c.enqueue(ws.OpPong, payload)
		}
	case ws.OpPong:
		c.peer.Allow()
	}
	_, _ = r.Discard(len(payload)) // they are there
	return nil
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

// verdict is the close that a failed read calls for, none if the other side has said goodbye or is gone.
func verdict(err error) wire.CloseCode {
	var violation ws.ProtocolError
	switch {
	case errors.As(err, &violation):
		return wire.CloseCode(ws.StatusProtocolError)
	case errors.Is(err, errLong):
		return wire.CloseCode(ws.StatusMessageTooBig)
	case errors.Is(err, errFlood):
		return wire.CloseTooMany
	default:
		return wire.CloseNone
	}
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
