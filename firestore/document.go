package firestore

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// The collections.
func (s *Store) sessions() *firestore.CollectionRef { return s.client.Collection("activeSessions") }
func (s *Store) users() *firestore.CollectionRef    { return s.client.Collection("sessionUsers") }
func (s *Store) notices() *firestore.CollectionRef  { return s.client.Collection("sessionNotices") }
func (s *Store) events() *firestore.CollectionRef   { return s.client.Collection("securityEvents") }
func (s *Store) jobs() *firestore.CollectionRef     { return s.client.Collection("sessionRevocations") }
func (s *Store) sweeps() *firestore.CollectionRef   { return s.client.Collection("sessionSweeps") }
func (s *Store) mails() *firestore.CollectionRef    { return s.client.Collection(s.mailCollection) }

// mailed has one document for each device that a mail was about.
func (s *Store) mailed() *firestore.CollectionRef { return s.client.Collection("sessionMails") }

// sessionDoc is a document of activeSessions. What has no value is null, as in the API.
type sessionDoc struct {
	UserID         string       `firestore:"userId"`
	SessionID      string       `firestore:"sessionId"`
	DeviceInfo     string       `firestore:"deviceInfo"`
	Device         deviceDoc    `firestore:"device"`
	IPAddress      string       `firestore:"ipAddress"`
	Networks       []string     `firestore:"networks"`      // in CIDR notation, IPv4 first
	OtherNetworks  []string     `firestore:"otherNetworks"` // the latest first
	UserAgent      string       `firestore:"userAgent"`
	Location       *locationDoc `firestore:"location"`
	SignInProvider string       `firestore:"signInProvider"`
	AuthTime       time.Time    `firestore:"authTime"`
	CreatedAt      time.Time    `firestore:"createdAt"`
	LastActive     time.Time    `firestore:"lastActive"`
	IdleTimeout    any          `firestore:"idleTimeout"` // in seconds: an integer when whole
	ExpiresAt      time.Time    `firestore:"expiresAt"`
	Status         string       `firestore:"status"`
	EndedAt        *time.Time   `firestore:"endedAt"`
	EndReason      *string      `firestore:"endReason"`
	EndedBy        *string      `firestore:"endedBy"`
	Shard          int          `firestore:"shard"`
	PurgeAt        time.Time    `firestore:"purgeAt"`
	WriteID        string       `firestore:"writeId"`
}

type deviceDoc struct {
	Type    string  `firestore:"type"`
	Browser string  `firestore:"browser"`
	OS      string  `firestore:"os"`
	Name    *string `firestore:"name"`
	Kind    string  `firestore:"kind"`
}

type locationDoc struct {
	Country  string       `firestore:"country"`
	Region   string       `firestore:"region"`
	City     string       `firestore:"city"`
	Position *positionDoc `firestore:"position"`
}

type positionDoc struct {
	Latitude  float64 `firestore:"latitude"`
	Longitude float64 `firestore:"longitude"`
	Radius    float64 `firestore:"radius"` // in kilometres
}

// deviceInfos are the words of deviceInfo for the types of devices.
var deviceInfos = map[string]string{"desktop": "Desktop", "mobile": "Mobile", "tablet": "Tablet", "bot": "Bot"}

func (s *Store) newSessionDoc(from session.Session) sessionDoc {
	doc := sessionDoc{
		UserID:     string(from.UserID),
		SessionID:  string(from.ID),
		DeviceInfo: "Other",
		Device: deviceDoc{
			Type:    text(from.Device.Type),
			Browser: text(from.Device.Browser),
			OS:      text(from.Device.OS),
			Name:    nullable(text(from.Device.Name)),
			Kind:    text(from.Device.Kind),
		},
		IPAddress:      text(from.IPAddress),
		Networks:       cidrs(from.Networks[:session.OwnNetworks]),
		OtherNetworks:  cidrs(from.Networks[session.OwnNetworks:]),
		UserAgent:      text(from.UserAgent),
		SignInProvider: text(from.SignInProvider),
		AuthTime:       micro(from.AuthTime),
		CreatedAt:      micro(from.CreatedAt),
		LastActive:     micro(from.LastActive),
		IdleTimeout:    seconds(from.IdleTimeout),
		ExpiresAt:      micro(from.ExpiresAt),
		Status:         string(from.Status),
		EndReason:      nullable(string(from.EndReason)),
		EndedBy:        nullable(from.EndedBy),
		Shard:          shard(from.ID),
		PurgeAt:        micro(from.ExpiresAt.Add(s.retention)),
		WriteID:        rand.Text(),
	}
	if info, ok := deviceInfos[from.Device.Type]; ok {
		doc.DeviceInfo = info
	}
	if l := from.Location; l != nil {
		doc.Location = &locationDoc{Country: text(l.Country), Region: text(l.Region), City: text(l.City), Position: (*positionDoc)(l.Position)}
	}
	if !from.EndedAt.IsZero() {
		at := micro(from.EndedAt)
		doc.EndedAt = &at
	}
	return doc
}

// session returns the session that d is, in the version of the given update time.
func (d sessionDoc) session(version time.Time) (session.Session, error) {
	networks, err := d.networks()
	s := session.Session{
		ID:     session.ID(d.SessionID),
		UserID: session.UserID(d.UserID),
		Status: session.Status(d.Status),
		Device: session.Device{
			Type:    d.Device.Type,
			Browser: d.Device.Browser,
			OS:      d.Device.OS,
			Name:    value(d.Device.Name),
			Kind:    d.Device.Kind,
		},
		UserAgent:      d.UserAgent,
		IPAddress:      d.IPAddress,
		Networks:       networks,
		SignInProvider: d.SignInProvider,
		AuthTime:       d.AuthTime,
		CreatedAt:      d.CreatedAt,
		LastActive:     d.LastActive,
		IdleTimeout:    duration(d.IdleTimeout),
		ExpiresAt:      d.ExpiresAt,
		EndedAt:        value(d.EndedAt),
		EndReason:      session.Reason(value(d.EndReason)),
		EndedBy:        value(d.EndedBy),
		Version:        version,
	}
	if l := d.Location; l != nil {
		s.Location = &session.Location{Country: l.Country, Region: l.Region, City: l.City, Position: (*session.Position)(l.Position)}
	}
	return s, err
}

func cidrs(networks []netip.Prefix) []string {
	written := []string{}
	for _, n := range networks {
		if n.IsValid() {
			written = append(written, n.String())
		}
	}
	return written
}

func (d sessionDoc) networks() (networks session.Networks, err error) {
	for _, cidr := range d.Networks {
		n, err := netip.ParsePrefix(cidr)
		if err != nil {
			return session.Networks{}, err
		}
		own := 0
		if !n.Addr().Is4() {
			own = 1
		}
		networks[own] = n
	}
	others := networks[session.OwnNetworks:]
	for i, cidr := range d.OtherNetworks[:min(len(d.OtherNetworks), len(others))] {
		if others[i], err = netip.ParsePrefix(cidr); err != nil {
			return session.Networks{}, err
		}
	}
	return networks, nil
}

// userDoc is what is read of a document of sessionUsers. Its other fields belong to others.
type userDoc struct {
	UserID        string     `firestore:"userId"`
	RevokedAt     *time.Time `firestore:"revokedAt"`
	RevokeReason  *string    `firestore:"revokeReason"`
	RevokedBy     *string    `firestore:"revokedBy"`
	TokensPending bool       `firestore:"tokensPending"`
	Disabled      bool       `firestore:"disabled"`
	DeletedAt     *time.Time `firestore:"deletedAt"`

	DisablePending bool      `firestore:"disablePending"`
	DeletePending  bool      `firestore:"deletePending"`
	ErasePending   bool      `firestore:"erasePending"`
	UpdatedAt      time.Time `firestore:"updatedAt"`
}

func (d userDoc) user(uid session.UserID) session.User {
	return session.User{
		ID:            uid,
		RevokedAt:     value(d.RevokedAt),
		RevokeReason:  session.Reason(value(d.RevokeReason)),
		RevokedBy:     value(d.RevokedBy),
		TokensPending: d.TokensPending,
		Disabled:      d.Disabled,
		DeletedAt:     value(d.DeletedAt),

		DisablePending: d.DisablePending,
		DeletePending:  d.DeletePending,
		ErasePending:   d.ErasePending,
	}
}

// hashed marks the names of documents whose uid cannot be one. A uid that begins so is hashed too, so that none
// can pass for another's hash.
const hashed = "sha256:"

const maxNameBytes = 1500

var reservedName = regexp.MustCompile(`^(\.\.?|__.*__)$`)

// nameable reports whether Firestore can hold a document of this name.
func nameable(name string) bool {
	return name != "" && len(name) <= maxNameBytes && utf8.ValidString(name) &&
		!strings.Contains(name, "/") && !reservedName.MatchString(name)
}

// userName is the name of a user's document: the uid, or its hash if Firestore cannot hold it.
func userName(uid session.UserID) string {
	name := string(uid)
	if nameable(name) && !strings.HasPrefix(name, hashed) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return hashed + hex.EncodeToString(sum[:])
}

// shard is the shard of a session, 0 to 15: the first digit of its id.
func shard(id session.ID) int { return strings.IndexByte("0123456789abcdef", id[0]) }

// shards is how many shards there are.
const shards = 16

// hashShard is the shard of a user's notices, or of an event by its id, 0 to 15.
func hashShard[S ~string](s S) int {
	sum := sha256.Sum256([]byte(s))
	return int(sum[0] >> 4)
}

// micro is t as Firestore keeps it.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// moment is t as Firestore keeps it, nil for the zero time.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return micro(t)
}

// text is s as Firestore takes it; browsers send what they like.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func seconds(d time.Duration) any {
	if d%time.Second == 0 {
		return int64(d / time.Second)
	}
	return d.Seconds()
}

func duration(seconds any) time.Duration {
	switch n := seconds.(type) {
	case int64:
		return time.Duration(n) * time.Second
	case float64:
		return time.Duration(math.Round(n * float64(time.Second)))
	default:
		return 0
	}
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
