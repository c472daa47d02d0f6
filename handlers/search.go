package handlers

import (
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

func (a *api) searchRoutes() []route {
	return []route{{
		method: http.MethodGet, path: "/v1/admin/sessions", access: a.admin(a.search),
		name: "searchSessions", summary: "Sessions of all users, live and within the retention, by what they have", query: searching,
		answers: []answer{{http.StatusOK, "A page of sessions.", sessionPage{}, nil}},
	}}
}

// searching are the parameters of a search.
var searching = slices.Concat([]parameter{
	{"userId", "Whose they are.", false, object{"type": "string", "minLength": 1, "maxLength": 128}},
	{"status", "Live ones, ended ones, or both.", false, object{"enum": []string{"active", "ended", "all"}, "default": "all"}},
	{"ip", "The address that they began from, however it is written.", false, object{"type": "string"}},
	{"deviceType", "The type of device.", false, object{"enum": deviceTypes}},
	{"country", "Where they began, ISO 3166-1 alpha-2 in either case.", false, object{"type": "string", "pattern": countryEitherCase.String()}},
	{"activeBefore", "Without activity since.", false, object{"type": "string", "format": "date-time"}},
}, paging)

var countryEitherCase = regexp.MustCompile(`^[A-Za-z]{2}$`)

// strictTime is the form of RFC 3339. The standard library takes more: a comma, an hour of one digit, an offset of 24 hours.
var strictTime = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// sessionPage is a page of a search.
type sessionPage struct {
	Sessions      []session.View `json:"sessions"`
	NextPageToken string         `json:"nextPageToken,omitempty" description:"absent after the last page"`
}

func (a *api) search(c echo.Context, caller session.Admission) error {
	q := queryOf(c)
	f := q.filter("", func(name string) (string, bool) { return q.values.Get(name), q.values.Has(name) })
	if status := q.word("status", "all", "active", "ended", "all"); status != "all" {
		f.Status = session.Status(status)
	}
	after, size := pageToken(q, validSessions(f)), q.pageSize()
	if err := q.err(); err != nil {
		return err
	}
	found, next, err := a.Registry.Search(contextOf(c), f, after, size)
	if err != nil {
		return err
	}
	if next != nil && !next.LastActive.IsZero() {
		next.LastActive = next.LastActive.UTC()
	}
	return c.JSON(http.StatusOK, sessionPage{Sessions: a.viewsForAdmin(found, caller), NextPageToken: nextPage(next)})
}

// viewsForAdmin shows sessions to an admin.
func (a *api) viewsForAdmin(found []session.Session, caller session.Admission) []session.View {
	views := make([]session.View, len(found))
	for i, s := range found {
		views[i] = a.Registry.Settings().ViewForAdmin(s, caller.Session.ID)
	}
	return views
}

// filter reads what chooses sessions, but for the status. A member that is there has to say something: one that is empty
// is not to choose all.
func (f *faults) filter(path string, given func(name string) (string, bool)) (chosen session.Filter) {
	if value, ok := given("userId"); ok {
		if chosen.UserID = session.UserID(value); !chosen.UserID.Valid() || !utf8.ValidString(value) {
			f.add(path+"userId", msgUserID)
		}
	}
	if value, ok := given("ip"); ok {
		ip, err := netip.ParseAddr(value)
		if err != nil || ip.Zone() != "" {
			f.add(path+"ip", msgIP)
		}
		chosen.IPAddress = ip.Unmap().String()
	}
	if value, ok := given("deviceType"); ok {
		chosen.DeviceType = value
		f.oneOf(path+"deviceType", value, deviceTypes...)
	}
	if value, ok := given("country"); ok {
		if !countryEitherCase.MatchString(value) { // before ToUpper, which makes an I of letters that are none
			f.add(path+"country", msgCountry)
		}
		chosen.Country = strings.ToUpper(value)
	}
	if value, ok := given("activeBefore"); ok {
		at, err := time.Parse(time.RFC3339Nano, value)
		if err != nil || !strictTime.MatchString(value) || !sensibleTime(at) {
			f.add(path+"activeBefore", msgTime)
		}
		chosen.ActiveBefore = at.UTC()
	}
	return chosen
}
