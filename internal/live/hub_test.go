package live_test

import (
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestReadyTellsTheTimes(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		tab := w.open(i)
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		f := tab.want(wire.TypeReady)
		if f["heartbeatInterval"] != 30000.0 {
			t.Errorf("heartbeat %v", f["heartbeatInterval"])
		}
		for field, want := range map[string]time.Time{
			"serverTime": time.Now(), "warnAt": s.LastActive.Add(28 * time.Minute), "idleDeadline": s.LastActive.Add(30 * time.Minute),
			"expiresAt": s.AuthTime.Add(12 * time.Hour), "tokenExpiresAt": s.AuthTime.Add(time.Hour),
		} {
			if got := tab.when(f, field); got.Sub(want).Abs() > time.Millisecond {
				t.Errorf("%s %s, want %s", field, got, want)
			}
		}
		view, _ := f["session"].(map[string]any)
		if view["id"] != string(s.ID) || view["current"] != true {
			t.Errorf("session %v", view)
		}
	})
}

func TestWhatIsRefusedAtAuth(t *testing.T) {
	for name, c := range map[string]struct {
		token  func(*world, *instance) string
		code   wire.CloseCode
		last   wire.Type
		reason string
	}{
		"no token":       {func(*world, *instance) string { return "" }, 4501, wire.TypeAuthExpired, "token_missing"},
		"foreign token":  {func(*world, *instance) string { return "a.b.c" }, 4501, wire.TypeAuthExpired, "token_invalid"},
		"not registered": {func(w *world, _ *instance) string { return w.accounts.SignIn("ana") }, 4501, wire.TypeAuthExpired, "session_required"},
		"expired": {func(w *world, i *instance) string {
			token, _ := w.signIn(i, "ana")
			w.pass(sessiontest.TokenLifetime)
			return token
		}, 4001, wire.TypeAuthExpired, "token_expired"},
		"revoked": {func(w *world, i *instance) string {
			token, _ := w.signIn(i, "ana")
			w.revoke(i, "ana")
			return token
		}, 4501, wire.TypeAuthExpired, "token_revoked"},
		"ended": {func(w *world, i *instance) string {
			token, s := w.signIn(i, "ana")
			w.must(i.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID))
			return token
		}, 4502, wire.TypeSessionRevoked, "admin_revoked"},
		"idle": {func(w *world, i *instance) string {
			token, _ := w.signIn(i, "ana")
			w.pass(30 * time.Minute)
			return token
		}, 4503, wire.TypeSessionRevoked, "idle_timeout"},
		"disabled": {func(w *world, i *instance) string {
			token, _ := w.signIn(i, "ana")
			w.accounts.Change("ana", func(a *session.Account) { a.Disabled = true })
			w.pass(5 * time.Minute)
			return token
		}, 4505, wire.TypeSessionRevoked, "user_disabled"},
		"identity down": {func(w *world, _ *instance) string {
			w.accounts.SetDown(true)
			return w.accounts.SignIn("ana")
		}, 4002, "", ""},
		"store down": {func(w *world, i *instance) string {
			token, _ := w.signIn(i, "ana")
			i.store.SetDown(true)
			return token
		}, 4002, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				token := c.token(w, i)
				tab := w.open(i)
				tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
				tab.closed(c.code, c.last, c.reason)
			})
		})
	}
}

func TestProtocolErrors(t *testing.T) {
	auth := wire.Request{Type: wire.TypeAuth, Token: "a.b.c"}
	for name, frame := range map[string]string{
		"first frame is not auth": `{"type":"ping"}`,
		"bad JSON":                `{"type":`,
		"unknown type":            `{"type":"hello"}`,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				tab := w.open(w.start())
				tab.peer.Receive(w.Context(), []byte(frame))
				tab.closed(wire.CloseProtocol, "", "")
			})
		})
	}
	t.Run("second auth", func(t *testing.T) {
		inWorld(t, func(w *world) {
			i := w.start()
			token, _ := w.signIn(i, "ana")
			tab := w.connect(i, token)
			tab.send(auth)
			tab.closed(wire.CloseProtocol, "", "")
		})
	})
	t.Run("binary", func(t *testing.T) {
		inWorld(t, func(w *world) {
			tab := w.open(w.start())
			tab.peer.Violate()
			tab.closed(wire.CloseProtocol, "", "")
		})
	})
	t.Run("a flood", func(t *testing.T) {
		inWorld(t, func(w *world) {
			i := w.start()
			token, _ := w.signIn(i, "ana")
			tab := w.connect(i, token)
			for range 100 {
				tab.send(wire.Request{Type: wire.TypePing})
			}
			tab.take()
			tab.closed(wire.CloseTooMany, "", "")
		})
	})
}

func TestNoAuthInTime(t *testing.T) {
	inWorld(t, func(w *world) {
		tab := w.open(w.start())
		began := time.Now()
		w.pass(options.AuthTimeout - 1)
		tab.open()
		w.pass(1)
		tab.closed(wire.CloseUnauthorized, wire.TypeAuthExpired, "token_missing")
		if took := tab.at.Sub(began); took != options.AuthTimeout {
			t.Errorf("after %s", took)
		}
	})
}
