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

func TestTurnsComeOneAfterTheOtherAndLeaveNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all turns
		inside := map[UserID]int{}
		var mu sync.Mutex
		enter := func(uid UserID, n int) {
			mu.Lock()
			defer mu.Unlock()
			if inside[uid] += n; inside[uid] > 1 {
				t.Errorf("%d of %s at once", inside[uid], uid)
			}
		}
		var callers sync.WaitGroup
		for n := range 30 {
			callers.Go(func() {
				uid := []UserID{"ana", "ben"}[n%2]
				release, err := all.Take(t.Context(), uid)
				if err != nil {
					t.Error(err)
					return
				}
				enter(uid, 1)
				<-time.After(time.Second)
				enter(uid, -1)
				release()
			})
		}
		began := time.Now()
		callers.Wait()
		if took := time.Since(began); took != 15*time.Second {
			t.Errorf("took %s: users wait for each other, or do not wait", took)
		}
		if len(all.taken) != 0 {
			t.Errorf("%d turns are kept", len(all.taken))
		}
	})
}

func TestWhoWaitsForATurnGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all turns
		release, err := all.Take(t.Context(), "ana")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := all.Take(ctx, "ana"); CodeOf(err) != CodeUnavailable {
			t.Errorf("%v", err)
		}
		if len(all.taken) != 1 {
			t.Error("the turn of who has it is gone")
		}
		release()
		if len(all.taken) != 0 {
			t.Error("a turn is kept")
		}
	})
}
