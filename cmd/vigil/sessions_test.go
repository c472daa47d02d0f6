package main

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
)

func TestCLIListsSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	store := w.store(host, 0)
	desk := w.begin(store, "ana", "1", func(s *session.Session) {
		s.Location = &session.Location{Country: "MX", Region: "CMX", City: "Ciudad de México"}
	})
	phone := w.begin(store, "ben", "1", func(s *session.Session) {
		s.Device = session.Device{Type: "mobile", Browser: "Safari\x1b[2J", OS: "iOS 19"}
		s.IPAddress, s.LastActive = "2001:db8::7", s.LastActive.Add(-2*time.Hour)
	})
	over := w.begin(store, "ana", "2", nil)
	if _, _, err := store.End(t.Context(), over.ID, session.End{Reason: session.ReasonLogout, By: "ana"}, session.Record{}); err != nil {
		t.Fatal(err)
	}

	rows := map[session.ID]string{
		desk.ID:  "ana   active  desktop, Chrome 142, Windows 11  Ciudad de México, CMX, MX  203.0.113.7  5m ago  -              " + string(desk.ID),
		phone.ID: "ben   active  mobile, Safari?[2J, iOS 19       -                          2001:db8::7  2h ago  -              " + string(phone.ID),
		over.ID:  "ana   ended   desktop, Chrome 142, Windows 11  -                          203.0.113.7  5m ago  logout by ana  " + string(over.ID),
	}
	want := "USER  STATUS  DEVICE                           PLACE                      IP           ACTIVE  REASON         ID\n"
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		want += rows[id] + "\n"
	}
	if got := w.command(host, 0, "sessions", "list", "--status=all").stdout.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}

	for args, want := range map[string][]session.ID{
		"":                                     {desk.ID, phone.ID},
		"--status=ended":                       {over.ID},
		"--user=ana":                           {desk.ID},
		"--user=ana --status=all":              {desk.ID, over.ID},
		"--device-type=mobile":                 {phone.ID},
		"--ip=2001:DB8:0::7":                   {phone.ID},
		"--country=mx":                         {desk.ID},
		"--active-before=1h":                   {phone.ID},
		"--active-before=2020-01-01T00:00:00Z": nil,
	} {
		var got []session.ID
		for _, each := range w.command(host, 0, append(strings.Fields("sessions list --json "+args), "--limit=0")...).lines() {
			got = append(got, session.ID(each["id"].(string)))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", args, got, want)
		}
	}
	first := w.command(host, 0, "sessions", "list", "--limit=1")
	if strings.Count(first.stdout.String(), "\n") != 2 || !strings.Contains(first.stderr.String(), "There are more than these 1") {
		t.Errorf("%s%s", first.stdout.String(), first.stderr.String())
	}
	none := w.command(host, 0, "sessions", "list", "--user=nobody")
	if none.stdout.String() != "" || none.stderr.String() != "No sessions.\n" {
		t.Errorf("%q %q", none.stdout.String(), none.stderr.String())
	}
}

func TestCLIListsPageByPage(t *testing.T) {
	t.Parallel()
	const crowd = 2*listPage + 50
	w := newWorld(t)
	host := firestoretest.Start(t)
	w.crowd(host, crowd)
	for args, want := range map[string]int{"--limit=0": crowd, "--limit=250": 250, "--limit=450": crowd, "": 100} {
		p := w.command(host, 0, strings.Fields("sessions list --json "+args)...)
		ids := make(map[any]bool)
		for _, each := range p.lines() {
			ids[each["id"]] = true
		}
		if len(ids) != want || strings.Count(p.stdout.String(), "\n") != want || strings.Contains(p.stderr.String(), "more than") != (want < crowd) {
			t.Errorf("%q: %d sessions in %d lines, want %d\n%s", args, len(ids), strings.Count(p.stdout.String(), "\n"), want, p.stderr.String())
		}
	}
	lines := strings.Split(w.command(host, 0, "sessions", "list", "--limit=0").stdout.String(), "\n")
	if got := len(lines) - 1; got != crowd+1 || strings.Count(strings.Join(lines, ""), "USER") != 1 {
		t.Errorf("%d lines for %d sessions and one head", got, crowd)
	}
}

// The JSON of a session is that of the API, to the letter.
func TestCLIListsSessionsInTheWordsOfTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	p := w.serve(host)
	ana, admin := w.signIn("ana", userPass), w.signIn("boss", adminPass)
	admin.register(p)
	ended := ana.register(p)
	p.want(http.StatusNoContent, "", http.MethodPost, "/v1/logout", ana.idToken, nil)
	w.signIn("ana", userPass).register(p)
	w.command(host, 0, "sessions", "end", "--user=ana", "--yes")
	listed := w.command(host, 0, "sessions", "list", "--user=ana", "--status=all", "--json").lines()
	byAPI := p.want(http.StatusOK, "", http.MethodGet, "/v1/admin/users/ana/sessions", admin.idToken, nil).body["sessions"].([]any)
	if len(listed) != 2 || len(byAPI) != 2 {
		t.Fatalf("%v\n%v", listed, byAPI)
	}
	for _, each := range byAPI {
		if !slices.ContainsFunc(listed, func(l map[string]any) bool { return reflect.DeepEqual(any(l), each) }) {
			t.Errorf("%v is not among %v", each, listed)
		}
		if s, _ := each.(map[string]any); s["id"] != ended && s["endedBy"] != session.ActorCLI {
			t.Errorf("ended by %v", s["endedBy"])
		}
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "now", 999 * time.Millisecond: "now", 59 * time.Second: "59s ago", time.Minute: "1m ago", 59*time.Minute + 59*time.Second: "59m ago",
		time.Hour: "1h ago", 47 * time.Hour: "47h ago", 48 * time.Hour: "2d ago", 240 * time.Hour: "10d ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, 1, 31, 18, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"24h": now.Add(-24 * time.Hour), "1500": now.Add(-1500 * time.Millisecond),
		"2026-01-31T12:00:00-06:00": now, "2026-01-31T18:00:00.5Z": now.Add(500 * time.Millisecond),
	} {
		var m moment
		if err := m.Set(text); err != nil || !m.at(now).Equal(want) || m.String() != text {
			t.Errorf("%s: %s, %v", text, m.at(now), err)
		}
	}
	for _, text := range []string{"", "-1h", "0", "0s", "2026-01-31", "a day", "99999999999999999999"} {
		var m moment
		if err := m.Set(text); err == nil {
			t.Errorf("%q is taken for %s", text, m.at(now))
		}
	}
	if at := new(moment).at(now); !at.IsZero() {
		t.Errorf("no moment is %s", at)
	}
}
