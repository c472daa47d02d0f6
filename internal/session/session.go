package session

import (
	"net/netip"
	"time"
)

// Status is the stored state of a session. Judge a session by [Policy.Phase], never by its status alone.
type Status string

// The stored states.
const (
	StatusActive Status = "active"
	StatusEnded  Status = "ended"
)

// Reason says why a session ended: the same word in HTTP, on the socket, in the store and in logs.
type Reason string

// The reasons.
const (
	ReasonLogout             Reason = "logout"              // its own device signed out
	ReasonRevoked            Reason = "revoked"             // its user ended it from another session
	ReasonAdminRevoked       Reason = "admin_revoked"       // an admin ended it
	ReasonTokensRevoked      Reason = "tokens_revoked"      // revoked in Firebase, not through Vigil
	ReasonIdleTimeout        Reason = "idle_timeout"        // no user activity for the idle timeout
	ReasonAbsoluteTimeout    Reason = "absolute_timeout"    // its lifetime is over
	ReasonSessionLimit       Reason = "session_limit"       // a newer session took its place
	ReasonIPChanged          Reason = "ip_changed"          // its network changed under the strict policy
	ReasonUserDisabled       Reason = "user_disabled"       // the account was disabled
	ReasonUserDeleted        Reason = "user_deleted"        // the account was deleted
	ReasonCredentialsChanged Reason = "credentials_changed" // e-mail or password changed
	ReasonReplaced           Reason = "replaced"            // the same device signed in again
)

// Reasons are all of them.
var Reasons = []Reason{
	ReasonLogout, ReasonRevoked, ReasonAdminRevoked, ReasonTokensRevoked, ReasonIdleTimeout, ReasonAbsoluteTimeout, ReasonSessionLimit,
	ReasonIPChanged, ReasonUserDisabled, ReasonUserDeleted, ReasonCredentialsChanged, ReasonReplaced,
}

// Session is one sign-in of one account on one device. Times are in store time, see [Clock].
type Session struct {
	ID             ID
	UserID         UserID
	Status         Status
	Device         Device
	UserAgent      string
	IPAddress      string    // of the sign-in
	Networks       Networks  // from which requests may come
	Location       *Location // of the sign-in; nil when unknown
	SignInProvider string
	AuthTime       time.Time // of the sign-in, whole seconds
	CreatedAt      time.Time
	LastActive     time.Time
	IdleTimeout    time.Duration // as configured when the session began
	ExpiresAt      time.Time

	EndedAt   time.Time // zero while active
	EndReason Reason
	EndedBy   string // a uid, or one of the actors below

	// Version changes with every write of the stored session; it is the store's own and opaque to others.
	Version time.Time
}

// The actors that are no users.
const (
	ActorSystem = "system" // time or a rule
	ActorCLI    = "cli"    // somebody with a shell and the project's credentials
)

// Networks are the networks that a session is used from. The first [OwnNetworks] are its own, one of each family: IPv4, then IPv6. The others have
// been found in addition, and its user has been told of each; the latest comes first. The zero Prefix stands for none.
type Networks [8]netip.Prefix

// OwnNetworks is how many of [Networks] are the session's own.
const OwnNetworks = 2

// Device is what a session runs on.
type Device struct {
	Type    string // desktop, mobile, tablet, bot, other
	Browser string
	OS      string
	Name    string // given by the user
	Kind    string // as its requests show it, without versions: type, browser and system, such as desktop/Chrome/Windows
}

// Location is where an IP address is said to be.
type Location struct {
	Country  string    `json:"country" description:"ISO 3166-1 alpha-2"`
	Region   string    `json:"region"` // second part of ISO 3166-2
	City     string    `json:"city"`
	Position *Position `json:"-"` // nil when unknown
}

// Position is a point on the globe with the radius around it in which an IP address is thought to be.
type Position struct {
	Latitude, Longitude float64 // degrees
	Radius              float64 // kilometres, zero when unknown
}

// Origin is where a request comes from. The zero value is unknown, and judged by no policy.
type Origin struct {
	IP netip.Addr // without zone, IPv4 never mapped into IPv6
	// Locate looks up where that is, nil when unknown. It is called only when somebody needs to know, and may be nil.
	Locate func() *Location
}

// Location is where the origin is said to be, nil when unknown.
func (o Origin) Location() *Location {
	if o.Locate == nil {
		return nil
	}
	return o.Locate()
}

// Address is the origin's IP address as text, empty when unknown.
func (o Origin) Address() string {
	if !o.IP.IsValid() {
		return ""
	}
	return o.IP.String()
}

// Holder is what whoever has the origin's IP address has of them, as text: the address itself, or the /64 of an IPv6 address, for that
// is the least that is given to one site (RFC 6177). Empty when unknown: all of unknown addresses are one.
func (o Origin) Holder() string {
	if !o.IP.Is6() {
		return o.Address()
	}
	return netip.PrefixFrom(o.IP, 64).Masked().String()
}

// IdleDeadline is when s ends unless its user does something before.
func (s Session) IdleDeadline() time.Time { return s.idleDeadline() }

func (s *Session) idleDeadline() time.Time { return s.LastActive.Add(s.IdleTimeout) }

// End describes the end of a session.
type End struct {
	Reason Reason
	By     string    // a uid or an actor
	IP     string    // of By, for the audit trail alone
	Job    string    // the mass revocation that it belongs to, for the audit trail alone
	At     time.Time // zero: the store's own time
	// IfLastActive makes the end conditional on the stored LastActive being this one, so that
	// an activity that another instance has just stored is not overruled. Zero: unconditional.
	IfLastActive time.Time
}

// User is what the store knows about an account. The zero value stands for an account it knows nothing of.
type User struct {
	ID             UserID
	RevokedAt      time.Time // every sign-in at or before it is dead; never moves back
	RevokeReason   Reason    // of the latest revocation
	RevokedBy      string    // of the latest revocation
	TokensPending  bool      // Firebase has not been told yet
	DisablePending bool      // nor that the account is disabled
	DeletePending  bool      // nor that the account is deleted
	ErasePending   bool      // of an account that is gone: what is kept about it has not been stripped yet
	Disabled       bool      // by an admin, through Vigil
	DeletedAt      time.Time // when the account was deleted, by its user through Vigil or as found in Firebase; zero if it was not
}

// Revoked reports whether a sign-in at authTime is one of those that u's revocation has ended.
func (u User) Revoked(authTime time.Time) bool {
	return !u.RevokedAt.IsZero() && !authTime.After(u.RevokedAt)
}

// Gone returns why nobody may use the account any more where Firebase has not been told yet, empty if they may. What has been done
// is Firebase's to know: it may have been undone there since.
func (u User) Gone() Reason {
	switch {
	case u.DeletePending:
		return ReasonUserDeleted
	case u.DisablePending:
		return ReasonUserDisabled
	default:
		return ""
	}
}

// Actor is who does something to sessions that are not their own.
type Actor struct {
	By      string // a uid or an actor
	IP      string // empty when unknown
	Note    string // why, for admins
	Session ID     // the actor's own, empty if none
}
