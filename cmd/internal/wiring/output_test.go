package wiring

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/handlers"
)

// written is what each write brought.
type written struct {
	mu     sync.Mutex
	writes []string
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, string(p))
	return len(p), nil
}

// all is all that was written, and in how many writes.
func (w *written) all() (text string, writes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.writes, ""), len(w.writes)
}

// request logs a request as the HTTP edge does.
func request(log *slog.Logger, level slog.Level, id string) {
	log.LogAttrs(context.Background(), level, "request", slog.Any("", &handlers.Line{Method: "GET", RequestID: id}))
}

// ids are the requests that have been written, in order, with a dash for each other line.
func (w *written) ids() string {
	text, _ := w.all()
	var ids []string
	for line := range strings.Lines(text) {
		_, rest, ok := strings.Cut(line, `"requestId":"`)
		id, _, _ := strings.Cut(rest, `"`)
		if !ok {
			id = "-"
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

func TestLinesOfRequestsWaitForEachOther(t *testing.T) {
	json := config.Config{LogFormat: "json"}
	for name, test := range map[string]func(*testing.T, *slog.Logger, func(), *written){
		"no longer than said": func(t *testing.T, log *slog.Logger, _ func(), w *written) {
			for _, ids := range []string{"a b", "c d"} { // the second time as the first
				before := w.ids()
				for id := range strings.FieldsSeq(ids) {
					request(log, slog.LevelInfo, id)
				}
				<-time.After(maxWait - 1)
				synctest.Wait()
				if got := w.ids(); got != before {
					t.Errorf("%q written early", got)
				}
				<-time.After(1)
				synctest.Wait()
				if got := w.ids(); got != strings.TrimSpace(before+" "+ids) {
					t.Errorf("%q written", got)
				}
			}
			if _, writes := w.all(); writes != 2 {
				t.Errorf("%d writes", writes)
			}
		},
		"not for a warning": func(t *testing.T, log *slog.Logger, _ func(), w *written) {
			request(log, slog.LevelInfo, "a")
			request(log, slog.LevelWarn, "b")
			request(log, slog.LevelInfo, "c")
			request(log, slog.LevelError, "d")
			if got := w.ids(); got != "a b c d" {
				t.Errorf("%q written", got)
			}
		},
		"not for a line about something else": func(t *testing.T, log *slog.Logger, _ func(), w *written) {
			request(log, slog.LevelInfo, "a")
			log.Info("something else")
			request(log, slog.LevelInfo, "b")
			log.With("k", "v").Info("and more")
			if got := w.ids(); got != "a - b -" {
				t.Errorf("%q written", got)
			}
		},
		"not for the end": func(t *testing.T, log *slog.Logger, flush func(), w *written) {
			request(log, slog.LevelInfo, "a")
			flush()
			flush()
			if text, writes := w.all(); writes != 1 || w.ids() != "a" {
				t.Errorf("%d writes of %q", writes, text)
			}
		},
		"until there are many": func(t *testing.T, log *slog.Logger, flush func(), w *written) {
			var want []string
			for n := range 1000 {
				want = append(want, fmt.Sprint(n))
				request(log, slog.LevelInfo, want[n])
			}
			if _, writes := w.all(); writes < 2 || writes > 10 {
				t.Errorf("%d writes", writes)
			}
			flush()
			if got := w.ids(); got != strings.Join(want, " ") {
				t.Errorf("%q written", got)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var w written
				log, flush := NewServerLogger(json, &w)
				test(t, log, flush, &w)
			})
		})
	}
}

// A token that is held is no more written than another.
func TestNoTokenIsWrittenLater(t *testing.T) {
	var w written
	log, flush := NewServerLogger(config.Config{LogFormat: "json"}, &w)
	for range 3 {
		request(log, slog.LevelInfo, jwtHeader+".eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl")
	}
	flush()
	if text, writes := w.all(); writes != 1 || strings.Count(text, "eyJ…") != 3 || strings.Contains(text, jwtHeader) {
		t.Errorf("%d writes of %s", writes, text)
	}
}
