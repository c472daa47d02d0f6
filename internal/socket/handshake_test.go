package socket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// browsersRequest is the handshake of a page of the dashboard.
func browsersRequest(t *testing.T, target string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://vigil.test"+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Origin": {dashboard}, ipHeader: {home},
	}
	return r
}

// handshake sends a browser's request, with these headers changed, and returns the answer.
func (w *world) handshake(target string, header http.Header) *http.Response {
	w.Helper()
	nc, err := w.dial(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = nc.Close() })
	r := browsersRequest(w.T, target)
	for name, values := range header {
		r.Header[name] = values
	}
	if err := r.Write(nc); err != nil {
		w.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(nc), r)
	if err != nil {
		w.Fatal(err)
	}
	return answer
}

// wantRefused expects a handshake to be refused with an error of this code, and returns that with the answer's header.
func (w *world) wantRefused(code session.Code, target string, header http.Header) (session.Error, http.Header) {
	w.Helper()
	answer := w.handshake(target, header)
	defer answer.Body.Close()
	var e session.Error
	if err := json.NewDecoder(answer.Body).Decode(&e); err != nil || answer.StatusCode != http.StatusForbidden {
		w.Fatalf("%s, %v", answer.Status, err)
	}
	if e.Code != code || e.Message == "" {
		w.Errorf("refused with %+v, want %s", e, code)
	}
	return e, answer.Header
}

func TestTheOriginMustBeAllowed(t *testing.T) {
	onLoopback(t, func(w *world) {
		for name, origins := range map[string][]string{
			"missing":              nil,
			"empty":                {""},
			"null":                 {"null"},
			"twice":                {dashboard, dashboard},
			"with another":         {dashboard, "https://evil.example"},
			"suffix":               {"https://dashboard.example.com.evil.example"},
			"prefix":               {"https://evil-dashboard.example.com"},
			"subdomain":            {"https://x.dashboard.example.com"},
			"other scheme":         {"http://dashboard.example.com"},
			"other port":           {"https://dashboard.example.com:8443"},
			"as user information":  {"https://dashboard.example.com@evil.example"},
			"with a path":          {"https://dashboard.example.com/"},
			"several in one field": {"https://dashboard.example.com, https://evil.example"},
		} {
			w.Run(name, func(t *testing.T) {
				w := *w
				w.T = t
				w.wantRefused(session.CodeForbidden, "/v1/ws", http.Header{"Origin": origins})
			})
		}
		if n := w.hub.Sockets(); n != 0 {
			t.Errorf("%d sockets", n)
		}
	})
}

func TestATokenInTheURLIsRefused(t *testing.T) {
	onLoopback(t, func(w *world) {
		for query, field := range map[string]string{
			"x=1&token=a.b.c": "token", "access_token=a.b.c": "access_token", "id_token=a.b.c": "id_token",
			"idToken=eyJhbGciOiJSUzI1NiJ9.e30.c": "query", "x;token=eyJhbGciOiJSUzI1NiJ9.e30.c": "query", "token=eyJhbGciOiJSUzI1NiJ9.e30.c%": "query",
		} {
			if e, _ := w.wantRefused(session.CodeInvalidRequest, "/v1/ws?"+query, nil); e.Field != field {
				t.Errorf("%s is refused for %s", query, e.Field)
			}
		}
	})
}

func TestWhatIsNoHandshakeIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		header http.Header
		field  string
	}{
		"plain GET":      {http.Header{"Connection": nil, "Upgrade": nil}, "Connection"},
		"other upgrade":  {http.Header{"Upgrade": {"h2c"}}, "Upgrade"},
		"old version":    {http.Header{"Sec-Websocket-Version": {"8"}}, "Sec-Websocket-Version"},
		"no key":         {http.Header{"Sec-Websocket-Key": nil}, "Sec-Websocket-Key"},
		"foreign origin": {http.Header{"Upgrade": nil, "Origin": nil}, "Upgrade"},
	} {
		t.Run(name, func(t *testing.T) {
			onLoopback(t, func(w *world) {
				e, header := w.wantRefused(session.CodeInvalidRequest, "/v1/ws", test.header)
				if v := header.Get("Sec-Websocket-Version"); v != "13" || e.Field != test.field {
					t.Errorf("version %q, refused for %s", v, e.Field)
				}
			})
		})
	}
}

// RFC 6455, section 4.2.1, and RFC 9110, section 15.2: a client of HTTP/1.0 is never switched over.
func TestAHandshakeNeedsHTTP11(t *testing.T) {
	onLoopback(t, func(w *world) {
		r := browsersRequest(w.T, "/v1/ws")
		r.ProtoMinor = 0
		if err := w.server.Serve(httptest.NewRecorder(), r, session.Origin{}); session.CodeOf(err) != session.CodeInvalidRequest {
			w.Error(err)
		}
	})
}

func TestTheHandshakesAnswer(t *testing.T) {
	onLoopback(t, func(w *world) {
		answer := w.handshake("/v1/ws?tab=1", http.Header{
			"Sec-Websocket-Extensions": {"permessage-deflate; client_max_window_bits"},
			"Sec-Websocket-Protocol":   {"vigil.v1, bearer.a.b.c"},
		})
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
			t.Errorf("%s %v", answer.Status, answer.Header)
		}
		if id := answer.Header.Get("X-Request-Id"); id != "request-1" {
			t.Errorf("request id %q", id)
		}
		for _, name := range []string{"Sec-Websocket-Extensions", "Sec-Websocket-Protocol"} {
			if values := answer.Header.Values(name); len(values) > 0 {
				t.Errorf("%s: %v", name, values)
			}
		}
	})
}

func TestAHandshakeWaitsForNobody(t *testing.T) {
	inBubble(t, func(w *world) {
		nc, err := w.dial(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		defer nc.Close()
		if err := browsersRequest(w.T, "/v1/ws").Write(nc); err != nil {
			w.Fatal(err)
		}
		began := time.Now()
		if err := <-w.returned; err != nil {
			w.Errorf("failed with %v", err)
		}
		if after := time.Since(began); after != writeTimeout {
			w.Errorf("given up after %s", after)
		}
	})
}

// A connection that is taken over is nobody's to answer on, even if nothing comes of it.
func TestWhoTalksBeforeTheAnswerIsCutOff(t *testing.T) {
	inBubble(t, func(w *world) {
		w.server.lobby.max = 1
		nc, err := w.dial(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		defer nc.Close()
		var early bytes.Buffer
		if err := browsersRequest(w.T, "/v1/ws").Write(&early); err != nil {
			w.Fatal(err)
		}
		early.WriteString("and more")
		if _, err := nc.Write(early.Bytes()); err != nil {
			w.Fatal(err)
		}
		if answer, err := io.ReadAll(nc); err != nil || len(answer) > 0 {
			w.Errorf("answered %q, %v", answer, err)
		}
		if err := <-w.returned; err != nil {
			w.Errorf("failed with %v", err)
		}
		w.open(home).browse() // the place before auth is free
	})
}

// wantFull expects a client to be sent away for the time being.
func (w *world) wantFull(ip string) {
	w.Helper()
	if e, _ := w.wantRefused(session.CodeRateLimited, "/v1/ws", http.Header{ipHeader: {ip}}); e.RetryAfter != 10*time.Second {
		w.Errorf("to come back after %s", e.RetryAfter)
	}
}

func TestSilentSocketsOfOneAddressAreLimited(t *testing.T) {
	inBubble(t, func(w *world) {
		for range maxWaitingByHolder {
			w.open(home).browse()
		}
		w.wantFull(home)
		w.open("203.0.113.8").browse()
		for i := range maxWaitingByHolder {
			w.open(fmt.Sprintf("2001:db8:1:2:%x::1", i)).browse()
		}
		w.wantFull("2001:db8:1:2::1")
		w.open("2001:db8:1:3::1").browse()
	})
}

func TestSilentSocketsOfAllAddressesAreLimited(t *testing.T) {
	inBubble(t, func(w *world) {
		w.server.lobby.max = 500
		for i := range w.server.lobby.max {
			w.open("203.0.113." + strconv.Itoa(i%250)).browse()
		}
		w.wantFull(home)
		w.wantFull("2001:db8::1")
	})
}

func TestPlacesBeforeAuthComeBack(t *testing.T) {
	inBubble(t, func(w *world) {
		w.server.lobby.max, w.server.lobby.maxByHolder = 2, 1
		token, _ := w.signIn("ana")
		first := w.connect(token).browse()
		synctest.Wait() // ready goes out a moment before the place comes back
		gone := w.open(home)
		w.wantFull(home)
		if err := gone.Conn.Close(); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()

		w.wantRefused(session.CodeForbidden, "/v1/ws", http.Header{"Origin": {"null"}})

		refused := w.open(home).mute().browse() // keeps its place for as long as it lingers
		refused.send(wire.Request{Type: wire.TypeAuth, Token: "a.b.c"})
		refused.wantClosed(4501, wire.TypeAuthExpired, "token_invalid")
		w.wantFull(home)
		<-refused.cut
		synctest.Wait()

		silent := w.open(home).browse()
		silent.wantClosed(4501, wire.TypeAuthExpired, "token_missing")
		<-silent.cut
		synctest.Wait()
		w.open(home).browse()
		first.send(ping)
		first.want(wire.TypePong)
	})
}

func TestADrainingInstanceTellsAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.drain()
		w.open(home).browse().wantClosed(4000, "", "")
	})
}

func TestAClosedServerRefuses(t *testing.T) {
	inBubble(t, func(w *world) {
		w.server.Close(context.Background())
		w.wantRefused(session.CodeUnavailable, "/v1/ws", nil)
	})
}
