package handlers_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/session"
)

// A session says where its sign-in came from and on what kind of device, as headers that count tell.
func TestRegistrationKnowsItsPlace(t *testing.T) {
	inWorld(t, func(w *world) {
		place := func(edits ...edit) any {
			s, _ := w.do("POST", "/v1/sessions", w.signIn(ana), edits...).want(http.StatusCreated).object()["session"].(map[string]any)
			return s["location"]
		}
		mexico := map[string]any{"country": "MX", "region": "", "city": "León"}
		germany := map[string]any{"country": "DE", "region": "BE", "city": "Berlin"}
		told := func(r *http.Request) { r.Header.Set("CF-IPCountry", "MX"); r.Header.Set("cf-ipcity", "León") }
		for name, c := range map[string]struct {
			edits []edit
			want  any
		}{
			"a proxy says":         {[]edit{from("10.1.2.3:5"), header("X-Forwarded-For", "198.51.100.7"), told}, mexico},
			"the client says":      {[]edit{from("198.51.100.7:5"), told}, germany},
			"the database says":    {[]edit{from("198.51.100.7:5")}, germany},
			"nobody knows":         {[]edit{from("203.0.113.7:5")}, nil},
			"a client of no peer":  {[]edit{from("@"), told}, nil},
			"a proxy, of a spoof":  {[]edit{from("10.1.2.3:5"), header("X-Forwarded-For", "198.51.100.7, 203.0.113.7")}, nil},
			"a proxy without news": {[]edit{from("10.1.2.3:5"), header("X-Forwarded-For", "198.51.100.7")}, germany},
		} {
			if diff := cmp.Diff(c.want, place(c.edits...)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}, func(w *world) {
		w.settings.MaxSessions = 0
		w.options.GeoHeaders = handlers.GeoCloudflare
		w.options.Locate = func(ip netip.Addr) *session.Location {
			if ip != netip.MustParseAddr("198.51.100.7") {
				return nil
			}
			return &session.Location{Country: "DE", Region: "BE", City: "Berlin"}
		}
	})
}

// A proxy that the settings do not know is the operator's to find out about, and no reason to fill the log.
func TestUnknownProxyIsNamedOnce(t *testing.T) {
	const warning = "TRUSTED_PROXIES"
	inWorld(t, func(w *world) {
		w.do("GET", "/healthz", "", from("203.0.113.7:5"))
		w.do("GET", "/healthz", "", from("10.1.2.3:5"), header("X-Forwarded-For", "203.0.113.7"))
		if strings.Contains(w.log.String(), warning) {
			t.Errorf("warned of nothing: %s", w.log.String())
		}
		for range 3 {
			w.do("GET", "/healthz", "", from("192.168.7.7:5"), header("X-Forwarded-For", "6.6.6.6"))
		}
		if n := strings.Count(w.log.String(), `"setting":"TRUSTED_PROXIES"`); n != 1 || !strings.Contains(w.log.String(), `"peer":"192.168.7.7:5"`) {
			t.Errorf("warned %d times: %s", n, w.log.String())
		}
	})
}
