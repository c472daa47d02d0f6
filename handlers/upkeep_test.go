package handlers_test

import (
	"context"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func TestStatistics(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin(ana, phone, "198.51.100.7:5")
		w.begin(ana, laptop, "198.51.100.7:5")
		w.begin(bob, laptop, "[2001:db8:5::7]:5")
		admin := w.begin(boss, laptop, "192.0.2.1:5")
		before := w.do("GET", "/v1/admin/stats", admin).want(http.StatusOK).object()
		if want := (map[string]any{
			"sockets": 7.0, "activeSessions": 0.0, "users": 0.0, "byDeviceType": map[string]any{}, "byCountry": map[string]any{}, "countedAt": nil,
		}); !reflect.DeepEqual(before, want) {
			t.Errorf("before the first clean-up: %v", before)
		}
		w.do("POST", "/v1/admin/sweep", admin).want(http.StatusOK)
		after := w.do("GET", "/v1/admin/stats", admin).want(http.StatusOK).object()
		if want := (map[string]any{
			"sockets": 7.0, "activeSessions": 4.0, "users": 3.0, "byDeviceType": map[string]any{"mobile": 1.0, "desktop": 3.0},
			"byCountry": map[string]any{"MX": 2.0, "DE": 1.0}, "countedAt": "2000-01-01T00:00:04.000Z",
		}); !reflect.DeepEqual(after, want) {
			t.Errorf("after it: %v", after)
		}
	}, atlas, func(w *world) { w.options.Sockets = func() int { return 7 } })
}

func TestSweep(t *testing.T) {
	inWorld(t, func(w *world) {
		for range 3 {
			w.live(ana)
		}
		<-time.After(31 * time.Minute)
		admin := w.live(boss)
		w.do("POST", "/v1/admin/sweep", admin, body(`{"duties":"purge"}`)).faults("duties")
		w.do("POST", "/v1/admin/sweep?only=purge", admin).faults("only")
		if got := w.do("POST", "/v1/admin/sweep", admin).want(http.StatusOK).object(); !reflect.DeepEqual(got, map[string]any{
			"expired": 3.0, "purged": 0.0, "limited": 0.0,
		}) {
			t.Errorf("swept %v", got)
		}
		<-time.After(721 * time.Hour)
		if got := w.do("POST", "/v1/admin/sweep", w.live(boss)).want(http.StatusOK).object(); got["purged"] != 4.0 || got["limited"] != 0.0 {
			t.Errorf("swept %v", got)
		}
	})
}

// slowArchive takes its time.
type slowArchive struct {
	session.Archive
	takes time.Duration
}

func (s slowArchive) ActiveByUser(ctx context.Context, after session.Session, limit int) ([]session.Session, error) {
	select {
	case <-time.After(s.takes):
		return s.Archive.ActiveByUser(ctx, after, limit)
	case <-ctx.Done():
		return nil, session.Unavailable("active", ctx.Err())
	}
}

// A clean-up may take longer than other requests, but not for ever.
func TestSweepHasTime(t *testing.T) {
	for takes, status := range map[time.Duration]int{4 * time.Minute: http.StatusOK, 6 * time.Minute: http.StatusServiceUnavailable} {
		inWorld(t, func(w *world) {
			admin := w.live(boss)
			began := time.Now()
			w.do("POST", "/v1/admin/sweep", admin).want(status)
			if took := time.Since(began); took != min(takes, 5*time.Minute) {
				t.Errorf("it took %v", took)
			}
		}, func(w *world) { w.archive = slowArchive{w.store, takes} })
	}
}
