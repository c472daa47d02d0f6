package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

func (a *api) adminRoutes() []route {
	const pathUser = "/v1/admin/users/:uid"
	return []route{
		{
			method: http.MethodGet, path: pathUser + "/sessions", access: a.admin(a.userSessions),
			name: "userSessions", summary: "A user's sessions, ended ones within the retention included",
			answers: []answer{{http.StatusOK, "The sessions.", sessionList{}, nil}},
		},
		{
			method: http.MethodPost, path: pathUser + "/revoke", access: a.recentAdmin(a.revoke),
			name: "revokeUser", summary: "End everything that a user has", query: []parameter{self}, body: noteBody{},
			answers: []answer{{http.StatusOK, "All sign-ins up to now are refused.", revocation{}, nil}},
		},
		{
			method: http.MethodPost, path: pathUser + "/disable", access: a.recentAdmin(a.disable),
			name: "disableUser", summary: "Disable an account, and end everything that it has", query: []parameter{self}, body: noteBody{},
			answers: []answer{{http.StatusOK, "Nobody can use the account.", ended{}, nil}},
		},
		{
			method: http.MethodPost, path: pathUser + "/enable", access: a.recentAdmin(a.enable),
			name: "enableUser", summary: "Let an account sign in again", body: noteBody{},
			answers: []answer{{http.StatusNoContent, "It may. What has ended stays so.", nil, nil}},
		},
		{
			method: http.MethodDelete, path: "/v1/admin/sessions/:id", access: a.recentAdmin(a.adminEnd),
			name: "adminEndSession", summary: "End one session of any user", query: []parameter{self, note},
			answers: []answer{{http.StatusNoContent, "It is over.", nil, nil}},
		},
	}
}

// self is the parameter of every action that may end the caller's own session.
var self = parameter{"self", "End the admin's own session, too.", false, object{"type": "boolean", "default": false}}

// note is the parameter of an action that takes no body.
var note = parameter{"reason", "A note for the audit.", false, object{"type": "string", "maxLength": maxReason}}

// maxReason bounds what an admin notes for the audit, in characters.
const maxReason = 256

// noteBody is what an admin says to an action.
type noteBody struct {
	Reason string `json:"reason,omitempty" maxLength:"256" description:"a note for the audit"`
}

// check says what is wrong with the note.
func (in noteBody) check() error {
	var f faults
	f.text("reason", in.Reason, maxReason)
	return f.err()
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
	return c.JSON(http.StatusOK, sessionList{a.viewsForAdmin(found, caller)})
}

func (a *api) revoke(c echo.Context, caller session.Admission) error {
	done, err := a.endUser(c, caller, a.Registry.RevokeUser)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, revocation{done.Ended, session.Timestamp(done.RevokedAt)})
}

func (a *api) disable(c echo.Context, caller session.Admission) error {
	done, err := a.endUser(c, caller, a.Registry.DisableUser)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, ended{done.Ended})
}

// endUser does to a user what ends all of their sessions.
func (a *api) endUser(
	c echo.Context, caller session.Admission, end func(context.Context, session.UserID, session.Actor) (session.Revocation, error),
) (session.Revocation, error) {
	uid, err := userIDOf(c)
	if err != nil {
		return session.Revocation{}, err
	}
	in, err := bodyOf[noteBody](c)
	if err != nil {
		return session.Revocation{}, err
	}
	q := spareCaller(c, uid == caller.Identity.UserID)
	note := q.text("reason", in.Reason, maxReason)
	if err := q.err(); err != nil {
		return session.Revocation{}, err
	}
	return end(contextOf(c), uid, caller.Actor(note))
}

func (a *api) enable(c echo.Context, caller session.Admission) error {
	uid, err := userIDOf(c)
	if err != nil {
		return err
	}
	in, err := bodyOf[noteBody](c)
	if err != nil {
		return err
	}
	q := queryOf(c)
	note := q.text("reason", in.Reason, maxReason)
	if err := q.err(); err != nil {
		return err
	}
	if err := a.Registry.EnableUser(contextOf(c), uid, caller.Actor(note)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (a *api) adminEnd(c echo.Context, caller session.Admission) error {
	id := session.ID(pathParam(c, "id"))
	q := spareCaller(c, id == caller.Session.ID)
	note := q.text("reason", q.values.Get("reason"), maxReason)
	if err := q.err(); err != nil {
		return err
	}
	if err := a.Registry.AdminEnd(contextOf(c), caller.Actor(note), id); err != nil {
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
