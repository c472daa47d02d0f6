package handlers

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func (b *buckets) takes(user string) bool {
	return b.take(who{user: session.UserID(user)}, time.Now()) == nil
}

// However many others come by, with an account or an address each: nobody's debt is forgotten for theirs.
func TestOthersDoNotPayForAnybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuckets(Limit{PerSecond: 1, Burst: 5})
		for range 5 {
			b.takes("greedy")
		}
		for n := range 10 * bucketRows {
			b.takes(strconv.Itoa(n))
		}
		if b.takes("greedy") {
			t.Error("there is a full burst again")
		}
		<-time.After(time.Second)
		if !b.takes("greedy") || b.takes("greedy") {
			t.Error("a second is not worth one request")
		}
	})
}

func TestBucketsFillUpToTheirBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, limit := range []Limit{{1e9, 3}, {50, 200}, {0.5, 60}, {1.0 / 3600, 1e9}} {
			b := newBuckets(limit)
			for range 2 {
				<-time.After(1000 * time.Hour)
				n := 0
				for n < 300 && b.takes("a") {
					n++
				}
				if n != min(limit.Burst, 300) {
					t.Errorf("%v lets %d pass at once", limit, n)
				}
			}
		}
	})
}

func TestRacersShareABucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuckets(Limit{PerSecond: 1, Burst: 100})
		var passed atomic.Int64
		var racing sync.WaitGroup
		for range 8 {
			racing.Go(func() {
				for range 50 {
					if b.takes("a") {
						passed.Add(1)
					}
				}
			})
		}
		racing.Wait()
		if passed.Load() != 100 {
			t.Errorf("%d passed", passed.Load())
		}
	})
}
