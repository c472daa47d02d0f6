package handlers

import (
	"cmp"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

// The service's own headers.
const (
	headerRequestID = "X-Request-Id"
	headerUser      = "X-Vigil-User"
	headerSession   = "X-Vigil-Session"
	headerAuthTime  = "X-Vigil-Auth-Time"

	headerAcceptLanguage  = "Accept-Language"
	headerContentLanguage = "Content-Language"
)

// What every answer says. The lists are shared by all of them, and full: whoever appends to one gets another.
var (
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
	byOrigin = []string{echo.HeaderOrigin}
)

var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// begin is the exchange for a request, with what every answer carries on its answer.
func begin(c echo.Context, next echo.HandlerFunc) *exchange {
	x := &exchange{Context: c, next: next, began: time.Now(), route: &noRoute}
	id := first(c.Request().Header[headerRequestID])
	if id == "" || !saneRequestID.MatchString(id) {
		id = strconv.FormatUint(rand.Uint64(), 36)
	}
	x.line.RequestID, x.values[0] = id, id
	h := c.Response().Header()
	h[headerRequestID] = x.values[0:1:1]
	h[echo.HeaderCacheControl], h[echo.HeaderXContentTypeOptions], h[echo.HeaderVary] = noStore, noSniff, byOrigin
	return x
}

// recovered turns a panic into an error.
func recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				err = &session.Error{Op: "recover", Code: session.CodeInternal, Err: fmt.Errorf("%v\n%s", p, debug.Stack())}
			}
		}()
		return next(c)
	}
}

// hosted refuses requests that are meant for another host.
func (a *api) hosted(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !a.HostAllowed(c.Request().Host) {
			return &session.Error{Op: "host", Code: codeMisdirected}
		}
		return next(c)
	}
}

// whole refuses a path of more parts than the route it was matched with has: the framework lets a last parameter take
// all of the rest, slashes included, and so turns a missing resource into a wrong method.
func whole(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if strings.Count(echo.GetPath(c.Request()), "/") != strings.Count(c.Path(), "/") {
			return echo.ErrNotFound
		}
		return next(c)
	}
}

// timeout bounds what a handler waits for. The handler itself goes on until it sees that, so nothing races for the answer.
func (a *api) timeout(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		x := exchangeOf(c)
		x.patience.parent, x.patience.until = contextOf(c), x.began.Add(cmp.Or(x.route.timeout, a.RequestTimeout))
		x.bounded = true
		defer func() {
			x.bounded = false // what comes after is to see whether the client is still there
			x.patience.end()
		}()
		return next(c)
	}
}

// What a page may send, and read of the answer, beyond what every page may.
var (
	corsMethods = strings.Join([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete}, ", ")
	corsHeaders = strings.Join([]string{echo.HeaderAuthorization, echo.HeaderContentType, headerRequestID}, ", ")
	corsExposed = strings.Join([]string{headerRequestID, headerUser, headerSession, headerAuthTime,
		echo.HeaderWWWAuthenticate, echo.HeaderRetryAfter, echo.HeaderLocation}, ", ")
)

const corsMaxAge = "600" // seconds for which a browser may remember what it was told

// cors lets pages of the allowed origins use the API. The token is all that counts, so credentials are never allowed.
func (a *api) cors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		request, h := c.Request(), c.Response().Header()
		origin := request.Header[echo.HeaderOrigin]
		if len(origin) != 1 || !a.OriginAllowed(origin[0]) {
			return next(c)
		}
		h.Set(echo.HeaderAccessControlAllowOrigin, origin[0])
		if request.Method != http.MethodOptions || request.Header.Get(echo.HeaderAccessControlRequestMethod) == "" {
			h.Set(echo.HeaderAccessControlExposeHeaders, corsExposed)
			return next(c)
		}
		h.Set(echo.HeaderAccessControlAllowMethods, corsMethods)
		h.Set(echo.HeaderAccessControlAllowHeaders, corsHeaders)
		h.Set(echo.HeaderAccessControlMaxAge, corsMaxAge)
		return c.NoContent(http.StatusNoContent)
	}
}

// record writes the answer to an error, counts the request and writes one line about it.
func (a *api) record(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err != nil {
			a.fail(err, c)
		}
		x, now := exchangeOf(c), time.Now()
		took := now.Sub(x.began)
		a.tally.answered(c, took)
		level := levelOf(c, err)
		if !a.Log.Enabled(contextOf(c), level) {
			return nil
		}
		l := &x.line
		l.Method, l.Route, l.Status, l.Duration = c.Request().Method, c.Path(), statusOf(c), took
		a.trace(c)
		if err != nil {
			l.Code = errorOf(err).Code
		}
		if level >= slog.LevelWarn {
			l.Err = err
		}
		r := slog.NewRecord(now, level, LineMessage, 0) // by hand: a Logger would look for the line of code that it is called from
		r.AddAttrs(slog.Any("", l))
		_ = a.Log.Handler().Handle(contextOf(c), r) // as a Logger does
		return nil
	}
}

// levelOf says how much an operator wants to know about a request.
func levelOf(c echo.Context, err error) slog.Level {
	if err == nil {
		if c.Path() == pathHealth || c.Path() == pathReady {
			return slog.LevelDebug
		}
		return slog.LevelInfo
	}
	e := errorOf(err)
	switch status := table[e.Code].status; {
	case status == http.StatusInternalServerError:
		return slog.LevelError
	case contextOf(c).Err() != nil:
		return slog.LevelInfo // the client did not wait for the answer
	case status == http.StatusServiceUnavailable && e.RetryAfter == 0: // who knows when to come back is busy, not broken
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// statusOf returns the status that was answered. A handler that neither answered nor failed has taken the connection over.
func statusOf(c echo.Context) int {
	if !c.Response().Committed {
		return http.StatusSwitchingProtocols
	}
	return c.Response().Status
}
