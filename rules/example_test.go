package rules

import (
	"time"

	"cloud.google.com/go/firestore"
)

// application is the table of what example.rules has besides Vigil's. Its scenes play in the last microsecond in which a sign-in
// counts as recent.
func application() []row {
	const project, billing, bill = "projects/p-{uid}", "projects/p-{uid}/billing", "projects/p-{uid}/billing/plan"
	in := func(a ask) func(*scene) {
		return func(s *scene) {
			s.now = noon.Add(-time.Hour + 301*time.Second - time.Microsecond)
			s.others[project] = fields{"owner": s.uid, "members": []string{s.uid, "cy"}, "title": "x"}
			s.others[bill] = fields{"owner": s.uid, "plan": "free"}
			s.ask = a
		}
	}
	change := func(name, path, field string, value any) but {
		return but{name, func(s *scene) { s.others[path][field] = value }}
	}
	stranger := change("the caller is no member", project, "members", []string{"cy"})
	unowned := change("another owns it", project, "owner", "cy")
	// As it is for who has created a project anew.
	unbilled := change("the bill is of an earlier owner", bill, "owner", "cy")
	stale := but{"the sign-in is a second too old", func(s *scene) { s.now = s.now.Add(time.Microsecond) }}
	member, payer := where{"members", "array-contains", "{uid}"}, where{"owner", "==", "{uid}"}
	retitle := func(more ...firestore.Update) ask {
		return update(project, append(more, firestore.Update{Path: "title", Value: "y"})...)
	}
	create := func(path string) func(*scene) {
		return func(s *scene) { in(set(path, fields{"owner": s.uid, "members": []string{s.uid}}))(s) }
	}
	return []row{
		allow("an owner deletes a project", in(remove(project)), unowned, dead(nobody, stale)...),
		allow("a member reads a project", in(get(project)), stranger, dead(nobody)...),
		allow("a member lists projects", in(list("projects", member)), otherwise("it asks for all", list("projects")), dead(nobody,
			otherwise("it asks for those it owns", list("projects", payer)))...),
		allow("a member renames a project", in(retitle()), stranger, dead(nobody,
			otherwise("another field changes as well", retitle(firestore.Update{Path: "members", Value: []string{}})),
		)...),
		allow("an owner creates a project", create(project+"-new"),
			otherwise("it is to be another's", set(project+"-new", fields{"owner": "cy"})), dead(nobody)...),
		allow("an owner deletes a project right after signing in", func(s *scene) {
			in(remove(project))(s)
			s.now = s.now.Add(-300 * time.Second)
		}, unowned),
		allow("an owner sees a bill", in(get(bill)), unbilled, dead(nobody, stale)...),
		allow("an owner sees a bill of a project that is gone", func(s *scene) {
			in(get(bill))(s)
			delete(s.others, project)
		}, unbilled),
		allow("an owner lists the bills", in(list(billing, payer)), otherwise("it asks for all", list(billing)), nobody, stale),
		allow("an owner changes a plan", in(update(bill, firestore.Update{Path: "plan", Value: "paid"})), unbilled, dead(nobody, stale,
			otherwise("it gives the bill away", update(bill, firestore.Update{Path: "owner", Value: "cy"})),
			but{"it takes the bill of an earlier owner", func(s *scene) {
				s.others[bill]["owner"], s.ask = "cy", update(bill, firestore.Update{Path: "owner", Value: s.uid})
			}})...),
		allow("an owner creates a bill", create(billing+"/new"), unowned, dead(nobody, stale,
			otherwise("it is to be another's", set(billing+"/new", fields{"owner": "cy"})))...),
		allow("an owner deletes a bill", in(remove(bill)), unbilled, dead(nobody, stale)...),
	}
}
