package firestore

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// TestUnreadableSession: a list goes on past a session that somebody has broken, and says so; read by itself it is a failure.
func TestUnreadableSession(t *testing.T) {
	s := connect(t, firestoretest.Start(t), firestoretest.ProjectID(t))
	log := &logbook{}
	s.log = slog.New(log)
	var all, readable []session.ID
	for i := range 7 {
		stored := sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn.Add(time.Duration(i)*time.Minute)))
		all = append(all, stored.ID)
	}
	slices.Sort(all)
	broken := map[int]map[string]any{ // among them all of a page of two, and the last
		0: {"networks": []string{"everywhere"}}, 2: {"createdAt": "at noon"}, 3: {"sessionId": ""}, 6: {"device": 7},
	}
	for i, id := range all {
		if broken[i] == nil {
			readable = append(readable, id)
			continue
		}
		if err := s.settle(t.Context(), "break", callTimeout, func(ctx context.Context) error {
			_, err := s.commit(ctx, write{ref: s.sessions().Doc(string(id)), do: update, data: broken[i]})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Session(t.Context(), id); session.CodeOf(err) != session.CodeUnavailable {
			t.Errorf("Session %d: %v", i, err)
		}
	}
	for name, list := range unreadableLists(t, s) {
		var got []session.ID
		for _, each := range list() {
			got = append(got, each.ID)
		}
		if slices.Sort(got); !slices.Equal(got, readable) {
			t.Errorf("%s: %d sessions, want %d", name, len(got), len(readable))
		}
		log.await(t, "unreadable session")
	}
}

// unreadableLists are the lists that a broken session could stop, each of all sessions.
func unreadableLists(t *testing.T, s *Store) map[string]func() []session.Session {
	search := func(f session.Filter) func() []session.Session {
		return func() (found []session.Session) {
			for next := (&session.Cursor{}); next != nil; {
				page, rest, err := s.Search(t.Context(), f, *next, 2)
				if err != nil {
					t.Fatal(err)
				}
				found, next = append(found, page...), rest
			}
			return found
		}
	}
	return map[string]func() []session.Session{
		"Search":                  search(session.Filter{}),
		"Search by activity":      search(session.Filter{ActiveBefore: sessiontest.SignIn.Add(time.Hour)}),
		"Search of a user":        search(session.Filter{UserID: "ana", ActiveBefore: sessiontest.SignIn.Add(time.Hour)}),
		"UserSessions":            func() []session.Session { return list(t)(s.UserSessions(t.Context(), "ana", true)) },
		"UserSessions, live ones": func() []session.Session { return list(t)(s.UserSessions(t.Context(), "ana", false)) },
		"RecentSessions":          func() []session.Session { return list(t)(s.RecentSessions(t.Context(), "ana", 3)) },
		"ActiveByUser": func() (found []session.Session) {
			var after session.Session
			for {
				page := list(t)(s.ActiveByUser(t.Context(), after, 2))
				if found = append(found, page...); len(page) < 2 {
					return found
				}
				after = page[1]
			}
		},
	}
}

func list(t *testing.T) func([]session.Session, error) []session.Session {
	return func(found []session.Session, err error) []session.Session {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
}

// TestSearchReads: a call reads no more than it may, whatever passes, and the calls together read everything about once.
func TestSearchReads(t *testing.T) {
	const crowd = 2500
	m := &tally{ops: make(map[string]int)}
	s, err := Open(t.Context(), Options{EmulatorHost: firestoretest.Start(t), ProjectID: firestoretest.ProjectID(t), Meter: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for from := 0; from < crowd; from += 250 {
		var writes []write
		for k := range 250 {
			each := sessiontest.NewSession(session.UserID(strconv.Itoa(from+k)), sessiontest.SignIn)
			writes = append(writes, write{ref: s.sessions().Doc(string(each.ID)), data: s.newSessionDoc(each)})
		}
		if _, err := s.commit(t.Context(), writes...); err != nil {
			t.Fatal(err)
		}
	}
	later := sessiontest.SignIn.Add(time.Hour)
	for _, f := range []session.Filter{
		{ActiveBefore: later, Country: "ZZ"}, {ActiveBefore: later, Status: session.StatusActive, IPAddress: "203.0.113.8"},
		{CreatedBefore: sessiontest.SignIn}, {CreatedBefore: sessiontest.SignIn, Status: session.StatusActive, Country: "MX"},
	} {
		total := 0
		for next := (&session.Cursor{}); next != nil; {
			m.take()
			found, rest, err := s.Search(t.Context(), f, *next, 10)
			if err != nil || len(found) > 0 {
				t.Fatalf("%d found, error %v", len(found), err)
			}
			reads := m.take()["read"]
			if total += reads; reads > session.SearchReads+pageSize || total > 2*crowd {
				t.Fatalf("%+v: %d reads in one call, %d in all", f, reads, total)
			}
			next = rest
		}
		if total < crowd {
			t.Errorf("%+v: %d reads in all", f, total)
		}
	}
	m.take()
	if found, next, err := s.Search(t.Context(), session.Filter{Country: "MX"}, session.Cursor{}, 10); err != nil || len(found) != 10 || next == nil {
		t.Errorf("%d found, next %v, error %v", len(found), next, err)
	}
	if reads := m.take()["read"]; reads != 10 {
		t.Errorf("%d reads to find ten of those that an index chooses", reads)
	}
}
