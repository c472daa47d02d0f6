package handlers

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

func (a *api) tokenRoutes() []route {
	return []route{
		{http.MethodGet, "/v1/token", a.token(a.tokenInfo)},
		{http.MethodGet, "/v1/check", a.session(a.check)},
	}
}

// tokenView is what a token says. Times are Unix seconds, as in the token.
type tokenView struct {
	UserID         session.UserID `json:"userId"`
	IssuedAt       int64          `json:"issuedAt"`
	ExpiresAt      int64          `json:"expiresAt"`
	AuthTime       int64          `json:"authTime"`
	SignInProvider string         `json:"signInProvider"`
	Claims         map[string]any `json:"claims"`
	RecentAuth     bool           `json:"recentAuth"`
	ReauthMaxAge   int64          `json:"reauthMaxAge"` // seconds
}

func (a *api) tokenInfo(c echo.Context, id session.Identity) error {
	window := a.Registry.Settings().ReauthMaxAge
	v := tokenView{
		UserID: id.UserID, IssuedAt: id.IssuedAt.Unix(), ExpiresAt: id.ExpiresAt.Unix(), AuthTime: id.AuthTime.Unix(),
		SignInProvider: id.SignInProvider, Claims: id.Claims,
		RecentAuth: session.Recent(id.AuthTime, a.Registry.Now(), window), ReauthMaxAge: int64(window / time.Second),
	}
	if v.Claims == nil {
		v.Claims = map[string]any{}
	}
	return c.JSON(http.StatusOK, v)
}

// check answers reverse proxies and dashboards' own back ends.
func (a *api) check(c echo.Context, caller session.Admission) error {
	q := queryOf(c, "maxAge", "activity")
	maxAge, limited := q.seconds("maxAge")
	active := q.flag("activity")
	if limited { // an old sign-in comes before a bad request
		if err := a.Gate.RequireRecent(contextOf(c), caller.Identity, maxAge); err != nil {
			return err
		}
	}
	if err := q.err(); err != nil {
		return err
	}
	if active {
		a.Registry.TouchLater(caller.Session) // a check neither waits for the store nor fails with it
	}
	h := c.Response().Header()
	h.Set(headerUser, headerSafe(string(caller.Identity.UserID)))
	h.Set(headerSession, string(caller.Session.ID))
	h.Set(headerAuthTime, strconv.FormatInt(caller.Identity.AuthTime.Unix(), 10))
	return c.NoContent(http.StatusNoContent)
}

// headerSafe encodes with percent signs what is not visible ASCII, and the percent sign.
func headerSafe(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
