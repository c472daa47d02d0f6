package handlers

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// LineMessage is the message of the records that are about requests.
const LineMessage = "request"

// Line is what the log is told of a request: the value of its record's one attribute, which has no name. A [slog.Handler] that knows it
// can write it without the detour of an attribute for each field; all others find those attributes in it.
//
// Method and User are the words of others. All else is text of this package, or has been looked at: visible ASCII without quotes and
// backslashes. The route is there, never the path or the query, where a careless client may have put a token.
type Line struct {
	Method    string
	Route     string // empty if none has matched
	Status    int
	Duration  time.Duration
	RequestID string
	IP        netip.Addr     // of the client, the zero Addr if it cannot be told
	User      session.UserID // empty while unknown
	Session   session.ID     // of the sign-in, known with the user
	Code      session.Code   // of the error, empty if there is none
	Err       error          // nil unless it is the operator's to look at
}

// LogValue implements [slog.LogValuer].
func (l *Line) LogValue() slog.Value {
	attrs := append(make([]slog.Attr, 0, 10),
		slog.String("method", l.Method),
		slog.String("route", l.Route),
		slog.Int("status", l.Status),
		slog.Duration("duration", l.Duration),
		slog.String("requestId", l.RequestID),
		slog.String("ip", session.Origin{IP: l.IP}.Address()),
	)
	if l.User != "" {
		attrs = append(attrs, slog.String("user", string(l.User)), slog.String("session", string(l.Session)))
	}
	if l.Code != "" {
		attrs = append(attrs, slog.String("code", string(l.Code)))
	}
	if l.Err != nil {
		attrs = append(attrs, slog.Any("error", l.Err))
	}
	return slog.GroupValue(attrs...)
}
