// Package sessiontest holds the contract of the domain's ports as test suites. Every implementation of
// [session.Store], [session.Users], [session.Publisher], [session.Archive], [session.Trail], [session.Jobs] and [session.Feed]
// runs them:
//
//	func TestStore(t *testing.T) { sessiontest.TestStore(t, open) }
//	func TestFeed(t *testing.T)  { sessiontest.TestFeed(t, open) }
//
// The name of each case is a sentence of the contract. The package also has what tests elsewhere build sessions and record
// notices with.
package sessiontest

import (
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// Backend is one instance on a store.
type Backend struct {
	Store     session.Store
	Users     session.Users
	Publisher session.Publisher
	Archive   session.Archive
	Trail     session.Trail
	Jobs      session.Jobs
	Feed      session.Feed

	// Mails reads the subjects of the mails that records have had stored.
	Mails func(t *testing.T) []string

	// Another returns a second instance on the same data, as another process would be.
	Another func(t *testing.T) Backend

	// HoldUser has commits that touch the user's document wait until they are released, as a lock does. It is nil
	// where commits cannot wait for anything; the one case about notices that become visible late has no subject then.
	HoldUser func(t *testing.T, uid session.UserID) (release func())
}

// testCase is one sentence of the contract, told about two instances on the same, empty store.
type testCase struct {
	name string
	run  func(t *testing.T, a, b Backend)
}

// TestStore runs the contract of the ports that keep something. Open returns an instance on an empty store.
func TestStore(t *testing.T, open func(t *testing.T) Backend) {
	run(t, open, createCases, readCases, touchCases, endCases, withdrawCases, recordCases, userCases, searchCases, purgeCases,
		trailCases, jobCases, failureCases)
}

// TestFeed runs the contract of [session.Feed] and [session.Publisher]. Open returns an instance on an empty store.
func TestFeed(t *testing.T, open func(t *testing.T) Backend) {
	run(t, open, feedCases)
}

func run(t *testing.T, open func(t *testing.T) Backend, suites ...[]testCase) {
	for _, suite := range suites {
		for _, c := range suite {
			t.Run(c.name, func(t *testing.T) {
				a := open(t)
				c.run(t, a, a.Another(t))
			})
		}
	}
}

// SignIn is the time at which the sessions of [NewSession] signed in: long ago, so that any revocation is later.
var SignIn = time.Date(2025, 11, 5, 9, 30, 0, 0, time.UTC)

// NewSession returns a live session of uid that signed in at authTime, with every field set.
func NewSession(uid session.UserID, authTime time.Time) session.Session {
	return session.Session{
		ID:     session.NewID(uid, "", authTime),
		UserID: uid,
		Status: session.StatusActive,
		Device: session.Device{
			Type: "desktop", Browser: "Chrome 142", OS: "Windows 11", Name: "Reception", Kind: "desktop/Chrome/Windows",
		},
		UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/142.0.0.0",
		IPAddress: "203.0.113.7",
		Networks:  session.Networks{netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("2001:db8:7::/64"), netip.MustParsePrefix("198.51.100.7/32")},
		Location: &session.Location{
			Country: "MX", Region: "CMX", City: "Mexico City",
			Position: &session.Position{Latitude: 19.43, Longitude: -99.13, Radius: 20},
		},
		SignInProvider: "password",
		AuthTime:       authTime,
		CreatedAt:      authTime.Add(time.Second),
		LastActive:     authTime.Add(time.Second),
		IdleTimeout:    30 * time.Minute,
		ExpiresAt:      authTime.Add(12 * time.Hour),
	}
}

// MustCreate stores a session that is not there yet.
func MustCreate(t testing.TB, store session.Store, s session.Session) session.Session {
	t.Helper()
	stored, created, err := store.Create(t.Context(), s, session.Record{})
	if err != nil || !created {
		t.Fatalf("Create: created %t, error %v", created, err)
	}
	return stored
}

// mustEnd ends a session that is live, with notices.
func mustEnd(t *testing.T, store session.Store, id session.ID, e session.End, notices ...session.Notice) session.Session {
	t.Helper()
	s, ended, err := store.End(t.Context(), id, e, session.Record{Notices: notices})
	if err != nil || !ended {
		t.Fatalf("End: ended %t, error %v", ended, err)
	}
	return s
}

func mustRevoke(t *testing.T, users session.Users, uid session.UserID, reason session.Reason, by string) time.Time {
	t.Helper()
	revokedAt, err := users.Revoke(t.Context(), session.NewNotice(session.NoticeEnded, uid, reason), session.Decree{By: by})
	if err != nil {
		t.Fatalf("Revoke: %v", err)
	}
	return revokedAt
}

// read returns a session that is there.
func read(t *testing.T, store session.Store, id session.ID) session.Session {
	t.Helper()
	s, err := store.Session(t.Context(), id)
	if err != nil {
		t.Fatalf("Session: %v", err)
	}
	return s
}

func userSessions(t *testing.T, store session.Store, uid session.UserID, all bool) []session.Session {
	t.Helper()
	found, err := store.UserSessions(t.Context(), uid, all)
	if err != nil {
		t.Fatalf("UserSessions: %v", err)
	}
	return found
}

func ids(sessions []session.Session) []session.ID {
	found := make([]session.ID, len(sessions))
	for i, s := range sessions {
		found[i] = s.ID
	}
	return found
}

// equal reports two values that have to be the same.
func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// code reports an error that has another code.
func code(t *testing.T, what string, err error, want session.Code) {
	t.Helper()
	if got := session.CodeOf(err); got != want {
		t.Errorf("%s: error %v with code %q, want %q", what, err, got, want)
	}
}

// together runs n functions at the same time and waits for all of them.
func together(n int, f func(i int)) {
	start := make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	running.Wait()
}
