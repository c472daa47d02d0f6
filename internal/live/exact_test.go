package live_test

import (
	"slices"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// R7: whatever time brings comes at its very nanosecond, not one before. What is computed from store time at odd moments, as a token's
// expiry at each ping, comes at its microsecond: store time has no more digits.
func TestEveryTimerIsExactToTheTick(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(w *world, i *instance) (*tab, time.Time) // and when it is to happen
		code  wire.CloseCode                                // the close that it is, or
		frame wire.Type                                     // the frame
	}{
		"no auth": {func(w *world, i *instance) (*tab, time.Time) {
			return w.open(i), time.Now().Add(w.options.AuthTimeout)
		}, wire.CloseUnauthorized, ""},
		"silence from the beginning": {func(w *world, i *instance) (*tab, time.Time) {
			token, _ := w.signIn(i, "ana")
			tab := w.connect(i, token)
			tab.mute.Store(true)
			return tab, time.Now().Add(w.options.DisconnectTimeout)
		}, wire.CloseSilent, ""},
		"silence after the last sign of life": {func(w *world, i *instance) (*tab, time.Time) {
			token, _ := w.signIn(i, "ana")
			tab := w.connect(i, token)
			tab.mute.Store(true)
			w.pass(17*time.Second + 123456789)
			tab.peer.Heard()
			return tab, time.Now().Add(w.options.DisconnectTimeout)
		}, wire.CloseSilent, ""},
		"the token expires, and the grace passes": {func(w *world, _ *instance) (*tab, time.Time) {
			w.settings.IdleTimeout = 10 * time.Hour
			i := w.start()
			token, _ := w.signIn(i, "ana")
			return w.connect(i, token), w.accounts.Identity(token).ExpiresAt.Add(w.options.ReauthGrace)
		}, wire.CloseTokenExpired, ""},
		"the token is too old, and the grace passes": {func(w *world, _ *instance) (*tab, time.Time) {
			w.options.MaxTokenAge = 7 * time.Minute
			i := w.start()
			token, _ := w.signIn(i, "ana")
			return w.connect(i, token), w.accounts.Identity(token).IssuedAt.Add(w.options.MaxTokenAge + w.options.ReauthGrace)
		}, wire.CloseTokenExpired, ""},
		"a bad token, and the grace passes": {func(w *world, i *instance) (*tab, time.Time) {
			token, _ := w.signIn(i, "ana")
			tab := w.connect(i, token)
			w.pass(time.Second + 1)
			tab.send(wire.Request{Type: wire.TypePing, Token: "not.a.token"})
			tab.take()
			return tab, time.Now().Add(w.options.ReauthGrace)
		}, wire.CloseTokenExpired, ""},
		"the warning": {func(w *world, i *instance) (*tab, time.Time) {
			token, s := w.signIn(i, "ana")
			return w.connect(i, token), policy.WarnAt(s)
		}, 0, wire.TypeIdleWarning},
		"the warning after activity": {func(w *world, i *instance) (*tab, time.Time) {
			token, _ := w.signIn(i, "ana")
			tab := w.connect(i, token)
			w.pass(13 * time.Minute)
			tab.send(activity)
			return tab, time.Now().Add(policy.IdleTimeout - policy.IdleWarning)
		}, 0, wire.TypeIdleWarning},
		"a look that failed, again": {func(w *world, i *instance) (*tab, time.Time) {
			token, s := w.signIn(i, "ana")
			tab := w.connect(i, token)
			i.store.SetDown(true)
			w.pass(time.Until(policy.WarnAt(s)) + time.Second/2)
			i.store.SetDown(false)
			return tab, policy.WarnAt(s).Add(time.Second)
		}, 0, wire.TypeIdleWarning},
		"the idle end": {func(w *world, i *instance) (*tab, time.Time) {
			token, s := w.signIn(i, "ana")
			tab := w.connect(i, token)
			w.pass(policy.IdleTimeout - time.Minute)
			tab.take()
			return tab, s.IdleDeadline()
		}, wire.CloseIdle, ""},
		"the lifetime's end": {func(w *world, _ *instance) (*tab, time.Time) {
			w.settings.Lifetime = 20 * time.Minute
			i := w.start()
			token, s := w.signIn(i, "ana")
			return w.connect(i, token), s.ExpiresAt
		}, wire.CloseExpired, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				tab, at := c.begin(w, w.start())
				w.pass(time.Until(at) - 1)
				tab.open()
				tab.want()
				w.pass(1)
				if c.code == 0 {
					tab.want(c.frame)
					return
				}
				if c.code == wire.CloseTokenExpired {
					w.pass(time.Microsecond - 1)
				}
				tab.take()
				tab.closed(c.code, "", "")
			})
		})
	}
}

// stamps is a connection that remembers when it was told to do something, and is alive. It implements live.Conn.
type stamps struct {
	peer   *live.Peer
	pings  []time.Time
	closed time.Time
}

func (*stamps) Send([]byte)                    {}
func (s *stamps) Ping([]byte)                  { s.pings = append(s.pings, time.Now()); s.peer.Heard() }
func (s *stamps) Close(wire.CloseCode, []byte) { s.closed = time.Now() }

func TestPingsAreSpreadAtFirstAndExactFromThenOn(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		var all []*stamps
		began := time.Now()
		for range 40 {
			s := new(stamps)
			s.peer = i.hub.Connect(s, session.Origin{})
			s.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypeAuth, Token: token}))
			all = append(all, s)
		}
		w.pass(20 * time.Minute)
		first := make(map[time.Time]struct{})
		for _, s := range all {
			first[s.pings[0]] = struct{}{}
			if after := s.pings[0].Sub(began); after < w.options.HeartbeatInterval/2 || after > w.options.HeartbeatInterval {
				t.Errorf("first ping after %s", after)
			}
			for n := range s.pings[1:] {
				if pause := s.pings[n+1].Sub(s.pings[n]); pause != w.options.HeartbeatInterval {
					t.Errorf("ping %d after %s", n+1, pause)
				}
			}
			s.peer.Gone(wire.CloseNone)
		}
		if len(first) < len(all)/2 {
			t.Errorf("%d sockets were pinged first at %d moments", len(all), len(first))
		}
	})
}

func TestDrainIsSpreadExactly(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		const sockets = 500
		all := make([]*stamps, sockets)
		for n := range all {
			all[n] = new(stamps)
			all[n].peer = i.hub.Connect(all[n], session.Origin{})
		}
		began := time.Now()
		i.hub.Drain(w.Context())
		var after []time.Duration
		for _, s := range all {
			after = append(after, s.closed.Sub(began))
			s.peer.Gone(wire.CloseNone)
		}
		slices.Sort(after)
		for n, at := range after { // a hundred at once, and then one each millisecond
			if want := time.Duration(max(n-99, 0)) * time.Millisecond; (at - want).Abs() > time.Microsecond {
				t.Fatalf("socket %d was told after %s, want %s", n, at, want)
			}
		}
	})
}
