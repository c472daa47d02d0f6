package session

import (
	"cmp"
	"time"
)

// Filter chooses sessions; a zero member chooses all. Its JSON is how mass revocations are stored.
type Filter struct {
	UserID        UserID    `json:"userId,omitempty"`
	Status        Status    `json:"status,omitempty"`
	IPAddress     string    `json:"ip,omitempty"` // of the sign-in, exactly
	DeviceType    string    `json:"deviceType,omitempty"`
	Country       string    `json:"country,omitempty"` // ISO 3166-1 alpha-2
	ActiveBefore  time.Time `json:"activeBefore,omitzero"`
	CreatedBefore time.Time `json:"createdBefore,omitzero"`
}

// Passes reports whether f chooses s.
func (f Filter) Passes(s Session) bool {
	country := ""
	if s.Location != nil {
		country = s.Location.Country
	}
	return (f.UserID == "" || f.UserID == s.UserID) &&
		(f.Status == "" || f.Status == s.Status) &&
		(f.IPAddress == "" || f.IPAddress == s.IPAddress) &&
		(f.DeviceType == "" || f.DeviceType == s.Device.Type) &&
		(f.Country == "" || f.Country == country) &&
		(f.ActiveBefore.IsZero() || s.LastActive.Before(f.ActiveBefore)) &&
		(f.CreatedBefore.IsZero() || s.CreatedAt.Before(f.CreatedBefore))
}

// ByActivity reports whether a search with f is in the order of activity: where it asks for ActiveBefore of all users. Those of
// one user are few enough to go through.
func (f Filter) ByActivity() bool { return !f.ActiveBefore.IsZero() && f.UserID == "" }

// Cursor is the place of a session in the order of a search: that of the ids or, where that is [Filter.ByActivity], that
// of the first digit of the id, then of LastActive, then of the ids. The first digit comes first because no index over
// a time may span all sessions: Firestore would take only 500 writes a second.
type Cursor struct {
	LastActive time.Time `json:"lastActive,omitzero"` // zero in the order of the ids
	ID         ID        `json:"id,omitempty"`
}

// CursorOf is the place of s in a search with f.
func (f Filter) CursorOf(s Session) Cursor {
	c := Cursor{ID: s.ID}
	if f.ByActivity() {
		c.LastActive = s.LastActive
	}
	return c
}

// Compare orders cursors of one filter.
func (c Cursor) Compare(other Cursor) int {
	if !c.LastActive.IsZero() || !other.LastActive.IsZero() {
		if order := cmp.Or(cmp.Compare(c.ID.shard(), other.ID.shard()), c.LastActive.Compare(other.LastActive)); order != 0 {
			return order
		}
	}
	return cmp.Compare(c.ID, other.ID)
}
