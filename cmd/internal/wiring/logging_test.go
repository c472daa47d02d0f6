package wiring

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/session"
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
		l.With("logger", "edge").LogAttrs(t.Context(), slog.LevelInfo, "request", slog.Any("", &handlers.Line{Method: "GET", Route: "/v1/check",
			Status: 204, Duration: 123456 * time.Microsecond, IP: netip.MustParseAddr("203.0.113.7")}))
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
	usual := handlers.Line{Method: "GET", Route: "/v1/check", Status: 204, Duration: 1234567, RequestID: "r1", IP: netip.MustParseAddr("203.0.113.7"),
		User: "ana", Session: "5e55"}
	for name, change := range map[string]func(*handlers.Line){
		"usual":        func(*handlers.Line) {},
		"nothing":      func(l *handlers.Line) { *l = handlers.Line{} },
		"nobody":       func(l *handlers.Line) { l.User, l.Session = "", "" },
		"no duration":  func(l *handlers.Line) { l.Duration = 0 },
		"a long while": func(l *handlers.Line) { l.Duration = 100*time.Second + 500 },
		"IPv6":         func(l *handlers.Line) { l.IP = netip.MustParseAddr("2001:db8::1") },
		"a code":       func(l *handlers.Line) { l.Code = session.CodeSessionEnded },
		"an error":     func(l *handlers.Line) { l.Code, l.Err = session.CodeUnavailable, errors.New("it broke") },
		"quotes":       func(l *handlers.Line) { l.User = `a"n\a` },
		"control":      func(l *handlers.Line) { l.User = "a\nna" },
		"letters":      func(l *handlers.Line) { l.User = "José 😀" },
		"not UTF-8":    func(l *handlers.Line) { l.User = "a\xffb" },
		"markup":       func(l *handlers.Line) { l.User = "<b>&" },
		"a method":     func(l *handlers.Line) { l.Method = `"` },
		"a token":      func(l *handlers.Line) { l.User = "eyJhbGciOiJ.eyJzdWIi.sig" },
	} {
		line := usual
		change(&line)
		for level := range 12 {
			for _, nanos := range []int{0, 120000000, 123456789} {
				r := slog.NewRecord(time.Date(2026, 1, 31, 9, 0, 0, nanos, time.FixedZone("", 3600)), slog.Level(level-4), handlers.LineMessage, 0)
				r.AddAttrs(slog.Any("", &line))
				checkBothWays(t, name, r)
			}
		}
	}
}

func checkBothWays(t *testing.T, name string, r slog.Record) {
	t.Helper()
	var lines [2]string
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
		if !json.Valid([]byte(lines[i])) {
			t.Errorf("%s: %s", name, lines[i])
		}
	}
	if lines[0] != lines[1] {
		t.Errorf("%s:\n%s%s", name, lines[0], lines[1])
	}
}

func BenchmarkLogLine(b *testing.B) {
	log, flush := NewServerLogger(config.Config{LogFormat: "json"}, io.Discard)
	defer flush()
	line := handlers.Line{Method: "GET", Route: "/v1/check", Status: 204, Duration: time.Millisecond, RequestID: "1234567890",
		IP: netip.MustParseAddr("203.0.113.7"), User: "ana", Session: session.ID(strings.Repeat("a", 64))}
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(b.Context(), slog.LevelInfo, "request", slog.Any("", &line))
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
