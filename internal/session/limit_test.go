package session

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestExcess(t *testing.T) {
	live := []Session{{ID: "oldest"}, {ID: "old"}, {ID: "new"}, {ID: "newest"}}
	for _, c := range []struct {
		limit int
		p     LimitPolicy
		want  []ID
	}{
		{0, LimitEvict, nil},
		{5, LimitEvict, nil},
		{4, LimitReject, nil},
		{3, LimitEvict, []ID{"oldest"}},
		{3, LimitReject, []ID{"newest"}},
		{1, LimitEvict, []ID{"oldest", "old", "new"}},
		{1, LimitReject, []ID{"old", "new", "newest"}},
	} {
		r := &Registry{settings: Settings{Policy: Policy{MaxSessions: c.limit, LimitPolicy: c.p}}}
		var got []ID
		for _, s := range r.excess(live) {
			got = append(got, s.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %d: %v", c.p, c.limit, got)
		}
	}
}

func TestARoundBeginsAfterAllWhoTakePartInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all rounds
		var mu sync.Mutex
		inside, done := map[UserID]int{}, map[UserID]int{}
		var callers sync.WaitGroup
		began := time.Now()
		for n := range 30 {
			callers.Go(func() {
				uid := []UserID{"ana", "ben"}[n%2]
				<-time.After(time.Duration(n) * time.Millisecond) // all of them while the first round is going on
				came := time.Now()
				joined := all.Join(t.Context(), uid, func(own *round) error {
					mu.Lock()
					if inside[uid]++; inside[uid] > 1 {
						t.Errorf("%d rounds of %s at once", inside[uid], uid)
					}
					done[uid]++
					mu.Unlock()
					own.live = []Session{{CreatedAt: time.Now()}}
					<-time.After(time.Second)
					mu.Lock()
					inside[uid]--
					mu.Unlock()
					return nil
				})
				if err := joined.wait(t.Context()); err != nil {
					t.Error(err)
				} else if joined.live[0].CreatedAt.Before(came) {
					t.Errorf("caller %d took part in a round that had begun", n)
				}
			})
		}
		callers.Wait()
		if took := time.Since(began); done["ana"] != 2 || done["ben"] != 2 || took > 2*time.Second+2*time.Millisecond {
			t.Errorf("%v rounds in %s, want two of each user", done, took)
		}
		if len(all.users) != 0 {
			t.Errorf("%d users are kept", len(all.users))
		}
	})
}

func TestWhoWaitsForARoundGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all rounds
		var running sync.WaitGroup
		running.Go(func() { all.Join(t.Context(), "ana", func(*round) error { <-time.After(time.Minute); return nil }) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		running.Go(func() {
			all.Join(ctx, "ana", func(*round) error { return Unavailable("enforce", ctx.Err()) })
		})
		synctest.Wait()
		late := all.Join(ctx, "ana", func(*round) error { t.Error("done by who came second"); return nil })
		if err := late.wait(ctx); CodeOf(err) != CodeUnavailable {
			t.Errorf("%v", err)
		}
		running.Wait()
		if len(all.users) != 0 {
			t.Error("the user is kept")
		}
	})
}

func TestARoundThatComesToNothingHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all rounds
		entered := make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() {
			defer func() { _ = recover() }()
			all.Join(t.Context(), "ana", func(*round) error {
				close(entered)
				<-time.After(time.Second)
				panic("a bug")
			})
		})
		<-entered
		ok := all.Join(t.Context(), "ana", func(*round) error { return nil })
		if err := ok.wait(t.Context()); err != nil {
			t.Error(err)
		}
		running.Wait()
		if len(all.users) != 0 {
			t.Error("the user is kept")
		}
	})
}
