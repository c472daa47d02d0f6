package wiring

import (
	"bytes"
	"io"
	"log/slog"
	"sync"

	"github.com/vigilhq/vigil/cmd/internal/config"
)

// NewLogger logs in text, or in JSON with the field names that Cloud Logging reads: severity, message, time, httpRequest
// (https://cloud.google.com/logging/docs/structured-logging). Whatever it is given, it writes no token.
func NewLogger(c config.Config, w io.Writer) *slog.Logger {
	w = &redacting{w: w}
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	options.ReplaceAttr = cloudField
	return slog.New(cloudRequests{slog.NewJSONHandler(w, options), w})
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

// redacting masks tokens in what is written through it, one line at a time. No code here logs a token; but an error of a library may
// quote a request, and so each line is looked at as a whole, whatever value it came from. The mask keeps the first letters that
// all tokens have, so that a search for them still finds the leak.
type redacting struct {
	mu sync.Mutex
	w  io.Writer
}

var (
	tokenStart = []byte("eyJ") // {" in base64url
	tokenMask  = []byte("eyJ…")
)

// Write implements [io.Writer].
func (r *redacting) Write(line []byte) (int, error) {
	clean := Redact(line)
	r.mu.Lock()
	defer r.mu.Unlock()
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
