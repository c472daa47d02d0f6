package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/identity"
)

const (
	adminIP   = "198.51.100.1"
	crowdIP   = "198.51.100.200"
	movedIP   = "192.0.2.200" // of Ana, later
	adminNote = "a note for admins"
	oddUID    = "odd/uid" // no document can be called so
)

// TestContractDocuments does with two instances whatever leaves a document behind, and reads the documents as other programs do.
func TestContractDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	if _, err := w.accounts.CreateUser(identity.NewUser{UID: oddUID, Email: "odd@example.com"}); err != nil {
		t.Fatal(err)
	}
	s := &scenario{world: w, host: host,
		p: w.serve(host, "RATE_LIMITS=off", "TRUSTED_PROXIES=127.0.0.0/8", "GEO_HEADERS=cloudflare", "NOTIFY_MAIL_COLLECTION=mail",
			"SUSPICIOUS_SESSIONS=1", "SUSPICIOUS_DEVICE_TYPES=1", "IDLE_TIMEOUT=10m", "IDLE_WARNING=598s"),
		strict: w.serve(host, "RATE_LIMITS=off", "SWEEP_INTERVAL=", "MAX_SESSIONS=1", "SESSION_LIMIT_POLICY=reject", "REAUTH_MAX_AGE=1s"),
	}
	s.admin = w.signIn("boss", adminPass)
	s.admin.begin(s.p, nil, from(adminIP))
	s.sessions()
	s.account()
	s.refusals()
	s.administration()

	client := w.documents(host)
	eventually(t, "every revocation is complete", func() bool {
		for _, doc := range w.all(client, "sessionUsers") {
			if doc["tokensPending"] == true {
				return false
			}
		}
		return true
	})
	collections := make(map[string]map[string]map[string]any)
	for name, documented := range documentedFields(t) {
		collections[name] = w.all(client, name)
		wantFields(t, name, documented, collections[name])
	}
	for name, test := range documentTests {
		t.Run(name, func(t *testing.T) { test(t, s, collections[name]) })
	}
	if left := slices.Sorted(maps.Keys(collections)); len(left) != len(documentTests) {
		t.Errorf("there are the collections %v", left)
	}
}

// documentedFields reads the table of docs/firestore.md: the paths of the fields of each collection.
func documentedFields(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/firestore.md")
	if err != nil {
		t.Fatal(err)
	}
	collections := make(map[string][]string)
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		if name == "NOTIFY_MAIL_COLLECTION" {
			name = "mail"
		}
		prose := regexp.MustCompile(`\([^)]*\)`)
		var code []string
		for i, part := range strings.Split(prose.ReplaceAllString(cells[3], ""), "`") {
			if i%2 == 1 {
				code = append(code, part)
			}
		}
		collections[name] = fieldPaths(strings.Join(code, ","))
	}
	if len(collections) != 8 {
		t.Fatalf("the table has %v", slices.Sorted(maps.Keys(collections)))
	}
	return collections
}

// fieldPaths reads a list such as a, b{c, d}.
func fieldPaths(list string) []string {
	var paths, above []string
	for _, token := range regexp.MustCompile(`[A-Za-z]+|[{}]`).FindAllString(list, -1) {
		switch token {
		case "{":
			above = append(above, paths[len(paths)-1])
			paths = paths[:len(paths)-1]
		case "}":
			above = above[:len(above)-1]
		default:
			if len(above) > 0 {
				token = above[len(above)-1] + "." + token
			}
			paths = append(paths, token)
		}
	}
	return paths
}

// wantFields expects the documents of a collection to have all of the documented fields, between them, and no others.
func wantFields(t *testing.T, collection string, documented []string, docs map[string]map[string]any) {
	t.Helper()
	found := make(map[string]bool)
	for _, doc := range docs {
		collect(found, documented, "", doc)
	}
	for _, path := range documented {
		if !found[path] {
			t.Errorf("%s: no document has %s", collection, path)
		}
		delete(found, path)
	}
	for path := range found {
		t.Errorf("%s: %s is not documented", collection, path)
	}
}

func collect(found map[string]bool, documented []string, prefix string, fields map[string]any) {
	for name, value := range fields {
		path := prefix + name
		below, isMap := value.(map[string]any)
		isObject := slices.ContainsFunc(documented, func(d string) bool { return strings.HasPrefix(d, path+".") })
		switch {
		case slices.Contains(documented, path), !isObject:
			found[path] = true
		case isMap:
			collect(found, documented, path+".", below)
		case value != nil:
			found[path+" that is no map"] = true
		}
	}
}

// scenario is what happens, and who takes part in it.
type scenario struct {
	*world
	host                      string
	p, strict                 *process
	admin, ana                *user
	laptop, phone             string // Ana's sessions
	moved, secret, gone, gang *user  // who changes the address, the password, leaves, is revoked by a filter
}

// sessions begin, raise alerts, move, warn and end.
func (s *scenario) sessions() {
	s.Helper()
	p := s.p
	place := func(ip, country, region, city, lat, lon string) func(*http.Request) {
		return header("X-Forwarded-For", ip, "CF-Connecting-IP", ip, "CF-IPCountry", country, "cf-region-code", region, "cf-ipcity", city,
			"cf-iplatitude", lat, "cf-iplongitude", lon)
	}
	mexico := place("203.0.113.7", "MX", "CMX", "Mexico City", "19.43", "-99.13")
	moved := from(movedIP)
	s.ana = s.signIn("ana", userPass)
	s.laptop = s.ana.begin(p, map[string]any{"deviceName": "Ana's"}, header("User-Agent", laptopAgent), mexico).id()
	phone := s.world.signIn("ana", userPass)
	begun := phone.begin(p, nil, header("User-Agent", phoneAgent), place("192.0.2.7", "DE", "BE", "Berlin", "52.52", "13.40"))
	s.phone = begun.id()
	if got := begun.alertTypes(); !slices.Equal(got, []string{"too_many_sessions", "device_mix", "new_device", "new_country", "impossible_travel"}) {
		s.Errorf("alerts are %v", got)
	}
	p.want(http.StatusOK, "", http.MethodGet, "/v1/sessions", s.ana.idToken, nil, from("2001:db8:7::7")) // learned
	p.want(http.StatusOK, "", http.MethodGet, "/v1/sessions", s.ana.idToken, nil, moved)                 // changed
	warn := p.at(p.want(http.StatusOK, "", http.MethodGet, "/v1/sessions/current", s.ana.idToken, nil, moved).body, "warnAt")
	eventually(s.TB, "the user is about to be idle", func() bool { return time.Now().After(warn.Add(100 * time.Millisecond)) })
	p.want(http.StatusOK, "", http.MethodPost, "/v1/sessions/current/activity", s.ana.idToken, nil, moved)
	p.want(http.StatusNoContent, "", http.MethodDelete, "/v1/sessions/"+s.phone, s.ana.idToken, nil, moved)
}

// account is what users do to theirs.
func (s *scenario) account() {
	s.Helper()
	p := s.p
	s.moved, s.secret, s.gone = s.newcomer(nil), s.newcomer(nil), s.newcomer(nil)
	for _, each := range []*user{s.moved, s.secret, s.gone} {
		each.begin(p, nil, from("203.0.113.8"))
	}
	p.want(http.StatusNoContent, "", http.MethodPut, "/v1/account/email", s.moved.idToken, map[string]any{"email": "elsewhere@example.com"})
	p.want(http.StatusNoContent, "", http.MethodPut, "/v1/account/password", s.secret.idToken, map[string]any{"password": "another password"})
	p.want(http.StatusNoContent, "", http.MethodDelete, "/v1/account", s.gone.idToken, nil)
}

// refusals are of what is worth an event.
func (s *scenario) refusals() {
	s.Helper()
	s.p.want(http.StatusForbidden, "forbidden", http.MethodPost, "/v1/admin/sweep", s.ana.idToken, nil, from(movedIP))
	u := s.newcomer(nil)
	u.begin(s.strict, nil)
	s.strict.want(http.StatusConflict, "session_limit", http.MethodPost, "/v1/sessions", u.again().idToken, nil)
	eventually(s.TB, "the sign-in is not recent any more", func() bool {
		return s.strict.call(http.MethodGet, "/v1/token", u.idToken, nil).body["recentAuth"] == false
	})
	s.strict.want(http.StatusUnauthorized, "reauth_required", http.MethodDelete, "/v1/account", u.idToken, nil)
}

// administration is what admins do.
func (s *scenario) administration() {
	s.Helper()
	p, token, why := s.p, s.admin.idToken, map[string]any{"reason": adminNote}
	ben := s.signIn("ben", userPass)
	id := ben.begin(p, nil).id()
	p.want(http.StatusNoContent, "", http.MethodDelete, "/v1/admin/sessions/"+id+"?reason="+strings.ReplaceAll(adminNote, " ", "%20"), token, nil, from(adminIP))
	for _, path := range []string{"ben/disable", "ana/revoke", "odd%2Fuid/revoke"} {
		p.want(http.StatusOK, "", http.MethodPost, "/v1/admin/users/"+path, token, why, from(adminIP))
	}
	p.want(http.StatusNoContent, "", http.MethodPost, "/v1/admin/users/ben/enable", token, why, from(adminIP))
	s.command(s.host, 0, "users", "grant-admin", "ben", "--reason="+adminNote)

	s.gang = s.newcomer(nil)
	s.gang.begin(p, nil)
	s.gang.again().begin(p, nil)
	for range 2 {
		s.newcomer(nil).begin(p, nil, from(crowdIP))
	}
	for _, filter := range []map[string]any{{"userId": s.gang.uid()}, {"ip": crowdIP}} {
		job := p.want(http.StatusAccepted, "", http.MethodPost, "/v1/admin/revocations", token,
			map[string]any{"filter": filter, "reason": adminNote}, from(adminIP))
		eventually(s.TB, "the mass revocation is done", func() bool {
			return p.call(http.MethodGet, "/v1/admin/revocations/"+job.text("id"), token, nil, from(adminIP)).text("state") == "done"
		})
	}
	p.want(http.StatusOK, "", http.MethodPost, "/v1/admin/sweep", token, why, from(adminIP))
}

// shape says what a field has to be.
type shape func(value any) bool

func isText(v any) bool   { s, ok := v.(string); return ok && s != "" }
func isTime(v any) bool   { at, ok := v.(time.Time); return ok && !at.IsZero() }
func isNumber(v any) bool { n, ok := v.(int64); return ok && n >= 0 }
func isMap(v any) bool    { _, ok := v.(map[string]any); return ok }
func isTexts(v any) bool  { return every(v, isText) }
func isShard(v any) bool  { n, ok := v.(int64); return ok && n >= 0 && n <= 15 }
func isID(v any) bool {
	s, ok := v.(string)
	return ok && regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(s)
}
func isBool(v any) bool { _, ok := v.(bool); return ok }

func every(v any, is shape) bool {
	list, ok := v.([]any)
	return ok && !slices.ContainsFunc(list, func(each any) bool { return !is(each) })
}

// words is one of them.
func words(list ...string) shape {
	return func(v any) bool { s, ok := v.(string); return ok && slices.Contains(list, s) }
}

func orNull(is shape) shape { return func(v any) bool { return v == nil || is(v) } }

// wantShapes expects the fields of a document, by their names; what is not there is not looked at.
func wantShapes(t *testing.T, name string, doc map[string]any, shapes map[string]shape) {
	t.Helper()
	for field, value := range doc {
		if is := shapes[field]; is == nil || !is(value) {
			t.Errorf("%s: %s is %T %v", name, field, value, value)
		}
	}
}

// wantAfter expects a time of a document to be so long after another, give or take what clocks differ and commits take.
func wantAfter(t *testing.T, name string, doc map[string]any, from, to string, want time.Duration) {
	t.Helper()
	a, _ := doc[from].(time.Time)
	b, _ := doc[to].(time.Time)
	if off := b.Sub(a) - want; off.Abs() > time.Minute {
		t.Errorf("%s: %s is %s after %s, want %s", name, to, b.Sub(a), from, want)
	}
}

// where are the documents of which something holds.
func where(docs map[string]map[string]any, holds func(map[string]any) bool) (found []map[string]any) {
	for _, doc := range docs {
		if holds(doc) {
			found = append(found, doc)
		}
	}
	return found
}

func show(doc map[string]any) string { return fmt.Sprint(doc) }
