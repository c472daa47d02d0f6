package socket

import (
	"net"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/vigilhq/vigil/internal/wire"
)

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func TestConnectAndAbortLeavesNothingBehind(t *testing.T) {
	onLoopback(t, func(w *world) {
		token, _ := w.signIn("ana")
		auth := wire.Request{Type: wire.TypeAuth, Token: token}
		aborts := []func(){
			func() { // before the handshake
				nc, err := w.dial(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				_ = nc.Close()
			},
			func() { w.abort() },
			func() { w.abort(auth) },
			func() { w.abort(auth, ping, ping) },
		}
		cycle := func(n int) {
			var clients sync.WaitGroup
			for range 4 {
				clients.Go(func() {
					for i := range n / 4 {
						aborts[i%len(aborts)]()
					}
				})
			}
			clients.Wait()
			w.eventually("all peers are gone", func() bool { return w.hub.Sockets() == 0 })
		}
		cycle(40)
		goroutines, files := runtime.NumGoroutine(), descriptors(t)
		cycle(800)
		w.eventually("goroutines and descriptors are as before", func() bool {
			return runtime.NumGoroutine() <= goroutines && descriptors(t) <= files
		})
		w.server.lobby.mu.Lock()
		defer w.server.lobby.mu.Unlock()
		if w.server.lobby.waiting != 0 || len(w.server.lobby.byHolder) != 0 {
			t.Errorf("%d places before auth are taken", w.server.lobby.waiting)
		}
	})
}

// abort opens a socket, says something and resets the connection.
func (w *world) abort(messages ...any) {
	ws, err := w.upgrade(home)
	if err != nil {
		w.Error(err)
		return
	}
	for _, m := range messages {
		if err := ws.WriteJSON(m); err != nil {
			w.Error(err)
		}
	}
	if tcp, ok := ws.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = ws.Close()
}

func TestAnIdleSocketIsOneGoroutine(t *testing.T) {
	const sockets = 200
	onLoopback(t, func(w *world) {
		token, _ := w.signIn("ana")
		w.connect(token)
		w.eventually("one socket is idle", func() bool { return w.hub.Sockets() == 1 })
		before, memory := runtime.NumGoroutine(), inUse()
		for range sockets {
			w.connect(token)
		}
		w.eventually("one goroutine a socket", func() bool { return runtime.NumGoroutine() <= before+sockets })
		t.Logf("%d bytes a socket, with the client's end", (inUse()-memory)/sockets)
	})
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
