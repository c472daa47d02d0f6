package session

import (
	"maps"
	"time"
)

// View is a session as the outside sees it: the same in HTTP and on the socket.
type View struct {
	ID             ID         `json:"id"`
	UserID         UserID     `json:"userId"`
	Current        bool       `json:"current" description:"the session that the request comes with"`
	Status         Status     `json:"status"`
	Device         DeviceView `json:"device"`
	UserAgent      string     `json:"userAgent"`
	IPAddress      string     `json:"ipAddress"`
	Location       *Location  `json:"location" description:"where it began; null when unknown"`
	SignInProvider string     `json:"signInProvider"`
	CreatedAt      Timestamp  `json:"createdAt"`
	AuthTime       Timestamp  `json:"authTime"`
	LastActive     Timestamp  `json:"lastActive"`
	WarnAt         Timestamp  `json:"warnAt" description:"when its user is warned"`
	IdleDeadline   Timestamp  `json:"idleDeadline" description:"when it ends unless its user does something before"`
	ExpiresAt      Timestamp  `json:"expiresAt" description:"when it ends whatever its user does"`
	EndedAt        *Timestamp `json:"endedAt"`
	EndReason      *Reason    `json:"endReason"`
	EndedBy        *string    `json:"endedBy" description:"a user id, admin or system"`
}

// DeviceView is the device of a [View].
type DeviceView struct {
	Type    string  `json:"type" enum:"desktop,mobile,tablet,bot,other"`
	Browser string  `json:"browser"`
	OS      string  `json:"os"`
	Name    *string `json:"name" description:"given by its user"`
}

// ActorAdmin stands for an admin where a user looks: who it was is for other admins.
const ActorAdmin = "admin"

// ViewFor shows s to the user it belongs to, who asks from the session current.
func (p Policy) ViewFor(s Session, current ID) View {
	v := p.ViewForAdmin(s, current)
	if s.EndedBy != "" && s.EndedBy != string(s.UserID) && s.EndedBy != ActorSystem {
		admin := ActorAdmin
		v.EndedBy = &admin
	}
	return v
}

// ViewForAdmin shows s to an admin, who asks from the session current.
func (p Policy) ViewForAdmin(s Session, current ID) View {
	v := View{
		ID: s.ID, UserID: s.UserID, Current: s.ID == current, Status: s.Status,
		Device:    DeviceView{Type: s.Device.Type, Browser: s.Device.Browser, OS: s.Device.OS},
		UserAgent: s.UserAgent, IPAddress: s.IPAddress, Location: s.Location, SignInProvider: s.SignInProvider,
		CreatedAt: Timestamp(s.CreatedAt), AuthTime: Timestamp(s.AuthTime), LastActive: Timestamp(s.LastActive),
		WarnAt: Timestamp(p.WarnAt(s)), IdleDeadline: Timestamp(s.IdleDeadline()), ExpiresAt: Timestamp(s.ExpiresAt),
	}
	if s.Device.Name != "" {
		v.Device.Name = &s.Device.Name
	}
	if s.Status == StatusEnded {
		v.EndedAt, v.EndReason, v.EndedBy = (*Timestamp)(&s.EndedAt), &s.EndReason, &s.EndedBy
	}
	return v
}

// EventTypes are all types of events.
var EventTypes = []EventType{
	EventSessionStarted, EventSessionEnded, EventSessionRefused, EventSecurityAlert, EventNetworkLearned, EventReauthRefused,
	EventAdminRefused, EventEmailChanged, EventPasswordChanged, EventAccountDeleted, EventUserRevoked, EventUserDisabled,
	EventUserEnabled, EventClaimsChanged, EventMassRevocation, EventMassRevoked, EventSweepRequested, EventLimitsConfigured,
}

// AlertTypes are all types of alerts.
var AlertTypes = []AlertType{
	AlertTooManySessions, AlertDeviceMix, AlertNewDevice, AlertNewCountry, AlertImpossibleTravel, AlertIPChanged,
}

// EventView is an event as the outside sees it.
type EventView struct {
	ID        string            `json:"id"`
	Type      EventType         `json:"type"`
	Audience  Audience          `json:"audience,omitempty" description:"who may read it, said to admins only"`
	At        Timestamp         `json:"at"`
	UserID    *UserID           `json:"userId" description:"whom it is about"`
	SessionID *ID               `json:"sessionId" description:"which session it is about"`
	Actor     *string           `json:"actor" description:"who did it: a user id, system or, where no user id says which, admin; admins also see cli"`
	IPAddress *string           `json:"ipAddress" description:"the actor's"`
	Details   map[string]string `json:"details" description:"what there is to know about it, by names of the type's own"`
}

// View shows e to the user it is about: that an admin did it, but not which, from where or why.
func (e Event) View() EventView {
	v := e.ViewForAdmin()
	v.Audience = ""
	if e.Actor != "" && e.Actor != string(e.UserID) && e.Actor != ActorSystem {
		admin := ActorAdmin
		v.Actor, v.IPAddress = &admin, nil
	}
	delete(v.Details, DetailRevocation)
	delete(v.Details, detailNote)
	return v
}

// ViewForAdmin shows e to an admin.
func (e Event) ViewForAdmin() EventView {
	v := EventView{
		ID: e.ID, Type: e.Type, Audience: e.Audience, At: Timestamp(e.At), UserID: orNil(e.UserID), SessionID: orNil(e.SessionID),
		Actor: orNil(e.Actor), IPAddress: orNil(e.IPAddress), Details: maps.Clone(e.Details),
	}
	if v.Details == nil {
		v.Details = map[string]string{}
	}
	return v
}

// orNil returns nil for nothing.
func orNil[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

// Timestamp is a time that JSON shows in RFC 3339, UTC, with milliseconds.
type Timestamp time.Time

const timestampFormat = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements [json.Marshaler].
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return []byte(`"` + time.Time(t).UTC().Format(timestampFormat) + `"`), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Timestamp) UnmarshalJSON(data []byte) error {
	return (*time.Time)(t).UnmarshalJSON(data)
}
