package socket

import (
	"bytes"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/wire"
)

// counts is a meter that remembers closes.
type counts struct {
	mu     sync.Mutex
	closed map[wire.CloseCode]int
}

func (c *counts) SocketClosed(code wire.CloseCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		c.closed = make(map[wire.CloseCode]int)
	}
	c.closed[code]++
}

func (*counts) Reconnected(time.Duration) {}
func (*counts) TokenExpired()             {}

func (c *counts) total() (closed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.closed {
		closed += n
	}
	return closed
}

func (c *counts) want(t *testing.T, want map[wire.CloseCode]int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !maps.Equal(c.closed, want) {
		t.Errorf("counted %v, want %v", c.closed, want)
	}
}

func TestTheTransportsOwnClosesAreCountedWithTheirCodes(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		left, cut, long, wrong := w.connect(token), w.connect(token), w.connect(token), w.connect(token)
		_ = left.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Time{})
		_ = cut.UnderlyingConn().Close()
		go func() { _ = long.WriteMessage(websocket.TextMessage, bytes.Repeat([]byte("x"), readLimit+1)) }()
		long.browse().wantClosed(1009, "", "")
		go func() { _ = wrong.WriteMessage(websocket.BinaryMessage, []byte("{}")) }()
		wrong.browse().wantClosed(4500, "", "")
		<-time.After(writeTimeout) // left does not read the answer to its goodbye
		synctest.Wait()
		w.counts.want(t, map[wire.CloseCode]int{wire.CloseNone: 2, 1009: 1, wire.CloseProtocol: 1})
	})
}
