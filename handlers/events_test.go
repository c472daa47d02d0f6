package handlers_test

import (
	"encoding/base64"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// Users see what happened to them, and that it was an admin, but not which, from where, why or together with whom.
func TestEventsHideTheAdmin(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, first, second, third := w.live(boss), w.live(ana), w.live(ana), w.live(ana)
		away := from("198.51.100.99:5")
		w.do("DELETE", "/v1/admin/sessions/"+w.id(first)+"?reason=hush", admin, away).want(http.StatusNoContent)
		w.do("POST", "/v1/admin/revocations", admin, away, body(`{"filter":{"userId":"ana"},"reason":"hush"}`)).want(http.StatusAccepted)
		w.work()
		w.do("POST", "/v1/admin/users/ana/revoke", admin, away, body(`{"reason":"hush"}`)).want(http.StatusOK)
		token := w.live(ana)
		a := w.do("GET", "/v1/events", token).want(http.StatusOK)
		for _, secret := range []string{"boss", "hush", "198.51.100.99", "revocation", "audience", "user_revoked", "mass_"} {
			if strings.Contains(string(a.body), secret) {
				t.Errorf("%q is shown: %s", secret, a.body)
			}
		}
		ends := 0
		for _, e := range objects(t, a.object()["events"]) {
			if e["type"] != "session_ended" {
				continue
			}
			if ends++; e["actor"] != "admin" || e["ipAddress"] != nil || member(t, e, "details")["reason"] != "admin_revoked" {
				t.Errorf("an end is %v", e)
			}
			if id := e["sessionId"]; id != w.id(first) && id != w.id(second) && id != w.id(third) {
				t.Errorf("the end of %v", id)
			}
		}
		if ends != 3 {
			t.Errorf("%d ends, want 3", ends)
		}
		all := string(w.do("GET", "/v1/admin/events", admin).body)
		for _, shown := range []string{`"actor":"boss"`, `"note":"hush"`, `"ipAddress":"198.51.100.99"`, `"revocation":`, `"audience":"admin"`} {
			if !strings.Contains(all, shown) {
				t.Errorf("admins do not see %s: %s", shown, all)
			}
		}
	}, func(w *world) { w.settings.IPPolicy = session.IPOff })
}

// Whatever an event holds, its user does not read about an admin.
func TestEventViewOfAnAdmin(t *testing.T) {
	e := session.Event{
		ID: "e", Type: session.EventSessionEnded, Audience: session.AudienceUser, UserID: ana, Actor: string(boss), IPAddress: "198.51.100.99",
		Details: map[string]string{"reason": "admin_revoked", "revocation": "r", "note": "hush"},
	}
	for actor, shown := range map[string]string{string(boss): "admin", session.ActorCLI: "admin", session.ActorSystem: "system", string(ana): "ana"} {
		e.Actor = actor
		v := e.View()
		if *v.Actor != shown || (v.IPAddress == nil) != (shown == "admin") || len(v.Details) != 1 || v.Details["reason"] != "admin_revoked" {
			t.Errorf("%s is shown as %s from %v: %v", actor, *v.Actor, v.IPAddress, v.Details)
		}
		if v := e.ViewForAdmin(); *v.Actor != actor || *v.IPAddress != "198.51.100.99" || len(v.Details) != 3 {
			t.Errorf("an admin sees %+v", v)
		}
	}
	if len(e.Details) != 3 {
		t.Errorf("the view has changed the event: %v", e.Details)
	}
}

// busy gives a user some events, and returns a live token.
func (w *world) busy(uid session.UserID) string {
	token := w.live(uid)
	for range 3 {
		w.do("POST", "/v1/logout", w.live(uid)).want(http.StatusNoContent)
	}
	return token
}

func TestEventPages(t *testing.T) {
	inWorld(t, func(w *world) {
		token, admin := w.busy(ana), w.busy(boss)
		w.busy(bob)
		for path, with := range map[string]string{"/v1/events": token, "/v1/admin/events": admin} {
			whole := w.events(path+"?pageSize=200", with)
			if len(whole) < 7 || !slices.IsSortedFunc(whole, func(a, b map[string]any) int {
				return strings.Compare(b["at"].(string), a["at"].(string))
			}) {
				t.Errorf("%s lists %v", path, column(whole, "at"))
			}
			for _, size := range []string{"1", "3", "7"} {
				if pages := w.events(path+"?pageSize="+size, with); !reflect.DeepEqual(pages, whole) {
					t.Errorf("%s in pages of %s: %s, at once: %s", path, size, column(pages, "id"), column(whole, "id"))
				}
			}
		}
		for _, e := range w.events("/v1/events?pageSize=2", token) {
			if e["userId"] != "ana" {
				t.Errorf("ana sees %v", e)
			}
		}
	})
}

func TestPageSize(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.live(boss)
		for range 30 {
			w.do("POST", "/v1/logout", w.live(ana)).want(http.StatusNoContent)
		}
		for _, path := range []string{"/v1/events", "/v1/admin/events", "/v1/admin/sessions"} {
			for _, value := range []string{"", "0", "201", "-1", "+5", "1.0", "1e1", "0x5", "five", "99999999999999999999", "%205"} {
				w.do("GET", path+"?pageSize="+value, admin).faults("pageSize")
			}
			w.do("GET", path+"?pageSize=200", admin).want(http.StatusOK)
			w.do("GET", path+"?pageSize=5&pageSize=6&pagesize=7", admin).faults("pageSize", "pagesize")
		}
		if n := len(objects(t, w.do("GET", "/v1/admin/events", admin).object()["events"])); n != 50 {
			t.Errorf("a page has %d events by default", n)
		}
	})
}

// A page token is a place in a list and nothing else: it is read strictly, and shows whoever has it only what is theirs anyway.
func TestPageTokens(t *testing.T) {
	inWorld(t, func(w *world) {
		victim, thief, admin := w.busy(ana), w.busy(bob), w.busy(boss)
		next := func(path, token string) string {
			t.Helper()
			value, _ := w.do("GET", path+"?pageSize=1", token).want(http.StatusOK).object()["nextPageToken"].(string)
			return value
		}
		for _, stolen := range []string{next("/v1/events", victim), next("/v1/admin/events", admin)} {
			list := objects(t, w.do("GET", "/v1/events?pageToken="+stolen, thief).want(http.StatusOK).object()["events"])
			for _, e := range list {
				if e["userId"] != "bob" {
					t.Errorf("bob sees %v", e)
				}
			}
			w.do("GET", "/v1/admin/events?pageToken="+stolen, thief).problem(403, session.CodeForbidden)
		}
		encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
		good := next("/v1/events", victim)
		w.do("GET", "/v1/events?pageToken="+encode(`{"at":"2000-01-01T00:00:00.5Z","id":"A"}`), victim).want(http.StatusOK)
		forged := []string{
			"", "x", good + "=", good + "A", good[1:], good[:len(good)-1], strings.ToUpper(good), good + "%0a", strings.Repeat("A", 1<<13),
			encode(``), encode(`null`), encode(`{}`), encode(`[]`), encode(`"x"`), encode(`{"at":"2000-01-01T00:00:00Z"}`), encode(`{"id":"A"}`),
			encode(`{"at":"2000-01-01T00:00:00Z","id":""}`), encode(`{"at":"2000-01-01T00:00:00Z","id":"a/b"}`),
			encode(`{"at":"2000-01-01T00:00:00Z","id":"` + strings.Repeat("A", 129) + `"}`),
			encode(`{"at":"0001-01-01T00:00:00Z","id":"A"}`), encode(`{"at":"1969-12-31T23:59:59Z","id":"A"}`),
			encode(`{"at":"9999-12-31T23:59:59-01:00","id":"A"}`), encode(`{"at":"2000-01-01T00:00:00+01:00","id":"A"}`),
			encode(`{"at":"2000-01-01T00:00:00Z","id":"A","userId":"bob"}`), encode(`{"at":"2000-01-01T00:00:00Z","id":"A"} `),
			encode(`{"At":"2000-01-01T00:00:00Z","id":"A"}`), encode(`{"id":"A","at":"2000-01-01T00:00:00Z"}`),
			encode(`{"at":"2000-01-01T00:00:00Z","id":"A","id":"B"}`), encode(`{"at":0,"id":"A"}`),
			encode(`{"id":"` + w.id(victim) + `"}`), // of a search
		}
		for _, value := range forged {
			w.do("GET", "/v1/events?pageToken="+value, victim).faults("pageToken")
			w.do("GET", "/v1/admin/events?pageToken="+value, admin).faults("pageToken")
		}
		w.do("GET", "/v1/events?pageToken="+good+"&pageToken="+good, victim).faults("pageToken")
		w.do("GET", "/v1/events?userId=bob", victim).faults("userId")
	})
}

// The words that the document knows are those that the domain has.
func TestTheDocumentHasEveryWord(t *testing.T) {
	for file, types := range map[string]map[string]int{
		"event": {"EventType": len(session.EventTypes)}, "alert": {"AlertType": len(session.AlertTypes)}, "session": {"Reason": len(session.Reasons)},
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), "../internal/session/"+file+".go", nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for name, listed := range types {
			var declared []string
			ast.Inspect(parsed, func(n ast.Node) bool {
				spec, ok := n.(*ast.ValueSpec)
				if !ok || len(spec.Values) != 1 {
					return true
				}
				of, typed := spec.Type.(*ast.Ident)
				literal, isText := spec.Values[0].(*ast.BasicLit)
				if typed && isText && of.Name == name {
					word, _ := strconv.Unquote(literal.Value)
					declared = append(declared, word)
				}
				return true
			})
			if len(declared) != listed || len(declared) == 0 {
				t.Errorf("%s has %d words %q, %d are listed", name, len(declared), declared, listed)
			}
		}
	}
}

// What a session goes through is in its user's list, with what there is to know about it.
func TestEventDetails(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		<-time.After(time.Minute)
		w.do("POST", "/v1/sessions", w.signIn(ana)).problem(409, session.CodeSessionLimit)
		w.do("GET", "/v1/sessions", token, from("198.51.100.7:5")).want(http.StatusOK)
		list := objects(t, w.do("GET", "/v1/events", token, from("198.51.100.7:5")).object()["events"])
		if got := column(list, "type"); got != "security_alert session_refused session_started" {
			t.Fatalf("events are %s", got)
		}
		alert, refused, started := list[0], list[1], list[2]
		if d := member(t, alert, "details"); d["alert"] != "ip_changed" || d["ipAddress"] != "198.51.100.7" || d["previousIpAddress"] != "192.0.2.1" {
			t.Errorf("the alert is %v", d)
		}
		if alert["actor"] != "system" || alert["ipAddress"] != "198.51.100.7" || alert["sessionId"] != w.id(token) {
			t.Errorf("the alert is %v", alert)
		}
		if d := member(t, refused, "details"); d["reason"] != "session_limit" || refused["sessionId"] != nil {
			t.Errorf("the refusal is %v", refused)
		}
		if d := member(t, started, "details"); d["signInProvider"] != "password" || started["actor"] != "ana" || started["at"] != "2000-01-01T00:00:01.000Z" {
			t.Errorf("the start is %v", started)
		}
		w.do("POST", "/v1/admin/sweep", token).problem(403, session.CodeForbidden)
		refusals := w.events("/v1/admin/events", w.live(boss))
		if !strings.Contains(column(refusals, "type"), "admin_refused") {
			t.Errorf("no trace of an admin operation that was refused: %s", column(refusals, "type"))
		}
	}, reject)
}
