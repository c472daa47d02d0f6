package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func TestRegister(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.signIn(ana)
		created := w.do("POST", "/v1/sessions", token,
			header("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
			header("Content-Type", "application/json; charset=utf-8"),
			body(`{"deviceName":"  Ana's laptop ","device":{"os":"Windows 11"}}`)).want(http.StatusCreated)
		if got, want := created.header.Get("Location"), "/v1/sessions/"+w.id(token); got != want {
			t.Errorf("Location is %q, want %q", got, want)
		}
		answer := created.object()
		keys(t, answer, "session", "evicted", "alerts")
		if list := objects(t, answer["evicted"]); len(list) != 0 {
			t.Errorf("evicted %v", list)
		}
		if list := objects(t, answer["alerts"]); len(list) != 0 {
			t.Errorf("alerts %v", list)
		}
		s, _ := answer["session"].(map[string]any)
		keys(t, s, "id", "userId", "current", "status", "device", "userAgent", "ipAddress", "location", "signInProvider",
			"createdAt", "authTime", "lastActive", "warnAt", "idleDeadline", "expiresAt", "endedAt", "endReason", "endedBy")
		device, _ := s["device"].(map[string]any)
		for name, want := range map[string]any{"type": "desktop", "browser": "Chrome 142", "os": "Windows 11", "name": "Ana's laptop"} {
			if device[name] != want {
				t.Errorf("device.%s is %v, want %v", name, device[name], want)
			}
		}
		for name, want := range map[string]any{
			"id": w.id(token), "userId": "ana", "current": true, "status": "active", "ipAddress": "192.0.2.1", "signInProvider": "password",
			"createdAt": "2000-01-01T00:00:01.000Z", "warnAt": "2000-01-01T00:28:01.000Z", "idleDeadline": "2000-01-01T00:30:01.000Z",
			"expiresAt": "2000-01-01T12:00:01.000Z", "endedAt": nil, "endReason": nil, "endedBy": nil, "location": nil,
		} {
			if s[name] != want {
				t.Errorf("%s is %v, want %v", name, s[name], want)
			}
		}
		again := w.do("POST", "/v1/sessions", w.dir.Refresh(token)).want(http.StatusOK)
		keys(t, again.object(), "session", "evicted", "alerts")
		if got, _ := again.object()["session"].(map[string]any); got["id"] != w.id(token) {
			t.Errorf("another tab got session %v", got["id"])
		}
	})
}

func TestRegisterEvictsAndReplaces(t *testing.T) {
	inWorld(t, func(w *world) {
		first, second := w.live(ana), w.live(ana)
		third := w.signIn(ana)
		answer := w.do("POST", "/v1/sessions", third).want(http.StatusCreated).object()
		evicted, _ := answer["evicted"].([]any)
		if len(evicted) != 1 || evicted[0] != w.id(first) {
			t.Errorf("evicted %v, want the first", evicted)
		}
		if p := w.do("GET", "/v1/check", first).problem(401, session.CodeSessionEnded); p["reason"] != "session_limit" {
			t.Errorf("the evicted session ended as %v", p["reason"])
		}
		w.do("POST", "/v1/sessions", w.signIn(ana), body(`{"replaces":"`+w.id(second)+`"}`)).want(http.StatusCreated)
		if p := w.do("GET", "/v1/check", second).problem(401, session.CodeSessionEnded); p["reason"] != "replaced" {
			t.Errorf("the replaced session ended as %v", p["reason"])
		}
		stranger := w.live(bob)
		w.do("POST", "/v1/sessions", w.signIn(ana), body(`{"replaces":"`+w.id(stranger)+`"}`)).want(http.StatusCreated)
		w.do("GET", "/v1/check", stranger).want(http.StatusNoContent)
	}, func(w *world) { w.settings.MaxSessions = 2 })
}

func TestList(t *testing.T) {
	inWorld(t, func(w *world) {
		first, second := w.live(ana), w.live(ana)
		w.live(bob)
		<-time.After(6 * time.Minute)
		w.do("POST", "/v1/sessions/current/activity", first).want(http.StatusOK)
		list := objects(t, w.do("GET", "/v1/sessions", second).want(http.StatusOK).object()["sessions"])
		if len(list) != 2 || list[0]["id"] != w.id(first) || list[1]["id"] != w.id(second) {
			t.Errorf("not ana's two sessions, newest activity first: %v", list)
		}
		if list[0]["current"] != false || list[1]["current"] != true {
			t.Errorf("the wrong session is current: %v", list)
		}
		w.do("DELETE", "/v1/sessions/"+w.id(first), second).want(http.StatusNoContent)
		if list := objects(t, w.do("GET", "/v1/sessions?status=active", second).object()["sessions"]); len(list) != 1 {
			t.Errorf("%d live sessions, want 1", len(list))
		}
		all := objects(t, w.do("GET", "/v1/sessions?status=all", second).object()["sessions"])
		if len(all) != 2 || all[0]["endReason"] != "revoked" || all[0]["endedBy"] != "ana" {
			t.Errorf("the ended session is not shown: %v", all)
		}
		current := w.do("GET", "/v1/sessions/current", second).want(http.StatusOK).object()
		if current["id"] != w.id(second) || current["current"] != true {
			t.Errorf("current is %v", current)
		}
	})
}

func TestActivity(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		for range 5 {
			<-time.After(29 * time.Minute)
			if time.Until(w.dir.Identity(token).ExpiresAt) < 30*time.Minute {
				token = w.dir.Refresh(token)
			}
			w.do("POST", "/v1/sessions/current/activity", token, body("{}")).want(http.StatusOK)
		}
		answer := w.do("POST", "/v1/sessions/current/activity", token).want(http.StatusOK).object()
		for name, want := range map[string]any{
			"lastActive": "2000-01-01T02:25:01.000Z", "warnAt": "2000-01-01T02:53:01.000Z",
			"idleDeadline": "2000-01-01T02:55:01.000Z", "expiresAt": "2000-01-01T12:00:01.000Z",
		} {
			if answer[name] != want {
				t.Errorf("%s is %v, want %v", name, answer[name], want)
			}
		}
		keys(t, answer, "lastActive", "warnAt", "idleDeadline", "expiresAt")
		<-time.After(30 * time.Minute)
		p := w.do("POST", "/v1/sessions/current/activity", w.dir.Refresh(token)).problem(401, session.CodeSessionEnded)
		if p["reason"] != "idle_timeout" || p["endedAt"] != "2000-01-01T02:55:01.000Z" {
			t.Errorf("ended as %v at %v", p["reason"], p["endedAt"])
		}
	})
}

func TestEndOne(t *testing.T) {
	inWorld(t, func(w *world) {
		own, other, stranger := w.live(ana), w.live(ana), w.live(bob)
		w.do("DELETE", "/v1/sessions/"+w.id(stranger), own).problem(404, session.CodeNotFound)
		w.do("GET", "/v1/check", stranger).want(http.StatusNoContent)
		w.do("DELETE", "/v1/sessions/"+strings.Repeat("0", 64), own).problem(404, session.CodeNotFound)
		w.do("DELETE", "/v1/sessions/current", own).problem(404, session.CodeNotFound)

		w.do("DELETE", "/v1/sessions/"+w.id(other), own).want(http.StatusNoContent)
		w.do("DELETE", "/v1/sessions/"+w.id(other), own).want(http.StatusNoContent)
		if p := w.do("GET", "/v1/check", other).problem(401, session.CodeSessionEnded); p["reason"] != "revoked" {
			t.Errorf("the other session ended as %v", p["reason"])
		}
		w.do("DELETE", "/v1/sessions/"+w.id(own), own).want(http.StatusNoContent)
		if p := w.do("GET", "/v1/check", own).problem(401, session.CodeSessionEnded); p["reason"] != "logout" {
			t.Errorf("the own session ended as %v", p["reason"])
		}
	})
}

func TestEndMany(t *testing.T) {
	inWorld(t, func(w *world) {
		own, other, stranger := w.live(ana), w.live(ana), w.live(bob)
		w.do("DELETE", "/v1/sessions", own).faults("scope")
		w.do("DELETE", "/v1/sessions?scope=mine", own).faults("scope")
		w.do("GET", "/v1/check", other).want(http.StatusNoContent)

		if n := w.do("DELETE", "/v1/sessions?scope=others", own).want(200).object()["ended"]; n != float64(1) {
			t.Errorf("ended %v others, want 1", n)
		}
		w.do("GET", "/v1/check", own).want(http.StatusNoContent)
		w.do("GET", "/v1/check", other).problem(401, session.CodeSessionEnded)

		w.live(ana)
		if n := w.do("DELETE", "/v1/sessions?scope=all", own).want(200).object()["ended"]; n != float64(2) {
			t.Errorf("ended %v, want 2", n)
		}
		w.do("GET", "/v1/check", own).problem(401, session.CodeSessionEnded)
		w.do("GET", "/v1/check", stranger).want(http.StatusNoContent)
	})
}

func TestLogout(t *testing.T) {
	inWorld(t, func(w *world) {
		own, other := w.live(ana), w.live(ana)
		w.do("POST", "/v1/logout", own).want(http.StatusNoContent)
		p := w.do("GET", "/v1/check", own).problem(401, session.CodeSessionEnded)
		if p["reason"] != "logout" {
			t.Errorf("ended as %v", p["reason"])
		}
		if p := w.do("POST", "/v1/sessions", own).problem(401, session.CodeReauthRequired); p["reason"] != "logout" || p["maxAge"] != 0.0 {
			t.Errorf("a spent sign-in: reason %v, maxAge %v", p["reason"], p["maxAge"])
		}
		w.do("GET", "/v1/check", other).want(http.StatusNoContent)

		own = w.live(ana)
		w.do("POST", "/v1/logout", own, body(`{"allSessions":true}`)).want(http.StatusNoContent)
		if p := w.do("GET", "/v1/check", other).problem(401, session.CodeSessionEnded); p["reason"] != "revoked" {
			t.Errorf("the other session ended as %v", p["reason"])
		}
	})
}

// A kicked device tries with everything it has: another token of the sign-in, and to begin again.
func TestDoors(t *testing.T) {
	inWorld(t, func(w *world) {
		kicked, other := w.live(ana), w.live(ana)
		refreshed := w.dir.Refresh(kicked)
		w.do("DELETE", "/v1/sessions/"+w.id(kicked), other).want(http.StatusNoContent)
		for _, token := range []string{kicked, refreshed, w.dir.Refresh(kicked)} {
			w.do("POST", "/v1/sessions", token).problem(401, session.CodeReauthRequired)
			w.do("POST", "/v1/sessions", token, body(`{"replaces":"`+w.id(other)+`"}`)).problem(401, session.CodeReauthRequired)
			w.do("DELETE", "/v1/sessions/"+w.id(other), token).problem(401, session.CodeSessionEnded)
			w.do("POST", "/v1/sessions/current/activity", token).problem(401, session.CodeSessionEnded)
		}
		w.do("GET", "/v1/check", other).want(http.StatusNoContent)
	})
}

// The order of errors: a spent sign-in comes before a bad request.
func TestASpentSignInWithABadBodyIsReauthRequired(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		w.do("POST", "/v1/sessions", token, body(`{"x":1}`)).faults("x")
		w.do("POST", "/v1/logout", token).want(http.StatusNoContent)
		for _, text := range []string{`{"x":1}`, `{"replaces":"x"}`} {
			if a := w.do("POST", "/v1/sessions", token, body(text)); a.code != http.StatusUnauthorized || !strings.Contains(string(a.body), "reauth_required") {
				t.Errorf("%s: %d %s", text, a.code, a.body)
			}
		}
	})
}

// A wish that is misspelt, or put where nobody reads it, is refused on every route, and nothing of it is done.
func TestNothingThatIsAskedForIsIgnored(t *testing.T) {
	inWorld(t, func(w *world) {
		token, admin := w.live(ana), w.live(boss)
		w.do("POST", "/v1/logout?allSessions=true", token).faults("allSessions")
		w.do("POST", "/v1/sessions?deviceName=x", token).faults("deviceName")
		w.do("GET", "/v1/token?x=1", token).faults("x")
		w.do("GET", "/v1/sessions/current?x=1", token).faults("x")
		w.do("GET", "/v1/admin/stats?x=1", admin).faults("x")
		w.do("DELETE", "/v1/account", token, body(`{"x":1}`)).faults("x")
		w.do("DELETE", "/v1/sessions?scope=all", token, body(`{"scope":"others"}`)).faults("scope")
		w.do("GET", "/v1/admin/stats?x=1", token).problem(http.StatusForbidden, session.CodeForbidden)
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
	})
}
