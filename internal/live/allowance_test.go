package live

import (
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestAnAllowanceIsATokenBucket(t *testing.T) {
	began := time.Now()
	var a allowance
	bucket := rate.NewLimiter(messagesPerSecond, messageBurst)
	now, refused := time.Duration(0), 0
	for i := range 20_000 {
		now += rand.N(350 * time.Millisecond).Truncate(time.Millisecond) // somewhat faster than is allowed, on the whole
		if i%1000 == 0 {
			now += time.Minute
		}
		got, want := a.take(now, messagePace(time.Minute)), bucket.AllowN(began.Add(now), 1)
		if got != want {
			t.Fatalf("message %d at %s: %t, want %t", i, now, got, want)
		}
		if !got {
			refused++
		}
	}
	if refused == 0 {
		t.Error("none was refused")
	}
}
