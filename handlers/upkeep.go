package handlers

import (
	"maps"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

// sweepTimeout bounds a clean-up that an admin waits for. What it has done by then stays done, but nothing is counted; the next one starts
// over, with less to do.
const sweepTimeout = 5 * time.Minute

func (a *api) upkeepRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: "/v1/admin/sweep", access: a.recentAdmin(a.sweep), timeout: sweepTimeout,
			name: "sweep", summary: "Clean up now, and count", body: noteBody{},
			answers: []answer{{http.StatusOK, "What has been done.", session.SweepReport{}, nil}},
		},
		{
			method: http.MethodGet, path: "/v1/admin/stats", access: a.admin(a.stats),
			name: "statistics", summary: "How much there is of everything",
			answers: []answer{{http.StatusOK, "As the last clean-up counted; the sockets are this instance's, now.", statistics{}, nil}},
		},
	}
}

// statistics are what an operator looks at first.
type statistics struct {
	Sockets        int                `json:"sockets" description:"of this instance"`
	ActiveSessions int                `json:"activeSessions"`
	Users          int                `json:"users" description:"with active sessions"`
	ByDeviceType   map[string]int     `json:"byDeviceType"`
	ByCountry      map[string]int     `json:"byCountry" description:"without those whose country is unknown"`
	CountedAt      *session.Timestamp `json:"countedAt" description:"by the last clean-up; null before the first"`
}

func (a *api) sweep(c echo.Context, caller session.Admission) error {
	in, err := bodyOf[noteBody](c)
	if err != nil {
		return err
	}
	q := queryOf(c)
	note := q.text("reason", in.Reason, maxReason)
	if err := q.err(); err != nil {
		return err
	}
	report, err := a.Registry.SweepRequested(contextOf(c), caller.Actor(note), session.SweepAll)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, report)
}

func (a *api) stats(c echo.Context, _ session.Admission) error {
	census, err := a.Registry.Census(contextOf(c))
	if err != nil {
		return err
	}
	s := statistics{
		Sockets: a.Sockets(), ActiveSessions: census.ActiveSessions, Users: census.Users,
		ByDeviceType: make(map[string]int), ByCountry: make(map[string]int),
	}
	maps.Copy(s.ByDeviceType, census.ByDeviceType)
	maps.Copy(s.ByCountry, census.ByCountry)
	if !census.CountedAt.IsZero() {
		s.CountedAt = (*session.Timestamp)(&census.CountedAt)
	}
	return c.JSON(http.StatusOK, s)
}
