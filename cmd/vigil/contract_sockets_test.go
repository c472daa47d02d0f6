package main

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/socket"
	"github.com/vigilhq/vigil/internal/wire"
)

// socketTests are those of the settings of the WebSocket.
var socketTests = map[string]func(*testing.T, *fleet){
	"WS_HEARTBEAT_INTERVAL": func(t *testing.T, f *fleet) {
		p := f.sockets.in(t)
		u := p.newcomer(nil)
		u.register(p)
		if got := u.open(p).want(wire.TypeReady)["heartbeatInterval"]; got != 500.0 {
			t.Errorf("heartbeatInterval is %v", got)
		}
	},
	"WS_DISCONNECT_TIMEOUT": func(t *testing.T, f *fleet) {
		p := f.sockets.in(t)
		u := p.newcomer(nil)
		u.register(p)
		client, err := socket.Dial(t.Context(), "ws"+strings.TrimPrefix(p.api, "http")+"/v1/ws", "https://dashboard.example.com")
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if err := client.Write(wire.Request{Type: wire.TypeAuth, Token: u.idToken}); err != nil {
			t.Fatal(err)
		}
		ops := f.sockets.opsURL() + "/metrics"
		eventually(t, "who reads nothing answers no ping, and is given up", func() bool {
			_, _, text := get(t, ops)
			return samples(text)["vigil_heartbeat_failures_total"] >= 1
		})
		for err == nil {
			_, err = client.Read()
		}
		var closed *socket.ClosedError
		if !errors.As(err, &closed) || closed.Code != wire.CloseSilent {
			t.Errorf("%v", err)
		}
	},
	"WS_TOKEN_CHECK_INTERVAL": func(t *testing.T, f *fleet) {
		p := f.flags.in(t)
		u := p.newcomer(nil)
		u.register(p)
		tab := u.connect(p)
		u.disable()
		tab.wantEnd("user_disabled", wire.CloseAccountGone) // though it has asked for nothing
	},
	"WS_MAX_TOKEN_AGE": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		u := p.newcomer(nil)
		u.register(p)
		tab := u.open(p)
		ready := tab.want(wire.TypeReady)
		p.between(map[string]any{"from": ready["session"].(map[string]any)["authTime"], "to": ready["tokenExpiresAt"]}, "from", "to", 3*time.Second)
		if last := tab.want(wire.TypeAuthExpired); last["reason"] != "token_expired" {
			t.Errorf("%v", last)
		}
		tab.wantClose(wire.CloseTokenExpired)
		p.want(http.StatusNoContent, "", http.MethodGet, "/v1/check", u.idToken, nil) // on the socket alone
	},
	"WS_AUTH_TIMEOUT": func(t *testing.T, f *fleet) {
		patient, impatient := f.plain.in(t).dial(), f.sockets.in(t).dial()
		impatient.wantClose(wire.CloseUnauthorized)
		select {
		case code := <-patient.closed:
			t.Errorf("an instance with the default has closed as well: %d", code)
		default:
		}
	},
	"WS_REAUTH_GRACE": func(t *testing.T, f *fleet) {
		p := f.tight.in(t)
		u := p.newcomer(nil)
		u.register(p)
		tab := u.open(p)
		expires := p.at(tab.want(wire.TypeReady), "tokenExpiresAt")
		tab.want(wire.TypeAuthExpired)
		tab.wantClose(wire.CloseTokenExpired)
		const tolerance = 100 * time.Millisecond // between store time and the test's clock
		if closed := time.Unix(0, tab.at.Load()); closed.Before(expires.Add(12*time.Second - tolerance)) {
			t.Errorf("closed %s after the end of the token, within the grace", closed.Sub(expires))
		}
	},
	"SOCKETS_PER_SESSION": func(t *testing.T, f *fleet) {
		p := f.sockets.in(t)
		u := p.newcomer(nil)
		u.register(p)
		first, second := u.connect(p), u.connect(p)
		third := u.connect(p)
		first.wantClose(wire.CloseTooMany)
		second.stillOpen()
		third.stillOpen()
	},
}
