package handlers_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/metrics"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// What the edge adds to a request that passes, and what echo costs by itself. What both have to do with the network is not in it.
func BenchmarkCheck(b *testing.B) {
	handler, token := checked(b)
	b.Run("vigil", func(b *testing.B) { serve(b, handler, token, http.StatusNoContent) })
	bare := echo.New()
	bare.GET("/v1/check", func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"status": "ok"}) })
	b.Run("echo", func(b *testing.B) { serve(b, bare, token, http.StatusOK) })
}

// checked is the edge as in production, and the token of a live session.
func checked(b *testing.B) (http.Handler, string) {
	b.Helper()
	accounts, data, clock := sessiontest.NewDirectory(), memory.Open(session.NewClock()), session.NewClock()
	inbox, meter := session.NewInbox(time.Hour), metrics.New()
	inbox.Prove(time.Now())
	registry := session.NewRegistry(session.Settings{
		Policy: session.Policy{
			IdleTimeout: 30 * time.Minute, IdleWarning: 2 * time.Minute, Lifetime: 12 * time.Hour, TouchInterval: 5 * time.Minute,
			MaxSessions: 5, LimitPolicy: session.LimitEvict, IPPolicy: session.IPWarn, IPv4: 32, IPv6: 64,
		},
		AdminClaim: "admin", UserStateTTL: time.Hour, FeedResync: time.Hour,
	}, session.Ports{
		Store: data, Users: data, Publisher: data, Archive: data, Trail: data, Jobs: data, Accounts: accounts, Editor: accounts,
		Clock: clock, Inbox: inbox, After: func(d time.Duration, f func()) { time.AfterFunc(d, f) },
		Meter: meter, Log: slog.New(slog.DiscardHandler),
	})
	token := accounts.SignIn("Zk3mVb0XqNhYw7RtLs5uPd1EoGa2")
	if _, err := registry.Register(b.Context(), accounts.Identity(token), session.SignIn{}); err != nil {
		b.Fatal(err)
	}
	return handlers.New(handlers.Options{
		Gate: session.NewGate(registry, accounts), Registry: registry,
		Limits: handlers.Limits{API: handlers.Limit{PerSecond: 1e9, Burst: 1e9}},
		Log:    slog.New(slog.NewJSONHandler(io.Discard, nil)), Meter: meter, //nolint:sloglint // a line is to cost what it costs
	}), token
}

// serve has a handler answer a browser's request again and again.
func serve(b *testing.B, handler http.Handler, token string, want int) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://vigil.example.com/v1/check", nil)
	if err != nil {
		b.Fatal(err)
	}
	request.RemoteAddr = "203.0.113.7:4711"
	for name, value := range map[string]string{
		"Authorization": "Bearer " + token, "Accept": "*/*", "Accept-Language": "en-US,en;q=0.9", "Accept-Encoding": "gzip, deflate, br",
		"User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
	} {
		request.Header.Set(name, value)
	}
	answer := &discarded{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithCancel(context.Background()) // as the server does
		clear(answer.header)
		handler.ServeHTTP(answer, request.WithContext(ctx))
		cancel()
		if answer.status != want {
			b.Fatalf("answered %d", answer.status)
		}
	}
}

// discarded is an answer that nobody reads.
type discarded struct {
	header http.Header
	status int
}

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) WriteHeader(status int)      { d.status = status }
func (d *discarded) Write(p []byte) (int, error) { return len(p), nil }
