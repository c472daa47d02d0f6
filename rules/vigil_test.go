package rules

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

const own = "activeSessions/{id}"

var mine = where{"userId", "==", "{uid}"}

// servers are collections that no client has any business in, and a document in each, named as the server names it.
var servers = []string{
	"sessionUsers/{uid}", "sessionNotices/n-{uid}", "sessionRevocations/r-{uid}", "sessionSweeps/s-{uid}",
	"sessionMails/m-{uid}", "mail/m-{uid}", "elsewhere/e-{uid}",
}

var nobody = but{"nobody is signed in", func(s *scene) { s.claims = nil }}

// dead are the ways in which the caller's session is not live, and more buts.
func dead(more ...but) []but {
	return append([]but{
		{"the session has ended", func(s *scene) { s.session["status"] = "ended" }},
		{"the session has expired", func(s *scene) { s.session["expiresAt"] = s.now }},
		{"the session is idle", func(s *scene) { s.session["lastActive"] = s.now.Add(-30 * time.Minute) }},
		{"the sign-in was never registered", func(s *scene) { s.session = nil }},
		{"its document is another's", func(s *scene) { s.session["userId"] = "bob" }},
		{"the token is of another sign-in", func(s *scene) { s.claims["auth_time"] = noon.Unix() }},
	}, more...)
}

// vigil is the table of firestore.rules.
func vigil(t *testing.T) (table []row) {
	return slices.Concat(ownSessions(), signIns(t), deadlines(), events(), touches())
}

func asking(a ask) func(*scene) { return func(s *scene) { s.ask = a } }

// otherwise asks for something else.
func otherwise(name string, a ask) but { return but{name, asking(a)} }

func without(field string) but {
	return but{"its document has no " + field, func(s *scene) { delete(s.session, field) }}
}

func with(field string, value any) but {
	return but{fmt.Sprintf("its document has %s %#v", field, value), func(s *scene) { s.session[field] = value }}
}

func ownSessions() []row {
	broken := []but{
		without("userId"), without("status"), without("expiresAt"), without("lastActive"), without("idleTimeout"),
		with("status", "Active"), with("idleTimeout", "1800"), with("idleTimeout", nil), with("expiresAt", nil),
		with("lastActive", noon.Unix()), with("idleTimeout", -1800),
	}
	reads := []but{otherwise("it reads the collection", list("activeSessions"))}
	lists := []but{
		otherwise("it asks for everybody's", list("activeSessions")),
		otherwise("it asks for another's", list("activeSessions", where{"userId", "==", "bob"})),
		otherwise("it asks for a range of users", list("activeSessions", where{"userId", ">=", "{uid}"})),
		otherwise("it asks by another field", list("activeSessions", where{"sessionId", "==", "{id}"})),
		otherwise("it asks every collection of the name", everywhere("activeSessions")),
	}
	for _, path := range servers {
		collection, _, _ := strings.Cut(path, "/")
		kept := func(a ask) func(*scene) {
			return func(s *scene) { s.others[path], s.ask = maps.Clone(s.session), a }
		}
		reads = append(reads, but{"it reads " + collection, kept(get(path))})
		lists = append(lists, but{"it asks " + collection, kept(list(collection, mine))})
	}
	another := func(s *scene) {
		s.others["activeSessions/other-{uid}"] = fields{"userId": s.uid, "status": "ended"}
		s.ask = get("activeSessions/other-{uid}")
	}
	return []row{
		allow("a session reads itself", asking(get(own)), nobody, dead(append(broken, reads...)...)...),
		allow("a session reads another of its user", another, but{"it is another user's", func(s *scene) {
			s.others["activeSessions/other-{uid}"]["userId"] = "bob"
		}}, dead(nobody)...),
		allow("a session lists those of its user", asking(list("activeSessions", mine)), nobody, dead(lists...)...),
		allow("a session lists the live ones of its user", asking(list("activeSessions", mine, where{"status", "==", "active"})),
			otherwise("it asks for everybody's", list("activeSessions", where{"status", "==", "active"}))),
		allow("a session counts those of its user", asking(count("activeSessions", mine)),
			otherwise("it counts everybody's", count("activeSessions"))),
	}
}

func count(collection string, filters ...where) ask {
	return ask{op: "list", path: collection, do: func(ctx context.Context, c *firestore.Client, s *scene) error {
		q := c.Collection(collection).Query
		for _, f := range filters {
			q = q.Where(f.field, f.op, s.path(f.value))
		}
		_, err := q.NewAggregationQuery().WithCount("n").Get(ctx)
		return err
	}}
}

// everywhere lists the caller's of all collections of a name.
func everywhere(collection string) ask {
	return ask{op: "list", path: collection, do: func(ctx context.Context, c *firestore.Client, s *scene) error {
		_, err := c.CollectionGroup(collection).Where("userId", "==", s.uid).Documents(ctx).GetAll()
		return err
	}}
}

// signIn makes the scene one of another sign-in, whose session is stored under id.
func (s *scene) signIn(uid, id string, claims map[string]any) {
	s.uid, s.id, s.claims, s.session["userId"] = uid, id, claims, uid
}

// signIns are about which document is the caller's.
func signIns(t *testing.T) (table []row) {
	data, err := os.ReadFile("../internal/session/testdata/session-ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, UID, SID, ID string
		AuthTime           int64
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		table = append(table, allow("test vector: "+v.Name, func(s *scene) {
			claims := map[string]any{"auth_time": v.AuthTime}
			if v.SID != "" {
				claims["sid"] = v.SID
			}
			s.signIn(v.UID, v.ID, claims)
			s.ask = get("activeSessions/" + v.ID)
		}, but{"a second later", func(s *scene) { delete(s.claims, "sid"); s.claims["auth_time"] = v.AuthTime + 1 }}))
	}
	named := func(sid string) func(*scene) {
		return func(s *scene) {
			at := noon.Add(-time.Hour)
			s.signIn(s.uid, string(session.NewID(session.UserID(s.uid), sid, at)), map[string]any{"auth_time": at.Unix(), "sid": sid})
			s.ask = get(own)
		}
	}
	claim := func(name string, sid any) but {
		return but{"its sid is " + name, func(s *scene) { s.claims["sid"] = sid }}
	}
	return append(table,
		allow("a session with a sid", named("4f1c2d3e"), claim("another", "4f1c2d3f"),
			but{"the token has none", func(s *scene) { delete(s.claims, "sid") }}),
		allow("a session with the longest sid", named(strings.Repeat("s", 128)), claim("shorter", strings.Repeat("s", 127))),
		// Vigil goes by auth_time where sid is not a name; rules deny.
		allow("a session without a sid", asking(get(own)), claim("empty", ""), claim("a number", 7),
			claim("true", true), claim("false", false), claim("null", nil), claim("a list", []string{"s"}), claim("a map", map[string]any{"s": "s"}),
			claim("too long", strings.Repeat("s", 129)),
			but{"the token has no auth_time", func(s *scene) { delete(s.claims, "auth_time") }},
			but{"auth_time is a text", func(s *scene) { s.claims["auth_time"] = "noon" }}),
		// Both have one id: only the document says whose it is.
		allow("a session of a user with a slash", func(s *scene) {
			uid := s.uid + "/b"
			s.signIn(uid, string(session.NewID(session.UserID(uid), "c", noon)), map[string]any{"auth_time": noon.Unix(), "sid": "c"})
			s.ask = get(own)
		}, but{"the slash is in the sid", func(s *scene) { s.uid, s.claims["sid"] = strings.TrimSuffix(s.uid, "/b"), "b/c" }}),
	)
}

// deadlines are tried a microsecond before and at their very instant.
func deadlines() (table []row) {
	before := func(set func(*scene) time.Time) func(*scene) {
		return func(s *scene) { s.ask, s.now = get(own), set(s).Add(-time.Microsecond) }
	}
	instant := but{"now it is there", func(s *scene) { s.now = s.now.Add(time.Microsecond) }}
	later := but{"it is over", func(s *scene) { s.now = s.now.Add(time.Hour) }}
	table = append(table, allow("a session that has not expired yet", before(func(s *scene) time.Time {
		s.session["expiresAt"] = noon
		return noon
	}), instant, later))
	for _, d := range []struct {
		stored any
		is     time.Duration
	}{
		{1800, 30 * time.Minute}, {600, 10 * time.Minute}, {1800.5, 1800*time.Second + 500*time.Millisecond},
		{0.25, 250 * time.Millisecond}, {0.000123, 123 * time.Microsecond}, {86400.0, 24 * time.Hour},
	} {
		table = append(table, allow(fmt.Sprintf("a session that is not idle for %v s yet", d.stored), before(func(s *scene) time.Time {
			s.session["idleTimeout"], s.session["expiresAt"] = d.stored, noon.Add(48*time.Hour)
			return noon.Add(-10 * time.Minute).Add(d.is)
		}), instant, later))
	}
	return table
}

func events() []row {
	const path = "securityEvents/e-{uid}"
	users := where{"audience", "==", "user"}
	event := func(a ask) func(*scene) {
		return func(s *scene) {
			s.others[path], s.ask = fields{"userId": s.uid, "audience": "user", "type": "session_started"}, a
		}
	}
	change := func(field string, value any) but {
		return but{fmt.Sprintf("%s is %v", field, value), func(s *scene) { s.others[path][field] = value }}
	}
	return []row{
		allow("a session reads an event of its user", event(get(path)), change("audience", "admin"), dead(nobody,
			change("userId", "bob"),
			otherwise("it changes it", update(path, firestore.Update{Path: "type", Value: "x"})),
			otherwise("it replaces it", set(path, fields{"userId": "{uid}", "audience": "user"})),
			otherwise("it creates one", set(path+"-new", fields{"userId": "{uid}", "audience": "user"})),
			otherwise("it deletes it", remove(path)),
		)...),
		allow("a session lists the events of its user", event(list("securityEvents", mine, users)),
			otherwise("it asks for every audience", list("securityEvents", mine)), dead(nobody,
				otherwise("it asks for the admins'", list("securityEvents", mine, where{"audience", "==", "admin"})),
				otherwise("it asks for everybody's", list("securityEvents", users)),
				otherwise("it asks for another's", list("securityEvents", where{"userId", "==", "bob"}, users)),
			)...),
	}
}

// touches are the only write that a client may make.
func touches() []row {
	const other = "activeSessions/other-{uid}"
	buts := []but{
		{"it is another session of its user", func(s *scene) {
			s.others[other], s.ask = maps.Clone(s.session), touch(other, 0)
		}},
		otherwise("it says a moment ago", touch(own, -time.Microsecond)),
		otherwise("it says in a moment", touch(own, time.Microsecond)),
		otherwise("it says tomorrow", touch(own, 24*time.Hour)),
		otherwise("it says no time", update(own, firestore.Update{Path: "lastActive", Value: noon.Unix()})),
		otherwise("it deletes lastActive", update(own, firestore.Update{Path: "lastActive", Value: firestore.Delete})),
		otherwise("it adds a field", touch(own, 0, firestore.Update{Path: "extra", Value: 1})),
		{"it leaves the other fields out", func(s *scene) { s.ask = set(own, fields{"lastActive": s.now}) }},
		otherwise("it deletes the session", remove(own)),
		{"it creates the session", func(s *scene) {
			created := maps.Clone(s.session)
			created["lastActive"] = s.now
			s.session, s.ask = nil, set(own, created)
		}},
		{"it deletes another session of its user", func(s *scene) {
			s.others[other], s.ask = maps.Clone(s.session), remove(other)
		}},
	}
	for _, field := range slices.Sorted(maps.Keys(usual("ana").session)) {
		if field != "lastActive" {
			buts = append(buts, otherwise("it changes "+field, touch(own, 0, firestore.Update{Path: field, Value: "x"})),
				otherwise("it deletes "+field, touch(own, 0, firestore.Update{Path: field, Value: firestore.Delete})))
		}
	}
	for _, path := range servers {
		kept := func(a ask) func(*scene) { return func(s *scene) { s.others[path], s.ask = maps.Clone(s.session), a } }
		buts = append(buts, but{"it is in " + path, kept(touch(path, 0))}, but{"it deletes in " + path, kept(remove(path))},
			otherwise("it creates in "+path, set(path, fields{"userId": "{uid}"})))
	}
	return []row{
		allow("a session says that its user is active", asking(touch(own, 0)), nobody, dead(buts...)...),
		allow("a session says so after a minute", func(s *scene) {
			s.session["lastActive"], s.ask = s.now.Add(-time.Minute), touch(own, 0)
		}, with("lastActive", noon.Add(-time.Minute+time.Microsecond)), with("lastActive", noon.Add(time.Second))),
	}
}
