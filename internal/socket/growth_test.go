package socket

import (
	"runtime"
	"testing"
)

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

// inUse is what objects and stacks take.
func inUse() uint64 {
	runtime.GC()
	runtime.GC() // what pools hold survives the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
