package session

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxTravelSpeed is above what airliners fly, in km/h.
	maxTravelSpeed = 900
	// minTravel is a distance, in km, below which databases err more often than thieves travel.
	minTravel   = 100
	earthRadius = 6371.0 // km, mean
	// remembered is how many of a user's latest sessions a new one is compared with.
	remembered = 50
)

// suspect says what is unusual about a session that begins. Live are the user's other live sessions, history their sessions so far,
// newest first. The first sign-in ever is not unusual.
func (p Policy) suspect(s Session, live, history []Session) []Alert {
	history = slices.DeleteFunc(slices.Clone(history), func(old Session) bool { return old.ID == s.ID })
	if len(history) == 0 {
		return nil
	}
	var alerts []Alert
	if n := len(live) + 1; p.SuspiciousSessions > 0 && n > p.SuspiciousSessions {
		alerts = append(alerts, Alert{Type: AlertTooManySessions, SessionID: s.ID, Sessions: n})
	}
	types := map[string]bool{s.Device.class(): true}
	for _, other := range live {
		types[other.Device.class()] = true
	}
	if p.SuspiciousDeviceTypes > 0 && len(types) > p.SuspiciousDeviceTypes {
		alerts = append(alerts, Alert{Type: AlertDeviceMix, SessionID: s.ID, DeviceTypes: slices.Sorted(maps.Keys(types))})
	}
	if newDevice(s, history) {
		alerts = append(alerts, Alert{Type: AlertNewDevice, SessionID: s.ID, Device: s.Device.kindForPeople()})
	}
	if previous, is := newCountry(s, history); is {
		alerts = append(alerts, Alert{Type: AlertNewCountry, SessionID: s.ID, Country: s.Location.Country, PreviousCountry: previous})
	}
	if a, is := impossibleTravel(s, history[0]); is {
		alerts = append(alerts, a)
	}
	return alerts
}

// class is the type of a device as its requests show it.
func (d Device) class() string {
	class, _, found := strings.Cut(d.Kind, "/")
	if !found {
		return d.Type
	}
	return class
}

// kindForPeople says a kind in words, such as "Chrome on Windows".
func (d Device) kindForPeople() string {
	parts := strings.Split(d.Kind, "/")
	if len(parts) != 3 {
		return d.Kind
	}
	class, browser, system := parts[0], parts[1], parts[2]
	switch {
	case browser == "" && system == "":
		return class
	case browser == "" || system == "":
		return browser + system
	default:
		return browser + " on " + system
	}
}

func newDevice(s Session, history []Session) bool {
	known := false
	for _, old := range history {
		if old.Device.Kind == s.Device.Kind {
			return false
		}
		known = known || old.Device.Kind != ""
	}
	return known && s.Device.Kind != ""
}

// newCountry reports whether the user has signed in from elsewhere only, and where from last.
func newCountry(s Session, history []Session) (previous string, is bool) {
	if s.Location == nil || s.Location.Country == "" {
		return "", false
	}
	for _, old := range history {
		if old.Location == nil || old.Location.Country == "" {
			continue
		}
		if old.Location.Country == s.Location.Country {
			return "", false
		}
		previous = cmp.Or(previous, old.Location.Country)
	}
	return previous, previous != ""
}

// impossibleTravel compares a session with the one before, in favour of the traveller: both places are taken as close to each other as
// the accuracy of the database allows.
func impossibleTravel(s, before Session) (Alert, bool) {
	if s.Location == nil || before.Location == nil || s.Location.Position == nil || before.Location.Position == nil {
		return Alert{}, false
	}
	here, there := s.Location.Position, before.Location.Position
	distance := here.distance(*there) - here.Radius - there.Radius
	hours := s.CreatedAt.Sub(before.CreatedAt).Abs().Hours()
	if tooFar := distance >= minTravel && distance > maxTravelSpeed*hours; !tooFar { // nor is what is no number
		return Alert{}, false
	}
	return Alert{
		Type: AlertImpossibleTravel, SessionID: s.ID, Country: s.Location.Country, PreviousCountry: before.Location.Country,
		DistanceKM: int(distance), SpeedKMH: int(min(distance/max(hours, time.Second.Hours()), math.MaxInt32)),
	}, true
}

// distance is the great-circle distance in km, by the haversine formula.
func (p Position) distance(q Position) float64 {
	rad := func(degrees float64) float64 { return degrees * math.Pi / 180 }
	dLat, dLon := rad(q.Latitude-p.Latitude), rad(q.Longitude-p.Longitude)
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(rad(p.Latitude))*math.Cos(rad(q.Latitude))*math.Pow(math.Sin(dLon/2), 2)
	return 2 * earthRadius * math.Asin(math.Sqrt(min(h, 1)))
}

// alertEvent is an alert in the audit trail. IP is the address of the request that gave rise to it.
func alertEvent(s Session, a Alert, ip string) Event {
	e := newEvent(EventSecurityAlert, AudienceUser, s.UserID, s.ID, ActorSystem, ip).with(detailAlert, string(a.Type)).
		with("deviceTypes", strings.Join(a.DeviceTypes, ", ")).with("device", a.Device).
		with("country", a.Country).with("previousCountry", a.PreviousCountry).
		with("ipAddress", a.IPAddress).with("previousIpAddress", a.PreviousIPAddress)
	for name, n := range map[string]int{"sessions": a.Sessions, "distanceKm": a.DistanceKM, "speedKmh": a.SpeedKMH} {
		if n != 0 {
			e = e.with(name, strconv.Itoa(n))
		}
	}
	return e
}

// alertNotice is an alert for the user's other sessions on every instance.
func alertNotice(uid UserID, a Alert) Notice {
	n := NewNotice(NoticeAlert, uid, "", a.SessionID)
	n.Alert = &a
	return n
}

// raise tells the user's open sockets of an alert that is in the audit trail already.
func (r *Registry) raise(ctx context.Context, uid UserID, a Alert) {
	r.meter.AlertRaised(a.Type)
	r.log.Info("security alert", "user", uid, "session", a.SessionID, "alert", a.Type)
	r.announce(ctx, alertNotice(uid, a))
}
