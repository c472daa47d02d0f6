package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

const pathSessions = "/v1/sessions"

func (a *api) sessionRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: pathSessions, access: a.token(a.register), limit: classRegister,
			name: "register", summary: "Begin the session of the sign-in, or find it live", body: signIn{},
			answers: []answer{
				{http.StatusCreated, "The session has begun.", registration{}, []string{echo.HeaderLocation}},
				{http.StatusOK, "The session is live already.", registration{}, nil},
			},
			codes: []session.Code{session.CodeReauthRequired, session.CodeIPChanged, session.CodeSessionLimit},
		},
		{
			method: http.MethodGet, path: pathSessions, access: a.session(a.list),
			name: "listSessions", summary: "List the user's sessions, newest activity first",
			query: []parameter{{"status", "Live sessions, or all within the retention.", false,
				object{"enum": []string{"active", "all"}, "default": "active"}}},
			answers: []answer{{http.StatusOK, "The sessions.", sessionList{}, nil}},
		},
		{
			method: http.MethodDelete, path: pathSessions, access: a.session(a.endMany),
			name: "endSessions", summary: "End the user's other sessions, or all",
			query:   []parameter{{"scope", "Which sessions end.", true, object{"enum": []string{"others", "all"}}}},
			answers: []answer{{http.StatusOK, "How many have ended.", ended{}, nil}},
		},
		{
			method: http.MethodGet, path: pathSessions + "/current", access: a.session(a.current),
			name: "currentSession", summary: "The session that the request comes with",
			answers: []answer{{http.StatusOK, "The session.", session.View{}, nil}},
		},
		{
			method: http.MethodPost, path: pathSessions + "/current/activity", access: a.session(a.activity),
			name: "recordActivity", summary: "The user did something", body: struct{}{},
			answers: []answer{{http.StatusOK, "The session's new deadlines.", deadlines{}, nil}},
		},
		{
			method: http.MethodDelete, path: pathSessions + "/:id", access: a.session(a.endOne),
			name: "endSession", summary: "End one of the user's sessions",
			answers: []answer{{http.StatusNoContent, "It is over.", nil, nil}},
		},
		{
			method: http.MethodPost, path: "/v1/logout", access: a.session(a.logout),
			name: "logout", summary: "End the session that the request comes with, or all of the user's", body: logoutBody{},
			answers: []answer{{http.StatusNoContent, "It is over.", nil, nil}},
		},
	}
}

// signIn is the body of a registration.
type signIn struct {
	DeviceName string     `json:"deviceName,omitempty" maxLength:"64" description:"what the user calls the device"`
	Device     deviceHint `json:"device,omitzero" description:"what the client knows better than its user agent; for display only"`
	Replaces   string     `json:"replaces,omitempty" pattern:"^[0-9a-f]{64}$" description:"the device's previous session, which ends"`
}

type deviceHint struct {
	Type string `json:"type,omitempty" enum:"desktop,mobile,tablet,bot,other"`
	OS   string `json:"os,omitempty" maxLength:"64"`
}

// logoutBody says how much of a user logs out.
type logoutBody struct {
	AllSessions bool `json:"allSessions,omitempty" description:"end all of the user's sessions"`
}

// deadlines are until when a session lives.
type deadlines struct {
	LastActive   session.Timestamp `json:"lastActive"`
	WarnAt       session.Timestamp `json:"warnAt"`
	IdleDeadline session.Timestamp `json:"idleDeadline"`
	ExpiresAt    session.Timestamp `json:"expiresAt"`
}

// check trims the texts and says what is wrong with the rest.
func (in *signIn) check() error {
	var f faults
	in.DeviceName = f.text("deviceName", in.DeviceName, maxText)
	in.Device.OS = f.text("device.os", in.Device.OS, maxText)
	if in.Device.Type != "" {
		f.oneOf("device.type", in.Device.Type, deviceTypes...)
	}
	if in.Replaces != "" && !session.ID(in.Replaces).Valid() {
		f.add("replaces", msgSessionID)
	}
	return f.err()
}

// sessionList is the answer to who asks for sessions.
type sessionList struct {
	Sessions []session.View `json:"sessions"`
}

// ended is the answer to who ends sessions.
type ended struct {
	Ended int `json:"ended"`
}

// registration is the answer to a sign-in.
type registration struct {
	Session session.View    `json:"session"`
	Evicted []session.ID    `json:"evicted" description:"ids of the sessions that made room"`
	Alerts  []session.Alert `json:"alerts" description:"what is unusual about the sign-in"`
}

func (a *api) register(c echo.Context, id session.Identity) error {
	in, err := bodyOf[signIn](c)
	if err == nil {
		err = in.check()
	}
	if err == nil {
		err = queryOf(c).err()
	}
	if err != nil {
		// A sign-in that is spent comes before a bad request.
		if spent := a.Registry.CanRegister(contextOf(c), id); session.CodeOf(spent) == session.CodeReauthRequired {
			return spent
		}
		return err
	}
	agent := userAgent(c.Request())
	reg, err := a.Registry.Register(contextOf(c), id, session.SignIn{
		Device:    in.device(agent, hintsOf(c.Request().Header)),
		UserAgent: agent,
		Origin:    a.origin(c),
		Language:  c.Request().Header.Get("Accept-Language"),
		Replaces:  session.ID(in.Replaces),
	})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if reg.Created {
		status = http.StatusCreated
		c.Response().Header().Set(echo.HeaderLocation, pathSessions+"/"+string(reg.Session.ID))
	}
	return c.JSON(status, registration{
		Session: a.view(reg.Session, reg.Session),
		Evicted: append([]session.ID{}, reg.Evicted...),
		Alerts:  append([]session.Alert{}, reg.Alerts...),
	})
}

func (a *api) list(c echo.Context, caller session.Admission) error {
	q := queryOf(c)
	status := q.word("status", "active", "active", "all")
	if err := q.err(); err != nil {
		return err
	}
	found, err := a.Registry.Sessions(contextOf(c), caller.Identity.UserID, status == "all")
	if err != nil {
		return err
	}
	answer := sessionList{make([]session.View, len(found))}
	for i, s := range found {
		answer.Sessions[i] = a.view(s, caller.Session)
	}
	return c.JSON(http.StatusOK, answer)
}

func (a *api) current(c echo.Context, caller session.Admission) error {
	return c.JSON(http.StatusOK, a.view(caller.Session, caller.Session))
}

func (a *api) activity(c echo.Context, caller session.Admission) error {
	if _, err := bodyOf[struct{}](c); err != nil {
		return err
	}
	s, err := a.Registry.Touch(contextOf(c), caller.Session)
	if err != nil {
		return err
	}
	v := a.view(s, s)
	return c.JSON(http.StatusOK, deadlines{v.LastActive, v.WarnAt, v.IdleDeadline, v.ExpiresAt})
}

func (a *api) endOne(c echo.Context, caller session.Admission) error {
	if err := a.Registry.EndOwn(contextOf(c), caller, session.ID(pathParam(c, "id"))); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *api) endMany(c echo.Context, caller session.Admission) error {
	q := queryOf(c)
	scope := q.word("scope", "", "others", "all")
	if err := q.err(); err != nil {
		return err
	}
	end := a.Registry.EndOthers
	if scope == "all" {
		end = a.Registry.EndAll
	}
	n, err := end(contextOf(c), caller)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, ended{n})
}

func (a *api) logout(c echo.Context, caller session.Admission) error {
	in, err := bodyOf[logoutBody](c)
	if err != nil {
		return err
	}
	if in.AllSessions {
		_, err = a.Registry.EndAll(contextOf(c), caller)
	} else {
		err = a.Registry.EndOwn(contextOf(c), caller, caller.Session.ID)
	}
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// view shows a session to its user, who asks from another or the same.
func (a *api) view(s, from session.Session) session.View {
	return a.Registry.Settings().ViewFor(s, from.ID)
}
