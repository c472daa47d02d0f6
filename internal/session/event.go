package session

import (
	"crypto/rand"
	"time"
)

// EventType is the stable word for what a security event is about.
type EventType string

// The types of events.
const (
	EventSessionStarted   EventType = "session_started"
	EventSessionEnded     EventType = "session_ended"
	EventSessionRefused   EventType = "session_refused"   // beyond the limit, under the policy reject
	EventSecurityAlert    EventType = "security_alert"    // details: alert, and what it is about
	EventNetworkLearned   EventType = "network_learned"   // the session's second address family
	EventReauthRefused    EventType = "reauth_refused"    // a sensitive operation without a recent sign-in
	EventAdminRefused     EventType = "admin_refused"     // an admin operation by somebody who is none
	EventEmailChanged     EventType = "email_changed"     // through Vigil
	EventPasswordChanged  EventType = "password_changed"  // through Vigil
	EventAccountDeleted   EventType = "account_deleted"   // by its user through Vigil, or found to be so: then by the system
	EventUserRevoked      EventType = "user_revoked"      // all sign-ins, by an admin
	EventUserDisabled     EventType = "user_disabled"     // by an admin
	EventUserEnabled      EventType = "user_enabled"      // by an admin
	EventClaimsChanged    EventType = "claims_changed"    // through Vigil
	EventMassRevocation   EventType = "mass_revocation"   // asked for by an admin
	EventMassRevoked      EventType = "mass_revoked"      // a mass revocation is done, or has failed
	EventSweepRequested   EventType = "sweep_requested"   // by an admin
	EventLimitsConfigured EventType = "limits_configured" // an instance started with these
)

// DetailReason and DetailRevocation name the details that survive [Event.Erased]. By the latter [Jobs.JobEnds] counts.
const (
	DetailReason     = "reason"
	DetailRevocation = "revocation"
)

const (
	detailNote  = "note"
	detailAlert = "alert"
)

// Audience says who may read an event.
type Audience string

// The audiences.
const (
	AudienceUser  Audience = "user"  // the user it is about, and admins
	AudienceAdmin Audience = "admin" // admins alone
)

// Event is an entry of the audit trail.
type Event struct {
	ID        string
	Type      EventType
	Audience  Audience
	UserID    UserID            // whom it is about, empty if nobody in particular
	SessionID ID                // which session it is about, empty if none in particular
	Actor     string            // a uid or one of the actors; [ActorAdmin] where the user reads it
	IPAddress string            // the actor's, empty where the user may not know it
	At        time.Time         // store time, set by the store
	Details   map[string]string // what there is to know about it, by names of the type's own
}

// newEvent returns an event with an id of its own.
func newEvent(t EventType, audience Audience, uid UserID, id ID, actor, ip string) Event {
	return Event{ID: rand.Text(), Type: t, Audience: audience, UserID: uid, SessionID: id, Actor: actor, IPAddress: ip}
}

// with returns e with one more detail, unless that is empty.
func (e Event) with(name, value string) Event {
	if value == "" {
		return e
	}
	details := make(map[string]string, len(e.Details)+1)
	for n, v := range e.Details {
		details[n] = v
	}
	details[name] = value
	e.Details = details
	return e
}

// Erased returns e without the personal data of the user it is about: of what the user may read, the address and all details but
// the two above are gone; of what admins do, who did it stays, and why goes.
func (e Event) Erased() Event {
	var kept map[string]string
	if e.Audience == AudienceUser {
		e.IPAddress = ""
	}
	for name, value := range e.Details {
		if e.Audience == AudienceUser && (name == DetailReason || name == DetailRevocation) ||
			e.Audience == AudienceAdmin && name != detailNote {
			if kept == nil {
				kept = make(map[string]string)
			}
			kept[name] = value
		}
	}
	e.Details = kept
	return e
}

// Record is what a commit of the store says to others besides its change: all of it is committed with it, or none.
type Record struct {
	Notices []Notice
	Events  []Event
	Mail    *Mail // nil: none
}

// Mail is a message to a user, in the words of the Firebase extension "Trigger Email"
// (https://firebase.google.com/docs/extensions/official/firestore-send-email).
type Mail struct {
	UserID  UserID // whose it is, for [Users.Erase]; not sent
	To      string
	Subject string
	Text    string
	HTML    string
	// Device names the device that the mail is about. A store drops the mail if it has stored one for the same device within
	// the last hour.
	Device string
}
