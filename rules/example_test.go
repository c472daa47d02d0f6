package rules

import (
	"time"

	"cloud.google.com/go/firestore"
)

// application is the table of what example.rules has besides Vigil's. Its scenes play in the last microsecond in which a sign-in
// counts as recent.
func application() []row {
	const project, billing = "projects/p-{uid}", "projects/p-{uid}/billing/plan"
	in := func(a ask) func(*scene) {
		return func(s *scene) {
			s.now = noon.Add(-time.Hour + 301*time.Second - time.Microsecond)
			s.others[project] = fields{"owner": s.uid, "members": []string{s.uid, "cy"}, "title": "x"}
			s.others[billing] = fields{"plan": "free"}
			s.ask = a
		}
	}
	change := func(name, field string, value any) but {
		return but{name, func(s *scene) { s.others[project][field] = value }}
	}
	stranger := change("the caller is no member", "members", []string{"cy"})
	unowned := change("another owns it", "owner", "cy")
	stale := but{"the sign-in is a second too old", func(s *scene) { s.now = s.now.Add(time.Microsecond) }}
	member := where{"members", "array-contains", "{uid}"}
	retitle := func(more ...firestore.Update) ask {
		return update(project, append(more, firestore.Update{Path: "title", Value: "y"})...)
	}
	plan := update(billing, firestore.Update{Path: "plan", Value: "paid"})
	return []row{
		allow("an owner deletes a project", in(remove(project)), unowned, dead(stale)...),
		allow("a member reads a project", in(get(project)), stranger, dead()...),
		allow("a member lists projects", in(list("projects", member)), otherwise("it asks for all", list("projects")), dead(
			otherwise("it asks for those it owns", list("projects", where{"owner", "==", "{uid}"})))...),
		allow("a member renames a project", in(retitle()), stranger, dead(
			otherwise("another field changes as well", retitle(firestore.Update{Path: "members", Value: []string{}})),
		)...),
		allow("an owner creates a project", func(s *scene) {
			in(set(project+"-new", fields{"owner": s.uid, "members": []string{s.uid}}))(s)
		}, otherwise("it is to be another's", set(project+"-new", fields{"owner": "cy"})), dead()...),
		allow("an owner deletes a project right after signing in", func(s *scene) {
			in(remove(project))(s)
			s.now = s.now.Add(-300 * time.Second)
		}, unowned),
		allow("an owner sees a bill", in(get(billing)), unowned, dead(stale)...),
		allow("an owner lists the bills", in(list("projects/p-{uid}/billing")), unowned, stale),
		allow("an owner changes a plan", in(plan), unowned, stale),
		allow("an owner creates a bill", in(set("projects/p-{uid}/billing/new", fields{"plan": "free"})), unowned, stale),
		allow("an owner deletes a bill", in(remove(billing)), unowned, stale),
	}
}
