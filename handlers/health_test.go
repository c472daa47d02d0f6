package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/session"
)

func TestHealth(t *testing.T) {
	inWorld(t, func(w *world) {
		w.store.mode.Store(fails)
		if got := w.do("GET", "/healthz", "").want(http.StatusOK).object(); !reflect.DeepEqual(got, map[string]any{"status": "ok"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestReady(t *testing.T) {
	named := func(name string) handlers.Check {
		return handlers.Check{Name: name, Check: func(context.Context) error { return nil }}
	}
	good := named("store")
	slow := func(name string, d time.Duration) handlers.Check {
		return handlers.Check{Name: name, Check: func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(d):
				return nil
			}
		}}
	}
	failing := func(name string, err error) handlers.Check {
		return handlers.Check{Name: name, Check: func(context.Context) error { return err }}
	}
	deaf := handlers.Check{Name: "deaf", Check: func(context.Context) error { <-time.After(time.Minute); return nil }}
	ok := map[string]any{"ok": true}
	tests := map[string]struct {
		checks []handlers.Check
		want   map[string]any // of the checks
		took   time.Duration
	}{
		"no checks": {nil, map[string]any{}, 0},
		"all hold":  {[]handlers.Check{good, slow("feed", time.Second), slow("keys", time.Second)}, map[string]any{"store": ok, "feed": ok, "keys": ok}, time.Second},
		"one fails": {[]handlers.Check{good, failing("draining", errors.New("shutting down"))}, map[string]any{"store": ok, "draining": map[string]any{"ok": false, "error": "shutting down"}}, 0},
		"too slow":  {[]handlers.Check{good, slow("feed", time.Hour)}, map[string]any{"store": ok, "feed": map[string]any{"ok": false, "error": "timed out"}}, 2 * time.Second},
		"one of many too slow": {[]handlers.Check{deaf, named("feed"), named("identity"), named("clock"), good}, map[string]any{
			"deaf": map[string]any{"ok": false, "error": "timed out"}, "feed": ok, "identity": ok, "clock": ok, "store": ok,
		}, 2 * time.Second},
		"deaf":       {[]handlers.Check{deaf}, map[string]any{"deaf": map[string]any{"ok": false, "error": "timed out"}}, 2 * time.Second},
		"of ours":    {[]handlers.Check{failing("feed", &session.Error{Code: session.CodeUnavailable, Message: "last proven 40 s ago", Err: errors.New("secret")})}, map[string]any{"feed": map[string]any{"ok": false, "error": "last proven 40 s ago"}}, 0},
		"unshowable": {[]handlers.Check{failing("feed", session.Unavailable("read", errors.New("secret")))}, map[string]any{"feed": map[string]any{"ok": false, "error": "The request cannot be answered right now. Your session is not affected; try again soon."}}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				began := time.Now()
				a := w.do("GET", "/readyz", "")
				defer func() { <-time.After(time.Hour) }() // for the deaf
				if took := time.Since(began); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				status, word := http.StatusOK, "ready"
				for _, check := range test.want {
					if check, _ := check.(map[string]any); check["ok"] != true {
						status, word = http.StatusServiceUnavailable, "unavailable"
					}
				}
				if got, want := a.want(status).object(), map[string]any{"status": word, "checks": test.want}; !reflect.DeepEqual(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			}, func(w *world) { w.options.Ready = test.checks })
		})
	}
}

// Anybody may ask as often as they like, and the store is asked once a second.
func TestReadyRemembersForASecond(t *testing.T) {
	var asked atomic.Int32
	var down atomic.Bool
	store := handlers.Check{Name: "store", Check: func(context.Context) error {
		asked.Add(1)
		<-time.After(100 * time.Millisecond)
		if down.Load() {
			return errors.New("is down")
		}
		return nil
	}}
	inWorld(t, func(w *world) {
		want := func(status int, runs int32) {
			t.Helper()
			w.do("GET", "/readyz", "").want(status)
			if got := asked.Load(); got != runs {
				t.Errorf("asked %d times, want %d", got, runs)
			}
		}
		var crowd sync.WaitGroup
		for range 20 {
			crowd.Go(func() { w.do("GET", "/readyz", "").want(http.StatusOK) })
		}
		crowd.Wait()
		want(http.StatusOK, 1)
		down.Store(true)
		<-time.After(899 * time.Millisecond)
		want(http.StatusOK, 1)
		<-time.After(time.Millisecond)
		want(http.StatusServiceUnavailable, 2)
		down.Store(false)
		want(http.StatusServiceUnavailable, 2)
		<-time.After(time.Second)
		want(http.StatusOK, 3)
	}, func(w *world) { w.options.Ready = []handlers.Check{store} })
}

// Who hangs up leaves the answer to those who wait for it too.
func TestReadyOutlivesWhoAsked(t *testing.T) {
	slow := handlers.Check{Name: "store", Check: func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
			return nil
		}
	}}
	inWorld(t, func(w *world) {
		gone, hangUp := context.WithCancel(w.t.Context())
		time.AfterFunc(500*time.Millisecond, hangUp)
		var first sync.WaitGroup
		first.Go(func() {
			w.do("GET", "/readyz", "", func(r *http.Request) { *r = *r.WithContext(gone) }) //nolint:contextcheck // the request brings it
		})
		<-time.After(600 * time.Millisecond)
		w.do("GET", "/readyz", "").want(http.StatusOK)
		first.Wait()
	}, func(w *world) { w.options.Ready = []handlers.Check{slow} })
}

// A shutdown shows at once, whatever is remembered.
func TestReadyNeverRemembersWhatIsFresh(t *testing.T) {
	var draining atomic.Bool
	checks := []handlers.Check{
		{Name: "draining", Fresh: true, Check: func(context.Context) error {
			if draining.Load() {
				return errors.New("shutting down")
			}
			return nil
		}},
		{Name: "store", Check: func(context.Context) error { return nil }},
	}
	inWorld(t, func(w *world) {
		w.do("GET", "/readyz", "").want(http.StatusOK)
		draining.Store(true)
		got := w.do("GET", "/readyz", "").want(http.StatusServiceUnavailable).object()["checks"]
		want := map[string]any{"draining": map[string]any{"ok": false, "error": "shutting down"}, "store": map[string]any{"ok": true}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}, func(w *world) { w.options.Ready = checks })
}
