package session

// AlertType says what looks suspicious.
type AlertType string

// The types of alerts.
const (
	AlertTooManySessions  AlertType = "too_many_sessions" // more live sessions than [Suspicion.Sessions]
	AlertDeviceMix        AlertType = "device_mix"        // more types of devices at once than [Suspicion.DeviceTypes]
	AlertNewDevice        AlertType = "new_device"        // a kind of device that the user has not used before
	AlertNewCountry       AlertType = "new_country"       // a country that the user has not signed in from before
	AlertImpossibleTravel AlertType = "impossible_travel" // too far from the sign-in before for the time between them
	AlertIPChanged        AlertType = "ip_changed"        // a session's network has changed
)

// Alert tells a user that something about their sessions looks suspicious. Which members it has depends on the type.
type Alert struct {
	Type              AlertType `json:"type"`
	SessionID         ID        `json:"sessionId"`                   // the session that gave rise to it
	Sessions          int       `json:"sessions,omitempty"`          // too_many_sessions: how many are live
	DeviceTypes       []string  `json:"deviceTypes,omitempty"`       // device_mix: the types in use
	Device            string    `json:"device,omitempty"`            // new_device: for people, such as "Chrome on Windows"
	Country           string    `json:"country,omitempty"`           // new_country, impossible_travel: ISO 3166-1 alpha-2
	PreviousCountry   string    `json:"previousCountry,omitempty"`   // new_country, impossible_travel: of the sign-in before
	DistanceKM        int       `json:"distanceKm,omitempty"`        // impossible_travel
	SpeedKMH          int       `json:"speedKmh,omitempty"`          // impossible_travel
	IPAddress         string    `json:"ipAddress,omitempty"`         // ip_changed: of the request
	PreviousIPAddress string    `json:"previousIpAddress,omitempty"` // ip_changed: the network until then
}
