package wiring

import (
	"io"
	"log/slog"

	"github.com/vigilhq/vigil/cmd/internal/config"
)

// NewLogger logs in text, or in JSON with the field names that Cloud Logging reads: severity, message, time, httpRequest
// (https://cloud.google.com/logging/docs/structured-logging). Whatever it is given, it writes no token.
func NewLogger(c config.Config, w io.Writer) *slog.Logger {
	return newLogger(c, &output{w: w})
}

// NewServerLogger is NewLogger for a process that serves requests: in JSON, their lines are written many at a time, up to 20 ms late, but
// for those of WARN and above. Whoever ends the process calls flush before.
func NewServerLogger(c config.Config, w io.Writer) (log *slog.Logger, flush func()) {
	o := &output{w: w, wait: maxWait}
	return newLogger(c, o), o.Flush
}

func newLogger(c config.Config, o *output) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(o, options))
	}
	options.ReplaceAttr = cloudField
	return slog.New(cloudRequests{slog.NewJSONHandler(o, options), o})
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
