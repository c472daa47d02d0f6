package handlers

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// exchange is a request with what has been found out about it on its way in: the framework's context, which would keep that in a map,
// extended.
type exchange struct {
	echo.Context
	began    time.Time
	next     echo.HandlerFunc // what the request is for
	route    *route
	patience patience  // bounds what the handler waits for
	bounded  bool      // whether it does so now
	line     Line      // what is known so far
	values   [4]string // of headers of the answer

	traced bool
	hops   int // to the client
}

// exchangeOf is the exchange that a handler is given.
func exchangeOf(c echo.Context) *exchange {
	if x, ok := c.(*exchange); ok {
		return x
	}
	return &exchange{Context: c, route: &noRoute} // of the framework's own, which nothing here asks for
}

// noRoute is that of what matches none.
var noRoute route

// first is what [http.Header.Get] returns, of the values of a header whose name is in its canonical form already.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// proceed is the end of the chain that all requests pass.
func proceed(c echo.Context) error { return exchangeOf(c).next(c) }

func routeOf(c echo.Context) *route { return exchangeOf(c).route }

func requestID(c echo.Context) string { return exchangeOf(c).line.RequestID }

// contextOf bounds what is done for a request.
func contextOf(c echo.Context) context.Context {
	if x := exchangeOf(c); x.bounded {
		return &x.patience
	}
	return c.Request().Context()
}

// trace is [proxies.trace] of a request, once.
func (a *api) trace(c echo.Context) (client netip.Addr, hops int) {
	x := exchangeOf(c)
	if !x.traced {
		x.line.IP, x.hops = a.proxies.trace(c.Request())
		x.traced = true
	}
	return x.line.IP, x.hops
}

// patience is a context with a deadline that takes a timer when somebody looks at it. Most requests are answered from memory,
// and nobody does.
type patience struct {
	parent context.Context
	until  time.Time

	once   sync.Once
	ctx    context.Context
	cancel context.CancelFunc
}

var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func (p *patience) begun() context.Context {
	p.once.Do(func() { p.ctx, p.cancel = context.WithDeadline(p.parent, p.until) })
	return p.ctx
}

// end releases what there is. Whoever looks for the first time afterwards finds it over.
func (p *patience) end() {
	p.once.Do(func() { p.ctx, p.cancel = over, func() {} })
	p.cancel()
}

// Deadline implements [context.Context], as do the others.
func (p *patience) Deadline() (time.Time, bool) { return p.begun().Deadline() }
func (p *patience) Done() <-chan struct{}       { return p.begun().Done() }
func (p *patience) Err() error                  { return p.begun().Err() }
func (p *patience) Value(key any) any           { return p.parent.Value(key) }
