package main

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// retention is the default: documents are purged so long after their end.
const retention = 720 * time.Hour

var endReasons = []string{"logout", "revoked", "admin_revoked", "tokens_revoked", "idle_timeout", "absolute_timeout", "session_limit",
	"ip_changed", "user_disabled", "user_deleted", "credentials_changed", "replaced"}

// documentTests are of the documents of each collection.
var documentTests = map[string]func(*testing.T, *scenario, map[string]map[string]any){
	"activeSessions":     testSessionDocuments,
	"sessionUsers":       testUserDocuments,
	"sessionNotices":     testNoticeDocuments,
	"securityEvents":     testEventDocuments,
	"sessionRevocations": testRevocationDocuments,
	"sessionSweeps":      testSweepDocuments,
	"sessionMails":       testMailedDocuments,
	"mail":               testMailDocuments,
}

func testSessionDocuments(t *testing.T, s *scenario, docs map[string]map[string]any) {
	anything := func(any) bool { return true }
	for name, doc := range docs {
		wantShapes(t, name, doc, map[string]shape{
			"userId": isText, "sessionId": isID, "deviceInfo": words("Desktop", "Mobile", "Tablet", "Bot", "Other"), "device": isMap,
			"ipAddress": anything, "networks": isTexts, "otherNetworks": isTexts, "userAgent": anything, "location": orNull(isMap), "signInProvider": isText,
			"authTime": isTime, "createdAt": isTime, "lastActive": isTime, "idleTimeout": isNumber, "expiresAt": isTime,
			"status": words("active", "ended"), "endedAt": orNull(isTime), "endReason": orNull(words(endReasons...)), "endedBy": orNull(isText),
			"shard": isShard, "purgeAt": isTime, "writeId": isText,
		})
		if doc["sessionId"] != name || doc["shard"] != int64(strings.IndexByte("0123456789abcdef", name[0])) {
			t.Errorf("%s: session %v in shard %v", name, doc["sessionId"], doc["shard"])
		}
		wantAfter(t, name, doc, "authTime", "expiresAt", 12*time.Hour)
		ended := doc["status"] == "ended"
		for _, field := range []string{"endedAt", "endReason", "endedBy"} {
			if (doc[field] != nil) != ended {
				t.Errorf("%s: %s, and %s is %v", name, doc["status"], field, doc[field])
			}
		}
		if ended {
			wantAfter(t, name, doc, "endedAt", "purgeAt", retention)
		} else {
			wantAfter(t, name, doc, "expiresAt", "purgeAt", retention)
		}
	}
	laptop, phone := docs[s.laptop], docs[s.phone]
	for field, want := range map[string]any{
		"userId": "ana", "deviceInfo": "Desktop", "ipAddress": "203.0.113.7", "userAgent": laptopAgent, "signInProvider": "password",
		"idleTimeout": int64(600), "status": "ended", "endReason": "admin_revoked", "endedBy": "admin",
		"device": map[string]any{"type": "desktop", "browser": "Chrome 142", "os": "Windows", "name": "Ana's", "kind": "desktop/Chrome/Windows"},
		"location": map[string]any{"country": "MX", "region": "CMX", "city": "Mexico City",
			"position": map[string]any{"latitude": 19.43, "longitude": -99.13, "radius": laptop["location"].(map[string]any)["position"].(map[string]any)["radius"]}},
		"networks": []any{"203.0.113.7/32", "2001:db8:7::/64"}, "otherNetworks": []any{"192.0.2.200/32"},
	} {
		if got := laptop[field]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s of Ana's laptop is %v, want %v", field, got, want)
		}
	}
	for field, want := range map[string]any{"deviceInfo": "Mobile", "status": "ended", "endReason": "revoked", "endedBy": "ana"} {
		if got := phone[field]; got != want {
			t.Errorf("%s of Ana's phone is %v, want %v", field, got, want)
		}
	}
	if active := where(docs, func(doc map[string]any) bool { return doc["status"] == "active" }); len(active) == 0 {
		t.Error("nobody is left")
	}
	for _, doc := range where(docs, func(doc map[string]any) bool { return doc["userId"] == s.gone.uid() }) {
		if doc["ipAddress"] != "" || doc["userAgent"] != "" || doc["location"] != nil || doc["endReason"] != "user_deleted" {
			t.Errorf("of an account that is gone there is left %v", doc)
		}
	}
}

func testUserDocuments(t *testing.T, s *scenario, docs map[string]map[string]any) {
	sum := sha256.Sum256([]byte(oddUID))
	odd := "sha256:" + hex.EncodeToString(sum[:])
	for name, doc := range docs {
		wantShapes(t, name, doc, map[string]shape{
			"userId": isText, "revokedAt": isTime, "revokeReason": words(endReasons...), "revokedBy": isText, "tokensPending": isBool,
			"disabled": isBool, "disablePending": isBool, "deletedAt": isTime, "deletePending": isBool, "erasePending": isBool, "updatedAt": isTime, "purgeAt": isTime,
		})
		if doc["tokensPending"] != false || doc["userId"] != name && name != odd {
			t.Errorf("%s: %v", name, doc)
		}
		wantAfter(t, name, doc, "updatedAt", "purgeAt", retention)
	}
	for name, want := range map[string][]any{ // revokeReason, revokedBy, disabled
		"ana":        {"admin_revoked", "boss", nil},
		"ben":        {"user_disabled", "boss", false}, // and enabled again
		odd:          {"admin_revoked", "boss", nil},
		s.gone.uid(): {"user_deleted", s.gone.uid(), nil},
	} {
		doc := docs[name]
		if got := []any{doc["revokeReason"], doc["revokedBy"], doc["disabled"]}; !slices.Equal(got, want) || !isTime(doc["revokedAt"]) {
			t.Errorf("%s: %v", name, doc)
		}
		if deleted := doc["deletedAt"] != nil; deleted != (name == s.gone.uid()) {
			t.Errorf("%s: deleted %t", name, deleted)
		}
	}
	if docs[odd]["userId"] != oddUID {
		t.Errorf("%v", docs[odd])
	}
}

func testNoticeDocuments(t *testing.T, s *scenario, docs map[string]map[string]any) {
	kinds := make(map[string]int)
	for name, doc := range docs {
		many := doc["userIds"] != nil
		wantShapes(t, name, doc, map[string]shape{
			"kind": words("ended", "started", "reset", "alert", "claims"), "sessionIds": func(v any) bool { return every(v, isID) },
			"userId": func(v any) bool { return isText(v) != many }, "before": isTime, "reason": words(append(endReasons, "")...), "alert": isMap,
			"userIds": isTexts, "noticeIds": isTexts, "at": isTime, "purgeAt": isTime,
			"shard": func(v any) bool { return isShard(v) != many || many && v == int64(-1) },
		})
		kind, _ := doc["kind"].(string)
		kinds[kind]++
		wantAfter(t, name, doc, "at", "purgeAt", time.Hour)
		if (doc["reason"] != "") != (kind == "ended") || (doc["alert"] != nil) != (kind == "alert") || doc["before"] != nil && kind != "ended" ||
			(doc["before"] != nil) == (doc["sessionIds"] != nil) {
			t.Errorf("%s: %v", name, doc)
		}
	}
	for _, kind := range []string{"ended", "started", "reset", "alert", "claims"} {
		if kinds[kind] == 0 {
			t.Errorf("nothing of the kind %s in %v", kind, kinds)
		}
	}
	for what, holds := range map[string]func(doc map[string]any) bool{
		"the end of a phone": func(doc map[string]any) bool {
			return doc["kind"] == "ended" && doc["reason"] == "revoked" && reflect.DeepEqual(doc["sessionIds"], []any{s.phone})
		},
		"a revocation": func(doc map[string]any) bool { return doc["userId"] == oddUID && isTime(doc["before"]) },
		"activity": func(doc map[string]any) bool {
			return doc["kind"] == "reset" && reflect.DeepEqual(doc["sessionIds"], []any{s.laptop})
		},
		"a second session": func(doc map[string]any) bool {
			return doc["kind"] == "started" && reflect.DeepEqual(doc["sessionIds"], []any{s.phone})
		},
		"an alert": func(doc map[string]any) bool {
			alert, _ := doc["alert"].(map[string]any)
			return alert["type"] == "impossible_travel" && alert["sessionId"] == s.phone && isNumber(alert["distanceKm"])
		},
		"changed rights": func(doc map[string]any) bool { return doc["kind"] == "claims" && doc["userId"] == "ben" },
		"a mass revocation of one user's": func(doc map[string]any) bool {
			ids, _ := doc["noticeIds"].([]any)
			return doc["userId"] == s.gang.uid() && len(ids) == 2 && doc["userIds"] == nil && doc["reason"] == "admin_revoked"
		},
		"a mass revocation of several users'": func(doc map[string]any) bool {
			users, _ := doc["userIds"].([]any)
			return len(users) == 2 && users[0] != users[1] && doc["userId"] == "" && doc["reason"] == "admin_revoked"
		},
	} {
		if len(where(docs, holds)) == 0 {
			t.Errorf("nobody is told of %s", what)
		}
	}
}

func testRevocationDocuments(t *testing.T, s *scenario, docs map[string]map[string]any) {
	for name, doc := range docs {
		wantShapes(t, name, doc, map[string]shape{
			"state": words("running", "done", "failed"), "filter": isMap, "note": isText, "by": isText, "ipAddress": isText, "spare": orNull(isID),
			"matched": isNumber, "ended": isNumber, "cursor": isMap, "failure": orNull(isText), "createdAt": isTime, "owner": orNull(isText),
			"leaseUntil": orNull(isTime), "purgeAt": isTime, "writeId": isText,
		})
		for field, want := range map[string]any{"state": "done", "note": adminNote, "by": "boss", "ipAddress": adminIP, "matched": int64(2), "ended": int64(2)} {
			if doc[field] != want {
				t.Errorf("%s is %v, want %v", field, doc[field], want)
			}
		}
		if filter, _ := doc["filter"].(map[string]any); filter["userId"] != s.gang.uid() && filter["ip"] != crowdIP {
			t.Errorf("%v", doc)
		}
		wantAfter(t, name, doc, "createdAt", "purgeAt", retention)
	}
	if len(docs) != 2 {
		t.Errorf("%d documents", len(docs))
	}
}

func testSweepDocuments(t *testing.T, _ *scenario, docs map[string]map[string]any) {
	wantShapes(t, "latest", docs["latest"], map[string]shape{
		"activeSessions": isNumber, "users": isNumber, "byDeviceType": isMap, "byCountry": isMap, "zombies": isNumber, "countedAt": isTime,
	})
	if n, _ := docs["latest"]["activeSessions"].(int64); n < 1 || len(docs) != 1 {
		t.Errorf("%v", docs)
	}
}

func testMailedDocuments(t *testing.T, _ *scenario, docs map[string]map[string]any) {
	for name, doc := range docs {
		wantShapes(t, name, doc, map[string]shape{"mail": isText, "at": isTime, "purgeAt": isTime})
		wantAfter(t, name, doc, "at", "purgeAt", time.Hour)
		if !isID(name) {
			t.Errorf("%s is no hash", name)
		}
	}
}

func testMailDocuments(t *testing.T, _ *scenario, docs map[string]map[string]any) {
	for name, doc := range docs {
		wantShapes(t, name, doc, map[string]shape{
			"userId": isText, "to": isTexts, "message": isMap, "createdAt": isTime, "purgeAt": isTime,
		})
		wantAfter(t, name, doc, "createdAt", "purgeAt", retention)
		if text := show(doc); strings.Contains(text, "Ana's") || strings.Contains(text, "203.0.113.7") {
			t.Errorf("it says what it must not: %s", text)
		}
	}
	about := func(doc map[string]any) bool { return reflect.DeepEqual(doc["to"], []any{"ana@example.com"}) }
	if mails := where(docs, about); len(mails) != 2 { // of a laptop and of a phone
		t.Errorf("%v", mails)
	}
}
