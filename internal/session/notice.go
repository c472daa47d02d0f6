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
	Found      bool      // of an end that has been told when it came about: never published, and no news to the user's other sockets
}

// NewNotice returns a notice about sessions of a user, with an id of its own.
func NewNotice(kind Kind, uid UserID, reason Reason, ids ...ID) Notice {
	return Notice{ID: rand.Text(), Kind: kind, UserID: uid, Reason: reason, SessionIDs: ids}
}

// foundEnd returns the notice of an end that was not decided here. An inbox needs it once, however often the session is ended again.
func foundEnd(s Session) Notice {
	return Notice{ID: string(s.ID), Kind: NoticeEnded, UserID: s.UserID, SessionIDs: []ID{s.ID}, Reason: s.EndReason, Found: true}
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
