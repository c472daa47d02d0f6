package main

import (
	"strings"
	"testing"
)

// eventAudiences are those of every type of event.
var eventAudiences = map[string]string{
	"session_started": "user", "session_ended": "user admin", "session_refused": "user", "security_alert": "user", "network_learned": "user",
	"reauth_refused": "user", "admin_refused": "admin", "email_changed": "user", "password_changed": "user", "account_deleted": "user",
	"user_revoked": "admin", "user_disabled": "admin", "user_enabled": "admin", "claims_changed": "admin", "mass_revocation": "admin",
	"mass_revoked": "admin", "sweep_requested": "admin", "limits_configured": "admin",
}

func testEventDocuments(t *testing.T, s *scenario, docs map[string]map[string]any) {
	found := make(map[string]map[string]bool)
	for name, doc := range docs {
		wantShapes(t, name, doc, map[string]shape{
			"type": isText, "audience": words("user", "admin"), "userId": orNull(isText), "sessionId": orNull(isID), "actor": orNull(isText),
			"ipAddress": orNull(isText), "at": isTime, "details": isStrings, "shard": isShard, "purgeAt": isTime,
		})
		wantAfter(t, name, doc, "at", "purgeAt", retention)
		kind, _ := doc["type"].(string)
		audience, _ := doc["audience"].(string)
		if found[kind] == nil {
			found[kind] = make(map[string]bool)
		}
		found[kind][audience] = true
		if text := show(doc); audience == "user" && doc["userId"] != "boss" &&
			(strings.Contains(text, "boss") || strings.Contains(text, adminIP) || strings.Contains(text, adminNote)) {
			t.Errorf("a user reads what is an admin's: %s", text)
		}
		if doc["userId"] == s.gone.uid() && audience == "user" && doc["ipAddress"] != nil {
			t.Errorf("of an account that is gone there is left %v", doc)
		}
	}
	for kind, audiences := range eventAudiences {
		for audience := range strings.FieldsSeq(audiences) {
			if !found[kind][audience] {
				t.Errorf("no %s for the audience %s", kind, audience)
			}
			delete(found[kind], audience)
		}
		if len(found[kind]) > 0 {
			t.Errorf("%s also for %v", kind, found[kind])
		}
		delete(found, kind)
	}
	if len(found) > 0 {
		t.Errorf("unknown types: %v", found)
	}
	testWhatEventsSay(t, s, docs)
}

// testWhatEventsSay looks at one event of each type.
func testWhatEventsSay(t *testing.T, s *scenario, docs map[string]map[string]any) {
	type event struct {
		userID, actor, ip any
		details           map[string]any // among others
	}
	note := map[string]any{"note": adminNote}
	for kind, want := range map[string]event{
		"session_started":   {"ana", "ana", "203.0.113.7", map[string]any{"device": "Chrome on Windows", "signInProvider": "password", "country": "MX"}},
		"session_ended":     {"ana", "ana", movedIP, nil},
		"security_alert":    {"ana", "system", "192.0.2.7", map[string]any{"alert": "new_country", "country": "DE", "previousCountry": "MX"}},
		"network_learned":   {"ana", "ana", "2001:db8:7::7", nil},
		"admin_refused":     {"ana", "ana", movedIP, nil},
		"email_changed":     {s.moved.uid(), s.moved.uid(), "127.0.0.1", nil},
		"password_changed":  {s.secret.uid(), s.secret.uid(), "127.0.0.1", nil},
		"account_deleted":   {s.gone.uid(), s.gone.uid(), nil, nil},
		"user_revoked":      {oddUID, "boss", adminIP, note},
		"user_disabled":     {"ben", "boss", adminIP, note},
		"user_enabled":      {"ben", "boss", adminIP, note},
		"claims_changed":    {"ben", "cli", nil, map[string]any{"admin": "true", "note": adminNote}},
		"mass_revocation":   {s.gang.uid(), "boss", adminIP, map[string]any{"matched": "2", "note": adminNote}},
		"mass_revoked":      {s.gang.uid(), "boss", nil, map[string]any{"ended": "2", "state": "done"}},
		"sweep_requested":   {nil, "boss", adminIP, note},
		"limits_configured": {nil, "system", nil, map[string]any{"maxSessions": "5", "idleTimeout": "10m0s"}},
	} {
		var close []map[string]any
		matching := where(docs, func(doc map[string]any) bool {
			if doc["type"] != kind {
				return false
			}
			close = append(close, doc)
			details, _ := doc["details"].(map[string]any)
			for name, value := range want.details {
				if details[name] != value {
					return false
				}
			}
			return doc["userId"] == want.userID && doc["actor"] == want.actor && (want.ip == nil || doc["ipAddress"] == want.ip)
		})
		if len(matching) == 0 {
			t.Errorf("no %s is %v; there are %v", kind, want, close)
		}
	}
}

func isStrings(v any) bool {
	m, ok := v.(map[string]any)
	for _, each := range m {
		if _, is := each.(string); !is {
			return false
		}
	}
	return ok
}
