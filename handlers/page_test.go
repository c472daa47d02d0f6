package handlers

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// Every place that a list comes to has a token, and no other text is one.
func FuzzPageToken(f *testing.F) {
	id := session.NewID("ana", "x", time.Time{})
	f.Add(nextPage(&session.EventCursor{At: time.Unix(1, 5).UTC(), ID: "limits-2000-01-01-0a"}))
	f.Add(nextPage(&session.Cursor{ID: id}))
	f.Add(nextPage(&session.Cursor{ID: id, LastActive: time.Unix(1e9, 0).UTC()}))
	f.Add("e30")
	f.Add("=")
	f.Fuzz(func(t *testing.T, token string) {
		with := func() *query { return &query{values: url.Values{"pageToken": {token}}} }
		q := with()
		if e := pageToken(q, validEvents); q.err() == nil {
			if nextPage(&e) != token || e.At.Year() < 1970 || e.At.Year() > 9999 || !saneEventID.MatchString(e.ID) {
				t.Errorf("%q is taken for %+v", token, e)
			}
		}
		for _, filter := range []session.Filter{{}, {ActiveBefore: time.Unix(1, 0)}} {
			q := with()
			c := pageToken(q, validSessions(filter))
			if q.err() == nil && (nextPage(&c) != token || !c.ID.Valid() || c.LastActive.IsZero() != filter.ActiveBefore.IsZero()) {
				t.Errorf("%q is taken for %+v", token, c)
			}
		}
	})
}

// A filter that is accepted chooses by everything that it names, in the form in which sessions are stored.
func FuzzFilter(f *testing.F) {
	f.Add("ana", "198.51.100.7", "mobile", "mx", "2000-01-01T00:00:00Z")
	f.Add("", "::ffff:198.51.100.7", "", "ıt", "0001-01-01T00:00:00Z")
	f.Add("\xff", "fe80::1%eth0", "Mobile", "MX\n", "2000-01-01T00:00:00,5+24:00")
	f.Fuzz(func(t *testing.T, uid, ip, device, country, before string) {
		given := map[string]string{"userId": uid, "ip": ip, "deviceType": device, "country": country, "activeBefore": before}
		for name, value := range given {
			var wrong faults
			chosen := wrong.filter("filter.", func(asked string) (string, bool) { return value, asked == name })
			if wrong != nil {
				continue
			}
			if chosen == (session.Filter{}) {
				t.Errorf("%s %q chooses everything", name, value)
			}
			if _, err := json.Marshal(chosen); err != nil {
				t.Errorf("%s %q cannot be stored: %v", name, value, err)
			}
			if addr, err := netip.ParseAddr(chosen.IPAddress); name == "ip" && (err != nil || addr.Unmap().String() != chosen.IPAddress) {
				t.Errorf("%q is %q", value, chosen.IPAddress)
			}
			if name == "country" && !countryCode.MatchString(chosen.Country) {
				t.Errorf("%q is %q", value, chosen.Country)
			}
		}
	})
}
