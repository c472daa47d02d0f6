package main

import (
	"context"
	"sync"
	"time"

	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
)

// Why something was read or written. Whoever calls the domain says so in the context; what the domain does on behalf of nobody is
// [forSockets].
const (
	forRegistration = "registration"
	forRequests     = "requests" // and for sockets that open: what an instance does not know yet
	forActivity     = "activity"
	forEnds         = "ends"
	forSweep        = "sweep"   // the look at every active session
	forFleet        = "fleet"   // what a clean-up costs besides
	forSockets      = "sockets" // looks before warnings and ends, and news of other sessions
)

type purpose struct{}

func during(ctx context.Context, why string) context.Context {
	return context.WithValue(ctx, purpose{}, why)
}

// bill is how many documents Firestore would charge for, by purpose.
type bill struct {
	mu      sync.Mutex
	reads   map[string]int
	writes  map[string]int
	notices int // documents, of the writes
	events  int // documents, of the writes
}

func (b *bill) charge(ctx context.Context, reads, writes int) {
	why, ok := ctx.Value(purpose{}).(string)
	if !ok {
		why = forSockets
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads[why] += reads
	b.writes[why] += writes
}

// total is all reads and writes so far.
func (b *bill) total() (reads, writes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.reads {
		reads += n
	}
	for _, n := range b.writes {
		writes += n
	}
	return reads, writes
}

// store is a store in memory that charges what package firestore would have to pay for the same calls; TestPrices compares the two
// on the emulator. It brings notices to every inbox, a moment after their commit. What it does not override is free, and not called here.
type store struct {
	*memory.Store
	bill  bill
	clock *session.Clock

	mu    sync.Mutex
	sinks []session.Sink
}

const (
	// newsDelay is how long a notice takes to another instance.
	newsDelay = 100 * time.Millisecond
	// purgeQueries is how many queries one call of Purge makes.
	purgeQueries = 52
)

func newStore() *store {
	clock := session.NewClock()
	return &store{
		Store: memory.Open(clock), clock: clock,
		bill: bill{reads: make(map[string]int), writes: make(map[string]int)},
	}
}

// watch has notices delivered to sink from now on.
func (s *store) watch(sink session.Sink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sinks = append(s.sinks, sink)
}

// commit charges the writes of a record and n more, and tells its notices, which are documents of their own.
func (s *store) commit(ctx context.Context, n int, rec session.Record) {
	s.committed(ctx, n, rec, len(rec.Notices))
}

func (s *store) committed(ctx context.Context, n int, rec session.Record, noticeDocuments int) {
	s.bill.charge(ctx, 0, n+noticeDocuments+len(rec.Events))
	s.bill.mu.Lock()
	s.bill.notices += noticeDocuments
	s.bill.events += len(rec.Events)
	s.bill.mu.Unlock()
	at := s.clock.Now()
	time.AfterFunc(newsDelay, func() {
		s.mu.Lock()
		sinks := s.sinks
		s.mu.Unlock()
		for _, n := range rec.Notices {
			n.At = at
			for _, sink := range sinks {
				sink.Deliver(n)
			}
		}
	})
}

// query charges a query that has found n documents; one that finds nothing costs a read.
func (s *store) query(ctx context.Context, n int) { s.bill.charge(ctx, max(1, n), 0) }

// Create implements [session.Store].
func (s *store) Create(ctx context.Context, from session.Session, rec session.Record) (session.Session, bool, error) {
	stored, created, err := s.Store.Create(ctx, from, rec)
	s.bill.charge(ctx, 1, 0) // the user
	switch {
	case err == nil && created:
		s.commit(ctx, 1, rec)
	case err == nil:
		s.bill.charge(ctx, 2, 1+len(rec.Notices)+len(rec.Events)) // user and session, after a commit that failed
	}
	return stored, created, err
}

// Session implements [session.Store].
func (s *store) Session(ctx context.Context, id session.ID) (session.Session, error) {
	s.bill.charge(ctx, 1, 0)
	return s.Store.Session(ctx, id)
}

// UserSessions implements [session.Store].
func (s *store) UserSessions(ctx context.Context, uid session.UserID, all bool) ([]session.Session, error) {
	found, err := s.Store.UserSessions(ctx, uid, all)
	s.query(ctx, len(found))
	return found, err
}

// RecentSessions implements [session.Store].
func (s *store) RecentSessions(ctx context.Context, uid session.UserID, limit int) ([]session.Session, error) {
	found, err := s.Store.RecentSessions(ctx, uid, limit)
	s.query(ctx, len(found))
	return found, err
}

// Touch implements [session.Store]. It reads nothing while what the caller knows is what is stored; otherwise an attempt has failed, and is
// counted, as the adapter's meter does, although Firestore does not charge for it.
func (s *store) Touch(ctx context.Context, known session.Session, at time.Time, n *session.Notice) (session.Session, error) {
	ctx = during(ctx, forActivity)
	var rec session.Record
	if n != nil {
		rec.Notices = append(rec.Notices, *n)
	}
	before, err := s.Store.Session(ctx, known.ID)
	tried := known.Status != session.StatusEnded && at.After(known.LastActive)
	switch current := err == nil && known.Version == before.Version; {
	case !tried:
		s.bill.charge(ctx, 1, 0)
	case !current:
		s.bill.charge(ctx, 1, 1+len(rec.Notices))
	}
	stored, err := s.Store.Touch(ctx, known, at, n)
	if err == nil && stored.Version != before.Version {
		s.commit(ctx, 1, rec)
	}
	return stored, err
}

// End implements [session.Store].
func (s *store) End(ctx context.Context, id session.ID, e session.End, rec session.Record) (session.Session, bool, error) {
	ctx = during(ctx, forEnds)
	stored, ended, err := s.Store.End(ctx, id, e, rec)
	s.bill.charge(ctx, 1, 0)
	if ended {
		s.bill.charge(ctx, 1, 0) // again: the document tells when it ended
		s.commit(ctx, 1, rec)
	}
	return stored, ended, err
}

// EndTogether implements [session.Store]. The notices of one reason are one document.
func (s *store) EndTogether(ctx context.Context, endings []session.Ending) (time.Time, bool, error) {
	ctx = during(ctx, forEnds)
	at, ok, err := s.Store.EndTogether(ctx, endings)
	if !ok {
		return at, ok, err
	}
	var all session.Record
	reasons := make(map[session.Reason]struct{})
	for _, each := range endings {
		all.Events = append(all.Events, each.Record.Events...)
		all.Notices = append(all.Notices, each.Record.Notices...)
		for _, n := range each.Record.Notices {
			reasons[n.Reason] = struct{}{}
		}
	}
	s.committed(ctx, len(endings), all, len(reasons))
	return at, ok, err
}

// User implements [session.Users].
func (s *store) User(ctx context.Context, uid session.UserID) (session.User, error) {
	s.bill.charge(ctx, 1, 0)
	return s.Store.User(ctx, uid)
}

// Revoke implements [session.Users].
func (s *store) Revoke(ctx context.Context, n session.Notice, d session.Decree) (time.Time, error) {
	ctx = during(ctx, forEnds)
	at, err := s.Store.Revoke(ctx, n, d)
	if err == nil {
		s.bill.charge(ctx, 2, 0) // the user, and whether a later revocation has overtaken this one
		n.Before = at
		s.commit(ctx, 1, session.Record{Notices: []session.Notice{n}, Events: d.Events})
	}
	return at, err
}

// TokensRevoked implements [session.Users].
func (s *store) TokensRevoked(ctx context.Context, uid session.UserID, revokedAt time.Time) error {
	ctx = during(ctx, forEnds)
	s.bill.charge(ctx, 1, 1)
	return s.Store.TokensRevoked(ctx, uid, revokedAt)
}

// PendingUsers implements [session.Users].
func (s *store) PendingUsers(ctx context.Context, before time.Time, limit int) ([]session.User, error) {
	ctx = during(ctx, forFleet)
	found, err := s.Store.PendingUsers(ctx, before, limit)
	s.query(ctx, len(found))
	return found, err
}

// RunningJobs implements [session.Jobs].
func (s *store) RunningJobs(ctx context.Context, limit int) ([]session.MassRevocation, error) {
	ctx = during(ctx, forFleet)
	found, err := s.Store.RunningJobs(ctx, limit)
	s.query(ctx, len(found))
	return found, err
}

// ActiveByUser implements [session.Archive].
func (s *store) ActiveByUser(ctx context.Context, after session.Session, limit int) ([]session.Session, error) {
	found, err := s.Store.ActiveByUser(ctx, after, limit)
	s.query(ctx, len(found))
	return found, err
}

// Purge implements [session.Archive]. Nothing grows old enough here to be deleted.
func (s *store) Purge(ctx context.Context, now time.Time, limit int) (int, bool, error) {
	ctx = during(ctx, forFleet)
	s.bill.charge(ctx, purgeQueries, 0)
	return s.Store.Purge(ctx, now, limit)
}

// SaveCensus implements [session.Archive].
func (s *store) SaveCensus(ctx context.Context, c session.Census) error {
	ctx = during(ctx, forFleet)
	s.bill.charge(ctx, 0, 1)
	return s.Store.SaveCensus(ctx, c)
}
