package socket

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/vigilhq/vigil/internal/wire"
)

const (
	readLimit  = 16 << 10      // bytes of a message
	maxIntake  = 4 * readLimit // bytes that may come in for one message, framing included: one of full size in few fragments
	readBuffer = 4 << 10       // bytes
)

var (
	errLong  = errors.New("message too long")
	errFlood = errors.New("more framing than message")
)

// goodbye is the other side's close.
type goodbye struct{ code wire.CloseCode }

func (g goodbye) Error() string { return fmt.Sprintf("closed by the other side: %d", g.code) }

// reader puts together what a client sends.
type reader struct {
	*bufio.Reader
	state   ws.State  // whether a message is unfinished
	kind    ws.OpCode // of that message
	message []byte    // as far as it has come; its space is used again
	taken   int       // bytes since the last message or control frame: the other side can send fragments without content for ever
}

func newReader() *reader { return &reader{Reader: bufio.NewReaderSize(nil, readBuffer)} }

// reset begins with another client, between two messages.
func (r *reader) reset(from io.Reader) {
	r.Reset(from)
	r.state, r.message, r.taken = ws.StateServerSide, r.message[:0], 0
}

// done reports whether everything that has come has been returned.
func (r *reader) done() bool { return r.Buffered() == 0 && !r.state.Fragmented() }

// next waits for a whole message or a control frame and returns what it carries, which is there until the next call. It fails with
// [ws.ProtocolError], errLong, errFlood, and as the connection does.
func (r *reader) next() (kind ws.OpCode, data []byte, err error) {
	for {
		h, err := r.header()
		if err != nil {
			return 0, nil, err
		}
		if h.OpCode.IsControl() {
			data, err := r.control(h)
			return h.OpCode, data, err
		}
		if !r.state.Fragmented() {
			r.kind, r.message = h.OpCode, r.message[:0]
		}
		if h.Length > int64(readLimit-len(r.message)) {
			return 0, nil, errLong
		}
		if r.taken += ws.HeaderSize(h) + int(h.Length); r.taken > maxIntake {
			return 0, nil, errFlood
		}
		if err := r.payload(h); err != nil {
			return 0, nil, err
		}
		if h.Fin {
			r.state, r.taken = ws.StateServerSide, 0
			return r.kind, r.message, nil
		}
		r.state = r.state.Set(ws.StateFragmented)
	}
}

// header reads the header of a frame that may come now.
func (r *reader) header() (ws.Header, error) {
	h, err := ws.ReadHeader(r)
	switch {
	case errors.Is(err, ws.ErrHeaderLengthMSB):
		h.Length = math.MaxInt64 // as good as any that is too long
	case err != nil:
		return h, err
	}
	return h, ws.CheckHeader(h, r.state)
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

// control returns what a control frame carries. A close is an error.
func (r *reader) control(h ws.Header) ([]byte, error) {
	r.taken = 0
	data, err := r.Peek(int(h.Length))
	if err != nil {
		return nil, err
	}
	ws.Cipher(data, h.Mask, 0)
	_, _ = r.Discard(len(data)) // they are there
	switch {
	case h.OpCode != ws.OpClose:
		return data, nil
	case len(data) == 0:
		return nil, goodbye{wire.CloseNone}
	}
	code, text := ws.ParseCloseFrameData(data)
	switch {
	case !sayable(code):
		return nil, ws.ErrProtocolStatusCodeUnknown
	case !utf8.ValidString(text):
		return nil, ws.ErrProtocolInvalidUTF8
	}
	return nil, goodbye{wire.CloseCode(code)}
}

// sayable reports whether a close may come with this code: one that is registered for that, or anybody's own (RFC 6455, section 7.4, and IANA's
// WebSocket Close Code Number Registry).
func sayable(code ws.StatusCode) bool {
	return 1000 <= code && code <= 1003 || 1007 <= code && code <= 1013 || 3000 <= code && code <= 4999
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
