package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// sessionMembers are those of every session that is shown.
var sessionMembers = []string{"id", "userId", "current", "status", "device", "userAgent", "ipAddress", "location", "signInProvider",
	"createdAt", "authTime", "lastActive", "warnAt", "idleDeadline", "expiresAt", "endedAt", "endReason", "endedBy"}

// endpoints has a test for every row of the contract's table of endpoints.
var endpoints = map[string]func(*world){
	"POST /v1/sessions": func(w *world) {
		token := w.signIn(ana)
		a := w.do("POST", "/v1/sessions", token, body(`{"deviceName":"Ana's","device":{"type":"tablet","os":"iPadOS 26"}}`))
		keys(w.t, a.want(http.StatusCreated).object(), "session", "evicted", "alerts")
		s := member(w.t, a.object(), "session")
		keys(w.t, s, sessionMembers...)
		keys(w.t, member(w.t, s, "device"), "type", "browser", "os", "name")
		if got, want := a.header.Get("Location"), "/v1/sessions/"+w.id(token); got != want {
			w.t.Errorf("Location is %q, want %q", got, want)
		}
		if d := member(w.t, s, "device"); d["type"] != "tablet" || d["os"] != "iPadOS 26" || d["name"] != "Ana's" {
			w.t.Errorf("the device is %v", d)
		}
		for _, list := range []string{"evicted", "alerts"} {
			if len(objects(w.t, a.object()[list])) != 0 {
				w.t.Errorf("%s are %v", list, a.object()[list])
			}
		}
		again := w.do("POST", "/v1/sessions", token).want(http.StatusOK)
		keys(w.t, again.object(), "session", "evicted", "alerts")
		if again.header.Get("Location") != "" || member(w.t, again.object(), "session")["id"] != w.id(token) {
			w.t.Errorf("registered anew: %s", again.body)
		}
		next := w.signIn(ana)
		w.do("POST", "/v1/sessions", next, body(`{"replaces":"`+w.id(token)+`"}`)).want(http.StatusCreated)
		if p := w.do("GET", "/v1/check", token).problem(401, session.CodeSessionEnded); p["reason"] != "replaced" {
			w.t.Errorf("ended as %v", p["reason"])
		}
	},
	"GET /v1/sessions": func(w *world) {
		first, second := w.live(ana), w.live(ana)
		w.live(bob)
		w.do("POST", "/v1/logout", first).want(http.StatusNoContent)
		for status, n := range map[string]int{"": 1, "?status=active": 1, "?status=all": 2} {
			a := w.do("GET", "/v1/sessions"+status, second).want(http.StatusOK)
			keys(w.t, a.object(), "sessions")
			list := objects(w.t, a.object()["sessions"])
			if len(list) != n || list[0]["id"] != w.id(second) || list[0]["current"] != true {
				w.t.Errorf("%q lists %v", status, list)
			}
		}
	},
	"GET /v1/sessions/current": func(w *world) {
		token := w.live(ana)
		s := w.do("GET", "/v1/sessions/current", token).want(http.StatusOK).object()
		keys(w.t, s, sessionMembers...)
		if s["id"] != w.id(token) || s["status"] != "active" {
			w.t.Errorf("current is %v", s)
		}
	},
	"POST /v1/sessions/current/activity": func(w *world) {
		token := w.live(ana)
		<-time.After(10 * time.Minute)
		a := w.do("POST", "/v1/sessions/current/activity", token).want(http.StatusOK).object()
		keys(w.t, a, "lastActive", "warnAt", "idleDeadline", "expiresAt")
		if a["lastActive"] != "2000-01-01T00:10:01.000Z" || a["idleDeadline"] != "2000-01-01T00:40:01.000Z" {
			w.t.Errorf("deadlines are %v", a)
		}
	},
	"DELETE /v1/sessions/{id}": func(w *world) {
		own, other, stranger := w.live(ana), w.live(ana), w.live(bob)
		w.do("DELETE", "/v1/sessions/"+w.id(stranger), own).problem(404, session.CodeNotFound)
		w.do("DELETE", "/v1/sessions/"+w.id(other), own).want(http.StatusNoContent)
		w.do("GET", "/v1/check", other).problem(401, session.CodeSessionEnded)
		w.do("GET", "/v1/check", stranger).want(http.StatusNoContent)
	},
	"DELETE /v1/sessions": func(w *world) {
		own, other := w.live(ana), w.live(ana)
		a := w.do("DELETE", "/v1/sessions?scope=others", own).want(http.StatusOK)
		keys(w.t, a.object(), "ended")
		w.do("GET", "/v1/check", other).problem(401, session.CodeSessionEnded)
		if n := w.do("DELETE", "/v1/sessions?scope=all", own).want(http.StatusOK).object()["ended"]; n != 1.0 {
			w.t.Errorf("ended %v", n)
		}
		w.do("GET", "/v1/check", own).problem(401, session.CodeSessionEnded)
	},
	"POST /v1/logout": func(w *world) {
		own, other := w.live(ana), w.live(ana)
		w.do("POST", "/v1/logout", own, body(`{"allSessions":false}`)).want(http.StatusNoContent)
		w.do("GET", "/v1/check", own).problem(401, session.CodeSessionEnded)
		w.do("GET", "/v1/check", other).want(http.StatusNoContent)
		w.do("POST", "/v1/logout", w.live(ana), body(`{"allSessions":true}`)).want(http.StatusNoContent)
		w.do("GET", "/v1/check", other).problem(401, session.CodeSessionEnded)
	},
	"GET /v1/token": func(w *world) {
		a := w.do("GET", "/v1/token", w.signIn(ana)).want(http.StatusOK).object()
		keys(w.t, a, "userId", "issuedAt", "expiresAt", "authTime", "signInProvider", "claims", "recentAuth", "reauthMaxAge")
		if a["issuedAt"] != 946684801.0 || a["reauthMaxAge"] != 300.0 || a["recentAuth"] != true {
			w.t.Errorf("the token says %v", a)
		}
	},
	"GET /v1/check": func(w *world) {
		token := w.live(ana)
		a := w.do("GET", "/v1/check?maxAge=5&activity=true", token).want(http.StatusNoContent)
		for name, want := range map[string]string{"X-Vigil-User": "ana", "X-Vigil-Session": w.id(token), "X-Vigil-Auth-Time": "946684801"} {
			if got := a.header.Get(name); got != want {
				w.t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		<-time.After(6 * time.Second)
		w.do("GET", "/v1/check?maxAge=5", token).problem(401, session.CodeReauthRequired)
	},
	"PUT /v1/account/email":    changesCredentials("email", `{"email":"ana@example.com"}`),
	"PUT /v1/account/password": changesCredentials("password", `{"password":"correct horse"}`),
	"DELETE /v1/account": func(w *world) {
		own, other, admin := w.live(ana), w.live(ana), w.live(boss)
		w.do("DELETE", "/v1/account", own).want(http.StatusNoContent)
		for _, token := range []string{own, other} {
			p := w.do("GET", "/v1/check", token).problem(401, session.CodeUserDisabled)
			if p["reason"] != "user_deleted" {
				w.t.Errorf("gone for %v", p["reason"])
			}
		}
		for _, s := range objects(w.t, w.do("GET", "/v1/admin/users/ana/sessions", admin).object()["sessions"]) {
			if s["endReason"] != "user_deleted" || s["ipAddress"] != "" || s["userAgent"] != "" || s["location"] != nil {
				w.t.Errorf("kept %v", s)
			}
		}
		for _, e := range w.events("/v1/admin/events", admin) {
			if e["userId"] == "ana" && (e["ipAddress"] != nil || e["details"] != nil && len(member(w.t, e, "details")) > 1) {
				w.t.Errorf("kept %v", e)
			}
		}
	},
	"GET /v1/events": func(w *world) {
		first, second := w.live(ana), w.live(ana)
		w.live(bob)
		w.do("POST", "/v1/logout", first).want(http.StatusNoContent)
		a := w.do("GET", "/v1/events?pageSize=10", second).want(http.StatusOK)
		keys(w.t, a.object(), "events")
		list := objects(w.t, a.object()["events"])
		for _, e := range list {
			keys(w.t, e, "id", "type", "at", "userId", "sessionId", "actor", "ipAddress", "details")
		}
		if got := column(list, "type"); got != "session_ended session_started session_started" {
			w.t.Errorf("events are %s", got)
		}
	},
	"GET /v1/ws": func(w *world) { w.do("GET", "/v1/ws", "").problem(404, session.CodeNotFound) }, // none is configured; see TestSocket
	"GET /v1/admin/sessions": func(w *world) {
		admin, token := w.live(boss), w.live(ana)
		a := w.do("GET", "/v1/admin/sessions?userId=ana&status=active&ip=192.0.2.1&deviceType=other&activeBefore=2001-01-01T00:00:00Z"+
			"&pageSize=5", admin).want(http.StatusOK)
		keys(w.t, a.object(), "sessions")
		list := objects(w.t, a.object()["sessions"])
		if len(list) != 1 || list[0]["id"] != w.id(token) || list[0]["current"] != false {
			w.t.Errorf("found %v", list)
		}
	},
	"GET /v1/admin/users/{uid}/sessions": func(w *world) {
		admin, token := w.live(boss), w.live(ana)
		a := w.do("GET", "/v1/admin/users/ana/sessions", admin).want(http.StatusOK)
		keys(w.t, a.object(), "sessions")
		list := objects(w.t, a.object()["sessions"])
		if len(list) != 1 || list[0]["id"] != w.id(token) {
			w.t.Errorf("found %v", list)
		}
		keys(w.t, list[0], sessionMembers...)
	},
	"DELETE /v1/admin/sessions/{id}": func(w *world) {
		admin, token := w.live(boss), w.live(ana)
		w.do("DELETE", "/v1/admin/sessions/"+w.id(admin), admin).faults("self")
		w.do("DELETE", "/v1/admin/sessions/"+w.id(token)+"?reason=lost%20phone", admin).want(http.StatusNoContent)
		if p := w.do("GET", "/v1/check", token).problem(401, session.CodeSessionEnded); p["reason"] != "admin_revoked" {
			w.t.Errorf("ended as %v", p["reason"])
		}
		w.noted(admin, "session_ended", "lost phone")
	},
	"POST /v1/admin/users/{uid}/revoke": func(w *world) {
		admin, token := w.live(boss), w.live(ana)
		a := w.do("POST", "/v1/admin/users/ana/revoke", admin, body(`{"reason":"stolen"}`)).want(http.StatusOK)
		keys(w.t, a.object(), "ended", "revokedAt")
		w.do("GET", "/v1/check", token).problem(401, session.CodeTokenRevoked)
		w.noted(admin, "user_revoked", "stolen")
	},
	"POST /v1/admin/users/{uid}/disable": func(w *world) {
		admin, token := w.live(boss), w.live(ana)
		w.live(ana)
		a := w.do("POST", "/v1/admin/users/ana/disable", admin, body(`{"reason":"left"}`)).want(http.StatusOK)
		keys(w.t, a.object(), "ended")
		if a.object()["ended"] != 2.0 {
			w.t.Errorf("ended %v", a.object()["ended"])
		}
		if p := w.do("GET", "/v1/check", token).problem(401, session.CodeUserDisabled); p["reason"] != "user_disabled" {
			w.t.Errorf("disabled for %v", p["reason"])
		}
		w.do("POST", "/v1/sessions", w.signIn(ana)).problem(401, session.CodeUserDisabled)
		w.noted(admin, "user_disabled", "left")
		w.do("POST", "/v1/admin/users/nobody/disable", admin).problem(404, session.CodeNotFound)
		w.do("POST", "/v1/admin/users/boss/disable", admin).faults("self")
		w.do("POST", "/v1/admin/users/boss/disable?self=true", admin).want(http.StatusOK)
		w.do("GET", "/v1/check", admin).problem(401, session.CodeUserDisabled)
	},
	"POST /v1/admin/users/{uid}/enable": func(w *world) {
		admin, token := w.live(boss), w.live(ana)
		w.do("POST", "/v1/admin/users/ana/disable", admin).want(http.StatusOK)
		w.do("POST", "/v1/admin/users/ana/enable", admin, body(`{"reason":"back"}`)).want(http.StatusNoContent)
		w.do("GET", "/v1/check", token).problem(401, session.CodeTokenRevoked) // only disabled is cleared
		w.do("GET", "/v1/check", w.live(ana)).want(http.StatusNoContent)
		w.noted(admin, "user_enabled", "back")
		w.do("POST", "/v1/admin/users/nobody/enable", admin).problem(404, session.CodeNotFound)
	},
	"POST /v1/admin/revocations": func(w *world) {
		admin, token := w.live(boss), w.live(ana)
		<-time.After(time.Second)
		dry := w.do("POST", "/v1/admin/revocations", admin, body(`{"all":true,"dryRun":true}`)).want(http.StatusOK).object()
		keys(w.t, dry, "matched", "sample")
		if sample := objects(w.t, dry["sample"]); dry["matched"] != 1.0 || len(sample) != 1 || sample[0]["id"] != w.id(token) {
			w.t.Errorf("the dry run says %v", dry)
		}
		a := w.do("POST", "/v1/admin/revocations", admin, body(`{"filter":{"userId":"ana"},"reason":"breach"}`)).want(http.StatusAccepted)
		keys(w.t, a.object(), "id", "matched")
		if id, _ := a.object()["id"].(string); a.header.Get("Location") != "/v1/admin/revocations/"+id || id == "" {
			w.t.Errorf("Location is %q", a.header.Get("Location"))
		}
		later := w.live(ana)
		w.work()
		w.do("GET", "/v1/check", token).problem(401, session.CodeSessionEnded)
		w.do("GET", "/v1/check", later).want(http.StatusNoContent)
		w.noted(admin, "mass_revocation", "breach")
	},
	"GET /v1/admin/revocations/{id}": func(w *world) {
		admin := w.live(boss)
		w.live(ana)
		<-time.After(time.Second)
		at := w.do("POST", "/v1/admin/revocations", admin, body(`{"all":true}`)).want(http.StatusAccepted).header.Get("Location")
		for _, want := range []string{"running", "done"} {
			p := w.do("GET", at, admin).want(http.StatusOK).object()
			keys(w.t, p, "id", "state", "matched", "ended")
			if p["state"] != want || p["matched"] != 1.0 || (p["ended"] == 1.0) != (want == "done") {
				w.t.Errorf("it is %v, want %s", p, want)
			}
			w.work()
		}
	},
	"POST /v1/admin/sweep": func(w *world) {
		w.live(ana)
		<-time.After(40 * time.Minute)
		admin := w.live(boss)
		a := w.do("POST", "/v1/admin/sweep", admin, body(`{"reason":"audit"}`)).want(http.StatusOK).object()
		keys(w.t, a, "expired", "purged", "limited")
		if a["expired"] != 1.0 {
			w.t.Errorf("swept %v", a)
		}
		w.noted(admin, "sweep_requested", "audit")
	},
	"GET /v1/admin/events": func(w *world) {
		admin := w.live(boss)
		w.live(ana)
		w.do("POST", "/v1/admin/users/ana/revoke", admin).want(http.StatusOK)
		for _, e := range w.events("/v1/admin/events?pageSize=200", admin) {
			keys(w.t, e, "id", "type", "audience", "at", "userId", "sessionId", "actor", "ipAddress", "details")
		}
	},
	"GET /v1/admin/stats": func(w *world) {
		admin := w.live(boss)
		before := w.do("GET", "/v1/admin/stats", admin).want(http.StatusOK).object()
		keys(w.t, before, "sockets", "activeSessions", "users", "byDeviceType", "byCountry", "countedAt")
		if before["countedAt"] != nil {
			w.t.Errorf("counted before the first clean-up: %v", before)
		}
		w.do("POST", "/v1/admin/sweep", admin).want(http.StatusOK)
		after := w.do("GET", "/v1/admin/stats", admin).want(http.StatusOK).object()
		if after["activeSessions"] != 1.0 || after["users"] != 1.0 || after["countedAt"] == nil {
			w.t.Errorf("counted %v", after)
		}
	},
	"GET /healthz":      func(w *world) { keys(w.t, w.do("GET", "/healthz", "").want(http.StatusOK).object(), "status") },
	"GET /openapi.json": func(w *world) { w.do("GET", "/openapi.json", "").want(http.StatusOK) },
	"GET /readyz":       func(w *world) { keys(w.t, w.do("GET", "/readyz", "").want(http.StatusOK).object(), "status", "checks") },
}

// changesCredentials is the test of a change that signs everybody else out.
func changesCredentials(field, with string) func(*world) {
	return func(w *world) {
		own, other := w.live(ana), w.live(ana)
		w.do("PUT", "/v1/account/"+field, own, body(with)).want(http.StatusNoContent)
		again := w.signIn(ana)
		w.do("POST", "/v1/sessions", again, body(`{"replaces":"`+w.id(own)+`"}`)).want(http.StatusCreated)
		ends := map[any]any{}
		for _, s := range objects(w.t, w.do("GET", "/v1/sessions?status=all", again).object()["sessions"]) {
			ends[s["id"]] = s["endReason"]
		}
		if ends[w.id(other)] != "credentials_changed" || ends[w.id(own)] != "replaced" {
			w.t.Errorf("ended as %v", ends)
		}
		w.do("GET", "/v1/check", own).problem(401, session.CodeSessionEnded)
		<-time.After(w.settings.UserStateTTL)
		w.do("GET", "/v1/check", own).problem(401, session.CodeTokenRevoked) // Firebase has ended all tokens
	}
}

// TestContract tries every row of the contract's table of endpoints, and that the document has no other.
func TestContract(t *testing.T) {
	for _, op := range document(t).Operations() {
		name := op.Method + " " + op.Path
		t.Run(name, func(t *testing.T) {
			test, ok := endpoints[name]
			if !ok {
				t.Fatal("it is not in the contract")
			}
			inWorld(t, test)
		})
	}
	if n := len(document(t).Operations()); n != len(endpoints) {
		t.Errorf("the contract has %d rows, the document %d", len(endpoints), n)
	}
}

// work goes on with the mass revocations until nothing is left to do.
func (w *world) work() {
	w.t.Helper()
	if err := w.registry.WorkOnRevocations(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// events lists all pages of a list of events.
func (w *world) events(path, token string) []map[string]any {
	w.t.Helper()
	return w.pages(path, token, "events")
}

// pages lists all pages of a list.
func (w *world) pages(path, token, list string) (all []map[string]any) {
	w.t.Helper()
	joint := "?"
	if strings.Contains(path, "?") {
		joint = "&"
	}
	for at := path; ; {
		page := w.do("GET", at, token).want(http.StatusOK).object()
		all = append(all, objects(w.t, page[list])...)
		next, more := page["nextPageToken"].(string)
		if !more {
			return all
		}
		at = path + joint + "pageToken=" + next
	}
}

// noted checks that the audit trail has an admin's action with its reason.
func (w *world) noted(admin, kind, note string) {
	w.t.Helper()
	for _, e := range w.events("/v1/admin/events", admin) {
		if e["type"] == kind && e["audience"] == "admin" && e["actor"] == "boss" && member(w.t, e, "details")["note"] == note {
			return
		}
	}
	w.t.Errorf("no %s for %q in the audit trail", kind, note)
}

// member is an object's member that is an object.
func member(t *testing.T, of map[string]any, name string) map[string]any {
	t.Helper()
	value, ok := of[name].(map[string]any)
	if !ok {
		t.Fatalf("%s is %v", name, of[name])
	}
	return value
}

// column joins what the objects have under a name.
func column(list []map[string]any, name string) string {
	values := make([]string, len(list))
	for i, each := range list {
		values[i], _ = each[name].(string)
	}
	return strings.Join(values, " ")
}
