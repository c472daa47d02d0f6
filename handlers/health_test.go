package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
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
	good := handlers.Check{Name: "store", Check: func(context.Context) error { return nil }}
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
		"no checks":  {nil, map[string]any{}, 0},
		"all hold":   {[]handlers.Check{good, slow("feed", time.Second), slow("keys", time.Second)}, map[string]any{"store": ok, "feed": ok, "keys": ok}, time.Second},
		"one fails":  {[]handlers.Check{good, failing("draining", errors.New("shutting down"))}, map[string]any{"store": ok, "draining": map[string]any{"ok": false, "error": "shutting down"}}, 0},
		"too slow":   {[]handlers.Check{good, slow("feed", time.Hour)}, map[string]any{"store": ok, "feed": map[string]any{"ok": false, "error": "timed out"}}, 2 * time.Second},
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
