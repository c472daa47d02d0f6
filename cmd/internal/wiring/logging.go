package wiring

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/vigilhq/vigil/cmd/internal/config"
)

// NewLogger logs in text, or in JSON with the field names that Cloud Logging reads: severity, message, time, httpRequest
// (https://cloud.google.com/logging/docs/structured-logging). Whatever it is given, it writes no token.
func NewLogger(c config.Config, w io.Writer) *slog.Logger {
	w = redacting{w}
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	options.ReplaceAttr = cloudField
	return slog.New(cloudRequests{slog.NewJSONHandler(w, options)})
}

func cloudField(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.LevelKey:
		if level, ok := a.Value.Any().(slog.Level); ok {
			return slog.String("severity", severity(level))
		}
	case slog.MessageKey:
		a.Key = "message"
	}
	return a
}

// severity is a level in Cloud Logging's words, which know none in between.
func severity(level slog.Level) string {
	switch {
	case level < slog.LevelInfo:
		return "DEBUG"
	case level < slog.LevelWarn:
		return "INFO"
	case level < slog.LevelError:
		return "WARNING"
	default:
		return "ERROR"
	}
}

// cloudRequests gathers what the HTTP edge says about a request in the object that Cloud Logging knows requests by
// (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest).
type cloudRequests struct{ slog.Handler }

// requestLine is the message of the edge's lines.
const requestLine = "request"

// Handle implements [slog.Handler].
func (h cloudRequests) Handle(ctx context.Context, r slog.Record) error {
	if r.Message != requestLine {
		return h.Handler.Handle(ctx, r)
	}
	request, rest := make([]slog.Attr, 0, 4), make([]slog.Attr, 0, 8) // as many as there are as a rule
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "method":
			request = append(request, slog.Attr{Key: "requestMethod", Value: a.Value})
		case "status":
			request = append(request, a)
		case "duration":
			request = append(request, slog.String("latency", protoDuration(a.Value)))
		case "ip":
			request = append(request, slog.Attr{Key: "remoteIp", Value: a.Value})
		default:
			rest = append(rest, a)
		}
		return true
	})
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	line.AddAttrs(append(rest, slog.GroupAttrs("httpRequest", request...))...)
	return h.Handler.Handle(ctx, line)
}

// WithAttrs implements [slog.Handler].
func (h cloudRequests) WithAttrs(attrs []slog.Attr) slog.Handler {
	return cloudRequests{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h cloudRequests) WithGroup(name string) slog.Handler {
	return cloudRequests{h.Handler.WithGroup(name)}
}

// protoDuration is a duration as JSON has it for a protocol buffer: 0.123s.
func protoDuration(v slog.Value) string {
	if v.Kind() != slog.KindDuration {
		return v.String()
	}
	seconds := strconv.AppendFloat(make([]byte, 0, 24), v.Duration().Round(time.Microsecond).Seconds(), 'f', -1, 64)
	return string(append(seconds, 's'))
}

// redacting masks tokens in what is written through it, one line at a time. No code here logs a token; but an error of a library may
// quote a request, and so each line is looked at as a whole, whatever value it came from. The mask keeps the first letters that
// all tokens have, so that a search for them still finds the leak.
type redacting struct{ w io.Writer }

var (
	tokenStart = []byte("eyJ") // {" in base64url
	tokenMask  = []byte("eyJ…")
)

// Write implements [io.Writer].
func (r redacting) Write(line []byte) (int, error) {
	clean := Redact(line)
	if _, err := r.w.Write(clean); err != nil {
		return 0, err
	}
	return len(line), nil
}

// Redact returns the line with a mask in place of every JWT, whole or cut off: of what begins as one and has a dot in it.
func Redact(line []byte) []byte {
	var clean []byte
	rest := line
	for {
		i := bytes.Index(rest, tokenStart)
		if i < 0 {
			break
		}
		end := i
		for end < len(rest) && isTokenByte(rest[end]) {
			end++
		}
		clean = append(clean, rest[:i]...)
		if bytes.IndexByte(rest[i:end], '.') >= 0 {
			clean = append(clean, tokenMask...)
		} else {
			clean = append(clean, rest[i:end]...)
		}
		rest = rest[end:]
	}
	if clean == nil {
		return line
	}
	return append(clean, rest...)
}

// isTokenByte accepts base64url and the dots between its parts.
func isTokenByte(b byte) bool {
	return b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b >= '0' && b <= '9' || b == '-' || b == '_' || b == '.'
}
