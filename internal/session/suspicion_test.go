package session

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"
)

var suspicious = Policy{SuspiciousSessions: 3, SuspiciousDeviceTypes: 2}

var (
	mexico = Location{Country: "MX", Position: &Position{Latitude: 19.43, Longitude: -99.13}}
	madrid = Location{Country: "ES", Position: &Position{Latitude: 40.42, Longitude: -3.70}}
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// signedIn is a session of a kind of device, begun at a time and a place.
func signedIn(id ID, kind string, at time.Time, where *Location) Session {
	return Session{ID: id, UserID: "ana", Device: Device{Type: "desktop", Kind: kind}, CreatedAt: at, Location: where}
}

func types(alerts []Alert) (found []AlertType) {
	for _, a := range alerts {
		found = append(found, a.Type)
	}
	return found
}

func TestSuspicion(t *testing.T) {
	const laptop, phone, tablet = "desktop/Chrome/Windows", "mobile/Safari/iOS", "tablet/Safari/iPadOS"
	old := func(kind string, where *Location) Session {
		return signedIn("old", kind, noon.Add(-24*time.Hour), where)
	}
	now := func(kind string, where *Location) Session { return signedIn("new", kind, noon, where) }
	known := []Session{old(laptop, &mexico), old(phone, &mexico), old(tablet, &mexico)}
	for _, c := range []struct {
		name          string
		p             Policy
		s             Session
		live, history []Session
		want          []AlertType
	}{
		{"the first sign-in ever", suspicious, now(laptop, &madrid), nil, nil, nil},
		{"the first sign-in ever, seen by itself", suspicious, now(laptop, &madrid), nil, []Session{now(laptop, &madrid)}, nil},
		{"as many sessions as may be", suspicious, now(laptop, nil), []Session{old(laptop, nil), old(laptop, nil)}, known, nil},
		{"one session more", suspicious, now(laptop, nil), []Session{old(laptop, nil), old(laptop, nil), old(laptop, nil)}, known,
			[]AlertType{AlertTooManySessions}},
		{"any number where none is suspicious", Policy{}, now(laptop, nil), slices.Repeat(known, 5), known, nil},
		{"as many types as may be", suspicious, now(laptop, nil), []Session{old(phone, nil)}, known, nil},
		{"one type more", suspicious, now(laptop, nil), []Session{old(phone, nil), old(tablet, nil)}, known, []AlertType{AlertDeviceMix}},
		{"types are what requests show", suspicious, now(laptop, nil),
			[]Session{{Device: Device{Type: "tablet", Kind: laptop}}, {Device: Device{Type: "mobile", Kind: laptop}}}, known, nil},
		{"a type without a kind", suspicious, now(laptop, nil),
			[]Session{{Device: Device{Type: "tablet"}}, {Device: Device{Type: "mobile"}}}, known, []AlertType{AlertDeviceMix}},
		{"a kind that was used before", suspicious, now(phone, nil), nil, known, nil},
		{"a new kind", suspicious, now("desktop/Firefox/Linux", nil), nil, known, []AlertType{AlertNewDevice}},
		{"an unknown kind", suspicious, now("", nil), nil, known, nil},
		{"a kind where none was known", suspicious, now(laptop, nil), nil, []Session{old("", nil)}, nil},
		{"a country that was used before", suspicious, now(laptop, &mexico), nil, known, nil},
		{"a new country", suspicious, now(laptop, &Location{Country: "ES"}), nil, known, []AlertType{AlertNewCountry}},
		{"an unknown country", suspicious, now(laptop, &Location{}), nil, known, nil},
		{"a country where none was known", suspicious, now(laptop, &madrid), nil, []Session{old(laptop, nil), old(laptop, &Location{})}, nil},
		{"far away a day later", suspicious, now(laptop, &Location{Country: "MX", Position: madrid.Position}), nil, known, nil},
		{"far away within an hour", suspicious, signedIn("new", laptop, noon.Add(-23*time.Hour), &madrid), nil, known,
			[]AlertType{AlertNewCountry, AlertImpossibleTravel}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.p.suspect(c.s, c.live, c.history); !slices.Equal(types(got), c.want) {
				t.Errorf("got %+v, want %v", got, c.want)
			}
		})
	}
}

func TestAlertsSayWhatTheyAreAbout(t *testing.T) {
	history := []Session{signedIn("old", "desktop/Chrome/Windows", noon.Add(-time.Hour), &mexico)}
	live := []Session{history[0], history[0], {Device: Device{Kind: "tablet/Safari/iPadOS"}}}
	s := signedIn("new", "mobile/Safari/iOS", noon, &madrid)
	got := suspicious.suspect(s, live, history)
	want := []Alert{
		{Type: AlertTooManySessions, SessionID: "new", Sessions: 4},
		{Type: AlertDeviceMix, SessionID: "new", DeviceTypes: []string{"desktop", "mobile", "tablet"}},
		{Type: AlertNewDevice, SessionID: "new", Device: "Safari on iOS"},
		{Type: AlertNewCountry, SessionID: "new", Country: "ES", PreviousCountry: "MX"},
		{Type: AlertImpossibleTravel, SessionID: "new", Country: "ES", PreviousCountry: "MX", DistanceKM: 9062, SpeedKMH: 9062},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for kind, words := range map[string]string{
		"desktop/Chrome/Windows": "Chrome on Windows", "desktop//Windows": "Windows", "desktop/Chrome/": "Chrome", "bot//": "bot", "": "", "x": "x",
	} {
		if got := (Device{Kind: kind}).kindForPeople(); got != words {
			t.Errorf("%q in words: %q, want %q", kind, got, words)
		}
	}
}

func TestTheSameDeviceDailyAlertsNobody(t *testing.T) {
	p := suspicious
	var history []Session
	for day := range 31 {
		s := signedIn(ID(strconv.Itoa(day)), "desktop/Chrome/Windows", noon.AddDate(0, 0, day), &mexico)
		s.Device.Browser = "Chrome " + strconv.Itoa(140+day/7)
		s.UserAgent = "Chrome/" + strconv.Itoa(140+day/7)
		if got := p.suspect(s, nil, history); len(got) > 0 {
			t.Errorf("day %d: %+v", day, got)
		}
		history = slices.Insert(history, 0, s)
	}
}

func TestImpossibleTravel(t *testing.T) {
	at := func(lat, lon, radius float64) *Position {
		return &Position{Latitude: lat, Longitude: lon, Radius: radius}
	}
	const degree = earthRadius * math.Pi / 180 // km along the equator
	for _, c := range []struct {
		name        string
		here, there *Position
		apart       time.Duration
		want        bool
	}{
		{"at the bound", at(0, 0, 0), at(0, 900.0/degree, 0), time.Hour + time.Millisecond, false},
		{"above the bound", at(0, 0, 0), at(0, 900.0/degree, 0), time.Hour - time.Millisecond, true},
		{"the radii are taken off", at(0, 0, 50), at(0, 1000.0/degree, 50), time.Hour + time.Millisecond, false},
		{"and no more than they", at(0, 0, 50), at(0, 1000.0/degree, 49), time.Hour, true},
		{"at once and near", at(0, 0, 0), at(0, 99.9/degree, 0), 0, false},
		{"at once and not near", at(0, 0, 0), at(0, 100.1/degree, 0), 0, true},
		{"a clock that went back", at(0, 0, 0), at(0, 1000.0/degree, 0), -2 * time.Hour, false},
		{"across the antimeridian", at(0, 179.9, 0), at(0, -179.9, 0), 0, false},
		{"half around", at(0, 0, 0), at(0, 180, 0), 23 * time.Hour, false},
		{"half around, too fast", at(0, 0, 0), at(0, 180, 0), 22 * time.Hour, true},
		{"the pole has all longitudes", at(90, 0, 0), at(90, 135, 0), 0, false},
		{"from pole to pole", at(90, 0, 0), at(-90, 77, 0), 22 * time.Hour, true},
		{"no place", nil, at(0, 0, 0), 0, false},
		{"no place before", at(0, 0, 0), nil, 0, false},
		{"a latitude that is no number", at(math.NaN(), 0, 0), at(40, 0, 0), 0, false},
		{"a longitude that is no number", at(0, 0, 0), at(40, math.Inf(1), 0), 0, false},
		{"a radius that is no number", at(0, 0, math.NaN()), at(40, 0, 0), 0, false},
		{"a radius without end", at(0, 0, math.Inf(1)), at(40, 0, 0), 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Session{CreatedAt: noon.Add(c.apart), Location: &Location{Position: c.here}}
			before := Session{CreatedAt: noon, Location: &Location{Position: c.there}}
			a, is := impossibleTravel(s, before)
			if is != c.want || is && (a.DistanceKM < minTravel || a.SpeedKMH <= 0) {
				t.Errorf("%t: %+v", is, a)
			}
		})
	}
	if _, is := impossibleTravel(Session{Location: &mexico}, Session{}); is {
		t.Error("travelled from nowhere")
	}
}
