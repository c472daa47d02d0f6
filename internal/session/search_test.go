package session_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func TestFilterChooses(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := session.Session{
		UserID: "ana", Status: session.StatusActive, IPAddress: "203.0.113.7", Device: session.Device{Type: "desktop"},
		Location: &session.Location{Country: "MX"}, LastActive: at, CreatedAt: at,
	}
	everything := session.Filter{"ana", session.StatusActive, "203.0.113.7", "desktop", "MX", at.Add(1), at.Add(1)}
	butOne := everything
	butOne.CreatedBefore = at
	nowhere := s
	nowhere.Location = nil
	for name, c := range map[string]struct {
		f    session.Filter
		s    session.Session
		want bool
	}{
		"all":                               {session.Filter{}, s, true},
		"the user":                          {session.Filter{UserID: "ana"}, s, true},
		"another user":                      {session.Filter{UserID: "an"}, s, false},
		"the status":                        {session.Filter{Status: session.StatusActive}, s, true},
		"another status":                    {session.Filter{Status: session.StatusEnded}, s, false},
		"the address":                       {session.Filter{IPAddress: "203.0.113.7"}, s, true},
		"another address":                   {session.Filter{IPAddress: "203.0.113"}, s, false},
		"the type":                          {session.Filter{DeviceType: "desktop"}, s, true},
		"another type":                      {session.Filter{DeviceType: "mobile"}, s, false},
		"the country":                       {session.Filter{Country: "MX"}, s, true},
		"another country":                   {session.Filter{Country: "ES"}, s, false},
		"a country, from nowhere":           {session.Filter{Country: "MX"}, nowhere, false},
		"from nowhere":                      {session.Filter{}, nowhere, true},
		"active before":                     {session.Filter{ActiveBefore: at.Add(1)}, s, true},
		"active at that moment":             {session.Filter{ActiveBefore: at}, s, false},
		"created before":                    {session.Filter{CreatedBefore: at.Add(1)}, s, true},
		"created at that moment":            {session.Filter{CreatedBefore: at}, s, false},
		"everything at once":                {everything, s, true},
		"everything at once, but one thing": {butOne, s, false},
	} {
		if got := c.f.Passes(c.s); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestCursorsAreOrderedAsSearchesAre(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	byID := []session.Cursor{{}, {ID: "0a"}, {ID: "0b"}, {ID: "1a"}, {ID: "f"}}
	byTime := []session.Cursor{
		{LastActive: at(1), ID: "0f"}, {LastActive: at(2), ID: "0a"}, {LastActive: at(2), ID: "0b"},
		{LastActive: at(1), ID: "1a"}, {LastActive: at(3), ID: "1b"}, {LastActive: at(0), ID: "f"},
	}
	for _, sorted := range [][]session.Cursor{byID, byTime, append([]session.Cursor{{}}, byTime...)} {
		for i, a := range sorted {
			for j, b := range sorted {
				if got := a.Compare(b); got != min(max(i-j, -1), 1) {
					t.Errorf("%+v and %+v: %d", a, b, got)
				}
			}
		}
	}
	s := session.Session{ID: "0a", LastActive: at(7)}
	if got := (session.Filter{}).CursorOf(s); got != (session.Cursor{ID: "0a"}) {
		t.Errorf("%+v", got)
	}
	if got := (session.Filter{ActiveBefore: at(9)}).CursorOf(s); got != (session.Cursor{LastActive: at(7), ID: "0a"}) {
		t.Errorf("%+v", got)
	}
}

func TestAFilterIsStoredWithoutWhatItDoesNotSay(t *testing.T) {
	text, err := json.Marshal(session.Filter{UserID: "ana"})
	if err != nil || string(text) != `{"userId":"ana"}` {
		t.Errorf("%s, %v", text, err)
	}
}

// populate registers n sessions of as many users, all at once and a second ago.
func (w *world) populate(i *instance, n int) []session.ID {
	w.Helper()
	w.pass(time.Second)
	var ids []session.ID
	for k := range n {
		ids = append(ids, w.register(i, w.accounts.SignIn(userNumber(k))).ID)
	}
	w.pass(time.Second)
	return ids
}

func searchAll(w *world, i *instance, f session.Filter, size int) (found []session.ID, pages int) {
	w.Helper()
	var after session.Cursor
	for {
		page, next, err := i.registry.Search(w.Context(), f, after, size)
		if err != nil {
			w.Fatal(err)
		}
		if len(page) > size {
			w.Errorf("a page of %d", len(page))
		}
		pages++
		for _, s := range page {
			found = append(found, s.ID)
		}
		if next == nil {
			return found, pages
		}
		after = *next
	}
}

func TestSearchPagesThroughEverythingOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		ids := w.populate(i, 450)
		slices.Sort(ids)
		for _, size := range []int{1000, 450, 199, 200, 7} {
			if found, pages := searchAll(w, i, session.Filter{}, size); !slices.Equal(found, ids) || pages < len(ids)/size {
				t.Errorf("%d sessions on %d pages of %d", len(found), pages, size)
			}
		}
		found, _ := searchAll(w, i, session.Filter{ActiveBefore: time.Now().Add(time.Hour)}, 33)
		if slices.Sort(found); !slices.Equal(found, ids) {
			t.Errorf("by activity: %d sessions", len(found))
		}
		if found, _ := searchAll(w, i, session.Filter{UserID: userNumber(77)}, 33); len(found) != 1 {
			t.Errorf("of one user: %v", found)
		}
	})
}

// A filter that nothing passes must not keep one request busy for good.
func TestSearchOfManyThatDoNotPassGivesUpAndGoesOn(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		w.populate(i, 2100)
		w.pass(policy.IdleTimeout) // stored as active, and over
		page, next, err := i.registry.Search(w.Context(), session.Filter{Status: session.StatusActive}, session.Cursor{}, 50)
		if err != nil || len(page) != 0 || next == nil {
			t.Fatalf("%d sessions, next %v, %v", len(page), next, err)
		}
		page, next, err = i.registry.Search(w.Context(), session.Filter{Status: session.StatusActive}, *next, 50)
		if err != nil || len(page) != 0 || next != nil {
			t.Errorf("%d sessions, next %v, %v", len(page), next, err)
		}
	})
}

func TestSearchJudgesByTheHourNotByWhatIsStored(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Retention = 13 * time.Hour
		i := w.start()
		_, idle := w.signIn(i, "ana")
		w.pass(20 * time.Minute)
		token, busy := w.signIn(i, "ana")
		w.pass(policy.TouchInterval - time.Minute)
		touched := time.Now()
		if _, err := i.registry.Touch(w.Context(), w.admit(i, token, "")); err != nil {
			t.Fatal(err)
		}
		w.pass(policy.IdleTimeout - 20*time.Minute - policy.TouchInterval + time.Minute)
		find := func(f session.Filter, want ...session.ID) {
			t.Helper()
			found, _ := searchAll(w, i, f, 10)
			if slices.Sort(want); !slices.Equal(found, want) {
				t.Errorf("%+v: found %v, want %v", f, found, want)
			}
		}
		find(session.Filter{}, idle.ID, busy.ID)
		find(session.Filter{Status: session.StatusEnded}, idle.ID)
		find(session.Filter{Status: session.StatusActive}, busy.ID)
		find(session.Filter{Status: session.StatusActive, ActiveBefore: touched})
		w.pass(13*time.Hour + time.Second) // past the retention of one, and of the other not
		find(session.Filter{}, busy.ID)
		i.store.SetDown(true)
		_, _, err := i.registry.Search(w.Context(), session.Filter{}, session.Cursor{}, 10)
		wantCode(t, err, session.CodeUnavailable)
	})
}
