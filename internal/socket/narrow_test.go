package socket

import (
	"context"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// onNarrow runs f over TCP that takes as little at once as the kernel lets it.
func onNarrow(t *testing.T, f func(w *world)) {
	t.Helper()
	narrow := func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			for _, buffer := range []int{syscall.SO_SNDBUF, syscall.SO_RCVBUF} {
				if err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, buffer, 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	listener, err := (&net.ListenConfig{Control: narrow}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f(start(t, listener, func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{Control: narrow}).DialContext(ctx, "tcp", listener.Addr().String())
	}))
}

// What the network does not take at once goes later, whole and in order.
func TestFramesOnANarrowNetwork(t *testing.T) {
	onNarrow(t, func(w *world) {
		token, id := w.signIn("ana")
		tab := w.connect(token)
		w.push("ana", maxQueued-1)
		tab.browse()
		for i := range maxQueued - 1 {
			want := session.NewID("somebody else", "", time.Unix(int64(i), 0))
			if f := tab.want(wire.TypeSessionClosed); f["sessionId"] != string(want) {
				t.Fatalf("frame %d: %v", i, f)
			}
		}
		w.end("ana", id)
		tab.wantClosed(4502, wire.TypeSessionRevoked, "admin_revoked")
	})
}

// R11 on TCP: one reader in a hundred stops.
func TestAReaderThatStopsOnANarrowNetwork(t *testing.T) {
	onNarrow(t, func(w *world) {
		token, _ := w.signIn("ana")
		w.connect(token) // nobody reads it
		var others []*tab
		for range 99 {
			others = append(others, w.connect(token).browse())
		}
		for range 3 {
			w.push("ana", 100)
			for _, tab := range others {
				for range 100 {
					tab.want(wire.TypeSessionClosed)
				}
			}
		}
		w.eventually("it is cut", func() bool { return w.hub.Sockets() == 99 })
		w.counts.want(t, map[wire.CloseCode]int{wire.CloseSlow: 1})
		w.push("ana", 1)
		for _, tab := range others {
			tab.want(wire.TypeSessionClosed)
		}
	})
}

func TestWhatWaitsForASlowReaderIsBoundedInBytes(t *testing.T) {
	inBubble(t, func(w *world) {
		c, tab := w.pair()
		long := []byte(`{"type":"long","x":"` + strings.Repeat("x", maxQueuedBytes/2-100) + `"}`)
		for range 3 { // one is being written
			c.Send(long)
			synctest.Wait()
		}
		if c.closing() {
			w.Error("given up too early")
		}
		if c.Send(long); !c.tooSlow() {
			w.Fatal("not given up")
		}
		tab.mute().browse().want("long")
		if end := <-tab.closed; end.code != 4003 || len(tab.frames) > 0 {
			w.Errorf("closed with %d after %d frames more", end.code, len(tab.frames))
		}
		<-tab.cut
	})
}
