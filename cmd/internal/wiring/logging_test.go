package wiring

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/cmd/internal/config"
)

// oneLine logs with log and returns what was written.
func oneLine(format string, log func(*slog.Logger)) string {
	var out bytes.Buffer
	log(NewLogger(config.Config{LogFormat: format, LogLevel: slog.LevelDebug}, &out))
	return out.String()
}

func TestCloudLoggingReadsTheLog(t *testing.T) {
	for level, severity := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelInfo + 2: "INFO", slog.LevelWarn: "WARNING",
		slog.LevelError: "ERROR", slog.LevelError + 4: "ERROR", slog.LevelDebug + 1: "DEBUG",
	} {
		var entry map[string]any
		line := oneLine("json", func(l *slog.Logger) {
			l.Log(t.Context(), level, "it happened", "error", errors.New("it broke"), "session", "s1")
		})
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry["severity"] != severity || entry["message"] != "it happened" || entry["error"] != "it broke" || entry["session"] != "s1" {
			t.Errorf("%s: %s", level, line)
		}
		if _, err := time.Parse(time.RFC3339Nano, entry["time"].(string)); err != nil { //nolint:forcetypeassert // a test
			t.Error(err)
		}
	}
}

func TestCloudLoggingReadsRequests(t *testing.T) {
	var entry struct {
		Message, Route, Logger string
		HTTPRequest            map[string]any
		Status                 any
	}
	line := oneLine("json", func(l *slog.Logger) {
		l.With("logger", "edge").LogAttrs(t.Context(), slog.LevelInfo, "request", slog.String("method", "GET"), slog.String("route", "/v1/check"),
			slog.Int("status", 204), slog.Duration("duration", 123456*time.Microsecond), slog.String("ip", "203.0.113.7"))
	})
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		t.Fatal(err)
	}
	r := entry.HTTPRequest
	if r["requestMethod"] != "GET" || r["status"] != 204.0 || r["latency"] != "0.123456s" || r["remoteIp"] != "203.0.113.7" || len(r) != 4 ||
		entry.Route != "/v1/check" || entry.Status != nil || entry.Message != "request" || entry.Logger != "edge" {
		t.Error(line)
	}
}

const jwtHeader = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ"

func TestNoTokenIsWrittenWhateverItComesIn(t *testing.T) {
	token := jwtHeader + ".eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl-_"
	for _, format := range []string{"json", "text"} {
		for name, log := range map[string]func(*slog.Logger){
			"message":   func(l *slog.Logger) { l.Info("got " + token) }, //nolint:sloglint // what must not happen
			"text":      func(l *slog.Logger) { l.Info("it", "header", "Bearer "+token+", and more") },
			"error":     func(l *slog.Logger) { l.Info("it", "error", errors.New("Get \"https://x/?t="+token+"\": EOF")) },
			"any value": func(l *slog.Logger) { l.Info("it", "all", []string{token, "a"}) },
			"group":     func(l *slog.Logger) { l.WithGroup("g").With("held", token).Info("it") },
			"request":   func(l *slog.Logger) { l.Info("request", "method", token) },
			"unsigned":  func(l *slog.Logger) { l.Info("it", "token", jwtHeader+".eyJzdWIiOiJhbmEifQ.") },
			"cut off":   func(l *slog.Logger) { l.Info("it", "token", token[:40]) },
			"twice":     func(l *slog.Logger) { l.Info("it", "one", token, "two", token) },
		} {
			line := oneLine(format, log)
			if strings.Contains(line, jwtHeader) || strings.Contains(line, "c2lnbmF0") || strings.Contains(line, "eyJz") || !strings.Contains(line, "eyJ…") {
				t.Errorf("%s of %s: %s", name, format, line)
			}
			if format == "json" && !json.Valid([]byte(line)) {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

func TestRedactionLeavesTheRestAlone(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"nothing to hide. At all": "nothing to hide. At all",
		"an eyJ alone, or eyJabc": "an eyJ alone, or eyJabc",
		"a eyJx.y b eyJ c":        "a eyJ… b eyJ c",
		`{"t":"eyJx.y.z","u":1}`:  `{"t":"eyJ…","u":1}`,
	} {
		if got := string(Redact([]byte(in))); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// Most lines are written in a way of their own, which has to say what the general one would.
func TestUsualRequestsReadLikeTheOthers(t *testing.T) {
	now := time.Date(2026, 1, 31, 9, 0, 0, 123456789, time.FixedZone("", 3600))
	for name, attrs := range map[string][]slog.Attr{
		"usual":        {slog.String("user", "ana"), slog.Int("status", 204), slog.Duration("duration", 1234567), slog.String("method", "GET")},
		"quotes":       {slog.String("user", `a"n\a`), slog.Int("status", 204)},
		"control":      {slog.String("user", "a\nna"), slog.Int("status", 204)},
		"letters":      {slog.String("user", "José 😀"), slog.Int("status", 204)},
		"not UTF-8":    {slog.String("user", "a\xffb"), slog.Int("status", 204)},
		"markup":       {slog.String("user", "<b>&"), slog.Int("status", 204)},
		"empty":        {slog.String("user", ""), slog.String("ip", ""), slog.Int("status", -1)},
		"no request":   {slog.String("user", "ana")},
		"nothing":      nil,
		"other values": {slog.Int("status", 500), slog.Any("error", errors.New("it broke")), slog.Bool("b", true), slog.Float64("f", 1.5)},
		"a group":      {slog.Int("status", 204), slog.Group("g", slog.String("x", "y"))},
		"a key":        {slog.Int("status", 204), slog.Int(`a"b`, 1)},
		"a token":      {slog.Int("status", 204), slog.String("path", "eyJhbGciOiJ.eyJzdWIi.sig")},
	} {
		for level := range 12 {
			r := slog.NewRecord(now, slog.Level(level-4), "request", 0)
			r.AddAttrs(attrs...)
			var lines [2]string
			var objects [2]any
			for i := range lines {
				lines[i] = oneLine("json", func(l *slog.Logger) {
					h := l.Handler().(cloudRequests) //nolint:forcetypeassert // a test
					if i == 1 {
						h.usual = nil
					}
					if err := h.Handle(t.Context(), r); err != nil {
						t.Error(err)
					}
				})
				if err := json.Unmarshal([]byte(lines[i]), &objects[i]); err != nil {
					t.Errorf("%s: %v: %s", name, err, lines[i])
				}
			}
			if lines[0] != lines[1] {
				t.Errorf("%s:\n%s%s", name, lines[0], lines[1])
			}
		}
	}
}

func BenchmarkLogLine(b *testing.B) {
	log := NewLogger(config.Config{LogFormat: "json"}, io.Discard)
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(b.Context(), slog.LevelInfo, "request", slog.String("method", "GET"), slog.String("route", "/v1/check"),
			slog.Int("status", 204), slog.Duration("duration", time.Millisecond), slog.String("requestId", "1234567890"),
			slog.String("ip", "203.0.113.7"), slog.String("user", "ana"), slog.String("session", strings.Repeat("a", 64)))
	}
}

func BenchmarkRedact(b *testing.B) {
	line := bytes.Repeat([]byte("an ordinary line of a log. "), 16)
	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		Redact(line)
	}
}
