package handlers

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	pathHealth = "/healthz"
	pathReady  = "/readyz"

	readyTimeout = 2 * time.Second
)

func (a *api) healthRoutes() []route {
	return []route{
		{http.MethodGet, pathHealth, a.health},
		{http.MethodGet, pathReady, a.ready},
	}
}

// health says that the process answers.
func (a *api) health(c echo.Context) error {
	return c.JSON(http.StatusOK, struct {
		Status string `json:"status"`
	}{"ok"})
}

// checkView is the outcome of a check.
type checkView struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// readiness is the answer to who asks whether to send requests here.
type readiness struct {
	Status string               `json:"status"`
	Checks map[string]checkView `json:"checks"`
}

// ready runs all checks at once.
func (a *api) ready(c echo.Context) error {
	ctx, cancel := context.WithTimeout(contextOf(c), readyTimeout)
	defer cancel()
	outcomes := make([]chan error, len(a.Ready))
	for i, check := range a.Ready {
		outcomes[i] = make(chan error, 1) // a check that comes too late finds nobody, and no obstacle
		go func() { outcomes[i] <- check.Check(ctx) }()
	}
	status, answer := http.StatusOK, readiness{"ready", make(map[string]checkView, len(a.Ready))}
	for i, check := range a.Ready {
		err := outcome(ctx, outcomes[i])
		answer.Checks[check.Name] = viewOf(err)
		if err != nil {
			status, answer.Status = http.StatusServiceUnavailable, "unavailable"
			c.Response().Header().Set(echo.HeaderRetryAfter, retryAfter)
			a.Log.Warn("not ready", "check", check.Name, "error", err)
		}
	}
	return c.JSON(status, answer)
}

func outcome(ctx context.Context, c <-chan error) error {
	select {
	case err := <-c:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// viewOf shows of a check's error what is safe to show.
func viewOf(err error) checkView {
	var e *session.Error
	switch {
	case err == nil:
		return checkView{OK: true}
	case errors.As(err, &e):
		return checkView{Error: shown(errorOf(e))}
	case errors.Is(err, context.DeadlineExceeded):
		return checkView{Error: "timed out"}
	default:
		return checkView{Error: err.Error()}
	}
}
