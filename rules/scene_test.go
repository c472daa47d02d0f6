package rules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vigilhq/vigil/internal/session"
)

// A scene is one request: what is stored, who asks, when, and for what. Everyone in it is its own, so that all scenes
// fit into one project.
type scene struct {
	name    string
	allowed bool

	uid     string
	claims  map[string]any // of the caller's token, besides those about the user; nil: nobody is signed in
	now     time.Time
	id      string // the name of the document of the caller's session
	session fields // that document; nil: there is none
	others  map[string]fields
	ask     ask
}

type fields = map[string]any

// noon is when scenes play, unless they say otherwise.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// usual is the scene that others are changes of: a user with a live session.
func usual(uid string) *scene {
	signIn := noon.Add(-time.Hour)
	s := &scene{
		uid: uid, now: noon, claims: map[string]any{"auth_time": signIn.Unix()}, others: map[string]fields{},
		session: fields{
			"userId": uid, "status": "active", "deviceInfo": "Desktop", "ipAddress": "203.0.113.7", "createdAt": signIn,
			"lastActive": noon.Add(-10 * time.Minute), "idleTimeout": 1800, "expiresAt": signIn.Add(12 * time.Hour),
		},
	}
	s.id = string(session.NewID(session.UserID(uid), "", signIn))
	s.session["sessionId"] = s.id
	return s
}

// A but is the one thing that is different where a request is denied that is allowed otherwise.
type but struct {
	name   string
	change func(*scene)
}

// A row is a scene in which a request is allowed, and for every but one in which it is denied. It gives each a user of its own.
type row func(number func() string) []*scene

// allow is how scenes come about, so none is allowed without one that is not.
func allow(name string, set func(*scene), nearest but, more ...but) row {
	return func(number func() string) (scenes []*scene) {
		for i, b := range append([]but{{name, func(*scene) {}}, nearest}, more...) {
			s := usual("ana" + number())
			set(s)
			b.change(s)
			s.name, s.allowed = b.name, i == 0
			if !s.allowed {
				s.name = name + ", but " + b.name
			}
			scenes = append(scenes, s)
		}
		return scenes
	}
}

// scenesOf are those of a table.
func scenesOf(table ...row) (scenes []*scene) {
	n := 0
	for _, r := range table {
		scenes = append(scenes, r(func() string { n++; return fmt.Sprint(n) })...)
	}
	return scenes
}

// path is a document's, where {id} is the caller's session and {uid} the caller.
func (s *scene) path(template string) string {
	return strings.NewReplacer("{id}", s.id, "{uid}", s.uid).Replace(template)
}

// stored are all documents of the scene by their paths.
func (s *scene) stored() map[string]fields {
	docs := make(map[string]fields)
	if s.session != nil {
		docs[s.path("activeSessions/{id}")] = s.session
	}
	for template, doc := range s.others {
		docs[s.path(template)] = doc
	}
	return docs
}

// token is the caller's, and tells the rules of [frozen] what time it is, and those of a [brood] which mutant they are.
func (s *scene) token(mutant int) map[string]any {
	if s.claims == nil {
		return nil
	}
	claims := maps.Clone(s.claims)
	claims["sub"], claims["user_id"] = s.uid, s.uid
	claims["clock"] = []int64{s.now.UnixMilli(), s.now.Sub(s.now.Truncate(time.Millisecond)).Nanoseconds()}
	claims["mutant"] = mutant
	return claims
}

// frozen are rules whose clock stands where the caller's token says: only so can a deadline's very instant be tried. All else
// stays where it is in the text.
func frozen(rules string) string {
	const clock = `
    function frozenTime() {
      return timestamp.value(request.auth.token.clock[0]) + duration.value(request.auth.token.clock[1], 'ns');
    }
`
	const end = "  }\n}\n"
	return strings.ReplaceAll(strings.TrimSuffix(rules, end), "request.time", "frozenTime()") + clock + end
}

// outcome makes the request, and undoes what it has written.
func (s *scene) outcome(ctx context.Context, p project) (allowed bool, err error) {
	err = s.ask.do(as(ctx, s.token(p.mutant)), p.Client, s)
	switch {
	case status.Code(err) == codes.PermissionDenied:
		if s.claims == nil && strings.Contains(status.Convert(err).Message(), "error") {
			return false, fmt.Errorf("who is not signed in has to be refused by what is false, as a rule that fails locks: %w", err)
		}
		return false, nil
	case err != nil || !s.ask.writes():
		return err == nil, err
	}
	path := s.path(s.ask.path)
	if doc, ok := s.stored()[path]; ok {
		_, err = p.Doc(path).Set(ctx, doc)
	} else {
		_, err = p.Doc(path).Delete(ctx)
	}
	return true, err
}

// store puts the documents of scenes into a project.
func store(t *testing.T, p project, scenes []*scene) {
	t.Helper()
	docs := make(map[string]fields)
	for _, s := range scenes {
		maps.Copy(docs, s.stored())
	}
	err := p.RunTransaction(t.Context(), func(_ context.Context, tx *firestore.Transaction) (err error) {
		for path, doc := range docs {
			err = errors.Join(err, tx.Set(p.Doc(path), doc))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An ask is what is asked of Firestore.
type ask struct {
	do   func(ctx context.Context, c *firestore.Client, s *scene) error
	op   string // which operation of rules it is
	path string // of the document or collection
}

func (a ask) writes() bool { return a.op != "get" && a.op != "list" }

func get(path string) ask {
	return ask{op: "get", path: path, do: func(ctx context.Context, c *firestore.Client, s *scene) error {
		_, err := c.Doc(s.path(path)).Get(ctx)
		return err
	}}
}

// A where is a filter for equality, with {uid} for the caller.
type where struct{ field, op, value string }

// list reads what a query finds, which is something if it is allowed.
func list(collection string, filters ...where) ask {
	return ask{op: "list", path: collection, do: func(ctx context.Context, c *firestore.Client, s *scene) error {
		q := c.Collection(s.path(collection)).Query
		for _, f := range filters {
			q = q.Where(f.field, f.op, s.path(f.value))
		}
		_, err := q.Documents(ctx).Next()
		if errors.Is(err, iterator.Done) {
			return errors.New("found nothing")
		}
		return err
	}}
}

// set writes a whole document, or creates it.
func set(path string, doc fields) ask {
	return ask{op: "create", path: path, do: func(ctx context.Context, c *firestore.Client, s *scene) error {
		_, err := c.Doc(s.path(path)).Set(ctx, doc)
		return err
	}}
}

func update(path string, changes ...firestore.Update) ask {
	return ask{op: "update", path: path, do: func(ctx context.Context, c *firestore.Client, s *scene) error {
		_, err := c.Doc(s.path(path)).Update(ctx, changes)
		return err
	}}
}

// touch sets lastActive to now, or so much later, together with more changes.
func touch(path string, later time.Duration, more ...firestore.Update) ask {
	return ask{op: "update", path: path, do: func(ctx context.Context, c *firestore.Client, s *scene) error {
		return update(path, append(more, firestore.Update{Path: "lastActive", Value: s.now.Add(later)})...).do(ctx, c, s)
	}}
}

func remove(path string) ask {
	return ask{op: "delete", path: path, do: func(ctx context.Context, c *firestore.Client, s *scene) error {
		_, err := c.Doc(s.path(path)).Delete(ctx)
		return err
	}}
}
