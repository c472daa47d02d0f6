package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

// database is the place that a database knows for every address.
var database = &session.Location{Country: "DE"}

func edge(g GeoHeaders) *api {
	o := Options{GeoHeaders: g, Locate: func(netip.Addr) *session.Location { return database }}
	return &api{Options: o, proxies: newProxies([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})}
}

// request makes a request; each line is a header.
func request(t *testing.T, peer string, lines ...string) echo.Context {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return echo.New().NewContext(r, httptest.NewRecorder())
}

func TestGeoHeaders(t *testing.T) {
	const client, peer = "203.0.113.7", "10.0.0.1:1"
	mexico := &session.Location{Country: "MX", Region: "CMX", City: "Mexico City",
		Position: &session.Position{Latitude: 19.43, Longitude: -99.13}}
	at := func(latitude, longitude float64) *session.Location {
		return &session.Location{Country: "MX", Position: &session.Position{Latitude: latitude, Longitude: longitude}}
	}
	google := []string{"X-Client-Geo-Address: " + client, "X-Client-Geo-Country: MX", "X-Client-Geo-Subdivision: MXCMX",
		"X-Client-Geo-City: Mexico City", "X-Client-Geo-Position: 19.43,-99.13"}
	cloudflare := []string{"CF-Connecting-IP: " + client, "CF-IPCountry: MX", "cf-region-code: CMX", "cf-ipcity: Mexico City",
		"cf-iplatitude: 19.43000", "cf-iplongitude: -99.13000"}
	for name, c := range map[string]struct {
		geo     GeoHeaders
		headers []string // beside X-Forwarded-For
		want    *session.Location
	}{
		"google":                     {GeoGoogle, google, mexico},
		"google, subdivision of one": {GeoGoogle, []string{"X-Client-Geo-Country: AT", "X-Client-Geo-Subdivision: AT9"}, &session.Location{Country: "AT", Region: "9"}},
		"google, another country's subdivision": {GeoGoogle, []string{"X-Client-Geo-Country: MX", "X-Client-Geo-Subdivision: USCA"},
			&session.Location{Country: "MX"}},
		"google, unknown": {GeoGoogle, []string{"X-Client-Geo-Country: ", "X-Client-Geo-City: "}, database},
		"google, ZZ":      {GeoGoogle, []string{"X-Client-Geo-Country: ZZ"}, database},
		"app engine": {GeoAppEngine, []string{"X-Appengine-User-IP: " + client, "X-AppEngine-Country: US", "X-AppEngine-Region: ca",
			"X-AppEngine-City: mountain view", "X-AppEngine-CityLatLong: 37.386051,-122.083851"},
			&session.Location{Country: "US", Region: "CA", City: "mountain view",
				Position: &session.Position{Latitude: 37.386051, Longitude: -122.083851}}},
		"app engine, country only": {GeoAppEngine, []string{"X-AppEngine-Country: US", "X-AppEngine-Region: ?", "X-AppEngine-City: ?",
			"X-AppEngine-CityLatLong: 0.000000,0.000000"}, &session.Location{Country: "US"}},
		"app engine, unknown": {GeoAppEngine, []string{"X-AppEngine-Country: ZZ", "X-AppEngine-City: ?"}, database},
		"cloudflare":          {GeoCloudflare, cloudflare, mexico},
		"cloudflare, UTF-8": {GeoCloudflare, []string{"CF-IPCountry: CH", "cf-ipcity: Z\u00fcrich"},
			&session.Location{Country: "CH", City: "Zürich"}},
		"cloudflare, country only":        {GeoCloudflare, []string{"CF-IPCountry: MX"}, &session.Location{Country: "MX"}},
		"cloudflare, unknown":             {GeoCloudflare, []string{"CF-IPCountry: XX", "cf-ipcity: Gotham"}, database},
		"cloudflare, Tor":                 {GeoCloudflare, []string{"CF-IPCountry: T1"}, database},
		"nothing said":                    {GeoCloudflare, nil, database},
		"another vendor's headers":        {GeoCloudflare, google, database},
		"off":                             {"", cloudflare, database},
		"no such vendor":                  {"akamai", cloudflare, database},
		"two countries":                   {GeoCloudflare, []string{"CF-IPCountry: MX", "CF-IPCountry: US"}, database},
		"two countries in one":            {GeoCloudflare, []string{"CF-IPCountry: MX, US"}, database},
		"two cities":                      {GeoCloudflare, []string{"CF-IPCountry: MX", "cf-ipcity: A", "cf-ipcity: B"}, &session.Location{Country: "MX"}},
		"a country in small letters":      {GeoCloudflare, []string{"CF-IPCountry: mx"}, &session.Location{Country: "MX"}},
		"a country by name":               {GeoCloudflare, []string{"CF-IPCountry: Mexico"}, database},
		"a region by name":                {GeoCloudflare, []string{"CF-IPCountry: MX", "cf-region-code: Jalisco"}, &session.Location{Country: "MX"}},
		"a city that hides":               {GeoCloudflare, []string{"CF-IPCountry: MX", "cf-ipcity: Le\u202eo\xffn\x00"}, &session.Location{Country: "MX", City: "Leon"}},
		"a city without end":              {GeoCloudflare, []string{"CF-IPCountry: MX", "cf-ipcity: " + strings.Repeat("é", 1000)}, &session.Location{Country: "MX", City: strings.Repeat("é", maxText)}},
		"a position off the globe":        {GeoGoogle, []string{"X-Client-Geo-Country: MX", "X-Client-Geo-Position: 91,0"}, &session.Location{Country: "MX"}},
		"a position that is no number":    {GeoGoogle, []string{"X-Client-Geo-Country: MX", "X-Client-Geo-Position: NaN,1"}, &session.Location{Country: "MX"}},
		"half a position":                 {GeoGoogle, []string{"X-Client-Geo-Country: MX", "X-Client-Geo-Position: 19.4"}, &session.Location{Country: "MX"}},
		"a position on the equator":       {GeoGoogle, []string{"X-Client-Geo-Country: MX", "X-Client-Geo-Position: 0.0, 10.5"}, at(0, 10.5)},
		"about another client":            {GeoCloudflare, []string{"CF-Connecting-IP: 198.51.100.1", "CF-IPCountry: MX"}, database},
		"about two clients":               {GeoCloudflare, []string{"CF-Connecting-IP: " + client, "CF-Connecting-IP: 1.2.3.4", "CF-IPCountry: MX"}, database},
		"about a client that is not read": {GeoCloudflare, []string{"CF-Connecting-IP: ", "CF-IPCountry: MX"}, database},
	} {
		a := edge(c.geo)
		o := a.origin(request(t, peer, append(c.headers, "X-Forwarded-For: "+client)...))
		if o.Address() != client {
			t.Errorf("%s: from %s", name, o.Address())
		}
		if diff := cmp.Diff(c.want, o.Location()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Headers count for the client that a trusted proxy has seen, and for nobody else.
func TestGeoHeadersAreAboutOneClient(t *testing.T) {
	const country, about = "CF-IPCountry: MX", "CF-Connecting-IP: "
	mexico := &session.Location{Country: "MX"}
	for name, c := range map[string]struct {
		peer      string
		headers   []string
		address   string
		want      *session.Location
		forwarded bool
	}{
		"a client that says so itself":      {"203.0.113.7:1", []string{country, about + "203.0.113.7"}, "203.0.113.7", database, false},
		"also with a forwarded address":     {"203.0.113.7:1", []string{country, "X-Forwarded-For: 203.0.113.7"}, "203.0.113.7", database, false},
		"a trusted proxy for itself":        {"10.0.0.1:1", []string{country}, "10.0.0.1", database, false},
		"one proxy":                         {"10.0.0.1:1", []string{country, "X-Forwarded-For: 203.0.113.7"}, "203.0.113.7", mexico, true},
		"one proxy, spoofed further left":   {"10.0.0.1:1", []string{country, "X-Forwarded-For: 1.2.3.4, 203.0.113.7"}, "203.0.113.7", mexico, true},
		"two proxies, of whom the one said": {"10.0.0.1:1", []string{country, "X-Forwarded-For: 203.0.113.7, 10.0.0.2"}, "203.0.113.7", database, true},
		"two proxies, about the client":     {"10.0.0.1:1", []string{country, about + "203.0.113.7", "X-Forwarded-For: 203.0.113.7, 10.0.0.2"}, "203.0.113.7", mexico, true},
		"two proxies, about the other one":  {"10.0.0.1:1", []string{country, about + "10.0.0.2", "X-Forwarded-For: 203.0.113.7, 10.0.0.2"}, "203.0.113.7", database, true},
		"nowhere":                           {"@", []string{country}, "", nil, false},
	} {
		a, r := edge(GeoCloudflare), request(t, c.peer, c.headers...)
		o := a.origin(r)
		if diff := cmp.Diff(c.want, o.Location()); diff != "" || o.Address() != c.address {
			t.Errorf("%s: from %q, %s", name, o.Address(), diff)
		}
		if got := a.forwarded(r); got != c.forwarded {
			t.Errorf("%s: forwarded is %v", name, got)
		}
	}
	a := edge("")
	a.Locate = nil
	if o := a.origin(request(t, "203.0.113.7:1")); o.Locate != nil || o.Location() != nil {
		t.Error("located without a database")
	}
}

// The database is asked for the client, and only when somebody wants to know.
func TestLocateIsAskedLate(t *testing.T) {
	a := edge("")
	var asked []netip.Addr
	a.Locate = func(ip netip.Addr) *session.Location { asked = append(asked, ip); return nil }
	o := a.origin(request(t, "10.0.0.1:1", "X-Forwarded-For: 203.0.113.7"))
	if asked != nil {
		t.Error("asked without need")
	}
	if o.Location() != nil || len(asked) != 1 || asked[0] != netip.MustParseAddr("203.0.113.7") {
		t.Errorf("asked for %v", asked)
	}
}

func FuzzGeoHeaders(f *testing.F) {
	f.Add("MX", "CMX", "Mexico City", "19.43,-99.13", "203.0.113.7")
	f.Add("us", "USCA", "?", "0.000000,0.000000", "")
	f.Add("T1", "-", "\xff\u202e", "1e400,NaN", "[::1]:1")
	f.Fuzz(func(t *testing.T, country, region, city, position, about string) {
		for geo, words := range geoHeaders {
			r := request(t, "10.0.0.1:1", "X-Forwarded-For: 203.0.113.7")
			latitude, longitude, _ := strings.Cut(position, ",")
			for name, value := range map[string]string{words.client: about, words.country: country, words.region: region, words.city: city,
				words.position: position, words.latitude: latitude, words.longitude: longitude} {
				r.Request().Header.Set(name, value)
			}
			l := edge(geo).origin(r).Location()
			var known faults
			known.text("city", l.City, maxText)
			if p := l.Position; p != nil && !(max(p.Latitude, -p.Latitude) <= 90 && max(p.Longitude, -p.Longitude) <= 180) {
				t.Errorf("%v is not on the globe", *p)
			}
			if !countryCode.MatchString(l.Country) || l.Region != "" && !regionCode.MatchString(l.Region) || known != nil {
				t.Errorf("%+v: %v", l, known)
			}
		}
	})
}
