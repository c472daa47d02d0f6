package session

import (
	"context"
	"time"
)

// Store keeps sessions. Every method fails with unavailable when the store cannot answer, and never blocks beyond
// its context. Implementations pass sessiontest.TestStore and feed the [Clock] with the times they read.
type Store interface {
	// Create stores s unless its id is taken or its sign-in is revoked, decided in one transaction with
	// the user's revocation. It returns the session that is stored under the id, created or not. It fails with
	// token_revoked when the sign-in is at or before the user's revocation.
	Create(ctx context.Context, s Session) (stored Session, created bool, err error)
	// Session reads one session. It fails with not_found.
	Session(ctx context.Context, id ID) (Session, error)
	// UserSessions reads the sessions of a user in the order in which the store committed their creation, oldest first:
	// those with status active or, with all, the ended ones too.
	UserSessions(ctx context.Context, uid UserID, all bool) ([]Session, error)
	// Touch stores that the user of s was active at the given time, unless a later activity is stored already; LastActive
	// never moves back. S is the session as last read: while it is current, Touch reads nothing. A notice, when given, is
	// published in the same commit and only if there is one. Touch returns the session as stored, ended ones
	// unchanged and without error, and fails with not_found.
	Touch(ctx context.Context, s Session, at time.Time, n *Notice) (Session, error)
	// End ends a session if it is still active (the first reason wins) and if the condition of e holds, with the
	// notice, when given, in the same commit. It returns the session as stored afterwards and
	// whether this call ended it, and fails with not_found.
	End(ctx context.Context, id ID, e End, n *Notice) (s Session, ended bool, err error)
	// Withdraw removes a session that was created a moment ago and refused: it spends nothing. No session, no error. One
	// that has ended stays: its sign-in is spent.
	Withdraw(ctx context.Context, id ID) error
}

// Users keeps what is decided about users as a whole. Its errors are the store's.
type Users interface {
	// User reads what is known about a user, the zero User with its ID when nothing is.
	User(ctx context.Context, uid UserID) (User, error)
	// Revoke declares every sign-in of n.UserID up to this moment, in store time, dead: it commits the notice together with
	// RevokedAt, reason, actor and TokensPending, without precondition and without anything that the target's
	// own requests could hold locked for good. It returns the user's RevokedAt: the moment that the committed notice carries as
	// Before and At, or a later one if another revocation has overtaken this one. Once every Revoke has returned,
	// RevokedAt is the latest of them all.
	Revoke(ctx context.Context, n Notice, by string) (revokedAt time.Time, err error)
	// TokensRevoked clears TokensPending unless the user was revoked again after revokedAt.
	TokensRevoked(ctx context.Context, uid UserID, revokedAt time.Time) error
	// PendingUsers reads up to limit users whose TokensPending has stood since before the given time.
	PendingUsers(ctx context.Context, before time.Time, limit int) ([]User, error)
}

// Publisher announces to every instance what no commit of the store announces by itself.
type Publisher interface {
	// Publish commits n alone. A notice with an id that is published already is left as it is.
	Publish(ctx context.Context, n Notice) error
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
