package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

// DefaultRequestTimeout bounds a request where [Options] say nothing else.
const DefaultRequestTimeout = 10 * time.Second

// Options are what the edge is built from.
type Options struct {
	Gate     *session.Gate
	Registry *session.Registry

	// Socket takes over requests for the WebSocket. It may keep neither w nor r when it returns; the headers that w
	// already has belong into the handshake's answer. With an error it has answered nothing, and headers that it has set go with
	// the error's answer. Nil: there is no WebSocket.
	Socket func(w http.ResponseWriter, r *http.Request, origin session.Origin) error
	// OriginAllowed says from which origins a page may use the API. Nil: from none.
	OriginAllowed func(origin string) bool
	// HostAllowed says by which host names, with or without a port, the service is reached. Whoever uses another one is told that
	// they are those of loopback. Nil: by any.
	HostAllowed func(host string) bool
	// TrustedProxies are the peers whose X-Forwarded-For is believed. Nobody else's is.
	TrustedProxies []netip.Prefix
	// GeoHeaders names the headers in which a trusted proxy says where the client is. Empty: none are believed.
	GeoHeaders GeoHeaders
	// Locate says where an address is, nil when unknown. It is asked where no proxy says so, and must be safe for concurrent use.
	// Nil: nothing is known.
	Locate func(netip.Addr) *session.Location
	// Ready is what has to hold for the instance to be given requests.
	Ready []Check
	// Sockets counts the sockets that are open on this instance. Nil: there are none.
	Sockets func() int
	// RequestTimeout bounds every request but the WebSocket's and those that a route gives more time. Zero: [DefaultRequestTimeout].
	RequestTimeout time.Duration
	// Limits bound how fast requests are taken. Zero: they do not.
	Limits Limits
	// Log takes a line per request, without any token. Nil: nothing is logged.
	Log *slog.Logger
	// Meter counts requests. Nil: nothing is counted.
	Meter Meter
}

// Check is one condition of readiness.
type Check struct {
	Name string
	// Check fails while the condition does not hold. It runs beside the others and must be safe for concurrent use. The text of
	// its error is shown to whoever asks, except for a [session.Error]: of that, only what is safe to show.
	Check func(context.Context) error
	// Fresh has the check run for each who asks, which must cost nothing. The outcomes of the others are remembered for a second.
	Fresh bool
}

// New returns the handler of everything that the service serves to the outside.
func New(o Options) http.Handler {
	if o.RequestTimeout == 0 {
		o.RequestTimeout = DefaultRequestTimeout
	}
	if o.OriginAllowed == nil {
		o.OriginAllowed = func(string) bool { return false }
	}
	if o.HostAllowed == nil {
		o.HostAllowed = func(string) bool { return true }
	}
	if o.Sockets == nil {
		o.Sockets = func() int { return 0 }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Meter == nil {
		o.Meter = noMeter{}
	}
	a := &api{Options: o, proxies: newProxies(o.TrustedProxies), buckets: o.Limits.buckets(), probe: newProbe(o.Ready), document: OpenAPI()}

	e := echo.New()
	e.HTTPErrorHandler = a.fail
	e.IPExtractor = a.proxies.clientIP
	// The framework would put the parts of a chain together anew for each request.
	chain := a.record(recovered(a.hosted(a.unheard(a.cors(whole(proceed))))))
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error { return chain(begin(c, next)) }
	})
	for _, r := range a.routes() {
		handle := r.handle
		if r.path != pathSocket { // it outlives every timeout
			handle = a.timeout(handle)
		}
		e.Add(r.method, r.path, r.known(handle))
	}
	a.tally = newTally(o.Meter, e.Routes())
	return e
}

// api is what the handlers work with.
type api struct {
	Options
	proxies     proxies
	warnUnheard sync.Once
	tally       tally
	buckets     [classes]*buckets
	probe       *probe
	document    []byte
}
