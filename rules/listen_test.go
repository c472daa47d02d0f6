package rules

import (
	"context"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/vigilhq/vigil/internal/session"
)

// patience is how long a test waits for what a listener brings.
const patience = 20 * time.Second

// A device is a live session on the clock of the emulator.
type device struct {
	project
	id    string
	token map[string]any
}

func (p project) device(t *testing.T, uid, sid string, expires time.Duration) device {
	t.Helper()
	now := time.Now()
	d := device{
		project: p, id: string(session.NewID(session.UserID(uid), sid, now)),
		token: map[string]any{"sub": uid, "user_id": uid, "auth_time": now.Unix(), "sid": sid},
	}
	p.write(t, "activeSessions/"+d.id, fields{
		"userId": uid, "status": "active", "lastActive": now, "idleTimeout": 1800, "expiresAt": now.Add(expires),
	})
	return d
}

// write is one of the server's.
func (p project) write(t *testing.T, path string, changes fields) {
	t.Helper()
	if _, err := p.Doc(path).Set(t.Context(), changes, firestore.MergeAll); err != nil {
		t.Fatal(err)
	}
}

// listen opens a listener to what a query finds.
func (d device) listen(t *testing.T, q firestore.Query) *firestore.QuerySnapshotIterator {
	t.Helper()
	ctx, cancel := context.WithTimeout(as(t.Context(), d.token), patience)
	listener := q.Snapshots(ctx)
	t.Cleanup(func() { listener.Stop(); cancel() })
	return listener
}

// brings holds that the next thing from a listener has this code, and so many documents.
func brings(t *testing.T, listener *firestore.QuerySnapshotIterator, code codes.Code, documents int) {
	t.Helper()
	snap, err := listener.Next()
	switch {
	case status.Code(err) != code:
		t.Fatalf("got %v, want %s", err, code)
	case err == nil && snap.Size != documents:
		t.Fatalf("got %d documents, want %d", snap.Size, documents)
	}
}

// TestListeners: the end of one device's session is the end of its listeners, at the next change of what they listen to.
func TestListeners(t *testing.T) {
	t.Parallel()
	p := open(t, read(t, "example.rules"))
	kicked, stays := p.device(t, "ana", "one", time.Hour), p.device(t, "ana", "two", time.Hour)
	projects := p.Collection("projects").Where("members", "array-contains", "ana")
	sessions := p.Collection("activeSessions").Where("userId", "==", "ana")
	p.write(t, "projects/first", fields{"members": []string{"ana"}})

	protected, others := kicked.listen(t, projects), stays.listen(t, projects)
	brings(t, protected, codes.OK, 1)
	brings(t, others, codes.OK, 1)
	list, listOfOther := kicked.listen(t, sessions), stays.listen(t, sessions)
	brings(t, list, codes.OK, 2)
	brings(t, listOfOther, codes.OK, 2)
	itself := p.Doc("activeSessions/" + kicked.id).Snapshots(as(t.Context(), kicked.token))
	defer itself.Stop()
	if _, err := itself.Next(); err != nil {
		t.Fatal(err)
	}
	p.write(t, "projects/second", fields{"members": []string{"ana"}})
	brings(t, protected, codes.OK, 2)
	brings(t, others, codes.OK, 2)

	p.write(t, "activeSessions/"+kicked.id, fields{"status": "ended"})
	brings(t, list, codes.PermissionDenied, 0) // what it listens to is what has changed
	if _, err := itself.Next(); status.Code(err) != codes.PermissionDenied {
		t.Fatalf("a listener to the session itself: %v", err)
	}
	brings(t, listOfOther, codes.OK, 2)
	brings(t, kicked.listen(t, projects), codes.PermissionDenied, 0)
	brings(t, stays.listen(t, projects), codes.OK, 2)
	p.write(t, "projects/third", fields{"members": []string{"ana"}})
	brings(t, protected, codes.PermissionDenied, 0)
	brings(t, others, codes.OK, 3)
}

// TestListenersOutliveDeadlines: time alone ends no listener that is open, on the emulator at least. The end that is written
// down does.
func TestListenersOutliveDeadlines(t *testing.T) {
	t.Parallel()
	p := open(t, read(t, "example.rules"))
	projects := p.Collection("projects").Where("members", "array-contains", "ana")
	p.write(t, "projects/first", fields{"members": []string{"ana"}})
	var d device
	var listener *firestore.QuerySnapshotIterator
	for left := 300 * time.Millisecond; ; left *= 2 { // on a busy machine a session may be over before its listener opens
		d = p.device(t, "ana", left.String(), left)
		listener = d.listen(t, projects)
		if _, err := listener.Next(); err == nil {
			break
		} else if status.Code(err) != codes.PermissionDenied || left > patience {
			t.Fatal(err)
		}
	}

	for err := error(nil); status.Code(err) != codes.PermissionDenied; {
		if _, err = p.Doc("projects/first").Get(as(t.Context(), d.token)); err != nil && status.Code(err) != codes.PermissionDenied {
			t.Fatal(err)
		}
	}
	brings(t, d.listen(t, projects), codes.PermissionDenied, 0)
	p.write(t, "projects/second", fields{"members": []string{"ana"}})
	brings(t, listener, codes.OK, 2)

	p.write(t, "activeSessions/"+d.id, fields{"status": "ended"})
	p.write(t, "projects/third", fields{"members": []string{"ana"}})
	brings(t, listener, codes.PermissionDenied, 0)
}

// TestClock runs the rules as they are, on the emulator's own clock.
func TestClock(t *testing.T) {
	t.Parallel()
	p := open(t, read(t, "firestore.rules"))
	d := p.device(t, "ana", "one", time.Hour)
	ref, ctx := p.Doc("activeSessions/"+d.id), as(t.Context(), d.token)
	read := func() error { _, err := ref.Get(ctx); return err }
	touch := func(value any) error {
		_, err := ref.Update(ctx, []firestore.Update{{Path: "lastActive", Value: value}})
		return err
	}
	ago := func(field string, d time.Duration) func() {
		return func() { p.write(t, "activeSessions/"+ref.ID, fields{field: time.Now().Add(-d)}) }
	}
	now := func() error { return touch(firestore.ServerTimestamp) }
	claimed := func() error { return touch(time.Now()) }
	nothing := func() {}

	for _, step := range []struct {
		name   string
		before func()
		do     func() error
		want   codes.Code
	}{
		{"live", nothing, read, codes.OK},
		{"active within a minute", nothing, now, codes.PermissionDenied},
		{"active by the client's clock", ago("lastActive", time.Minute), claimed, codes.PermissionDenied},
		{"active after a minute", nothing, now, codes.OK},
		{"active once more", nothing, now, codes.PermissionDenied},
		{"idle", ago("lastActive", 30*time.Minute), read, codes.PermissionDenied},
		{"active again, by the server", ago("lastActive", 0), read, codes.OK},
		{"expired", ago("expiresAt", 0), read, codes.PermissionDenied},
	} {
		step.before()
		if err := step.do(); status.Code(err) != step.want {
			t.Errorf("%s: %v, want %s", step.name, err, step.want)
		}
	}
}
