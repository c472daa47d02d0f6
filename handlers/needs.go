package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

// keyIdentity is where the request's context has the caller, for the log.
const keyIdentity = "identity"

// token lets a request pass whose token is valid.
func (a *api) token(next func(echo.Context, session.Identity) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		token, err := bearer(c.Request().Header)
		if err != nil {
			return err
		}
		id, err := a.Gate.Authenticate(contextOf(c), token)
		if err != nil {
			return err
		}
		c.Set(keyIdentity, id)
		return next(c, id)
	}
}

// session lets a request pass whose session is live.
func (a *api) session(next func(echo.Context, session.Admission) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		token, err := bearer(c.Request().Header)
		if err != nil {
			return err
		}
		caller, err := a.Gate.Admit(contextOf(c), token, a.origin(c))
		c.Set(keyIdentity, caller.Identity)
		if err != nil {
			return err
		}
		return next(c, caller)
	}
}

// admin lets an admin's live session pass.
func (a *api) admin(next func(echo.Context, session.Admission) error) echo.HandlerFunc {
	return a.session(func(c echo.Context, caller session.Admission) error {
		if err := a.Gate.RequireAdmin(contextOf(c), caller.Identity); err != nil {
			return err
		}
		return next(c, caller)
	})
}

// recentAdmin lets an admin's live session pass that has signed in recently.
func (a *api) recentAdmin(next func(echo.Context, session.Admission) error) echo.HandlerFunc {
	return a.session(func(c echo.Context, caller session.Admission) error {
		if err := a.Gate.RequireRecentAdmin(contextOf(c), caller); err != nil {
			return err
		}
		return next(c, caller)
	})
}

// bearer returns the request's token, empty if it has none. Whether it is one is the gate's to say. Two are refused,
// in two headers or joined in one, so that nobody in between has looked at another one than the gate.
func bearer(h http.Header) (string, error) {
	values := h.Values(echo.HeaderAuthorization)
	if len(values) > 1 || len(values) == 1 && strings.Contains(values[0], ",") {
		return "", faults{{echo.HeaderAuthorization, msgOnce}}
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(h.Get(echo.HeaderAuthorization)), " ")
	if scheme != "" && !strings.EqualFold(scheme, "Bearer") {
		return "", &session.Error{Op: "bearer", Code: session.CodeTokenInvalid}
	}
	return strings.TrimSpace(token), nil
}
