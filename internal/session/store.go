package session

import (
	"context"
	"time"
)

// Store keeps sessions. Every method fails with unavailable when the store cannot answer, and never blocks beyond
// its context. Implementations pass sessiontest.TestStore and feed the [Clock] with the times they read.
type Store interface {
	// Create stores s unless its id is taken or its sign-in is revoked, decided in one transaction with
	// the user's revocation. It returns the session that is stored under the id, created or not; the record is committed only
	// with a creation. It fails with token_revoked when the sign-in is at or before the user's revocation, and with user_disabled
	// while the account's disabling or deletion is pending.
	Create(ctx context.Context, s Session, rec Record) (stored Session, created bool, err error)
	// Session reads one session. It fails with not_found.
	Session(ctx context.Context, id ID) (Session, error)
	// UserSessions reads the sessions of a user in the order in which the store committed their creation, oldest first:
	// those with status active or, with all, the ended ones too.
	UserSessions(ctx context.Context, uid UserID, all bool) ([]Session, error)
	// RecentSessions reads the sessions of a user that were created last, newest CreatedAt first, whatever their status.
	RecentSessions(ctx context.Context, uid UserID, limit int) ([]Session, error)
	// Touch stores that the user of s was active at the given time, unless a later activity is stored already; LastActive
	// never moves back. S is the session as last read: while it is current, Touch reads nothing. A notice, when given, is
	// published in the same commit and only if there is one. Touch returns the session as stored, ended ones
	// unchanged and without error, and fails with not_found.
	Touch(ctx context.Context, s Session, at time.Time, n *Notice) (Session, error)
	// Move stores the networks of an active session, with the record, if those stored are still the ones that s has. S is the
	// session as last read. It returns the session as stored afterwards and whether this call changed it; fails with not_found.
	Move(ctx context.Context, s Session, networks Networks, rec Record) (stored Session, moved bool, err error)
	// End ends a session if it is still active (the first reason wins) and if the condition of e holds, with the
	// record in the same commit. It returns the session as stored afterwards and
	// whether this call ended it, and fails with not_found.
	End(ctx context.Context, id ID, e End, rec Record) (s Session, ended bool, err error)
	// EndTogether ends sessions in one commit, with their records, if every one of them is still in the version that was read.
	// Otherwise it reports false, and either none has ended or what [Store.End] with the same records finds is this
	// call's doing. It returns the store time of the commit. There are at most 100, of any users.
	EndTogether(ctx context.Context, endings []Ending) (at time.Time, ok bool, err error)
	// Withdraw removes a session that was created a moment ago and refused, with the record in the same commit: it spends
	// nothing. No session, no error. One that has ended stays: its sign-in is spent.
	Withdraw(ctx context.Context, id ID, rec Record) error
}

// Users keeps what is decided about users as a whole. Its errors are the store's.
type Users interface {
	// User reads what is known about a user, the zero User with its ID when nothing is.
	User(ctx context.Context, uid UserID) (User, error)
	// Revoke declares every sign-in of n.UserID up to this moment, in store time, dead: it commits the notice together with
	// RevokedAt, the decree, TokensPending and the decree's events, without precondition and without anything that the target's
	// own requests could hold locked for good. It returns the user's RevokedAt: the moment that the committed notice carries as
	// Before and At, or a later one if another revocation has overtaken this one. Once every Revoke has returned,
	// RevokedAt is the latest of them all.
	Revoke(ctx context.Context, n Notice, d Decree) (revokedAt time.Time, err error)
	// TokensRevoked clears all that is pending unless the user was revoked again after revokedAt.
	TokensRevoked(ctx context.Context, uid UserID, revokedAt time.Time) error
	// PendingUsers reads up to limit users whose TokensPending has stood since before the given time.
	PendingUsers(ctx context.Context, before time.Time, limit int) ([]User, error)
	// Enable clears Disabled and DisablePending, and nothing else, with the events in the same commit.
	Enable(ctx context.Context, uid UserID, events ...Event) error
	// Erase strips personal data from what is kept about a user: of sessions the IP address, networks, user agent, location and
	// device name; of events what [Event.Erased] strips. Their mails are deleted. It goes on in bounded batches, and may be repeated.
	Erase(ctx context.Context, uid UserID) error
}

// Decree is what [Users.Revoke] decides besides the moment.
type Decree struct {
	By      string // a uid or an actor
	Disable bool   // sets Disabled and DisablePending
	Delete  bool   // sets DeletedAt to the moment, and DeletePending
	Deleted bool   // sets DeletedAt to the moment, and ErasePending: there is no account any more
	Events  []Event
}

// SearchReads is about how many sessions one call of [Archive.Search] looks at when few of them pass.
const SearchReads = 1000

// Archive finds sessions of all users, for admins and clean-up. Its errors are the store's.
type Archive interface {
	// Search reads up to limit sessions that the filter lets pass, as they are stored, after the cursor: in the order of
	// [Filter.CursorOf]. The zero Cursor is before all. Next is where to go on, nil after the last. A call looks at about
	// [SearchReads] sessions, or limit if that is more, so it may find fewer than limit, or none, although more follow.
	Search(ctx context.Context, f Filter, after Cursor, limit int) (found []Session, next *Cursor, err error)
	// Count counts the sessions that the filter lets pass, as they are stored, without reading them. Where a store cannot
	// count by all that the filter asks for, it leaves out what it cannot: then the count is an upper bound. That is so
	// for CreatedBefore, and for ActiveBefore together with anything but Status.
	Count(ctx context.Context, f Filter) (int, error)
	// ActiveByUser reads up to limit sessions with status active in the order of user id and then id, after those two of
	// after. Fewer than limit are the last ones. The zero Session is before all.
	ActiveByUser(ctx context.Context, after Session, limit int) ([]Session, error)
	// Purge deletes up to limit documents whose time to be kept is over by now, and counts the sessions among them. There may be
	// more of them.
	Purge(ctx context.Context, now time.Time, limit int) (sessions int, more bool, err error)
	// SaveCensus keeps the outcome of a clean-up in place of the one before.
	SaveCensus(ctx context.Context, c Census) error
	// Census reads the outcome of the last clean-up, the zero Census when there was none.
	Census(ctx context.Context) (Census, error)
}

// Trail keeps the audit trail. Its errors are the store's.
type Trail interface {
	// Append commits events that belong to no other commit. One whose ID is taken is left as it is.
	Append(ctx context.Context, events ...Event) error
	// UserEvents reads up to limit events of a user's own audience, newest first, after the cursor.
	UserEvents(ctx context.Context, uid UserID, after EventCursor, limit int) ([]Event, error)
	// AllEvents reads up to limit events of everybody and for every audience, newest first, after the cursor.
	AllEvents(ctx context.Context, after EventCursor, limit int) ([]Event, error)
}

// EventCursor is the place of an event in a list, newest first. The zero value is before all.
type EventCursor struct {
	At time.Time `json:"at"`
	ID string    `json:"id"` // of two at the same time the greater one comes first
}

// Jobs keeps mass revocations, so that any instance can go on with one. Its errors are the store's.
type Jobs interface {
	// CreateJob stores a new one, with the events in the same commit.
	CreateJob(ctx context.Context, j MassRevocation, events ...Event) (MassRevocation, error)
	// Job reads one. It fails with not_found.
	Job(ctx context.Context, id string) (MassRevocation, error)
	// UpdateJob stores j, with the events in the same commit, if its Version is still the stored one, and reports whether it was.
	UpdateJob(ctx context.Context, j MassRevocation, events ...Event) (stored MassRevocation, ok bool, err error)
	// RunningJobs reads up to limit that are neither done nor failed.
	RunningJobs(ctx context.Context, limit int) ([]MassRevocation, error)
	// JobEnds counts the sessions that a mass revocation has ended, by the events of type session_ended, audience user,
	// whose detail "revocation" is its id.
	JobEnds(ctx context.Context, id string) (int, error)
}

// Publisher announces to every instance what no commit of the store announces by itself.
type Publisher interface {
	// Publish commits n with the events. A notice with an id that is published already is left as it is, and so are its events.
	Publish(ctx context.Context, n Notice, events ...Event) error
}

// Feed brings every instance's notices to this one.
type Feed interface {
	// Run delivers to sink until ctx is done: every notice that is committed, at least once, also one that becomes
	// visible late or while the feed's own listener is silent, and a proof after each complete catch-up. It survives every
	// failure of the store and returns only ctx's error.
	Run(ctx context.Context, sink Sink) error
}

// Sink takes what a feed brings. See [Inbox].
type Sink interface {
	// Deliver takes a notice; a repeated one is ignored.
	Deliver(n Notice)
	// Prove records that a catch-up has been complete which began at the local time began (with its monotonic
	// reading): every notice that was visible at that moment has been delivered.
	Prove(began time.Time)
}
