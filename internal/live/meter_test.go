package live_test

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/wire"
)

// counts is a meter that remembers.
type counts struct {
	mu      sync.Mutex
	closed  map[wire.CloseCode]int
	away    []time.Duration
	expired int
}

func (c *counts) SocketClosed(code wire.CloseCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		c.closed = make(map[wire.CloseCode]int)
	}
	c.closed[code]++
}

func (c *counts) Reconnected(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = append(c.away, after)
}

func (c *counts) TokenExpired() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expired++
}

func TestEachSocketsEndIsCountedOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		var meter counts
		w.options.Meter = &meter
		i := w.start()
		token, _ := w.signIn(i, "ana")
		silent, left, kept := w.connect(i, token), w.connect(i, token), w.connect(i, token)
		silent.mute.Store(true)
		left.peer.Gone(wire.CloseNone)
		left.peer.Gone(wire.CloseNone)
		w.connect(i, token).peer.Gone(wire.CloseSlow) // the transport's own
		w.pass(options.DisconnectTimeout)
		silent.closed(wire.CloseSilent, "", "")
		silent.peer.Gone(wire.CloseNone)
		w.open(i)
		w.pass(options.AuthTimeout)
		w.revoke(i, "ana")
		kept.closed(wire.CloseRevoked, wire.TypeSessionRevoked, "admin_revoked")
		i.hub.Drain(w.Context())
		want := map[wire.CloseCode]int{
			wire.CloseSilent: 1, wire.CloseNone: 1, wire.CloseSlow: 1, wire.CloseUnauthorized: 1, wire.CloseRevoked: 1,
		}
		if !maps.Equal(meter.closed, want) {
			t.Errorf("closed %v, want %v", meter.closed, want)
		}
	})
}

func TestReconnectionsAreCountedOncePerSocketAndBelievedWithinReason(t *testing.T) {
	for name, c := range map[string]struct {
		ms   float64
		want []time.Duration
	}{
		"told":            {1500.5, []time.Duration{1500500 * time.Microsecond}},
		"not told":        {0, nil},
		"before its time": {-1, nil},
		"a year":          {365 * 24 * 3600 * 1000, []time.Duration{24 * time.Hour}},
		"for ever":        {1e308, []time.Duration{24 * time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				var meter counts
				w.options.Meter = &meter
				i := w.start()
				token, _ := w.signIn(i, "ana")
				tab := w.connect(i, token)
				for range 3 {
					tab.send(wire.Request{Type: wire.TypePing, ReconnectedAfterMS: c.ms})
				}
				if !slices.Equal(meter.away, c.want) {
					t.Errorf("%v, want %v", meter.away, c.want)
				}
			})
		})
	}
}

func TestExpiredTokensOfSocketsAreCounted(t *testing.T) {
	inWorld(t, func(w *world) {
		var meter counts
		w.options.Meter = &meter
		w.settings.IdleTimeout = 10 * time.Hour
		w.options.MaxTokenAge = 10 * time.Minute
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		w.pass(10 * time.Minute)
		tab.send(ping)
		tab.send(ping)
		if meter.expired != 1 {
			t.Errorf("%d, want 1 for the token that time has taken", meter.expired)
		}
		w.open(i).send(wire.Request{Type: wire.TypeAuth, Token: token})
		if meter.expired != 2 {
			t.Errorf("%d, want 1 more for a token that came too late", meter.expired)
		}
	})
}
