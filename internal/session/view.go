package session

import "time"

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
