// Package geoip says where an IP address is thought to be, by a file in MaxMind's DB format: GeoIP2 or GeoLite2, City or Country,
// and those of others that are laid out like them (DB-IP's, for instance; of those without ISO codes for regions, the region stays
// empty).
package geoip

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/vigilhq/vigil/internal/session"
)

// Database is an open file. Safe for concurrent use. A nil Database knows no place.
type Database struct {
	mu     sync.RWMutex // closing takes the memory away that look-ups read
	reader *maxminddb.Reader
	closed bool
}

// record is what Vigil reads of an entry, see https://dev.maxmind.com/geoip/docs/databases/city-and-country.
type record struct {
	Country struct {
		ISOCode string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		ISOCode string `maxminddb:"iso_code"`
	} `maxminddb:"subdivisions"`
	City struct {
		Names struct {
			English string `maxminddb:"en"`
		} `maxminddb:"names"`
	} `maxminddb:"city"`
	Location struct {
		Latitude       *float64 `maxminddb:"latitude"`
		Longitude      *float64 `maxminddb:"longitude"`
		AccuracyRadius uint     `maxminddb:"accuracy_radius"` // kilometres
	} `maxminddb:"location"`
}

// Open opens the file at path, and fails if it is damaged or does not tell countries. The file is mapped into memory: replace it by
// renaming another one over it, as geoipupdate does, never by writing into it, and open it anew to see the change.
func Open(path string) (*Database, error) {
	reader, err := maxminddb.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s as a MaxMind database: %w", path, err)
	}
	if err := check(reader); err != nil {
		return nil, errors.Join(fmt.Errorf("%s, of type %q, cannot be used: %w", path, reader.Metadata.DatabaseType, err), reader.Close())
	}
	return &Database{reader: reader}, nil
}

// maxChecked is how many networks of a file, known or not, are looked at before it is used: enough to meet a known one, and few
// enough to get through a damaged file that has no end.
const maxChecked = 50_000

// check reads the beginning of a file: one of another layout cannot be read, one about something else tells no countries.
func check(reader *maxminddb.Reader) error {
	checked, useful := 0, false
	for result := range reader.Networks(maxminddb.IncludeNetworksWithoutData()) {
		var r record
		if err := result.Decode(&r); err != nil {
			return fmt.Errorf("its layout is not that of GeoIP2 City or Country: %w", err)
		}
		useful = useful || r.location() != nil
		if checked++; checked == maxChecked {
			break
		}
	}
	if !useful {
		return errors.New("it does not tell countries; use a City or Country database")
	}
	return nil
}

// Locate says where ip is thought to be: nil if it is private, if the file does not know, and after [Database.Close]. An entry
// that is damaged is as good as none: it keeps nobody from signing in.
func (d *Database) Locate(ip netip.Addr) *session.Location {
	ip = ip.Unmap()
	if d == nil || !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return nil
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	var r record
	if d.closed || d.reader.Lookup(ip).Decode(&r) != nil {
		return nil
	}
	return r.location()
}

// The forms of the codes (ISO 3166-1 alpha-2, and the second part of ISO 3166-2).
var (
	countryCode = regexp.MustCompile(`^[A-Z]{2}$`)
	regionCode  = regexp.MustCompile(`^[A-Z0-9]{1,3}$`)
)

// location is what is known of r, nil if that is not even the country.
func (r *record) location() *session.Location {
	country := strings.ToUpper(r.Country.ISOCode)
	if !countryCode.MatchString(country) {
		return nil
	}
	l := &session.Location{Country: country, City: strings.ToValidUTF8(r.City.Names.English, "")}
	if len(r.Subdivisions) > 0 {
		if region := strings.ToUpper(r.Subdivisions[0].ISOCode); regionCode.MatchString(region) {
			l.Region = region
		}
	}
	if latitude, longitude := r.Location.Latitude, r.Location.Longitude; latitude != nil && longitude != nil {
		l.Position = position(*latitude, *longitude, float64(r.Location.AccuracyRadius))
	}
	return l
}

// position is a point on the globe, nil if it is none.
func position(latitude, longitude, radius float64) *session.Position {
	if !(latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180) { // NaN is none, either
		return nil
	}
	return &session.Position{Latitude: latitude, Longitude: longitude, Radius: radius}
}

// Close gives the file back. Look-ups may still be under way, and may still come.
func (d *Database) Close() error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return d.reader.Close()
}
