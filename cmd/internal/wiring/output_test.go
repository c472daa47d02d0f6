package wiring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
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

// Whoever writes while others do: each line is written once, whole, and after those that the same one has written before.
func TestManyWriteAtOnce(t *testing.T) {
	const writers, lines = 8, 2000
	var w written
	log, flush := NewServerLogger(config.Config{LogFormat: "json"}, &w)
	var writing sync.WaitGroup
	for i := range writers {
		writing.Go(func() {
			for n := range lines {
				level := slog.LevelInfo
				if n%100 == 0 {
					level = slog.LevelWarn
				}
				request(log, level, fmt.Sprintf("%d-%d", i, n))
				if n%500 == 0 {
					flush()
				}
			}
		})
	}
	writing.Wait()
	flush()
	var next [writers]int
	for id := range strings.FieldsSeq(w.ids()) {
		var i, n int
		if _, err := fmt.Sscanf(id, "%d-%d", &i, &n); err != nil || n != next[i] {
			t.Fatalf("%q, want line %d", id, next[i])
		}
		next[i]++
	}
	for i, n := range next {
		if n != lines {
			t.Errorf("%d lines of writer %d", n, i)
		}
	}
}

// broken fails once.
type broken struct {
	written
	failed bool
}

func (b *broken) Write(p []byte) (int, error) {
	if !b.failed {
		b.failed = true
		return 0, errors.New("no space left on device")
	}
	return b.written.Write(p)
}

func TestLinesAfterAFailure(t *testing.T) {
	var w broken
	log, flush := NewServerLogger(config.Config{LogFormat: "json"}, &w)
	request(log, slog.LevelInfo, "a")
	flush()
	request(log, slog.LevelInfo, "b")
	flush()
	if got := w.ids(); got != "b" {
		t.Errorf("%q written", got)
	}
}

// A batch has the tokens masked that its lines have, and everything else as it is.
func FuzzRedact(f *testing.F) {
	token := jwtHeader + ".eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl"
	for _, seed := range []string{
		"a\n" + token + "\nb", "eyJ eyJ. J eJ eyJeyJ.x", token + token + "\n", "Jey" + token, "eyeyJa.b", "eyJ", "", "\nJ\n",
	} {
		f.Add(seed)
	}
	jwt := regexp.MustCompile(`eyJ[A-Za-z0-9_.-]*`)
	f.Fuzz(func(t *testing.T, lines string) {
		want := jwt.ReplaceAllStringFunc(lines, func(found string) string {
			if strings.Contains(found, ".") {
				return tokenMask
			}
			return found
		})
		if got := string(Redact([]byte(lines))); got != want {
			t.Errorf("%q is %q, want %q", lines, got, want)
		}
	})
}
