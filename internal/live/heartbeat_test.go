package live_test

import (
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// beats is a connection of a client that is alive, and remembers how it was pinged: with the answer to a heartbeat, or alone. It implements live.Conn.
type beats struct {
	stamps
	with int
}

func (b *beats) Ping(after []byte) {
	if after != nil {
		b.with++
	}
	b.stamps.Ping(after)
}

func TestPingsGoWithTheAnswersToHeartbeats(t *testing.T) {
	const (
		hour     = time.Hour
		interval = 30 * time.Second // as in options
	)
	for name, c := range map[string]struct {
		first, every time.Duration // heartbeats of the client
		alone        int           // pings, at most: until both are in step
		longest      time.Duration // between two pings
	}{
		"at the interval, as clients do": {interval, interval, 1, interval * 21 / 16},
		"just after the first ping":      {interval / 2, interval, 1, interval * 21 / 16},
		"a little late each time":        {interval, interval + time.Second, 1, interval*21/16 + time.Second},
		"twice as often":                 {interval / 2, interval / 2, 1, interval},
		"far too often":                  {0, interval / 20, 1, interval / 2},
		"throttled, in a hidden tab":     {2 * interval, 2 * interval, 1 << 20, interval * 21 / 16},
		"never":                          {2 * hour, interval, 1 << 20, interval},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.settings.IdleTimeout = 3 * hour
				i := w.start()
				token, _ := w.signIn(i, "ana")
				b := new(beats)
				b.peer = i.hub.Connect(b, session.Origin{})
				defer b.peer.Gone(wire.CloseNone)
				b.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypeAuth, Token: token}))
				began := time.Now()
				for next := began.Add(c.first); time.Since(began) < hour/2; next = next.Add(c.every) {
					w.pass(min(time.Until(next), hour/2))
					b.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypePing}))
				}
				if alone := len(b.pings) - b.with; alone > c.alone {
					t.Errorf("%d pings of %d went alone", alone, len(b.pings))
				}
				last := began
				for _, at := range b.pings {
					if at.Sub(last) > c.longest {
						t.Errorf("after %s a ping after %s", last.Sub(began), at.Sub(last))
					}
					last = at
				}
				if !b.closed.IsZero() || len(b.pings) < int(hour/2/interval)-5 {
					t.Errorf("%d pings, closed %s", len(b.pings), b.closed)
				}
			})
		})
	}
}
