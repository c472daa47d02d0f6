package socket

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/wire"
)

// address is where the world listens.
func (w *world) address() string { return "ws://" + w.addr.String() + "/v1/ws" }

func TestTheClient(t *testing.T) {
	onLoopback(t, func(w *world) {
		token, id := w.signIn("ana")
		c, err := Dial(t.Context(), w.address(), dashboard)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, step := range []struct {
			message any
			answer  string
		}{
			{wire.Request{Type: wire.TypeAuth, Token: token}, `{"type":"ready",`},
			{wire.Request{Type: wire.TypePing, Timestamp: []byte("1")}, `{"type":"pong","timestamp":1,`},
		} {
			if err := c.Write(step.message); err != nil {
				t.Fatal(err)
			}
			if answer, err := c.Read(); err != nil || !strings.HasPrefix(string(answer), step.answer) {
				t.Fatalf("%s, %v", answer, err)
			}
		}
		w.end("ana", id)
		if last, err := c.Read(); err != nil || string(last) != `{"type":"session_revoked","reason":"admin_revoked"}` {
			t.Errorf("%s, %v", last, err)
		}
		_, err = c.Read()
		var closed *ClosedError
		if !errors.As(err, &closed) || closed.Code != wire.CloseRevoked || err.Error() != "closed by the server: 4502" {
			t.Errorf("%v", err)
		}
	})
}

func TestADialThatIsRefusedSaysWhy(t *testing.T) {
	onLoopback(t, func(w *world) {
		_, err := Dial(t.Context(), w.address(), "https://evil.example")
		if err == nil || !strings.Contains(err.Error(), "403 Forbidden") || !strings.Contains(err.Error(), `"Code":"forbidden"`) {
			t.Errorf("%v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Dial(ctx, w.address(), dashboard); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// peerOf returns a client of a server that does what serve says.
func peerOf(t *testing.T, serve func(*websocket.Conn)) *Client {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var upgrader websocket.Upgrader
		upgrader.CheckOrigin = func(*http.Request) bool { return true }
		ws, err := upgrader.Upgrade(rw, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.Close()
		serve(ws)
	}))
	t.Cleanup(web.Close)
	c, err := Dial(t.Context(), "ws"+strings.TrimPrefix(web.URL, "http"), dashboard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestTheClientAnswersPings(t *testing.T) {
	c := peerOf(t, func(ws *websocket.Conn) {
		answered := errors.New("answered")
		ws.SetPongHandler(func(string) error { return answered })
		if err := ws.WriteMessage(websocket.PingMessage, nil); err != nil {
			t.Error(err)
		}
		if _, _, err := ws.ReadMessage(); !errors.Is(err, answered) {
			t.Error(err)
		}
		if err := ws.WriteMessage(websocket.TextMessage, []byte("thanks")); err != nil {
			t.Error(err)
		}
	})
	if data, err := c.Read(); err != nil || string(data) != "thanks" {
		t.Errorf("%s, %v", data, err)
	}
}

func TestALostConnectionWasNotClosed(t *testing.T) {
	c := peerOf(t, func(ws *websocket.Conn) {})
	_, err := c.Read()
	var closed *ClosedError
	if err == nil || errors.As(err, &closed) {
		t.Errorf("%v", err)
	}
}
