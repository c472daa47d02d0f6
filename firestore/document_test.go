package firestore

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

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
		"device":    fields{"type": "desktop", "browser": "Chrome 142", "os": "Windows 11", "name": "Reception"},
		"ipAddress": "203.0.113.7", "userAgent": "Mozilla \uFFFD",
		"networks": []any{"203.0.113.7/32", "2001:db8:7::/64"},
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
	if _, _, err := s.End(t.Context(), from.ID, session.End{Reason: session.ReasonLogout, By: "ana", At: endedAt}, session.Record{Notices: []session.Notice{end}}); err != nil {
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
