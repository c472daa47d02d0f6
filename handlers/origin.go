package handlers

import (
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"

	"github.com/vigilhq/vigil/internal/session"
)

// GeoHeaders names the kind of proxy that says in headers where its clients are.
type GeoHeaders string

// The proxies whose headers are known. A header that the proxy has not been told to set, it passes on as the client wrote it:
// docs/http.md says what to configure.
const (
	// GeoGoogle is an external Application Load Balancer with custom request headers,
	// https://cloud.google.com/load-balancing/docs/https/custom-headers.
	GeoGoogle GeoHeaders = "google"
	// GeoAppEngine is App Engine, https://cloud.google.com/appengine/docs/standard/reference/request-headers.
	GeoAppEngine GeoHeaders = "appengine"
	// GeoCloudflare is Cloudflare with the managed transform "Add visitor location headers",
	// https://developers.cloudflare.com/rules/transform/managed-transforms/reference/.
	GeoCloudflare GeoHeaders = "cloudflare"
)

// Known reports whether g is one of those above.
func (g GeoHeaders) Known() bool { return geoHeaders[g].country != "" }

// vocabulary has the names of a proxy's headers. Their values are plain text in UTF-8.
type vocabulary struct {
	client   string // the address that the others describe
	country  string // ISO 3166-1 alpha-2
	region   string // second part of ISO 3166-2
	prefixed bool   // the region begins with the country (Unicode's subdivision ids: USCA)
	city     string
	// Latitude and longitude are in one header, with a comma between them, or in two.
	position            string
	latitude, longitude string
}

var geoHeaders = map[GeoHeaders]vocabulary{
	GeoGoogle: {
		client: "X-Client-Geo-Address", country: "X-Client-Geo-Country", region: "X-Client-Geo-Subdivision", prefixed: true,
		city: "X-Client-Geo-City", position: "X-Client-Geo-Position",
	},
	GeoAppEngine: {
		client: "X-Appengine-User-Ip", country: "X-Appengine-Country", region: "X-Appengine-Region",
		city: "X-Appengine-City", position: "X-Appengine-Citylatlong",
	},
	GeoCloudflare: {
		client: "Cf-Connecting-Ip", country: "Cf-Ipcountry", region: "Cf-Region-Code",
		city: "Cf-Ipcity", latitude: "Cf-Iplatitude", longitude: "Cf-Iplongitude",
	},
}

// origin is where a request comes from. It holds on to nothing of the request.
func (a *api) origin(c echo.Context) session.Origin {
	ip, hops := a.trace(c)
	if !ip.IsValid() {
		return session.Origin{}
	}
	o := session.Origin{IP: ip}
	if told := a.toldBy(c.Request().Header, ip, hops); told != nil {
		o.Locate = func() *session.Location { return told }
	} else if locate := a.Locate; locate != nil {
		o.Locate = func() *session.Location { return locate(ip) }
	}
	return o
}

// forwarded reports whether the client's address comes from a trusted proxy, and is not just that of the peer.
func (a *api) forwarded(c echo.Context) bool {
	_, hops := a.trace(c)
	return hops > 0
}

// toldBy is what a trusted proxy says about where the client is, nil if nothing. A proxy describes whom it saw, which is another
// proxy where there is one in front of it: it has to name the client's address, or to be the only one that is between.
func (a *api) toldBy(h http.Header, client netip.Addr, hops int) *session.Location {
	words, ok := geoHeaders[a.GeoHeaders]
	if !ok || hops == 0 {
		return nil
	}
	if h.Values(words.client) == nil {
		if hops > 1 {
			return nil
		}
	} else if described, ok := parseIP(single(h, words.client)); !ok || described != client {
		return nil
	}
	return words.location(h)
}

// The forms of the codes; and those that stand for none: Cloudflare says XX, and T1 for Tor, Google says ZZ.
var (
	countryCode = regexp.MustCompile(`^[A-Z]{2}$`)
	regionCode  = regexp.MustCompile(`^[A-Z0-9]{1,3}$`)
	noCountry   = map[string]bool{"XX": true, "ZZ": true}
)

// location reads the headers: nil if they do not tell the country.
func (v vocabulary) location(h http.Header) *session.Location {
	country := strings.ToUpper(single(h, v.country))
	if !countryCode.MatchString(country) || noCountry[country] {
		return nil
	}
	l := &session.Location{Country: country, Position: v.at(h)}
	region, ok := strings.ToUpper(single(h, v.region)), true
	if v.prefixed {
		region, ok = strings.CutPrefix(region, country)
	}
	if ok && regionCode.MatchString(region) {
		l.Region = region
	}
	if city := printable(single(h, v.city)); strings.ContainsFunc(city, unicode.IsLetter) { // App Engine says ? for none
		l.City = city
	}
	return l
}

// at reads the position, nil if there is none. App Engine says 0,0 for none.
func (v vocabulary) at(h http.Header) *session.Position {
	first, second := single(h, v.latitude), single(h, v.longitude)
	if v.position != "" {
		first, second, _ = strings.Cut(single(h, v.position), ",")
	}
	latitude, err1 := strconv.ParseFloat(strings.TrimSpace(first), 64)
	longitude, err2 := strconv.ParseFloat(strings.TrimSpace(second), 64)
	known := err1 == nil && err2 == nil && (latitude != 0 || longitude != 0)
	if !known || !(latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180) { // NaN is none, either
		return nil
	}
	return &session.Position{Latitude: latitude, Longitude: longitude}
}

// single returns a header that is there once, empty otherwise: of several, somebody else has written all but one.
func single(h http.Header, name string) string {
	if values := h.Values(name); len(values) == 1 {
		return strings.TrimSpace(values[0])
	}
	return ""
}
