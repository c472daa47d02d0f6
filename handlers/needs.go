package handlers

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

// open lets everybody pass.
func (a *api) open(next echo.HandlerFunc) access {
	return access{nil, func(c echo.Context) error {
		if err := a.limitAddress(c); err != nil {
			return err
		}
		return next(c)
	}}
}

// token lets a request pass whose token is valid.
func (a *api) token(next func(echo.Context, session.Identity) error) access {
	return access{[]need{needToken}, func(c echo.Context) error {
		token, _, err := a.counted(c)
		if err != nil {
			return err
		}
		id, err := a.Gate.Authenticate(contextOf(c), token)
		if err == nil && routeOf(c).body == nil { // with one, what the sign-in is worth comes before what the request says
			err = nothingElse(c)
		}
		if err != nil {
			return err
		}
		return next(c, id)
	}}
}

// session lets a request pass whose session is live.
func (a *api) session(next func(echo.Context, session.Admission) error) access {
	return a.admitted(func(c echo.Context, caller session.Admission) error {
		if err := nothingElse(c); err != nil {
			return err
		}
		return next(c, caller)
	})
}

// nothingElse refuses parameters and bodies of a route that has none: what somebody asks for is not to be ignored.
func nothingElse(c echo.Context) error {
	r := routeOf(c)
	if r.body == nil && r.method != http.MethodGet {
		if _, err := bodyOf[struct{}](c); err != nil {
			return err
		}
	}
	if len(r.query) == 0 {
		return queryOf(c).err()
	}
	return nil
}

// admitted is session before it looks at what is asked for.
func (a *api) admitted(next func(echo.Context, session.Admission) error) access {
	return access{[]need{needSession}, func(c echo.Context) error {
		_, id, err := a.counted(c)
		if err != nil {
			return err
		}
		caller, err := a.Gate.Enter(contextOf(c), id, a.user(c))
		if err != nil {
			return err
		}
		return next(c, caller)
	}}
}

// user is where the request's user is, unknown where the address is that of a back end that asks for them.
func (a *api) user(c echo.Context) session.Origin {
	if routeOf(c).relayed && !a.forwarded(c) {
		return session.Origin{}
	}
	return a.origin(c)
}

// and asks for more after a.
func (a access) and(more ...need) access {
	return access{append(slices.Clone(a.needs), more...), a.handle}
}

// sensitive lets a live session pass whose user has signed in recently.
func (a *api) sensitive(next func(echo.Context, session.Admission) error) access {
	return a.admitted(func(c echo.Context, caller session.Admission) error {
		err := a.Gate.RequireSensitive(contextOf(c), caller)
		if err == nil {
			err = nothingElse(c)
		}
		if err != nil {
			return err
		}
		return next(c, caller)
	}).and(needRecent)
}

// admin lets an admin's live session pass.
func (a *api) admin(next func(echo.Context, session.Admission) error) access {
	return a.admitted(func(c echo.Context, caller session.Admission) error {
		err := a.Gate.RequireAdmin(contextOf(c), caller.Identity)
		if err == nil {
			err = nothingElse(c)
		}
		if err != nil {
			return err
		}
		return next(c, caller)
	}).and(needAdmin)
}

// recentAdmin lets an admin's live session pass that has signed in recently.
func (a *api) recentAdmin(next func(echo.Context, session.Admission) error) access {
	return a.admitted(func(c echo.Context, caller session.Admission) error {
		err := a.Gate.RequireRecentAdmin(contextOf(c), caller)
		if err == nil {
			err = nothingElse(c)
		}
		if err != nil {
			return err
		}
		return next(c, caller)
	}).and(needAdmin, needRecent)
}

// counted returns the request's token and its holder, once the request has been counted against its limit: its user's, or its
// address's where no token says whose it is. Nothing has been read by then.
func (a *api) counted(c echo.Context) (token string, id session.Identity, err error) {
	if token, err = bearer(c.Request().Header); err == nil {
		id, err = a.Gate.Verify(contextOf(c), token)
	}
	if err != nil {
		if limited := a.limitAddress(c); limited != nil {
			err = limited
		}
		return "", session.Identity{}, err
	}
	x := exchangeOf(c)
	x.line.User, x.line.Session = id.UserID, id.SessionID
	return token, id, a.limitUser(c, id.UserID)
}

// bearer returns the request's token, empty if it has none. Whether it is one is the gate's to say. Two are refused,
// in two headers or joined in one, so that nobody in between has looked at another one than the gate.
func bearer(h http.Header) (string, error) {
	values := h[echo.HeaderAuthorization]
	if len(values) > 1 || len(values) == 1 && strings.Contains(values[0], ",") {
		return "", faults{{echo.HeaderAuthorization, msgOnce, nil}}
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(first(values)), " ")
	if scheme != "" && !strings.EqualFold(scheme, "Bearer") {
		return "", &session.Error{Op: "bearer", Code: session.CodeTokenInvalid}
	}
	return strings.TrimSpace(token), nil
}
