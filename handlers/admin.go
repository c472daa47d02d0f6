package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

func (a *api) adminRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: "/v1/admin/users/:uid/sessions", access: a.admin(a.userSessions),
			name: "userSessions", summary: "A user's sessions, ended ones within the retention included",
			answers: []answer{{http.StatusOK, "The sessions.", sessionList{}, nil}},
		},
		{
			method: http.MethodPost, path: "/v1/admin/users/:uid/revoke", access: a.recentAdmin(a.revoke),
			name: "revokeUser", summary: "End everything that a user has", query: []parameter{self}, body: revokeBody{},
			answers: []answer{{http.StatusOK, "All sign-ins up to now are refused.", revocation{}, nil}},
		},
		{
			method: http.MethodDelete, path: "/v1/admin/sessions/:id", access: a.recentAdmin(a.adminEnd),
			name: "adminEndSession", summary: "End one session of any user", query: []parameter{self},
			answers: []answer{{http.StatusNoContent, "It is over.", nil, nil}},
		},
	}
}

// self is the parameter of every action that may end the caller's own session.
var self = parameter{"self", "End the admin's own session, too.", false, object{"type": "boolean", "default": false}}

// revokeBody is what an admin says to a revocation.
type revokeBody struct {
	Reason string `json:"reason,omitempty" maxLength:"256" description:"a note for the audit"`
}

// revocation is the answer to one.
type revocation struct {
	Ended     int               `json:"ended"`
	RevokedAt session.Timestamp `json:"revokedAt"`
}

func (a *api) userSessions(c echo.Context, caller session.Admission) error {
	uid, err := userIDOf(c)
	if err != nil {
		return err
	}
	found, err := a.Registry.Sessions(contextOf(c), uid, true)
	if err != nil {
		return err
	}
	answer := sessionList{make([]session.View, len(found))}
	for i, s := range found {
		answer.Sessions[i] = a.Registry.Settings().ViewForAdmin(s, caller.Session.ID)
	}
	return c.JSON(http.StatusOK, answer)
}

// maxReason bounds what an admin notes for the audit.
const maxReason = 256

func (a *api) revoke(c echo.Context, caller session.Admission) error {
	uid, err := userIDOf(c)
	if err != nil {
		return err
	}
	in, err := bodyOf[revokeBody](c)
	if err != nil {
		return err
	}
	f := spareCaller(c, uid == caller.Identity.UserID)
	note := f.text("reason", in.Reason, maxReason)
	if err := f.err(); err != nil {
		return err
	}
	done, err := a.Registry.RevokeUser(contextOf(c), uid, caller.Actor(note))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, revocation{done.Ended, session.Timestamp(done.RevokedAt)})
}

func (a *api) adminEnd(c echo.Context, caller session.Admission) error {
	id := session.ID(pathParam(c, "id"))
	if err := spareCaller(c, id == caller.Session.ID).err(); err != nil {
		return err
	}
	if err := a.Registry.AdminEnd(contextOf(c), caller.Actor(""), id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// userIDOf returns the user that the path names.
func userIDOf(c echo.Context) (session.UserID, error) {
	uid := session.UserID(pathParam(c, "uid"))
	if !uid.Valid() {
		return "", &session.Error{Op: "user", Code: session.CodeNotFound}
	}
	return uid, nil
}

// spareCaller finds fault with an action that would end the caller's own session unless ?self=true says that it is meant.
func spareCaller(c echo.Context, own bool) *query {
	q := queryOf(c)
	if self := q.flag("self"); own && !self {
		q.add("self", msgSelf)
	}
	return q
}
