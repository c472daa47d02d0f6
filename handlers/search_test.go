package handlers_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	phone  = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
	laptop = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)

// atlas places 198.51.100.0/24 in Mexico and 2001:db8:5::/48 in Germany.
func atlas(w *world) {
	w.settings.MaxSessions = 0
	places := map[string]*session.Location{
		"198.51.100.0/24": {Country: "MX", City: "León", Position: &session.Position{Latitude: 21.1, Longitude: -101.7}},
		"2001:db8:5::/48": {Country: "DE", Position: &session.Position{Latitude: 52.5, Longitude: 13.4}},
	}
	w.options.Locate = func(ip netip.Addr) *session.Location {
		for prefix, place := range places {
			if netip.MustParsePrefix(prefix).Contains(ip) {
				return place
			}
		}
		return nil
	}
}

// begin signs in and registers with a user agent from an address.
func (w *world) begin(uid session.UserID, agent, peer string) string {
	w.t.Helper()
	token := w.signIn(uid)
	w.do("POST", "/v1/sessions", token, header("User-Agent", agent), from(peer)).want(http.StatusCreated)
	return token
}

func TestSearch(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin(ana, phone, "198.51.100.7:5")
		b := w.begin(ana, laptop, "[2001:db8:5::7]:5")
		c := w.begin(bob, laptop, "203.0.113.7:5")
		d := w.begin("d&/é", phone, "198.51.100.8:5")
		w.do("POST", "/v1/logout", d, from("198.51.100.8:5")).want(http.StatusNoContent)
		<-time.After(10 * time.Minute)
		w.do("POST", "/v1/sessions/current/activity", c, from("203.0.113.7:5")).want(http.StatusOK)
		admin := w.begin(boss, laptop, "192.0.2.1:5")
		names := map[any]string{w.id(a): "a", w.id(b): "b", w.id(c): "c", w.id(d): "d", w.id(admin): "admin"}
		for query, want := range map[string]string{
			"": "a admin b c d", "status=all": "a admin b c d", "status=active": "a admin b c", "status=ended": "d",
			"userId=ana": "a b", "userId=" + url.QueryEscape("d&/é"): "d", "userId=nobody": "", "userId=ana&status=ended": "",
			"ip=198.51.100.7": "a", "ip=::ffff:198.51.100.7": "a", "ip=2001:DB8:5:0::7": "b", "ip=198.51.100.9": "",
			"deviceType=mobile": "a d", "deviceType=desktop": "admin b c", "deviceType=tablet": "",
			"country=MX": "a d", "country=mx": "a d", "country=DE": "b", "country=FR": "",
			"activeBefore=2000-01-01T00:05:00Z": "a b d", "activeBefore=2000-01-01T01:05:00%2B01:00": "a b d",
			"activeBefore=2000-01-01T00:00:01Z": "", "activeBefore=2000-01-01T00:00:01.5Z": "a",
			"country=MX&deviceType=mobile&status=active&userId=ana&activeBefore=2000-01-01T00:05:00Z": "a",
			"country=DE&deviceType=mobile": "",
		} {
			for _, size := range []string{"1", "2", "200"} {
				path := "/v1/admin/sessions?pageSize=" + size
				if query != "" {
					path += "&" + query
				}
				var found []string
				for _, s := range w.pages(path, admin, "sessions") {
					found = append(found, names[s["id"]])
				}
				slices.Sort(found)
				if got := strings.Join(found, " "); got != want {
					t.Errorf("%s: found %q, want %q", path, got, want)
				}
			}
		}
		shown := objects(t, w.do("GET", "/v1/admin/sessions?status=ended", admin).object()["sessions"])[0]
		keys(t, shown, sessionMembers...)
		if shown["endedBy"] != "d&/é" || shown["endReason"] != "logout" {
			t.Errorf("an ended session is %v", shown)
		}
	}, atlas)
}

// What time has ended is ended, whether or not it is written down.
func TestSearchSeesTime(t *testing.T) {
	inWorld(t, func(w *world) {
		idle := w.live(ana)
		<-time.After(31 * time.Minute)
		admin := w.live(boss)
		if list := w.pages("/v1/admin/sessions?status=active", admin, "sessions"); len(list) != 1 {
			t.Errorf("active are %v", list)
		}
		list := w.pages("/v1/admin/sessions?status=ended", admin, "sessions")
		if len(list) != 1 || list[0]["id"] != w.id(idle) || list[0]["endReason"] != "idle_timeout" {
			t.Errorf("ended are %v", list)
		}
	})
}

func TestSearchRefuses(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.live(boss)
		for query, fields := range map[string][]string{
			"userId=": {"userId"}, "userId=%ff": {"userId"}, "userId=" + strings.Repeat("x", 129): {"userId"},
			"status=": {"status"}, "status=Active": {"status"}, "status=live": {"status"},
			"ip=": {"ip"}, "ip=198.51.100.7:80": {"ip"}, "ip=198.51.100": {"ip"}, "ip=198.51.100.0/24": {"ip"}, "ip=fe80::1%25eth0": {"ip"},
			"ip=[::1]": {"ip"}, "ip=0300.1.1.1": {"ip"}, "ip=%20::1": {"ip"},
			"deviceType=": {"deviceType"}, "deviceType=Mobile": {"deviceType"}, "deviceType=phone": {"deviceType"},
			"country=": {"country"}, "country=MEX": {"country"}, "country=M": {"country"}, "country=12": {"country"}, "country=%C4%B1t": {"country"},
			"activeBefore=": {"activeBefore"}, "activeBefore=2000-01-01": {"activeBefore"}, "activeBefore=946684800": {"activeBefore"},
			"activeBefore=2000-01-01T00:00:00": {"activeBefore"}, "activeBefore=2000-01-01%2000:00:00Z": {"activeBefore"},
			"activeBefore=2000-01-01T00:00:00%2B1:00": {"activeBefore"}, "activeBefore=2000-01-01T0:00:00Z": {"activeBefore"},
			"activeBefore=2000-01-01T00:00:00,5Z": {"activeBefore"}, "activeBefore=2000-02-30T00:00:00Z": {"activeBefore"},
			"activeBefore=2000-01-01T24:00:00Z": {"activeBefore"}, "activeBefore=0001-01-01T00:00:00Z": {"activeBefore"},
			"activeBefore=9999-12-31T23:59:59-23:59": {"activeBefore"}, "activeBefore=2000-01-01T00:00:00%2B24:00": {"activeBefore"}, "activeBefore=2000-01-01t00:00:00z": {"activeBefore"},
			"activeBefore=yesterday": {"activeBefore"},
			"userid=ana":             {"userid"}, "createdBefore=2000-01-01T00:00:00Z": {"createdBefore"}, "userId=ana&userId=bob": {"userId"},
			"ip=x&country=y&status=z&pageSize=0&pageToken=!": {"ip", "country", "status", "pageSize", "pageToken"},
		} {
			w.do("GET", "/v1/admin/sessions?"+query, admin).faults(fields...)
			if t.Failed() {
				t.Fatal(query)
			}
		}
	})
}

// The place in one order is none in another, and the filter is always the caller's own.
func TestSearchPageTokens(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.live(boss)
		for range 4 {
			w.live(ana)
			w.live(bob)
		}
		const timed = "activeBefore=2001-01-01T00:00:00Z"
		next := func(query string) string {
			t.Helper()
			value, _ := w.do("GET", "/v1/admin/sessions?pageSize=1&"+query, admin).want(http.StatusOK).object()["nextPageToken"].(string)
			return value
		}
		byID, byTime := next("userId=ana"), next(timed)
		for token, query := range map[string]string{byID: "userId=bob", next("userId=ana&" + timed): "userId=bob&" + timed} {
			a := w.do("GET", "/v1/admin/sessions?"+query+"&pageToken="+token, admin).want(http.StatusOK)
			for _, s := range objects(t, a.object()["sessions"]) {
				if s["userId"] != "bob" {
					t.Errorf("%s finds %v", query, s)
				}
			}
		}
		w.do("GET", "/v1/admin/sessions?"+timed+"&pageToken="+byID, admin).faults("pageToken")
		w.do("GET", "/v1/admin/sessions?pageToken="+byTime, admin).faults("pageToken")
		id := w.id(admin)
		for _, forged := range []string{
			`{}`, `{"id":""}`, `{"id":"x"}`, `{"id":"` + strings.ToUpper(id) + `"}`, `{"id":"` + id[:63] + `/"}`, `{"id":"` + id + `","x":1}`,
			`{"id":"` + id + `","lastActive":"0001-01-01T00:00:00Z"}`, `{"lastActive":"2000-01-01T00:00:00Z","id":"` + id + `"}`,
			`{"at":"2000-01-01T00:00:00Z","id":"` + id + `"}`,
		} {
			token := base64.RawURLEncoding.EncodeToString([]byte(forged))
			w.do("GET", "/v1/admin/sessions?pageToken="+token, admin).faults("pageToken")
			if !strings.HasPrefix(forged, `{"lastActive"`) { // that is a place in the order of activity
				w.do("GET", "/v1/admin/sessions?"+timed+"&pageToken="+token, admin).faults("pageToken")
			}
		}
	}, func(w *world) { w.settings.MaxSessions = 0 })
}

func TestSearchManyPages(t *testing.T) {
	inWorld(t, func(w *world) {
		admin := w.live(boss)
		for i := range 60 {
			w.live(session.UserID(fmt.Sprintf("user%d", i)))
		}
		first := w.do("GET", "/v1/admin/sessions", admin).want(http.StatusOK).object()
		if n := len(objects(t, first["sessions"])); n != 50 || first["nextPageToken"] == nil {
			t.Errorf("a page has %d sessions by default", n)
		}
		if n := len(w.pages("/v1/admin/sessions?pageSize=7", admin, "sessions")); n != 61 {
			t.Errorf("%d sessions in pages, want 61", n)
		}
	})
}
