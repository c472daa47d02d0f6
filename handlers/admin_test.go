package handlers_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/vigilhq/vigil/internal/session"
)

func TestAdminSessions(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, first, second := w.live(boss), w.live(ana), w.live(ana)
		w.do("DELETE", "/v1/admin/sessions/"+w.id(first), admin).want(http.StatusNoContent)
		p := w.do("GET", "/v1/check", first).problem(401, session.CodeSessionEnded)
		if p["reason"] != "admin_revoked" {
			t.Errorf("ended as %v", p["reason"])
		}
		if p := w.do("POST", "/v1/sessions", first).problem(401, session.CodeReauthRequired); p["reason"] != "admin_revoked" {
			t.Errorf("spent by %v", p["reason"])
		}
		w.do("GET", "/v1/check", second).want(http.StatusNoContent)

		a := w.do("GET", "/v1/admin/users/ana/sessions", admin).want(http.StatusOK)
		keys(t, a.object(), "sessions")
		list := objects(t, a.object()["sessions"])
		if len(list) != 2 || list[1]["id"] != w.id(first) || list[1]["endedBy"] != "admin" {
			t.Errorf("an admin sees %v", list)
		}
		own := objects(t, w.do("GET", "/v1/sessions?status=all", second).object()["sessions"])
		if len(own) != 2 || own[1]["endedBy"] != "admin" {
			t.Errorf("the user sees who it was: %v", own)
		}
		if list := objects(t, w.do("GET", "/v1/admin/users/nobody/sessions", admin).object()["sessions"]); len(list) != 0 {
			t.Errorf("nobody has %v", list)
		}
	})
}

func TestRevoke(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, first, second := w.live(boss), w.live(ana), w.live(ana)
		stranger := w.live(bob)
		a := w.do("POST", "/v1/admin/users/ana/revoke", admin, body(`{"reason":" left the company "}`)).want(http.StatusOK)
		keys(t, a.object(), "ended", "revokedAt")
		if a.object()["ended"] != 2.0 || a.object()["revokedAt"] != "2000-01-01T00:00:04.000Z" {
			t.Errorf("revoked: %s", a.body)
		}
		noted := objects(t, w.do("GET", "/v1/admin/events", admin).want(http.StatusOK).object()["events"])
		if !slices.ContainsFunc(noted, func(e map[string]any) bool {
			details, _ := e["details"].(map[string]any)
			return e["type"] == "user_revoked" && e["userId"] == "ana" && e["actor"] == "boss" && e["audience"] == "admin" &&
				e["ipAddress"] == "192.0.2.1" && details["note"] == "left the company"
		}) {
			t.Errorf("the note is not in the audit trail: %v", noted)
		}
		for _, token := range []string{first, second, w.dir.Refresh(first)} {
			w.do("GET", "/v1/check", token).problem(401, session.CodeTokenRevoked)
			w.do("POST", "/v1/sessions", token).problem(401, session.CodeTokenRevoked)
		}
		w.do("GET", "/v1/check", stranger).want(http.StatusNoContent)
		w.live(ana)
		w.do("POST", "/v1/admin/users/nobody/revoke", admin).problem(404, session.CodeNotFound)
	})
}

func TestRevokeChecksItsBody(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, token := w.live(boss), w.live(ana)
		const path = "/v1/admin/users/ana/revoke"
		w.do("POST", path, admin, body(`{"reason":"`+strings.Repeat("é", 257)+`"}`)).faults("reason")
		w.do("POST", path, admin, body(`{"reason":"a\u0000b"}`)).faults("reason")
		w.do("POST", path, admin, body(`{"reason":1,"why":"x"}`)).faults("reason", "why")
		w.do("POST", path, admin, body(`{"reason":"a\u0000b","why":"x"}`)).faults("reason", "why")
		w.do("POST", path+"?dryRun=true", admin).faults("dryRun")
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
		w.do("POST", path, admin, body(`{"reason":"`+strings.Repeat("é", 256)+`"}`)).want(http.StatusOK)
	})
}

func TestAdminSparesItself(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, other := w.live(boss), w.live(boss)
		w.do("DELETE", "/v1/admin/sessions/"+w.id(admin), admin).faults("self")
		w.do("DELETE", "/v1/admin/sessions/"+w.id(admin)+"?self=false", admin).faults("self")
		w.do("DELETE", "/v1/admin/sessions/"+w.id(admin)+"?self=yes", admin).faults("self", "self")
		w.do("POST", "/v1/admin/users/boss/revoke", admin).faults("self")
		w.do("POST", "/v1/admin/users/bos%73/revoke", admin).faults("self")
		w.do("GET", "/v1/check", admin).want(http.StatusNoContent)

		w.do("DELETE", "/v1/admin/sessions/"+w.id(other), admin).want(http.StatusNoContent)
		w.do("DELETE", "/v1/admin/sessions/"+w.id(admin)+"?self=true", admin).want(http.StatusNoContent)
		w.do("GET", "/v1/check", admin).problem(401, session.CodeSessionEnded)
		admin = w.live(boss)
		w.do("POST", "/v1/admin/users/boss/revoke?self=true", admin).want(http.StatusOK)
		w.do("GET", "/v1/check", admin).problem(401, session.CodeTokenRevoked)
	})
}

// A user id may hold anything that Firebase allows.
func TestAdminUserIDs(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.live(boss)
		for _, uid := range []session.UserID{"a/b", "..", ".", "a%2Fb", "ä b?c#d", "%", session.UserID(strings.Repeat("é", 128))} {
			w.live(uid)
			path := "/v1/admin/users/" + url.PathEscape(string(uid)) + "/sessions"
			list := objects(t, w.do("GET", path, admin).want(http.StatusOK).object()["sessions"])
			if len(list) != 1 || list[0]["userId"] != string(uid) {
				t.Errorf("%q has %v", uid, list)
			}
		}
	})
}

func TestPathTricks(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.live(boss)
		id := w.id(w.live(ana))
		for _, target := range []string{
			"DELETE /v1/sessions/", "DELETE /v1/sessions/%2e%2e", "DELETE /v1/sessions/..%2f..%2fhealthz", "DELETE /v1/sessions/%00",
			"DELETE /v1/sessions/%ff", "DELETE /v1/sessions/" + strings.ToUpper(id), "DELETE /v1/sessions/" + id + "%20",
			"DELETE /v1/sessions/" + id + "%0a", "DELETE /v1/sessions/" + id + "/", "DELETE /v1/sessions/" + id + "%2f",
			"DELETE /v1/sessions/%2F" + id, "DELETE /v1/sessions/%252e", "DELETE /v1/sessions/" + strings.Repeat("a", 1<<16),
			"DELETE //v1/sessions/" + id, "DELETE /v1//sessions/" + id, "DELETE /v1/./sessions/" + id, "DELETE /V1/sessions/" + id,
			"DELETE /v1/admin/sessions/" + id[:63], "DELETE /v1/admin/sessions/..%2f" + id, "DELETE /v1/admin/sessions/:id",
			"DELETE /v1/admin/sessions/*", "GET /v1/admin/users//sessions", "GET /v1/admin/users/%ff/sessions",
			"GET /v1/admin/users/" + strings.Repeat("x", 129) + "/sessions", "POST /v1/admin/users//revoke",
			"GET /", "GET /v1", "GET /v1/", "GET /v1/ws", "GET /v1/sessions/current/", "GET /v1/sessions/a/b", "POST /v1/admin/sessions/a/b", "DELETE /v1/sessions/" + id + "/x", "GET /healthz/", "GET /readyz%2f", "GET /v1%2fsessions",
		} {
			method, path, _ := strings.Cut(target, " ")
			w.do(method, path, admin).problem(404, session.CodeNotFound)
			if t.Failed() {
				t.Fatal(target)
			}
		}
		list := objects(t, w.do("GET", "/v1/admin/users/ana/sessions", admin).object()["sessions"])
		if len(list) != 1 || list[0]["status"] != "active" {
			t.Errorf("something ended: %v", list)
		}
	})
}
