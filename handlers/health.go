package handlers

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	pathHealth  = "/healthz"
	pathReady   = "/readyz"
	pathOpenAPI = "/openapi.json"
)

func (a *api) healthRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: pathHealth, access: a.open(a.health),
			name: "health", summary: "The process answers",
			answers: []answer{{http.StatusOK, "It does.", liveness{}, nil}},
		},
		{
			method: http.MethodGet, path: pathReady, access: a.open(a.ready),
			name: "ready", summary: "Whether to send requests here",
			answers: []answer{
				{http.StatusOK, "Every check holds.", readiness{}, nil},
				{http.StatusServiceUnavailable, "A check does not hold.", readiness{}, []string{echo.HeaderRetryAfter}},
			},
		},
		{
			method: http.MethodGet, path: pathOpenAPI, access: a.open(a.openapi),
			name: "openapi", summary: "This description", answers: []answer{{http.StatusOK, "OpenAPI 3.1.", object{}, nil}},
		},
	}
}

// liveness is the answer of a process that can give one.
type liveness struct {
	Status string `json:"status" enum:"ok"`
}

// openapi describes the API to whoever asks.
func (a *api) openapi(c echo.Context) error { return c.JSONBlob(http.StatusOK, a.document) }

// health says that the process answers.
func (a *api) health(c echo.Context) error {
	return c.JSON(http.StatusOK, liveness{"ok"})
}

// checkView is the outcome of a check.
type checkView struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// readiness is the answer to who asks whether to send requests here.
type readiness struct {
	Status string               `json:"status" enum:"ready,unavailable"`
	Checks map[string]checkView `json:"checks"`
}

// ready says how the checks come out.
func (a *api) ready(c echo.Context) error {
	status, answer := http.StatusOK, readiness{"ready", make(map[string]checkView, len(a.Ready))}
	for name, err := range a.probe.outcomes(contextOf(c)) {
		answer.Checks[name] = viewOf(err)
		if err != nil {
			status, answer.Status = http.StatusServiceUnavailable, "unavailable"
			c.Response().Header().Set(echo.HeaderRetryAfter, wholeSeconds(retryAfter))
			a.Log.Warn("not ready", "check", name, "error", err)
		}
	}
	return c.JSON(status, answer)
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
