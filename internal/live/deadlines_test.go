package live_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/live"
)

func TestDeadlinesAreExactAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := live.NewDeadlines()
		go d.Run(t.Context())
		synctest.Wait() // nothing is armed: it sleeps until it is woken
		began := time.Now()
		var fired []time.Duration
		note := func() { fired = append(fired, time.Since(began)) }
		for _, in := range []time.Duration{30, 10, 20, 10} {
			d.After(in*time.Millisecond, note)
		}
		moved := live.NewDeadline(func() time.Duration { note(); return 0 })
		d.Arm(moved, 50*time.Millisecond)
		d.Arm(moved, 5*time.Millisecond)  // earlier
		d.Arm(moved, 40*time.Millisecond) // never later
		again := 2
		d.Arm(live.NewDeadline(func() time.Duration {
			note()
			if again--; again == 0 {
				return 0
			}
			return time.Second
		}), time.Second)
		<-time.After(time.Minute)
		synctest.Wait()
		want := []time.Duration{5, 10, 10, 20, 30, 1000, 2000}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if !slices.Equal(fired, want) {
			t.Errorf("fired at %v, want %v", fired, want)
		}
	})
}

// A session that ends between its admission and its welcome is due at the difference to no time at all, which is the least that there is.
func TestNoDeadlineIsInTheWayOfTheOthers(t *testing.T) {
	for name, c := range map[string]struct {
		in   time.Duration
		want []time.Duration
	}{
		"no time at all": {time.Until(time.Time{}), []time.Duration{0, time.Second}},
		"the past":       {-time.Hour, []time.Duration{0, time.Second}},
		"never":          {math.MaxInt64, []time.Duration{time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := live.NewDeadlines()
				var began time.Time
				var fired []time.Duration
				note := func() { fired = append(fired, time.Since(began)) }
				d.After(c.in, note)
				<-time.After(1) // a machine never looks in the very moment
				began = time.Now()
				go d.Run(t.Context())
				d.After(time.Second, note)
				<-time.After(time.Minute)
				synctest.Wait()
				if !slices.Equal(fired, c.want) {
					t.Errorf("fired at %v, want %v", fired, c.want)
				}
			})
		})
	}
}

func TestDeadlinesOfManyAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := live.NewDeadlines()
		go d.Run(t.Context())
		const many = 3000
		began := time.Now()
		fired, want := make([]time.Duration, many), make([]time.Duration, many) // zero: never
		all := make([]*live.Deadline, many)
		for i := range all {
			all[i] = live.NewDeadline(func() time.Duration {
				if fired[i] != 0 {
					t.Errorf("%d fired twice", i)
				}
				fired[i] = time.Since(began)
				return 0
			})
		}
		for range 5 * many {
			switch i := rand.N(many); rand.N(4) {
			case 0:
				d.Disarm(all[i])
				want[i] = 0
			default:
				in := time.Second + rand.N(time.Second)
				d.Arm(all[i], in)
				if want[i] == 0 || in < want[i] {
					want[i] = in
				}
			}
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if !slices.Equal(fired, want) {
			t.Error("some fired at another time")
		}
	})
}
