package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

const pathSocket = "/v1/ws"

func (a *api) socketRoutes() []route {
	return []route{{
		method: http.MethodGet, path: pathSocket, access: a.open(a.upgrade), limit: classHandshake,
		name: "socket", summary: "The WebSocket: its messages and close codes are described in docs/websocket.md",
		answers: []answer{{http.StatusSwitchingProtocols, "The WebSocket protocol from here on.", nil, nil}},
		codes:   []session.Code{session.CodeInvalidRequest, session.CodeForbidden, session.CodeNotFound, session.CodeUnavailable},
	}}
}

// upgrade hands the connection over, if the socket takes it.
func (a *api) upgrade(c echo.Context) error {
	if a.Socket == nil {
		return echo.ErrNotFound
	}
	return a.Socket(c.Response(), c.Request(), a.origin(c))
}
