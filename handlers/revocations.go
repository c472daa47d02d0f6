package handlers

import (
	"net/http"
	"regexp"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

const pathRevocations = "/v1/admin/revocations"

func (a *api) revocationRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: pathRevocations, access: a.recentAdmin(a.revokeMany),
			name: "revokeMany", summary: "End every session that a filter chooses, or all, but the admin's own", body: manyBody{},
			answers: []answer{
				{http.StatusAccepted, "Every session created before the request ends that the filter chooses when it is reached.",
					revocationStarted{}, []string{echo.HeaderLocation}},
				{http.StatusOK, "What would end: it was a dry run.", revocationPreview{}, nil},
			},
		},
		{
			method: http.MethodGet, path: pathRevocations + "/:id", access: a.admin(a.revocation),
			name: "revocation", summary: "How far a mass revocation is",
			answers: []answer{{http.StatusOK, "How far it is.", revocationProgress{}, nil}},
		},
	}
}

// manyBody asks for a mass revocation. Null stands for nothing here: a member that got lost on its way to the caller's JSON would end
// more sessions than were meant, or some where none were.
type manyBody struct {
	Filter *filterBody `json:"filter,omitempty" nullable:"false" description:"which sessions; either this or all"`
	All    bool        `json:"all,omitempty" nullable:"false" description:"every session"`
	Reason string      `json:"reason,omitempty" maxLength:"256" description:"a note for the audit"`
	DryRun bool        `json:"dryRun,omitempty" nullable:"false" description:"end nothing, and say what would end"`
}

// filterBody has what the search takes as parameters. All of it has to hold.
type filterBody struct {
	UserID       *string `json:"userId,omitempty" nullable:"false" minLength:"1" maxLength:"128"`
	Status       *string `json:"status,omitempty" nullable:"false" enum:"active" description:"only live sessions can end"`
	IP           *string `json:"ip,omitempty" nullable:"false" description:"the address that they began from"`
	DeviceType   *string `json:"deviceType,omitempty" nullable:"false" enum:"desktop,mobile,tablet,bot,other"`
	Country      *string `json:"country,omitempty" nullable:"false" pattern:"^[A-Za-z]{2}$" description:"where they began, ISO 3166-1 alpha-2"`
	ActiveBefore *string `json:"activeBefore,omitempty" nullable:"false" format:"date-time" description:"without activity since"`
}

func (b filterBody) given(name string) (string, bool) {
	member := map[string]*string{
		"userId": b.UserID, "status": b.Status, "ip": b.IP, "deviceType": b.DeviceType, "country": b.Country, "activeBefore": b.ActiveBefore,
	}[name]
	if member == nil {
		return "", false
	}
	return *member, true
}

// revocationPreview is the answer to a dry run.
type revocationPreview struct {
	Matched int            `json:"matched"`
	Sample  []session.View `json:"sample" description:"some of them"`
}

// revocationStarted is the answer to who asks for a mass revocation.
type revocationStarted struct {
	ID      string `json:"id"`
	Matched int    `json:"matched" description:"how many there are now"`
}

// revocationProgress is how far one is.
type revocationProgress struct {
	ID      string           `json:"id"`
	State   session.JobState `json:"state"`
	Matched int              `json:"matched" description:"how many there were when it was asked for"`
	Ended   int              `json:"ended" description:"how many it has ended"`
}

// filter returns which sessions are to end.
func (in manyBody) filter(f *faults) session.Filter {
	switch {
	case in.Filter == nil && !in.All:
		f.add("filter", msgChoose)
		return session.Filter{}
	case in.Filter == nil:
		return session.Filter{}
	case in.All:
		f.add("all", msgNotBoth)
	case *in.Filter == filterBody{}:
		f.add("filter", msgNoFilter)
	}
	return in.Filter.chosen(f)
}

// chosen returns the sessions that the members choose.
func (b filterBody) chosen(f *faults) session.Filter {
	if status, ok := b.given("status"); ok {
		f.oneOf("filter.status", status, string(session.StatusActive))
	}
	return f.filter("filter.", b.given)
}

// check says what is wrong with single members. Whether they go together is to be seen when all could be read.
func (in manyBody) check() error {
	var f faults
	if in.Filter != nil {
		in.Filter.chosen(&f)
	}
	f.text("reason", in.Reason, maxReason)
	return f.err()
}

func (a *api) revokeMany(c echo.Context, caller session.Admission) error {
	in, err := bodyOf[manyBody](c)
	if err != nil {
		return err
	}
	q := queryOf(c)
	filter := in.filter(&q.faults)
	actor := caller.Actor(q.text("reason", in.Reason, maxReason))
	if err := q.err(); err != nil {
		return err
	}
	if in.DryRun {
		matched, sample, err := a.Registry.PreviewRevocation(contextOf(c), actor, filter)
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, revocationPreview{matched, a.viewsForAdmin(sample, caller)})
	}
	started, err := a.Registry.StartRevocation(contextOf(c), actor, filter)
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderLocation, pathRevocations+"/"+started.ID)
	return c.JSON(http.StatusAccepted, revocationStarted{started.ID, started.Matched})
}

var saneRevocationID = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

func (a *api) revocation(c echo.Context, _ session.Admission) error {
	id := pathParam(c, "id")
	if !saneRevocationID.MatchString(id) {
		return &session.Error{Op: "mass revocation", Code: session.CodeNotFound}
	}
	j, err := a.Registry.MassRevocation(contextOf(c), id)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, revocationProgress{j.ID, j.State, j.Matched, j.Ended})
}
