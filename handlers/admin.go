package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

func (a *api) adminRoutes() []route {
	return []route{
		{http.MethodGet, "/v1/admin/users/:uid/sessions", a.admin(a.userSessions)},
		{http.MethodPost, "/v1/admin/users/:uid/revoke", a.recentAdmin(a.revoke)},
		{http.MethodDelete, "/v1/admin/sessions/:id", a.recentAdmin(a.adminEnd)},
	}
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
	in, err := bodyOf[struct {
		Reason string `json:"reason"`
	}](c)
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
	return c.JSON(http.StatusOK, struct {
		ended
		RevokedAt session.Timestamp `json:"revokedAt"`
	}{ended{done.Ended}, session.Timestamp(done.RevokedAt)})
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
	q := queryOf(c, "self")
	if self := q.flag("self"); own && !self {
		q.add("self", msgSelf)
	}
	return q
}
