package session

import "time"

// JobState is where a mass revocation stands.
type JobState string

// The states.
const (
	JobRunning JobState = "running"
	JobDone    JobState = "done"
	JobFailed  JobState = "failed"
)

// MassRevocation ends all sessions that a filter chooses, in the background and whatever happens to the instance that does it.
type MassRevocation struct {
	ID      string
	State   JobState
	Filter  Filter // CreatedBefore is the moment of the request
	Note    string // the admin's
	By      string // a uid or an actor
	IP      string // the admin's
	Spare   ID     // the admin's own session, empty if none
	Matched int    // when it was asked for
	Ended   int    // up to Cursor
	Cursor  Cursor // everything up to there is done
	Failure string // why it failed, for admins

	CreatedAt  time.Time
	Owner      string    // the instance that works on it
	LeaseUntil time.Time // when another may go on with it

	Version time.Time // the store's own, as a session's
}
