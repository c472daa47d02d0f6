package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/cmd/internal/wiring"
	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/metrics"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// sweeper is an instance of which only the clean-up runs.
type sweeper struct {
	*instance
	store *sessiontest.Outage
}

func newSweeper(data *memory.Store, every time.Duration) sweeper {
	store, accounts, discard := sessiontest.NewOutage(data), sessiontest.NewDirectory(), slog.New(slog.DiscardHandler)
	i := &instance{
		config: config.Config{SweepInterval: every}, log: discard,
		Parts: wiring.Parts{Clock: session.NewClock(), Metrics: metrics.New()},
	}
	i.registry = session.NewRegistry(session.Settings{}, session.Ports{
		Store: store, Users: store, Publisher: store, Archive: store, Trail: store, Jobs: store,
		Accounts: accounts, Editor: accounts, Clock: i.Clock, Inbox: session.NewInbox(time.Hour),
		After: func(time.Duration, func()) {}, Log: discard,
	})
	return sweeper{i, store}
}

// sweeps are those that it has begun.
func (s sweeper) sweeps() int { return s.store.Calls("ActiveByUser") }

// together runs f while n instances on one store clean up every hour, started five minutes after each other.
func together(t *testing.T, n int, f func(all []sweeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		data := memory.Open(session.NewClock())
		all := make([]sweeper, n)
		var running sync.WaitGroup
		for i := range all {
			all[i] = newSweeper(data, time.Hour)
			running.Go(func() { all[i].sweep(ctx) })
			<-time.After(5 * time.Minute)
		}
		f(all)
		stop()
		running.Wait()
	})
}

func TestInstancesShareTheCleanUp(t *testing.T) {
	const instances, hours = 4, 100
	together(t, instances, func(all []sweeper) {
		for _, s := range all {
			if got := s.sweeps(); got != 1 {
				t.Errorf("%d clean-ups at the start", got)
			}
		}
		for range hours {
			<-time.After(time.Hour)
			census, err := all[0].registry.Census(t.Context())
			if age := all[0].Clock.Now().Sub(census.CountedAt); err != nil || age > 2*time.Hour {
				t.Errorf("last counted %s ago (%v)", age, err)
			}
		}
		sum := -instances
		for _, s := range all {
			sum += s.sweeps()
		}
		if most := hours*5/4 + 1; sum > most {
			t.Errorf("%d clean-ups in %d hours, want at most %d", sum, hours, most)
		}
	})
}

func TestALoneInstanceCleansUpEveryTime(t *testing.T) {
	together(t, 1, func(all []sweeper) {
		<-time.After(100 * time.Hour)
		if got := all[0].sweeps(); got < 90 {
			t.Errorf("%d clean-ups in 100 hours", got)
		}
	})
}

// Whoever cannot tell whether others clean up does it.
func TestInstancesThatCannotTellCleanUp(t *testing.T) {
	together(t, 2, func(all []sweeper) {
		for _, s := range all {
			s.store.Before(func(op string) { s.store.SetDown(op == "Census") })
		}
		<-time.After(100 * time.Hour)
		for _, s := range all {
			if got := s.sweeps(); got < 90 {
				t.Errorf("%d clean-ups in 100 hours", got)
			}
		}
	})
}

// What another instance has counted shows as if it were one's own: else a graph of the most that any instance shows would be one of old times.
func TestAnothersCountIsShown(t *testing.T) {
	for age, due := range map[time.Duration]bool{
		0: false, time.Hour*4/5 - time.Microsecond: false, time.Hour * 4 / 5: true, 24 * time.Hour: true,
	} {
		synctest.Test(t, func(t *testing.T) {
			data := memory.Open(session.NewClock())
			s := newSweeper(data, time.Hour)
			if !s.sweepIsDue(t.Context()) {
				t.Error("not due although nobody has ever counted")
			}
			counted := session.Census{ActiveSessions: 7, CountedAt: time.Now()}
			if err := data.SaveCensus(t.Context(), counted); err != nil {
				t.Fatal(err)
			}
			<-time.After(age)
			if got := s.sweepIsDue(t.Context()); got != due {
				t.Errorf("due %t when another has counted %s ago", got, age)
			}
			shown := httptest.NewRecorder()
			s.Metrics.Handler().ServeHTTP(shown, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
			if got := strings.Contains(shown.Body.String(), "\nvigil_sessions_active 7\n"); got == due {
				t.Errorf("shown %t when another has counted %s ago", got, age)
			}
		})
	}
}
