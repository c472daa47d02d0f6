package session_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/vigilhq/vigil/internal/session"
)

// What the gate asks of one core for a request of somebody it knows: a thousand users in turn, each with two tokens.
func BenchmarkAdmit(b *testing.B) {
	c, gate := warm(b, 1000, 2)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		c.admit(b, gate, n)
	}
}

// The same on all cores at once.
func BenchmarkAdmitParallel(b *testing.B) {
	c, gate := warm(b, 1000, 2)
	b.ReportAllocs()
	var started atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for n := int(started.Add(1)) * 500; pb.Next(); n++ {
			c.admit(b, gate, n)
		}
	})
}

// What an instance remembers of a user with one token and one session.
func BenchmarkAdmitMemory(b *testing.B) {
	const users = 15_000
	c := newCrowd(b, users, 1)
	for b.Loop() {
		before := heap()
		_, gate, _ := c.open()
		for n := range c.tokens {
			c.admit(b, gate, n)
		}
		b.ReportMetric(float64(heap()-before)/users, "B/user")
		runtime.KeepAlive(gate)
	}
}

func warm(b *testing.B, users, tokens int) (*crowd, *session.Gate) {
	b.Helper()
	c := newCrowd(b, users, tokens)
	_, gate, _ := c.open()
	for n := range c.tokens {
		c.admit(b, gate, n)
	}
	return c, gate
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first has only found out, such as pools' victims
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
