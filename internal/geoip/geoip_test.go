package geoip

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/vigilhq/vigil/internal/session"
)

// write makes a database of these entries.
func write(t testing.TB, kind string, version int, entries map[string]mmdbtype.Map) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IPVersion: version, RecordSize: 24,
		Description: map[string]string{"en": "a test's"}, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, entry := range entries {
		_, prefix, err := net.ParseCIDR(network)
		if err == nil {
			err = tree.Insert(prefix, entry)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if _, err := tree.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func save(t testing.TB, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.mmdb")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, file []byte) *Database {
	t.Helper()
	d, err := Open(save(t, file))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func country(code string) mmdbtype.Map {
	return mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code), "geoname_id": mmdbtype.Uint32(1)}}
}

// city has every part that GeoIP2 City has of an entry and that matters here.
func city(code, region, name string, latitude, longitude float64, radius uint16) mmdbtype.Map {
	entry := country(code)
	entry["subdivisions"] = mmdbtype.Slice{
		mmdbtype.Map{"iso_code": mmdbtype.String(region), "names": mmdbtype.Map{"en": mmdbtype.String("a region")}},
		mmdbtype.Map{"iso_code": mmdbtype.String("ZZZ")},
	}
	entry["city"] = mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(name), "es": mmdbtype.String("otra")}}
	entry["location"] = mmdbtype.Map{"latitude": mmdbtype.Float64(latitude), "longitude": mmdbtype.Float64(longitude),
		"accuracy_radius": mmdbtype.Uint16(radius), "time_zone": mmdbtype.String("America/Mexico_City")}
	return entry
}

func cities(t testing.TB) []byte {
	half := country("DE")
	half["location"] = mmdbtype.Map{"latitude": mmdbtype.Float64(51)}
	odd := city("de", "B E", "Berlin\xff", 91, 13, 0)
	dbip := country("FR") // names its regions without a code
	dbip["subdivisions"] = mmdbtype.Slice{mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("Île-de-France")}}}
	dbip["location"] = mmdbtype.Map{"latitude": mmdbtype.Float32(48.5), "longitude": mmdbtype.Float32(2.25)}
	dbip["city"] = mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("Paris")}}
	return write(t, "GeoLite2-City", 6, map[string]mmdbtype.Map{
		"187.190.0.0/16": city("MX", "CMX", "Mexico City", 19.43, -99.13, 20),
		"2806:2f0::/32":  city("MX", "JAL", "Guadalajara", 20.67, -103.35, 50),
		"5.9.0.0/16":     half,
		"5.10.0.0/16":    odd,
		"5.11.0.0/16":    dbip,
		"5.12.0.0/16":    country("Germany"),
		"5.13.0.0/16":    {"continent": mmdbtype.Map{"code": mmdbtype.String("EU")}},
		"10.0.0.0/8":     country("US"),
		"fd00::/8":       country("US"),
		"127.0.0.0/8":    country("US"),
	})
}

func TestLocate(t *testing.T) {
	d := open(t, cities(t))
	mexico := &session.Location{Country: "MX", Region: "CMX", City: "Mexico City",
		Position: &session.Position{Latitude: 19.43, Longitude: -99.13, Radius: 20}}
	for ip, want := range map[string]*session.Location{
		"187.190.1.2":        mexico,
		"::ffff:187.190.1.2": mexico,
		"2806:2f0::1": {Country: "MX", Region: "JAL", City: "Guadalajara",
			Position: &session.Position{Latitude: 20.67, Longitude: -103.35, Radius: 50}},
		"5.9.1.1":        {Country: "DE"},
		"5.10.1.1":       {Country: "DE", City: "Berlin"},
		"5.11.1.1":       {Country: "FR", City: "Paris", Position: &session.Position{Latitude: 48.5, Longitude: 2.25}},
		"5.12.1.1":       nil, // no code of a country
		"5.13.1.1":       nil, // nor that
		"203.0.113.7":    nil, // not in the file
		"2001:db8::1":    nil,
		"10.1.2.3":       nil, // private, whatever the file says
		"fd00::1":        nil,
		"127.0.0.1":      nil,
		"0.0.0.0":        nil,
		"fe80::1%eth0":   nil,
		"224.0.0.1":      nil,
		"169.254.10.10":  nil,
		"255.255.255.25": nil,
	} {
		if diff := cmp.Diff(want, d.Locate(netip.MustParseAddr(ip))); diff != "" {
			t.Errorf("%s: %s", ip, diff)
		}
	}
	if got := d.Locate(netip.Addr{}); got != nil {
		t.Errorf("nowhere is in %v", got)
	}
}

func TestOtherDatabases(t *testing.T) {
	countries := open(t, write(t, "DBIP-Country-Lite", 4, map[string]mmdbtype.Map{"1.2.0.0/16": country("AU")}))
	if diff := cmp.Diff(&session.Location{Country: "AU"}, countries.Locate(netip.MustParseAddr("1.2.3.4"))); diff != "" {
		t.Error(diff)
	}
	if got := countries.Locate(netip.MustParseAddr("2806:2f0::1")); got != nil {
		t.Errorf("a file of IPv4 knows an IPv6 address: %v", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := cities(t)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"an empty file":  {nil, "as a MaxMind database"},
		"a text":         {[]byte("network,country\n1.2.3.0/24,AU\n"), "as a MaxMind database"},
		"a partial copy": {good[:len(good)/2], "as a MaxMind database"},
		"another kind": {write(t, "GeoLite2-ASN", 6, map[string]mmdbtype.Map{
			"1.2.0.0/16": {"autonomous_system_number": mmdbtype.Uint32(64496)}}), `"GeoLite2-ASN", cannot be used: it does not tell countries`},
		"another layout": {write(t, "ipinfo standard_location.mmdb", 6, map[string]mmdbtype.Map{
			"1.2.0.0/16": {"country": mmdbtype.String("AU"), "city": mmdbtype.String("Sydney")}}), "layout"},
		"nothing in it": {write(t, "GeoLite2-City", 6, nil), "does not tell countries"},
	} {
		path := save(t, c.file)
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("no file: %v", err)
	}
}

func TestNoDatabase(t *testing.T) {
	var d *Database
	if got, err := d.Locate(netip.MustParseAddr("187.190.1.2")), d.Close(); got != nil || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// Requests that have not ended when the process does may still ask.
func TestCloseBesideLookups(t *testing.T) {
	d, err := Open(save(t, cities(t)))
	if err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr("187.190.1.2")
	var askers sync.WaitGroup
	for range 4 {
		askers.Go(func() {
			for d.Locate(ip) != nil {
			}
		})
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	askers.Wait()
}

// A damaged file may be refused or know nothing, but never brings the process down.
func FuzzOpen(f *testing.F) {
	f.Add(cities(f))
	f.Add([]byte("\xab\xcd\xefMaxMind.com"))
	f.Fuzz(func(t *testing.T, file []byte) {
		d, err := Open(save(t, file))
		if err != nil {
			return
		}
		for _, ip := range []string{"187.190.1.2", "5.9.1.1", "2806:2f0::1", "203.0.113.7"} {
			if l := d.Locate(netip.MustParseAddr(ip)); l != nil && len(l.Country) != 2 {
				t.Errorf("%s is in %q", ip, l.Country)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}
