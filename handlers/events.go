package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

func (a *api) eventRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: "/v1/events", access: a.session(a.ownEvents),
			name: "listEvents", summary: "The user's own security events, newest first", query: paging,
			answers: []answer{{http.StatusOK, "A page of events.", eventList{}, nil}},
		},
		{
			method: http.MethodGet, path: "/v1/admin/events", access: a.admin(a.allEvents),
			name: "listAllEvents", summary: "Everybody's security events, newest first", query: paging,
			answers: []answer{{http.StatusOK, "A page of events.", eventList{}, nil}},
		},
	}
}

// eventList is a page of events.
type eventList struct {
	Events        []session.EventView `json:"events"`
	NextPageToken string              `json:"nextPageToken,omitempty" description:"absent after the last page"`
}

func (a *api) ownEvents(c echo.Context, caller session.Admission) error {
	after, size, err := eventPage(c)
	if err != nil {
		return err
	}
	events, next, err := a.Registry.UserEvents(contextOf(c), caller.Identity.UserID, after, size)
	if err != nil {
		return err
	}
	return answerEvents(c, events, next, session.Event.View)
}

func (a *api) allEvents(c echo.Context, _ session.Admission) error {
	after, size, err := eventPage(c)
	if err != nil {
		return err
	}
	events, next, err := a.Registry.AllEvents(contextOf(c), after, size)
	if err != nil {
		return err
	}
	return answerEvents(c, events, next, session.Event.ViewForAdmin)
}

func eventPage(c echo.Context) (after session.EventCursor, size int, err error) {
	q := queryOf(c)
	after, size = pageToken(q, validEvents), q.pageSize()
	return after, size, q.err()
}

func answerEvents(c echo.Context, events []session.Event, next *session.EventCursor, view func(session.Event) session.EventView) error {
	answer := eventList{Events: make([]session.EventView, len(events))}
	for i, e := range events {
		answer.Events[i] = view(e)
	}
	if next != nil {
		next.At = next.At.UTC()
		answer.NextPageToken = nextPage(next)
	}
	return c.JSON(http.StatusOK, answer)
}
