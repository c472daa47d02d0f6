package handlers

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

func (a *api) tokenRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: "/v1/token", access: a.token(a.tokenInfo),
			name: "tokenInfo", summary: "What the token says, and whether the sign-in is recent",
			answers: []answer{{http.StatusOK, "What the token says.", tokenView{}, nil}},
		},
		{
			method: http.MethodGet, path: "/v1/check", access: a.session(a.check), relayed: true,
			name: "check", summary: "May this request pass? For reverse proxies and dashboards' own back ends",
			query: []parameter{
				{"maxAge", "The sign-in may be this many seconds old.", false, object{"type": "integer", "minimum": 0, "maximum": math.MaxInt32}},
				{"activity", "The user did something.", false, object{"type": "boolean", "default": false}},
			},
			answers: []answer{{http.StatusNoContent, "It may.", nil, []string{headerUser, headerSession, headerAuthTime}}},
			codes:   []session.Code{session.CodeReauthRequired},
		},
	}
}

// tokenView is what a token says. Times are Unix seconds, as in the token.
type tokenView struct {
	UserID         session.UserID `json:"userId"`
	IssuedAt       int64          `json:"issuedAt" description:"Unix seconds"`
	ExpiresAt      int64          `json:"expiresAt" description:"Unix seconds"`
	AuthTime       int64          `json:"authTime" description:"of the sign-in, Unix seconds"`
	SignInProvider string         `json:"signInProvider"`
	Claims         map[string]any `json:"claims" description:"all of the token's"`
	RecentAuth     bool           `json:"recentAuth" description:"the sign-in is recent enough for sensitive operations"`
	ReauthMaxAge   int64          `json:"reauthMaxAge" description:"how recent, in seconds"`
}

func (a *api) tokenInfo(c echo.Context, id session.Identity) error {
	window := a.Registry.Settings().ReauthMaxAge
	token, _ := bearer(c.Request().Header) // it has been let in
	v := tokenView{
		UserID: id.UserID, IssuedAt: id.IssuedAt.Unix(), ExpiresAt: id.ExpiresAt.Unix(), AuthTime: id.AuthTime.Unix(),
		SignInProvider: id.SignInProvider, Claims: a.Gate.Claims(token),
		RecentAuth: session.Recent(id.AuthTime, a.Registry.Now(), window), ReauthMaxAge: int64(window / time.Second),
	}
	if v.Claims == nil {
		v.Claims = map[string]any{}
	}
	return c.JSON(http.StatusOK, v)
}

// check answers reverse proxies and dashboards' own back ends.
func (a *api) check(c echo.Context, caller session.Admission) error {
	q := queryOf(c)
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
	h, values := c.Response().Header(), &exchangeOf(c).values
	values[1], values[2] = headerSafe(string(caller.Identity.UserID)), string(caller.Session.ID)
	values[3] = strconv.FormatInt(caller.Identity.AuthTime.Unix(), 10)
	h[headerUser], h[headerSession], h[headerAuthTime] = values[1:2:2], values[2:3:3], values[3:]
	return c.NoContent(http.StatusNoContent)
}

// headerSafe encodes with percent signs what is not visible ASCII, and the percent sign.
func headerSafe(s string) string {
	encoded := func(r rune) bool { return r <= ' ' || r > '~' || r == '%' }
	if !strings.ContainsFunc(s, encoded) {
		return s
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		if encoded(rune(c)) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
