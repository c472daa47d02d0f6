package live_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/live"
)

// Two deadlines a session, its peer's and its room's, of 30,000 sessions.
//
//	go test -run '^$' -bench Deadlines ./internal/live
func BenchmarkDeadlines(b *testing.B) {
	const sessions = 30_000
	d := live.NewDeadlines()
	all := make([]*live.Deadline, 2*sessions)
	for i := range all {
		all[i] = live.NewDeadline(func() time.Duration { return 0 })
		d.Arm(all[i], time.Hour+rand.N(time.Hour))
	}
	b.Run("armed for later than it is", func(b *testing.B) { // as nearly always
		for i := 0; b.Loop(); i++ {
			d.Arm(all[i%len(all)], 3*time.Hour)
		}
	})
	b.Run("disarmed and armed", func(b *testing.B) { // as when a socket closes and another opens, or when one is due
		for i := 0; b.Loop(); i++ {
			dl := all[i%len(all)]
			d.Disarm(dl)
			d.Arm(dl, time.Hour+rand.N(time.Hour))
		}
	})
	b.Run("due", func(b *testing.B) {
		b.ReportAllocs()
		due := live.NewDeadlines()
		left, done := b.N, make(chan struct{})
		ctx, cancel := context.WithCancel(b.Context())
		for range all {
			due.Arm(live.NewDeadline(func() time.Duration {
				if left--; left == 0 {
					close(done)
				}
				if left < 0 {
					return 0
				}
				return time.Nanosecond + rand.N(time.Millisecond) // and again
			}), time.Nanosecond)
		}
		b.ResetTimer()
		var running sync.WaitGroup
		running.Go(func() { due.Run(ctx) })
		<-done
		cancel()
		running.Wait()
	})
}
