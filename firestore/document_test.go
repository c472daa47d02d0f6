package firestore

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// fields are what must be in a document: a value, or a check of it.
type fields = map[string]any

type check func(any) bool

// wantDocument compares a document with the contract, field by field: no more, no less, and of the right type.
func wantDocument(t *testing.T, s *Store, path string, want fields) {
	t.Helper()
	snap, err := s.client.Doc(path).Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := snap.Data()
	if names, wantNames := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(names, wantNames) {
		t.Errorf("%s has the fields\n     %v\nwant %v", path, names, wantNames)
	}
	for name, value := range want {
		if fits, ok := value.(check); ok && !fits(got[name]) || !ok && !reflect.DeepEqual(got[name], value) {
			t.Errorf("%s: got %#v, want %#v", name, got[name], value)
		}
	}
}

var (
	anyTime check = func(v any) bool { at, ok := v.(time.Time); return ok && !at.IsZero() }
	anyText check = func(v any) bool { text, ok := v.(string); return ok && text != "" }
)

func within(least, most int64) check {
	return func(v any) bool { n, ok := v.(int64); return ok && n >= least && n <= most }
}

func TestDocuments(t *testing.T) {
	s := connect(t, firestoretest.Start(t), firestoretest.ProjectID(t))
	from := sessiontest.NewSession("ana", sessiontest.SignIn)
	from.UserAgent = "Mozilla \xff"
	sessiontest.MustCreate(t, s, from)
	doc := fields{
		"userId": "ana", "sessionId": string(from.ID), "deviceInfo": "Desktop",
		"device":    fields{"type": "desktop", "browser": "Chrome 142", "os": "Windows 11", "name": "Reception", "kind": "desktop/Chrome/Windows"},
		"ipAddress": "203.0.113.7", "userAgent": "Mozilla \uFFFD",
		"networks": []any{"203.0.113.7/32", "2001:db8:7::/64"}, "otherNetworks": []any{"198.51.100.7/32"},
		"location": fields{
			"country": "MX", "region": "CMX", "city": "Mexico City",
			"position": fields{"latitude": 19.43, "longitude": -99.13, "radius": 20.0},
		},
		"signInProvider": "password", "authTime": from.AuthTime, "createdAt": from.CreatedAt, "lastActive": from.LastActive,
		"idleTimeout": int64(1800), "expiresAt": from.ExpiresAt, "status": "active",
		"endedAt": nil, "endReason": nil, "endedBy": nil,
		"shard": int64(strings.IndexByte("0123456789abcdef", from.ID[0])), "purgeAt": from.ExpiresAt.Add(DefaultRetention),
		"writeId": anyText,
	}
	wantDocument(t, s, "activeSessions/"+string(from.ID), doc)

	endedAt := from.CreatedAt.Add(time.Hour)
	end := session.NewNotice(session.NoticeEnded, "ana", session.ReasonLogout, from.ID)
	rec := session.Record{Notices: []session.Notice{end}}
	if _, _, err := s.End(t.Context(), from.ID, session.End{Reason: session.ReasonLogout, By: "ana", At: endedAt}, rec); err != nil {
		t.Fatal(err)
	}
	doc["status"], doc["endedAt"], doc["endReason"], doc["endedBy"] = "ended", endedAt, "logout", "ana"
	doc["purgeAt"] = endedAt.Add(DefaultRetention)
	wantDocument(t, s, "activeSessions/"+string(from.ID), doc)
	wantDocument(t, s, "sessionNotices/"+end.ID, fields{
		"kind": "ended", "userId": "ana", "reason": "logout", "at": anyTime, "shard": within(0, 15), "purgeAt": anyTime,
		"sessionIds": check(func(v any) bool {
			ids, ok := v.([]any)
			return ok && slices.Equal(ids, []any{string(from.ID)})
		}),
	})

	revocation := session.NewNotice(session.NoticeEnded, "a/b", session.ReasonAdminRevoked)
	revokedAt, err := s.Revoke(t.Context(), revocation, session.Decree{By: "boss"})
	if err != nil {
		t.Fatal(err)
	}
	wantDocument(t, s, "sessionUsers/"+userName("a/b"), fields{
		"userId": "a/b", "revokedAt": revokedAt, "tokensPending": true, "revokeReason": "admin_revoked", "revokedBy": "boss",
		"updatedAt": revokedAt, "purgeAt": anyTime,
	})
	wantDocument(t, s, "sessionNotices/"+revocation.ID, fields{
		"kind": "ended", "userId": "a/b", "reason": "admin_revoked", "before": revokedAt, "at": revokedAt,
		"shard": within(0, 15), "purgeAt": anyTime,
	})
}

// TestRecordDocuments is [TestDocuments] for what goes with a change.
func TestRecordDocuments(t *testing.T) {
	s := connect(t, firestoretest.Start(t), firestoretest.ProjectID(t))
	from := sessiontest.NewSession("ana", sessiontest.SignIn)
	alert := session.NewNotice(session.NoticeAlert, "ana", "", from.ID)
	alert.Alert = &session.Alert{Type: session.AlertNewCountry, SessionID: from.ID, Country: "MX", PreviousCountry: "TR", DistanceKM: 11_000}
	event := session.Event{
		ID: "event", Type: session.EventSecurityAlert, Audience: session.AudienceUser, UserID: "ana", SessionID: from.ID,
		Actor: "ana", IPAddress: "203.0.113.7", Details: map[string]string{"alert": "new_country", "country": "M\xff"},
	}
	bare := session.Event{ID: "bare", Type: session.EventLimitsConfigured, Audience: session.AudienceAdmin}
	mail := &session.Mail{UserID: "ana", To: "ana@example.com", Subject: "subject", Text: "text", HTML: "<p>html</p>", Device: "phone"}
	rec := session.Record{Notices: []session.Notice{alert}, Events: []session.Event{event, bare}, Mail: mail}
	if _, created, err := s.Create(t.Context(), from, rec); err != nil || !created {
		t.Fatalf("created %t, error %v", created, err)
	}
	wantDocument(t, s, "sessionNotices/"+alert.ID, fields{
		"kind": "alert", "userId": "ana", "reason": "", "at": anyTime, "shard": within(0, 15), "purgeAt": anyTime,
		"sessionIds": []any{string(from.ID)},
		"alert": fields{
			"type": "new_country", "sessionId": string(from.ID), "country": "MX", "previousCountry": "TR", "distanceKm": int64(11_000),
		},
	})
	wantDocument(t, s, "securityEvents/event", fields{
		"type": "security_alert", "audience": "user", "userId": "ana", "sessionId": string(from.ID), "actor": "ana",
		"ipAddress": "203.0.113.7", "at": anyTime, "details": fields{"alert": "new_country", "country": "M\uFFFD"},
		"shard": within(0, 15), "purgeAt": anyTime,
	})
	wantDocument(t, s, "securityEvents/bare", fields{
		"type": "limits_configured", "audience": "admin", "userId": nil, "sessionId": nil, "actor": nil, "ipAddress": nil,
		"at": anyTime, "details": fields{}, "shard": within(0, 15), "purgeAt": anyTime,
	})
	sent, err := s.mails().Documents(t.Context()).GetAll()
	if err != nil || len(sent) != 1 {
		t.Fatalf("%d mails, error %v", len(sent), err)
	}
	wantDocument(t, s, "mail/"+sent[0].Ref.ID, fields{
		"userId": "ana", "to": []any{"ana@example.com"}, "message": fields{"subject": "subject", "text": "text", "html": "<p>html</p>"},
		"createdAt": anyTime, "purgeAt": anyTime,
	})
	sum := sha256.Sum256([]byte("phone"))
	wantDocument(t, s, "sessionMails/"+hex.EncodeToString(sum[:]), fields{"mail": sent[0].Ref.ID, "at": anyTime, "purgeAt": anyTime})
}

// TestAdminDocuments is [TestDocuments] for what admins and clean-up leave.
func TestAdminDocuments(t *testing.T) {
	s := connect(t, firestoretest.Start(t), firestoretest.ProjectID(t))
	job := session.MassRevocation{
		ID: "job", State: session.JobRunning, Filter: session.Filter{Country: "MX", CreatedBefore: sessiontest.SignIn},
		By: "boss", Matched: 7, CreatedAt: sessiontest.SignIn,
	}
	if _, err := s.CreateJob(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	wantDocument(t, s, "sessionRevocations/job", fields{
		"state": "running", "filter": fields{"country": "MX", "createdBefore": "2025-11-05T09:30:00Z"}, "note": nil, "by": "boss",
		"ipAddress": nil, "spare": nil, "matched": int64(7), "ended": int64(0), "cursor": fields{}, "failure": nil,
		"createdAt": sessiontest.SignIn, "owner": nil, "leaseUntil": nil, "purgeAt": anyTime, "writeId": anyText,
	})
	census := session.Census{
		ActiveSessions: 7, Users: 3, ByDeviceType: map[string]int{"mobile": 7}, Zombies: 1, CountedAt: sessiontest.SignIn,
	}
	if err := s.SaveCensus(t.Context(), census); err != nil {
		t.Fatal(err)
	}
	wantDocument(t, s, "sessionSweeps/latest", fields{
		"activeSessions": int64(7), "users": int64(3), "byDeviceType": fields{"mobile": int64(7)}, "byCountry": nil,
		"zombies": int64(1), "countedAt": sessiontest.SignIn,
	})
	n := session.NewNotice(session.NoticeEnded, "ana", session.ReasonUserDeleted)
	revokedAt, err := s.Revoke(t.Context(), n, session.Decree{By: "ana", Disable: true, Delete: true})
	if err != nil {
		t.Fatal(err)
	}
	user := fields{
		"userId": "ana", "revokedAt": revokedAt, "tokensPending": true, "revokeReason": "user_deleted", "revokedBy": "ana",
		"disabled": true, "disablePending": true, "deletedAt": revokedAt, "deletePending": true, "updatedAt": revokedAt, "purgeAt": anyTime,
	}
	wantDocument(t, s, "sessionUsers/ana", user)
	if err := s.Enable(t.Context(), "ana"); err != nil {
		t.Fatal(err)
	}
	user["disabled"], user["disablePending"] = false, false
	wantDocument(t, s, "sessionUsers/ana", user)
}

// TestOlderDocument: a session that was stored before there were networks and positions reads as one without.
func TestOlderDocument(t *testing.T) {
	s := connect(t, firestoretest.Start(t), firestoretest.ProjectID(t))
	want := sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn))
	if _, err := s.sessions().Doc(string(want.ID)).Update(t.Context(), []firestore.Update{
		{Path: "networks", Value: firestore.Delete},
		{Path: "otherNetworks", Value: firestore.Delete},
		{Path: "location.position", Value: firestore.Delete},
	}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Session(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	want.Networks, want.Location.Position, want.Version = session.Networks{}, nil, got.Version
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	moved, ok, err := s.Move(t.Context(), got, session.Networks{1: netip.MustParsePrefix("2001:db8::/64")}, session.Record{})
	if err != nil || !ok || moved.Networks[1] != netip.MustParsePrefix("2001:db8::/64") {
		t.Errorf("moved %t to %v, error %v", ok, moved.Networks, err)
	}
}

func TestSparseDocument(t *testing.T) {
	s := connect(t, firestoretest.Start(t), firestoretest.ProjectID(t))
	from := sessiontest.NewSession("ana", sessiontest.SignIn)
	from.Device, from.Location, from.IdleTimeout = session.Device{Type: "fridge"}, nil, 1500*time.Millisecond
	doc := s.newSessionDoc(from)
	if doc.DeviceInfo != "Other" || doc.Location != nil || doc.Device.Name != nil || doc.IdleTimeout != 1.5 {
		t.Errorf("document %+v", doc)
	}
	from.Status, from.EndedAt, from.EndReason = session.StatusEnded, from.CreatedAt, session.ReasonLogout
	if got, err := s.newSessionDoc(from).session(time.Time{}); err != nil || got != from {
		t.Errorf("got %+v, error %v, want %+v", got, err, from)
	}
	if got := duration("foreign"); got != 0 {
		t.Errorf("an idle timeout that is no number is %s", got)
	}
}

func TestUserName(t *testing.T) {
	for _, c := range []struct {
		uid   session.UserID
		plain bool
	}{
		{"ana", true},
		{"a.b", true},
		{"__x", true},
		{"x__all__", true},
		{session.UserID(strings.Repeat("😀", 128)), true},
		{session.UserID(strings.Repeat("x", maxNameBytes+1)), false},
		{"", false},
		{"/", false},
		{"a/b", false},
		{".", false},
		{"..", false},
		{"__all__", false},
		{"____", false},
		{"\xff", false},
		{hashed + "ana", false},
		{session.UserID(userName("a/b")), false},
	} {
		name := userName(c.uid)
		if plain := name == string(c.uid); plain != c.plain || (!plain && len(name) != len(hashed)+64) {
			t.Errorf("%.20q becomes %.20q", c.uid, name)
		}
		if s := hashShard(c.uid); s < 0 || s > 15 {
			t.Errorf("%q is in shard %d", c.uid, s)
		}
	}
}
