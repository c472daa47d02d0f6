package identity

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestOptionsAreChecked(t *testing.T) {
	for name, options := range map[string]Options{
		"no project":   {},
		"negative TTL": {ProjectID: testProject, TokenTTL: -time.Second},
		"short TTL":    {ProjectID: testProject, TokenTTL: time.Millisecond},
		"uneven TTL":   {ProjectID: testProject, TokenTTL: 1500 * time.Millisecond},
	} {
		if _, err := New(options); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestLogsNameNoSecrets(t *testing.T) {
	var log bytes.Buffer
	s, err := New(Options{
		ProjectID: testProject,
		Logger:    slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	w := wire{t, s}
	ana := w.signUpAna()
	w.must(w.refresh(ana.text("refreshToken")))
	w.client("signInWithPassword", object{"email": anaEmail, "password": "wrong password"})
	w.client("lookup", object{"idToken": ana.text("idToken") + "x"})
	w.client("unheardOf", nil)
	if !strings.Contains(log.String(), "refusal=INVALID_LOGIN_CREDENTIALS") {
		t.Errorf("the log does not say what was refused:\n%s", &log)
	}
	for _, secret := range []string{
		anaPassword, "wrong password", ana.text("idToken"), ana.text("refreshToken"), "key=any", anaEmail,
	} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log contains %q", secret)
		}
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	w := wire{t, newTestServer(t)}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			email := fmt.Sprintf("user-%d@example.com", i)
			user := w.client("signUp", object{"email": email, "password": anaPassword})
			for range 5 {
				again := w.client("signInWithPassword", object{"email": email, "password": anaPassword})
				if again.text("localId") != user.text("localId") {
					t.Errorf("%s signed in as somebody else", email)
				}
				w.refresh(again.text("refreshToken"))
				w.admin(":update", object{"localId": user.text("localId"), "validSince": "1"})
				w.admin(":lookup", object{"email": []string{email}})
			}
			w.admin(":delete", object{"localId": user.text("localId")})
		})
	}
	group.Wait()
	if left := len(w.h.(*Server).directory.byUID); left != 0 {
		t.Errorf("%d accounts are left, want none", left)
	}
}
