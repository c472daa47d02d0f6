package wiring

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/vigilhq/vigil/handlers"
)

// cloudRequests gathers what the HTTP edge says about a request in the object that Cloud Logging knows requests by
// (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest). There is a line for each request, so the usual
// ones are written at once; all others go to the handler for everything.
type cloudRequests struct {
	slog.Handler
	usual *output // nil where every line says more
}

// httpRequest is the name of Cloud Logging's object.
const httpRequest = "httpRequest"

// requestField is an attribute as it is in Cloud Logging's object, and false for one that is none of it.
func requestField(a slog.Attr) (slog.Attr, bool) {
	switch a.Key {
	case "method":
		a.Key = "requestMethod"
	case "status":
	case "duration":
		a = slog.String("latency", string(appendSeconds(nil, a.Value.Duration())))
	case "ip":
		a.Key = "remoteIp"
	default:
		return a, false
	}
	return a, true
}

// Handle implements [slog.Handler].
func (h cloudRequests) Handle(ctx context.Context, r slog.Record) error {
	line := lineOf(&r)
	if line == nil {
		return h.Handler.Handle(ctx, r)
	}
	if h.usual != nil && r.Level < slog.LevelWarn {
		var room [512]byte
		if text, ok := appendUsual(room[:0], &r, line); ok {
			h.usual.Later(text)
			return nil
		}
	}
	all := line.LogValue().Group()
	request, rest := make([]slog.Attr, 0, 4), make([]slog.Attr, 0, len(all))
	for _, a := range all {
		if a, ok := requestField(a); ok {
			request = append(request, a)
		} else {
			rest = append(rest, a)
		}
	}
	named := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	named.AddAttrs(append(rest, slog.GroupAttrs(httpRequest, request...))...)
	return h.Handler.Handle(ctx, named)
}

// lineOf is what a record says about a request, nil if it says something else.
func lineOf(r *slog.Record) (line *handlers.Line) {
	if r.Message == handlers.LineMessage && r.NumAttrs() == 1 {
		r.Attrs(func(a slog.Attr) bool {
			line, _ = a.Value.Any().(*handlers.Line)
			return false
		})
	}
	return line
}

// WithAttrs implements [slog.Handler].
func (h cloudRequests) WithAttrs(attrs []slog.Attr) slog.Handler {
	return cloudRequests{h.Handler.WithAttrs(attrs), nil}
}

// WithGroup implements [slog.Handler].
func (h cloudRequests) WithGroup(name string) slog.Handler {
	return cloudRequests{h.Handler.WithGroup(name), nil}
}

// appendUsual writes the line of a request of which there is nothing to say but numbers and plain text, and reports whether it is one.
func appendUsual(text []byte, r *slog.Record, l *handlers.Line) ([]byte, bool) {
	if l.Err != nil || !plain(l.Method) || !plain(string(l.User)) {
		return text, false
	}
	text = append(text, `{"time":"`...)
	text = r.Time.AppendFormat(text, time.RFC3339Nano)
	text = appendText(text, `","severity":"`, severity(r.Level))
	text = appendText(text, `","message":"`+handlers.LineMessage+`","route":"`, l.Route)
	text = appendText(text, `","requestId":"`, l.RequestID)
	if l.User != "" {
		text = appendText(text, `","user":"`, string(l.User))
		text = appendText(text, `","session":"`, string(l.Session))
	}
	if l.Code != "" {
		text = appendText(text, `","code":"`, string(l.Code))
	}
	text = appendText(text, `","`+httpRequest+`":{"requestMethod":"`, l.Method)
	text = append(text, `","status":`...)
	text = strconv.AppendInt(text, int64(l.Status), 10)
	text = append(text, `,"latency":"`...)
	text = appendSeconds(text, l.Duration)
	text = append(text, `","remoteIp":"`...)
	if l.IP.IsValid() {
		text = l.IP.AppendTo(text)
	}
	return append(text, "\"}}\n"...), true
}

func appendText(text []byte, between, value string) []byte {
	return append(append(text, between...), value...)
}

// plain reports whether JSON has a text as it is.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendSeconds writes a duration as JSON has it for a protocol buffer, in microseconds: 0.000123s.
func appendSeconds(text []byte, d time.Duration) []byte {
	return append(strconv.AppendFloat(text, d.Round(time.Microsecond).Seconds(), 'f', -1, 64), 's')
}
