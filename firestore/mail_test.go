package firestore

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestMailDue(t *testing.T) {
	last := time.Date(2025, 11, 5, 9, 59, 59, 999_000_000, time.UTC)
	for _, c := range []struct {
		last  time.Time
		later time.Duration
		want  bool
	}{
		{time.Time{}, 0, true},
		{last, 0, false},
		{last, 2 * time.Millisecond, false}, // another hour by the clock
		{last, 59 * time.Minute, false},
		{last, time.Hour - time.Microsecond, false},
		{last, time.Hour, true},
		{last, -time.Second, false},
	} {
		if got := mailDue(c.last, last.Add(c.later)); got != c.want {
			t.Errorf("%s after %s: due %t", c.later, c.last, got)
		}
	}
}

// TestMailWithHistory has registrations on a device that mails were about before.
func TestMailWithHistory(t *testing.T) {
	host := firestoretest.Start(t)
	for _, c := range []struct {
		ago  time.Duration
		want []string
	}{
		{59 * time.Minute, nil},
		{61 * time.Minute, []string{"new"}},
	} {
		t.Run(c.ago.String(), func(t *testing.T) {
			s := connect(t, host, firestoretest.ProjectID(t))
			sum := sha256.Sum256([]byte("phone"))
			_, err := s.mailed().Doc(hex.EncodeToString(sum[:])).Set(t.Context(), map[string]any{"at": time.Now().Add(-c.ago)})
			if err != nil {
				t.Fatal(err)
			}
			for _, uid := range []session.UserID{"ana", "bea"} {
				_, created, err := s.Create(t.Context(), sessiontest.NewSession(uid, sessiontest.SignIn),
					session.Record{Mail: &session.Mail{Subject: "new", Device: "phone"}})
				if err != nil || !created {
					t.Errorf("created %t, error %v", created, err)
				}
			}
			if got := subjects(t, s); !slices.Equal(got, c.want) {
				t.Errorf("mails %v, want %v", got, c.want)
			}
		})
	}
}

// TestMailsOff: without a collection for it a mail is dropped, and nothing is kept about it.
func TestMailsOff(t *testing.T) {
	s := connect(t, firestoretest.Start(t), firestoretest.ProjectID(t))
	s.mailCollection = ""
	rec := session.Record{Mail: &session.Mail{Subject: "new", Device: "phone"}}
	if _, created, err := s.Create(t.Context(), sessiontest.NewSession("ana", sessiontest.SignIn), rec); err != nil || !created {
		t.Errorf("created %t, error %v", created, err)
	}
	if snaps, err := s.mailed().Documents(t.Context()).GetAll(); err != nil || len(snaps) != 0 {
		t.Errorf("%d documents, error %v", len(snaps), err)
	}
}
