package socket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gorilla/websocket"
)

// heard is what somebody makes of a client's bytes: the messages, and how it ended.
type heard struct {
	kinds    []int
	messages [][]byte
	close    int // the code that is called for or was said; 1006 when the bytes just ended
}

// canned is a connection from which these bytes come. It takes everything.
type canned struct {
	net.Conn
	io.Reader
}

func (c canned) Read(p []byte) (int, error) { return c.Reader.Read(p) }
func (canned) Write(p []byte) (int, error)  { return len(p), nil }
func (canned) SetDeadline(time.Time) error  { return nil }

func (canned) SetWriteDeadline(time.Time) error { return nil }

// hijacked is the answer to a handshake on a canned connection.
type hijacked struct {
	http.ResponseWriter
	canned
}

func (h hijacked) Write(p []byte) (int, error) { return len(p), nil }

// Hijack implements [http.Hijacker].
func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.canned, bufio.NewReadWriter(bufio.NewReader(bytes.NewReader(nil)), bufio.NewWriter(h.canned)), nil
}

// gorillaHears reads with another implementation, whose limit of what may come in for one message is its own.
func gorillaHears(t *testing.T, sent []byte) (h heard) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	c, err := new(websocket.Upgrader).Upgrade(hijacked{httptest.NewRecorder(), canned{Reader: bytes.NewReader(sent)}}, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(readLimit)
	for {
		kind, data, err := c.ReadMessage()
		var closed *websocket.CloseError
		switch {
		case err == nil:
			h.kinds, h.messages = append(h.kinds, kind), append(h.messages, data)
			continue
		case errors.Is(err, websocket.ErrReadLimit):
			h.close = websocket.CloseMessageTooBig
		case errors.As(err, &closed):
			h.close = closed.Code
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			h.close = websocket.CloseAbnormalClosure
		default:
			h.close = websocket.CloseProtocolError
		}
		return h
	}
}

func weHear(sent []byte) (h heard) {
	r := newReader()
	r.reset(bytes.NewReader(sent))
	for {
		kind, data, err := r.next()
		var bye goodbye
		switch {
		case err == nil && kind.IsControl():
			continue
		case err == nil:
			h.kinds, h.messages = append(h.kinds, int(kind)), append(h.messages, bytes.Clone(data))
			continue
		case errors.As(err, &bye) && bye.code == 0:
			h.close = websocket.CloseNoStatusReceived
		case errors.As(err, &bye):
			h.close = int(bye.code)
		case verdict(err) == 0:
			h.close = websocket.CloseAbnormalClosure
		default:
			h.close = int(verdict(err))
		}
		return h
	}
}

// What clients send is heard as gorilla hears it.
func FuzzFrames(f *testing.F) {
	f.Add(append(clientFrame(fin|opText, `{"type":"ping"}`), clientFrame(fin|websocket.CloseMessage, "\x03\xe8bye")...))
	f.Add(append(clientFrame(opText, "a"), append(clientFrame(fin|opPing, "b"), clientFrame(fin|opContinue, "c")...)...))
	f.Add(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(bytes.Repeat([]byte("x"), 5000)))))
	f.Add([]byte{fin | opText, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	f.Add(clientFrame(fin|websocket.CloseMessage, "\x03\xee"))
	f.Add(clientFrame(fin|reservedBit|opText, ""))
	f.Fuzz(func(t *testing.T, sent []byte) {
		got, want := weHear(sent), gorillaHears(t, sent)
		switch {
		case got.close == 4005:
			return // more framing than gorilla minds
		case got.close == websocket.CloseAbnormalClosure:
			want.close = got.close // gorilla does not wait for the rest of a header that is wrong already
		case want.close == websocket.CloseNoStatusReceived && got.close == websocket.CloseProtocolError:
			want.close = got.close // gorilla takes half a status for none
		}
		if got.close != want.close || len(got.messages) != len(want.messages) {
			t.Fatalf("%d messages and %d, to gorilla %d and %d", len(got.messages), got.close, len(want.messages), want.close)
		}
		for i := range got.messages {
			if got.kinds[i] != want.kinds[i] || !bytes.Equal(got.messages[i], want.messages[i]) {
				t.Errorf("message %d: %d %q, to gorilla %d %q", i, got.kinds[i], got.messages[i], want.kinds[i], want.messages[i])
			}
		}
	})
}
