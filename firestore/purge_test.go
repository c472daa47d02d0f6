package firestore

import (
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// TestPurgeOfPackedNotices: a notice about sessions of several users is in a shard of its own, and goes like all others.
func TestPurgeOfPackedNotices(t *testing.T) {
	s := connect(t, firestoretest.Start(t), firestoretest.ProjectID(t))
	stored := sessiontest.MustCreate(t, s, sessiontest.NewSession("ana", sessiontest.SignIn))
	n := session.NewNotice(session.NoticeEnded, "ana", session.ReasonAdminRevoked, stored.ID)
	_, ok, err := s.EndTogether(t.Context(), []session.Ending{{
		Session: stored, End: session.End{Reason: session.ReasonAdminRevoked, By: "boss"}, Record: session.Record{Notices: []session.Notice{n}},
	}})
	if err != nil || !ok {
		t.Fatalf("ended %t, error %v", ok, err)
	}
	for _, c := range []struct {
		later time.Duration
		want  int
	}{{noticeLife - time.Minute, 1}, {noticeLife + time.Minute, 0}} {
		if _, _, err := s.Purge(t.Context(), time.Now().Add(c.later), 10); err != nil {
			t.Fatal(err)
		}
		left, err := s.notices().Documents(t.Context()).GetAll()
		if err != nil || len(left) != c.want {
			t.Errorf("%s later: %d notices, error %v, want %d", c.later, len(left), err, c.want)
		}
	}
}
