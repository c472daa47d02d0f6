package handlers_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/handlers/openapitest"
	"github.com/vigilhq/vigil/internal/session"
)

func TestOpenAPIIsServed(t *testing.T) {
	inWorld(t, func(w *world) {
		if got := w.do("GET", "/openapi.json", "").want(http.StatusOK).body; string(got) != string(handlers.OpenAPI()) {
			t.Error("another document is served")
		}
	})
}

func TestEveryRouteIsDescribed(t *testing.T) {
	inWorld(t, func(w *world) {
		var mounted, described []string
		server, _ := w.handler.(*echo.Echo)
		part := regexp.MustCompile(`:(\w+)`)
		for _, r := range server.Routes() {
			mounted = append(mounted, r.Method+" "+part.ReplaceAllString(r.Path, "{$1}"))
		}
		for _, op := range document(t).Operations() {
			described = append(described, op.Method+" "+op.Path)
		}
		slices.Sort(mounted)
		slices.Sort(described)
		if !slices.Equal(mounted, described) || len(mounted) == 0 {
			t.Errorf("mounted:\n%s\ndescribed:\n%s", strings.Join(mounted, "\n"), strings.Join(described, "\n"))
		}
	})
}

// secured are the operations that need something, by what that is.
func secured(t *testing.T, word string) []openapitest.Operation {
	t.Helper()
	var found []openapitest.Operation
	for _, op := range document(t).Operations() {
		if slices.Contains(op.Needs, word) || word == "" && len(op.Needs) > 0 {
			found = append(found, op)
		}
	}
	if len(found) == 0 {
		t.Fatalf("nothing needs %q", word)
	}
	return found
}

// aimed is the path of an operation on a user's session.
func aimed(op openapitest.Operation, uid session.UserID, id string) string {
	return strings.NewReplacer("{uid}", string(uid), "{id}", id).Replace(op.Path)
}

func TestEveryOperationAsksForWhatItNeeds(t *testing.T) {
	inWorld(t, func(w *world) {
		victim := w.live(bob)
		stranger, over, gone, old, expired := w.signIn(ana), w.live(ana), w.live("gone"), w.live(boss), w.live(ana)
		w.do("POST", "/v1/logout", over).want(http.StatusNoContent)
		w.dir.Remove("gone")
		<-time.After(10 * time.Minute)
		refuses := func(op openapitest.Operation, token string, status int, code session.Code, edits ...edit) {
			t.Helper()
			w.do(op.Method, aimed(op, bob, w.id(victim)), token, edits...).problem(status, code)
		}
		for _, op := range secured(t, "") {
			refuses(op, "", 401, session.CodeTokenMissing)
			refuses(op, "garbage", 401, session.CodeTokenInvalid)
			refuses(op, "a.b.c", 401, session.CodeTokenInvalid)
			refuses(op, gone, 401, session.CodeUserDisabled)
			refuses(op, victim, 400, session.CodeInvalidRequest, header("Authorization", "Bearer "+victim))
		}
		for _, op := range secured(t, "session") {
			refuses(op, stranger, 401, session.CodeSessionRequired)
			refuses(op, over, 401, session.CodeSessionEnded)
		}
		for _, op := range secured(t, "admin") {
			refuses(op, victim, 403, session.CodeForbidden)
		}
		for _, op := range secured(t, "recent") {
			refuses(op, old, 401, session.CodeReauthRequired)
		}
		<-time.After(time.Hour)
		for _, op := range secured(t, "") {
			refuses(op, expired, 401, session.CodeTokenExpired)
		}
	}, func(w *world) { w.settings.IdleTimeout = 6 * time.Hour })
}

// Who is not an admin now is none for any operation, whatever the token says; nor is a recent sign-in one that was.
func TestEveryAdminOperationLooksTwice(t *testing.T) {
	inWorld(t, func(w *world) {
		victim, stale := w.live(bob), w.live(boss)
		for _, uid := range []session.UserID{"ex", "late", "revoked", "disabled"} {
			w.dir.Change(uid, func(a *session.Account) { a.Claims = map[string]any{"admin": true} })
		}
		taken, revoked, disabled := w.live("ex"), w.live("revoked"), w.live("disabled")
		w.do("POST", "/v1/admin/users/revoked/revoke", stale).want(http.StatusOK)
		w.do("POST", "/v1/admin/users/disabled/disable", stale).want(http.StatusOK)
		w.dir.Change("ex", func(a *session.Account) { a.Claims = map[string]any{"admin": "true"} }) // but it is in the token
		w.dir.Change("late", func(a *session.Account) { a.Claims = nil })
		late := w.live("late")
		w.dir.Change("late", func(a *session.Account) { a.Claims = map[string]any{"admin": true} }) // but it is not in the token
		<-time.After(5 * time.Minute)
		for _, op := range secured(t, "admin") {
			for _, c := range []struct {
				token  string
				status int
				code   session.Code
			}{
				{taken, 403, session.CodeForbidden}, {late, 403, session.CodeForbidden},
				{revoked, 401, session.CodeTokenRevoked}, {disabled, 401, session.CodeUserDisabled},
			} {
				w.do(op.Method, aimed(op, bob, w.id(victim)), c.token).problem(c.status, c.code)
			}
			if slices.Contains(op.Needs, "recent") {
				p := w.do(op.Method, aimed(op, bob, w.id(victim)), stale).problem(401, session.CodeReauthRequired)
				if p["maxAge"] != 300.0 {
					t.Errorf("maxAge is %v", p["maxAge"])
				}
			}
		}
		w.do("GET", "/v1/check", victim).want(http.StatusNoContent)
	})
}

// No operation on a live session, but the check of a back end, can be used from another network under the strict policy.
func TestEveryOperationKnowsTheNetwork(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, op := range secured(t, "session") {
			token := w.live(boss)
			a := w.do(op.Method, aimed(op, bob, w.id(token)), token, from("198.51.100.7:5"))
			if op.Path == "/v1/check" {
				a.want(http.StatusNoContent)
			} else {
				a.problem(401, session.CodeIPChanged)
			}
		}
	}, strict)
}

// What belongs to somebody else is out of reach, and stays as it is.
func TestNobodyReachesAnothersSession(t *testing.T) {
	inWorld(t, func(w *world) {
		own, victim := w.live(ana), w.live(bob)
		tried := 0
		for _, op := range document(t).Operations() {
			if !strings.Contains(op.Path, "{") {
				continue
			}
			tried++
			status, code := http.StatusNotFound, session.CodeNotFound
			if slices.Contains(op.Needs, "admin") {
				status, code = http.StatusForbidden, session.CodeForbidden
			}
			w.do(op.Method, aimed(op, bob, w.id(victim)), own).problem(status, code)
			w.do("GET", "/v1/check", victim).want(http.StatusNoContent)
			w.do("GET", "/v1/check", own).want(http.StatusNoContent)
		}
		if tried == 0 {
			t.Error("nothing was tried")
		}
	})
}
