package wiring

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// cloudRequests gathers what the HTTP edge says about a request in the object that Cloud Logging knows requests by
// (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest). There is a line for each request, so the usual
// ones are written at once; all others go to the handler for everything.
type cloudRequests struct {
	slog.Handler
	usual io.Writer // nil where every line says more
}

// requestLine is the message of the edge's lines, httpRequest the name of Cloud Logging's object.
const (
	requestLine = "request"
	httpRequest = "httpRequest"
)

// requestField is an attribute as it is in Cloud Logging's object, and false for one that is none of it.
func requestField(a slog.Attr) (slog.Attr, bool) {
	switch a.Key {
	case "method":
		a.Key = "requestMethod"
	case "status":
	case "duration":
		a = slog.String("latency", protoDuration(a.Value))
	case "ip":
		a.Key = "remoteIp"
	default:
		return a, false
	}
	return a, true
}

// Handle implements [slog.Handler].
func (h cloudRequests) Handle(ctx context.Context, r slog.Record) error {
	if r.Message != requestLine {
		return h.Handler.Handle(ctx, r)
	}
	if h.usual != nil {
		buffer := lines.Get().(*[]byte) //nolint:forcetypeassert // nothing else is put there
		defer lines.Put(buffer)
		if line, ok := appendUsual((*buffer)[:0], r); ok {
			*buffer = line
			_, err := h.usual.Write(line)
			return err
		}
	}
	request, rest := make([]slog.Attr, 0, 4), make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		if a, ok := requestField(a); ok {
			request = append(request, a)
		} else {
			rest = append(rest, a)
		}
		return true
	})
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	line.AddAttrs(append(rest, slog.GroupAttrs(httpRequest, request...))...)
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements [slog.Handler].
func (h cloudRequests) WithAttrs(attrs []slog.Attr) slog.Handler {
	return cloudRequests{h.Handler.WithAttrs(attrs), nil}
}

// WithGroup implements [slog.Handler].
func (h cloudRequests) WithGroup(name string) slog.Handler {
	return cloudRequests{h.Handler.WithGroup(name), nil}
}

// lines are buffers for one line each.
var lines = sync.Pool{New: func() any { return new(make([]byte, 0, 1<<10)) }}

// appendUsual writes the line of a request of which there is nothing to say but numbers and plain text, and reports whether it is one.
func appendUsual(line []byte, r slog.Record) ([]byte, bool) {
	line = append(line, `{"time":"`...)
	line = r.Time.AppendFormat(line, time.RFC3339Nano)
	line = append(line, `","severity":"`...)
	line = append(line, severity(r.Level)...)
	line = append(line, `","message":"`+requestLine+`"`...)
	object, usual := make([]byte, 0, 256), true
	r.Attrs(func(a slog.Attr) bool {
		var ofRequest bool
		if a, ofRequest = requestField(a); ofRequest {
			object, usual = appendField(object, a)
		} else {
			line, usual = appendField(line, a)
		}
		return usual
	})
	if !usual || len(object) == 0 {
		return line, false
	}
	line = append(line, `,"`+httpRequest+`":{`...)
	line = append(line, object[len(","):]...)
	return append(line, "}}\n"...), true
}

func appendField(line []byte, a slog.Attr) ([]byte, bool) {
	line = append(line, `,"`...)
	line = append(line, a.Key...)
	line = append(line, `":`...)
	switch a.Value.Kind() {
	case slog.KindInt64:
		return strconv.AppendInt(line, a.Value.Int64(), 10), plain(a.Key)
	case slog.KindString:
		text := a.Value.String()
		line = append(line, '"')
		line = append(line, text...)
		return append(line, '"'), plain(a.Key) && plain(text)
	default:
		return line, false
	}
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

// protoDuration is a duration as JSON has it for a protocol buffer: 0.123s.
func protoDuration(v slog.Value) string {
	if v.Kind() != slog.KindDuration {
		return v.String()
	}
	seconds := strconv.AppendFloat(make([]byte, 0, 24), v.Duration().Round(time.Microsecond).Seconds(), 'f', -1, 64)
	return string(append(seconds, 's'))
}
