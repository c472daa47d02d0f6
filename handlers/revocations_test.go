package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

const pathRevocations = "/v1/admin/revocations"

func TestMassRevocationChecksItsBody(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, token := w.live(boss), w.live(ana)
		<-time.After(time.Second)
		for text, fields := range map[string][]string{
			``: {"filter"}, `{}`: {"filter"}, `{"all":false}`: {"filter"}, `{"filter":null}`: {"filter"}, `{"filter":{}}`: {"filter"},
			`{"filter":{"userId":null}}`: {"filter.userId"}, `{"all":null,"dryRun":true}`: {"all"}, `{"filter":{},"all":true}`: {"all"},
			`{"filter":{"country":"MX","userId":null}}`: {"filter.userId"}, `{"filter":{"userId":"ana","status":null}}`: {"filter.status"},
			`{"filter":{"userId":"ana","ip":null}}`: {"filter.ip"}, `{"filter":{"userId":"ana","deviceType":null}}`: {"filter.deviceType"},
			`{"filter":{"userId":"ana","country":null}}`: {"filter.country"}, `{"filter":{"userId":"ana","activeBefore":null}}`: {"filter.activeBefore"},
			`{"all":true,"dryRun":null}`: {"dryRun"}, `{"all":true,"filter":null}`: {"filter"}, `{"filter":{"userId":"ana"},"all":null}`: {"all"},
			`{"filter":{"userId":"ana"},"all":true}`: {"all"}, `{"filter":[]}`: {"filter"}, `{"filter":"all"}`: {"filter"}, `{"all":"true"}`: {"all", "filter"},
			`{"filter":{"userId":"ana"},"filter":{"userId":"bob"}}`:    {"filter"},
			`{"filter":{"userID":"ana"}}`:                              {"filter.userID"},
			`{"filter":{"userId":""}}`:                                 {"filter.userId"},
			`{"filter":{"userId":["ana"]}}`:                            {"filter.userId"},
			`{"filter":{"userId":"ana","userId":"bob"}}`:               {"filter.userId"},
			`{"filter":{"status":"ended"}}`:                            {"filter.status"},
			`{"filter":{"status":"all"}}`:                              {"filter.status"},
			`{"filter":{"status":""}}`:                                 {"filter.status"},
			`{"filter":{"ip":""}}`:                                     {"filter.ip"},
			`{"filter":{"ip":"198.51.100.0/24"}}`:                      {"filter.ip"},
			`{"filter":{"deviceType":""}}`:                             {"filter.deviceType"},
			`{"filter":{"country":"MEX"}}`:                             {"filter.country"},
			`{"filter":{"activeBefore":""}}`:                           {"filter.activeBefore"},
			`{"filter":{"activeBefore":0}}`:                            {"filter.activeBefore"},
			`{"filter":{"activeBefore":"0001-01-01T00:00:00Z"}}`:       {"filter.activeBefore"},
			`{"filter":{"createdBefore":"2000-01-01T00:00:00Z"}}`:      {"filter.createdBefore"},
			`{"filter":{"pageSize":1}}`:                                {"filter.pageSize"},
			`{"filter":{"userId":"ana"},"dryrun":true}`:                {"dryrun"},
			`{"filter":{"userId":"ana"},"dryRun":1}`:                   {"dryRun"},
			`{"all":true,"reason":"` + strings.Repeat("x", 257) + `"}`: {"reason"},
			`{"all":true,"reason":"a\u0000"}`:                          {"reason"},
		} {
			w.do("POST", pathRevocations, admin, body(text)).wantFaultsAmong(fields...)
			if t.Failed() {
				t.Fatal(text)
			}
		}
		w.do("POST", pathRevocations, admin, body(`{"filter":{"status":"ended","ip":"x","userId":1},"dryRun":1,"reason":"a\u0000"}`)).
			faults("filter.userId", "dryRun", "filter.status", "filter.ip", "reason")
		w.do("POST", pathRevocations+"?dryRun=true", admin, body(`{"all":true}`)).faults("dryRun")
		w.work()
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
	})
}

// wantFaultsAmong checks that the answer is invalid_request for these fields; a body that cannot be read is not looked at further.
func (a answer) wantFaultsAmong(fields ...string) {
	a.t.Helper()
	if len(fields) > 1 {
		fields = fields[:1]
	}
	a.faults(fields...)
}

// Everything that a search takes chooses, all of it together, and the caller's own session stays.
func TestMassRevocationFilters(t *testing.T) {
	for filter, want := range map[string]string{
		`{"userId":"ana"}`: "ab", `{"ip":"::ffff:198.51.100.7"}`: "a", `{"deviceType":"desktop"}`: "bc", `{"country":"mx"}`: "a",
		`{"activeBefore":"2000-01-01T00:05:00Z"}`: "ab", `{"status":"active","userId":"bob"}`: "c", `{"status":"active"}`: "abc",
		`{"userId":"ana","deviceType":"desktop"}`: "b", `{"userId":"nobody"}`: "", `{"country":"DE","activeBefore":"2000-01-01T01:05:00+01:00"}`: "b",
	} {
		inWorld(t, func(w *world) {
			places := map[string]string{"a": "198.51.100.7:5", "b": "[2001:db8:5::7]:5", "c": "203.0.113.7:5"}
			tokens := map[string]string{
				"a": w.begin(ana, phone, places["a"]), "b": w.begin(ana, laptop, places["b"]), "c": w.begin(bob, laptop, places["c"]),
			}
			<-time.After(10 * time.Minute)
			w.do("POST", "/v1/sessions/current/activity", tokens["c"], from(places["c"])).want(http.StatusOK)
			admin := w.begin(boss, laptop, "192.0.2.1:5")
			<-time.After(time.Second)
			dry := w.do("POST", pathRevocations, admin, body(`{"dryRun":true,"filter":`+filter+`}`)).want(http.StatusOK).object()
			started := w.do("POST", pathRevocations, admin, body(`{"filter":`+filter+`}`)).want(http.StatusAccepted)
			if n := float64(len(want)); dry["matched"] != n || started.object()["matched"] != n || len(objects(t, dry["sample"])) != len(want) {
				t.Errorf("%s: matched %v, then %v, want %v", filter, dry["matched"], started.object()["matched"], n)
			}
			w.work()
			for name, token := range tokens {
				a := w.do("GET", "/v1/sessions", token, from(places[name]))
				if strings.Contains(want, name) {
					a.problem(401, session.CodeSessionEnded)
				} else {
					a.want(http.StatusOK)
				}
			}
			w.do("GET", "/v1/check", admin).want(http.StatusNoContent)
			done := w.do("GET", started.header.Get("Location"), admin).want(http.StatusOK).object()
			if done["state"] != "done" || done["ended"] != float64(len(want)) {
				t.Errorf("%s: %v", filter, done)
			}
		}, atlas)
	}
}

func TestMassRevocationOfAll(t *testing.T) {
	inWorld(t, func(w *world) {
		admin, other := w.live(boss), w.live(boss)
		var tokens []string
		for range 15 {
			tokens = append(tokens, w.live(ana), w.live(bob))
		}
		<-time.After(time.Second)
		dry := w.do("POST", pathRevocations, admin, body(`{"all":true,"dryRun":true}`)).want(http.StatusOK).object()
		if dry["matched"] != 31.0 || len(objects(t, dry["sample"])) != 10 {
			t.Errorf("%v match, %d shown", dry["matched"], len(objects(t, dry["sample"])))
		}
		w.work()
		w.do("GET", "/v1/check", tokens[0]).want(http.StatusNoContent) // it was dry
		w.do("POST", pathRevocations, admin, body(`{"all":true}`)).want(http.StatusAccepted)
		newer := w.live(ana)
		w.work()
		for _, token := range append(tokens, other) {
			if p := w.do("GET", "/v1/check", token).problem(401, session.CodeSessionEnded); p["reason"] != "admin_revoked" {
				t.Errorf("ended as %v", p["reason"])
			}
		}
		w.do("GET", "/v1/check", newer).want(http.StatusNoContent)
		w.do("GET", "/v1/check", admin).want(http.StatusNoContent)
	}, func(w *world) { w.settings.MaxSessions = 0 })
}

func TestMassRevocationUnknown(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.live(boss)
		for _, id := range []string{"X", "..", "%2e%2e", "a%2fb", "%00", "%ff", "a.b", "__x__", strings.Repeat("A", 65), strings.Repeat("A", 1<<13)} {
			w.do("GET", pathRevocations+"/"+id, admin).problem(404, session.CodeNotFound)
		}
		w.do("GET", pathRevocations, admin).problem(405, "method_not_allowed")
	})
}
