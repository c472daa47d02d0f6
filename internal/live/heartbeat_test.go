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
	alone map[time.Time]bool
}

func (b *beats) Ping(frame []byte) {
	b.alone[time.Now()] = frame == nil
	b.stamps.Ping(frame)
}

func TestPingsGoWithTheAnswersToHeartbeats(t *testing.T) {
	const interval = 30 * time.Second // as in options
	for name, c := range map[string]struct {
		first, every time.Duration // heartbeats of the client
		alone        int           // pings without a heartbeat, at most: until both are in step
		timeout      time.Duration // WS_DISCONNECT_TIMEOUT
	}{
		"at the interval, as clients do": {interval, interval, 1, 2 * interval},
		"just after the first ping":      {interval / 2, interval, 1, 2 * interval},
		"a second late each time":        {interval, interval + time.Second, 1, 2 * interval},
		"a quarter late each time":       {interval, interval * 5 / 4, 60, 2 * interval},
		"twice as often":                 {interval / 2, interval / 2, 1, 2 * interval},
		"far too often":                  {0, interval / 20, 1, 2 * interval},
		"throttled, in a hidden tab":     {2 * interval, 2 * interval, 60, 2 * interval},
		"throttled, with little time":    {2 * interval, 2 * interval, 60, interval + time.Second},
		"never":                          {3 * time.Hour, interval, 60, 2 * interval},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				const until = 30 * time.Minute
				w.settings.IdleTimeout, w.options.DisconnectTimeout = 3*time.Hour, c.timeout
				i := w.start()
				token, _ := w.signIn(i, "ana")
				b := &beats{alone: make(map[time.Time]bool)}
				b.peer = i.hub.Connect(b, session.Origin{})
				defer b.peer.Gone(wire.CloseNone)
				b.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypeAuth, Token: token}))
				began := time.Now()
				for next := began.Add(c.first); time.Since(began) < until; next = next.Add(c.every) {
					w.pass(min(time.Until(next), until))
					b.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypePing}))
				}
				alone := 0
				last := began
				for n, at := range b.pings {
					if pause := at.Sub(last); pause > interval*17/16 || n > 0 && pause < interval/4 && !b.alone[last] {
						t.Errorf("after %s a ping after %s", last.Sub(began), pause)
					}
					last = at
					if b.alone[at] {
						alone++
					}
				}
				if alone > c.alone {
					t.Errorf("%d pings of %d went alone", alone, len(b.pings))
				}
				if !b.closed.IsZero() || time.Since(last) > interval*17/16 {
					t.Errorf("%d pings, the last at %s, closed at %s", len(b.pings), last.Sub(began), b.closed)
				}
			})
		})
	}
}

func TestAClientThatKeepsToTheIntervalIsNoFlood(t *testing.T) {
	for _, interval := range []time.Duration{10 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond} {
		t.Run(interval.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.options.HeartbeatInterval = interval
				i := w.start()
				token, _ := w.signIn(i, "ana")
				tab := w.connect(i, token)
				answered := 0
				for began := time.Now(); time.Since(began) < time.Minute; w.pass(interval) {
					tab.send(wire.Request{Type: wire.TypePing})
					for ; answered < tab.pings; answered++ {
						tab.peer.Allow() // as a transport does with the browser's pong
					}
				}
				tab.open()
			})
		})
	}
}
