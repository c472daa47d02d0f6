package session

import (
	"crypto/rand"
	"time"
)

// Kind is what a notice is about.
type Kind string

// The kinds of notices.
const (
	NoticeEnded   Kind = "ended"   // sessions ended
	NoticeStarted Kind = "started" // a session began while its user has others
	NoticeReset   Kind = "reset"   // activity came after the idle warning
	NoticeAlert   Kind = "alert"   // something about a user's sessions looks suspicious
	NoticeClaims  Kind = "claims"  // an account's custom claims were changed through Vigil
)

// Notice tells every instance what one of them has decided.
type Notice struct {
	ID         string // random; the feed's key for telling a repetition
	Kind       Kind
	UserID     UserID
	SessionIDs []ID      // those concerned, or
	Before     time.Time // all whose sign-in is at or before this moment
	Reason     Reason    // of an end
	Alert      *Alert    // of an alert
	At         time.Time // store time, set by the store
}

// NewNotice returns a notice about sessions of a user, with an id of its own.
func NewNotice(kind Kind, uid UserID, reason Reason, ids ...ID) Notice {
	return Notice{ID: rand.Text(), Kind: kind, UserID: uid, Reason: reason, SessionIDs: ids}
}

// Concerns reports whether n is about the session with this id and sign-in.
func (n Notice) Concerns(uid UserID, id ID, authTime time.Time) bool {
	if n.UserID != uid {
		return false
	}
	if !n.Before.IsZero() {
		return !authTime.After(n.Before)
	}
	for _, each := range n.SessionIDs {
		if each == id {
			return true
		}
	}
	return false
}
