package handlers

import (
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

// need is a word of the contract's column of that name.
type need string

const (
	needToken   need = "token"
	needSession need = "session"
	needAdmin   need = "admin"
	needRecent  need = "recent"
)

// access is a handler behind what its requests need. Only the functions of needs.go make one, so that what the document
// says is needed is what is asked for.
type access struct {
	needs  []need
	handle echo.HandlerFunc
}

// route is a line of the contract's table: what is mounted, and what the document says about it.
type route struct {
	method, path string
	access
	name    string // of the operation, for who generates a client
	summary string
	query   []parameter // all that queryOf lets pass
	body    any         // a value of the type that bodyOf reads; nil: no body is read
	answers []answer
	codes   []session.Code // of errors, beyond those that follow from the rest of the line
	limit   class          // zero: as follows from what it needs
	relayed bool           // another back end asks for the user: the peer's address is not the user's
	timeout time.Duration  // zero: that of the options
}

// parameter is a part of a route's query.
type parameter struct {
	name, description string
	required          bool
	schema            object
}

// answer is what a route answers when nothing is wrong.
type answer struct {
	status      int
	description string
	body        any // a value of its type; nil: none
	headers     []string
}

// class is which of the limits a request counts against.
func (r *route) class() class {
	switch {
	case r.limit != unlimited:
		return r.limit
	case len(r.needs) == 0:
		return unlimited
	case slices.Contains(r.needs, needRecent):
		return classSensitive
	default:
		return classAPI
	}
}

// known puts the route where queryOf and the limits find it.
func (r *route) known(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		exchangeOf(c).route = r
		return next(c)
	}
}

// routes are all of the contract's.
func (a *api) routes() []route {
	return slices.Concat(a.sessionRoutes(), a.tokenRoutes(), a.accountRoutes(), a.eventRoutes(), a.adminRoutes(),
		a.searchRoutes(), a.revocationRoutes(), a.upkeepRoutes(), a.socketRoutes(), a.healthRoutes())
}
