package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/socket"
)

// sockets puts the real thing behind the edge, without a hub: nobody here gets that far.
func sockets(w *world) {
	w.options.Socket = socket.New(nil, func(o string) bool { return o == origin }).Serve
}

// handshake is what a page's browser adds to a request.
func handshake(page string) edit {
	return func(r *http.Request) {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-Websocket-Version", "13")
		r.Header.Set("Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		r.Header.Set("Origin", page)
	}
}

// Whoever gets no socket is told as everybody is who gets no answer.
func TestARefusedHandshakeIsAProblemAsAllOthers(t *testing.T) {
	const detail, spanish = "The request is not valid. The errors say where.", "La solicitud no es válida. Los errores indican dónde."
	for name, test := range map[string]struct {
		target  string
		page    string // empty: it is no handshake
		status  int
		code    session.Code
		version string
		field   string
		said    map[string][2]string // by language: the detail, and what is wrong with the field
	}{
		"another origin": {
			target: "/v1/ws", page: "https://evil.example", status: 403, code: session.CodeForbidden,
			said: map[string][2]string{
				"en": {"The Origin header does not name an origin that may open sockets.", ""},
				"es": {"El encabezado Origin no indica un origen que pueda abrir sockets.", ""},
			},
		},
		"no handshake": {
			target: "/v1/ws", status: 400, code: session.CodeInvalidRequest, version: "13", field: "Connection",
			said: map[string][2]string{
				"en": {detail, "must be that of a WebSocket's handshake (RFC 6455)"},
				"es": {spanish, "debe ser el del handshake de un WebSocket (RFC 6455)"},
			},
		},
		"a token in the URL": {
			target: "/v1/ws?id_token=a.b.c", page: origin, status: 400, code: session.CodeInvalidRequest, field: "id_token",
			said: map[string][2]string{
				"en": {detail, "must not be in a URL, where logs and histories keep it: send it in the first frame"},
				"es": {spanish, "no debe ir en una URL, donde queda en logs e historiales: envíalo en el primer frame"},
			},
		},
		"a connection that cannot be taken over": {
			target: "/v1/ws", page: origin, status: 500, code: "internal",
			said: map[string][2]string{
				"en": {"Something went wrong here. The request id helps to find out what.", ""},
				"es": {"Algo salió mal aquí. El identificador de la solicitud ayuda a averiguar qué fue.", ""},
			},
		},
	} {
		for language, said := range test.said {
			t.Run(name+" in "+language, func(t *testing.T) {
				inWorld(t, func(w *world) {
					edits := []edit{header("Accept-Language", language)}
					if test.page != "" {
						edits = append(edits, handshake(test.page))
					}
					a := w.do("GET", test.target, "", edits...)
					p := a.problem(test.status, test.code)
					if p["detail"] != said[0] || a.header.Get("Content-Language") != language {
						t.Errorf("%q in %q", p["detail"], a.header.Get("Content-Language"))
					}
					if test.field != "" {
						a.faults(test.field)
						if got := objects(t, p["errors"])[0]["message"]; got != said[1] {
							t.Errorf("%s %s", test.field, got)
						}
					}
					if got := a.header.Get("Sec-Websocket-Version"); got != test.version {
						t.Errorf("version %q", got)
					}
					if line := w.log.last(t); line["code"] != string(test.code) || line["status"] != float64(test.status) {
						t.Errorf("logged %v", line)
					}
				}, sockets)
			})
		}
	}
}

// When to come back is the error's to say, as far as it knows. A crowd, of which many are sent away at once, is no warning for each.
func TestARefusedHandshakeSaysWhenToComeBack(t *testing.T) {
	for _, test := range []struct {
		refused    session.Error
		retryAfter string
		level      string
	}{
		{session.Error{Code: session.CodeRateLimited, RetryAfter: 10 * time.Second}, "10", "INFO"},
		{session.Error{Code: session.CodeUnavailable, RetryAfter: 3001 * time.Millisecond}, "4", "INFO"},
		{session.Error{Code: session.CodeUnavailable}, "2", "WARN"},
	} {
		inWorld(t, func(w *world) {
			a := w.do("GET", "/v1/ws", "", handshake(origin))
			if got := a.header.Get("Retry-After"); got != test.retryAfter || a.object()["code"] != string(test.refused.Code) {
				t.Errorf("Retry-After %q, want %s: %s", got, test.retryAfter, a.body)
			}
			if line := w.log.last(t); line["level"] != test.level {
				t.Errorf("logged %v, want %s", line, test.level)
			}
		}, func(w *world) {
			w.options.Socket = func(http.ResponseWriter, *http.Request, session.Origin) error { return &test.refused }
		})
	}
}
