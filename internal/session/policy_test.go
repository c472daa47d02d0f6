package session_test

import (
	"encoding/json"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var policy = session.Policy{
	IdleTimeout: 30 * time.Minute, IdleWarning: 2 * time.Minute, Lifetime: 12 * time.Hour,
	TouchInterval: 5 * time.Minute, ReauthMaxAge: 5 * time.Minute, Retention: 720 * time.Hour,
	MaxSessions: 5, LimitPolicy: session.LimitEvict,
}

func TestNewIDAgreesWithTheTestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/session-ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, SID string
		UID       session.UserID
		AuthTime  int64
		ID        session.ID
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			got := session.NewID(v.UID, v.SID, time.Unix(v.AuthTime, 999_999_999))
			if got != v.ID {
				t.Errorf("got %s, want %s", got, v.ID)
			}
			if !got.Valid() || !v.UID.Valid() {
				t.Error("not valid")
			}
		})
	}
}

func TestOnlySessionIDsAreValid(t *testing.T) {
	good := session.NewID("ana", "", time.Unix(1, 0))
	for _, bad := range []session.ID{"", "..", "a/b", good[1:], good + "0", "G" + good[1:], "A" + good[1:]} {
		if bad.Valid() {
			t.Errorf("%q is valid", bad)
		}
	}
	for uid, valid := range map[session.UserID]bool{"": false, "a/b": true, "..": true} {
		if uid.Valid() != valid {
			t.Errorf("%q: Valid() = %t", uid, !valid)
		}
	}
}

func TestPhase(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	active := session.Session{
		Status: session.StatusActive, LastActive: start, IdleTimeout: policy.IdleTimeout, ExpiresAt: at(12 * time.Hour),
	}
	nearItsEnd := active
	nearItsEnd.ExpiresAt = at(29 * time.Minute)
	shorter := active
	shorter.ExpiresAt = at(10 * time.Minute)
	ended := active
	ended.Status = session.StatusEnded
	for _, c := range []struct {
		name  string
		s     session.Session
		now   time.Duration
		phase session.Phase
		next  time.Duration // after start; negative: none
	}{
		{"begins active", active, 0, session.PhaseActive, 28 * time.Minute},
		{"active until the warning", active, 28*time.Minute - 1, session.PhaseActive, 28 * time.Minute},
		{"warned at its instant", active, 28 * time.Minute, session.PhaseWarned, 30 * time.Minute},
		{"warned until the deadline", active, 30*time.Minute - 1, session.PhaseWarned, 30 * time.Minute},
		{"idle at its instant", active, 30 * time.Minute, session.PhaseIdle, -1},
		{"idle ever after", active, 20 * time.Hour, session.PhaseIdle, -1},
		{"the lifetime may end before the idle deadline", nearItsEnd, 28 * time.Minute, session.PhaseWarned, 29 * time.Minute},
		{"and then it is what ends it", nearItsEnd, 40 * time.Minute, session.PhaseExpired, -1},
		{"the lifetime may end before the warning", shorter, 0, session.PhaseActive, 10 * time.Minute},
		{"expired at its instant", shorter, 10 * time.Minute, session.PhaseExpired, -1},
		{"what is written down as ended is ended", ended, 0, session.PhaseEnded, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			phase, next := policy.Phase(c.s, at(c.now))
			if phase != c.phase {
				t.Errorf("phase %d, want %d", phase, c.phase)
			}
			if c.next < 0 != next.IsZero() || c.next >= 0 && !next.Equal(at(c.next)) {
				t.Errorf("next %s", next)
			}
			settled := policy.Settle(c.s, at(c.now))
			if phase.Live() != (settled.Status == session.StatusActive) {
				t.Errorf("settled as %s", settled.Status)
			}
			if deadline, reason := policy.Deadline(c.s); phase == session.PhaseIdle || phase == session.PhaseExpired {
				if !settled.EndedAt.Equal(deadline) || settled.EndReason != reason || settled.EndedBy != session.ActorSystem {
					t.Errorf("settled as %+v", settled)
				}
			}
		})
	}
}

func TestRecentCountsWholeSeconds(t *testing.T) {
	signIn := time.Unix(1000, 0)
	for age, recent := range map[time.Duration]bool{
		0: true, 300 * time.Second: true, 300*time.Second + 999*time.Millisecond: true, 301 * time.Second: false,
	} {
		if session.Recent(signIn, signIn.Add(age), 300*time.Second) != recent {
			t.Errorf("after %s: %t", age, !recent)
		}
	}
}

func TestRevokedIsInclusiveForSignInsAndExclusiveForTokens(t *testing.T) {
	second := time.Unix(1000, 0)
	u := session.User{RevokedAt: second.Add(300 * time.Millisecond)}
	for authTime, revoked := range map[time.Time]bool{second.Add(-time.Hour): true, second: true, second.Add(time.Second): false} {
		if u.Revoked(authTime) != revoked {
			t.Errorf("sign-in at %s: %t", authTime, !revoked)
		}
	}
	if (session.User{}).Revoked(second) {
		t.Error("revoked by nobody")
	}
	a := session.Account{TokensValidAfter: second}
	for issuedAt, revoked := range map[time.Time]bool{second.Add(-time.Second): true, second: false, second.Add(time.Second): false} {
		if a.Revoked(issuedAt) != revoked {
			t.Errorf("token of %s: %t", issuedAt, !revoked)
		}
	}
}

func TestClockFollowsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := session.NewClock()
		ahead := func(d, took time.Duration) {
			sent := time.Now()
			<-time.After(took)
			c.Observe(sent.Add(took/2).Add(d), sent, time.Now())
		}
		offset := func(least, most time.Duration) {
			t.Helper()
			if got := time.Until(c.Now()); got < least || got > most {
				t.Errorf("offset %s, want %s to %s", got, least, most)
			}
		}
		offset(0, 0)
		ahead(10*time.Minute, 20*time.Millisecond)
		offset(10*time.Minute-10*time.Millisecond, 10*time.Minute)
		ahead(10*time.Minute, 2*time.Millisecond)
		offset(10*time.Minute-time.Millisecond, 10*time.Minute)
		before := c.Offset()
		ahead(10*time.Minute, 5*time.Second) // a slow answer teaches nothing new
		if c.Offset() != before {
			t.Errorf("a slow answer moved the offset from %s to %s", before, c.Offset())
		}
		ahead(-time.Minute, 0)
		offset(-time.Minute, -time.Minute)
		<-time.After(time.Hour)
		offset(-time.Minute, -time.Minute)
	})
}

func TestViewShowsAUserNoAdmin(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	s := session.Session{
		ID: "one", UserID: "ana", Status: session.StatusEnded, EndedAt: now, EndReason: session.ReasonAdminRevoked, EndedBy: "boss",
		LastActive: now, IdleTimeout: time.Minute, Device: session.Device{Type: "desktop", Name: "Laptop"},
	}
	for name, c := range map[string]struct {
		view session.View
		by   string
	}{
		"user":  {policy.ViewFor(s, "one"), "admin"},
		"admin": {policy.ViewForAdmin(s, "two"), "boss"},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := json.Marshal(c.view)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Current                      bool
				EndedAt, EndReason, EndedBy  string
				LastActive, WarnAt, AuthTime string
				Device                       struct{ Name string }
			}
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			if got.EndedBy != c.by || got.EndedAt != "2026-01-02T03:04:05.678Z" || got.EndReason != "admin_revoked" ||
				got.Current != (name == "user") || got.Device.Name != "Laptop" {
				t.Errorf("%s", data)
			}
			var again session.View
			if err := json.Unmarshal(data, &again); err != nil {
				t.Fatal(err)
			}
		})
	}
	s.Status, s.EndedBy = session.StatusActive, ""
	if v := policy.ViewFor(s, "one"); v.EndedAt != nil || v.EndReason != nil || v.EndedBy != nil {
		t.Errorf("an active session shows an end: %+v", v)
	}
}
