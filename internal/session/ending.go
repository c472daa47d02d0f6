package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// togetherMost is how many sessions end in one commit.
	togetherMost = 50
	// maxEnds bounds how many commits of ends one call has under way.
	maxEnds = 8
)

// Ending is the end of one session among several.
type Ending struct {
	Session Session // as last read
	End     End
	Record  Record // one notice, about this session, and its events

	by string // who it was, for the log; End.By is what the user may know
}

// newEnding is the end of a session with its notice and its events: what there is to tell beyond that it has ended.
func newEnding(s Session, e End, events ...Event) Ending {
	event, by := endedEvent(s, e), e.By
	if e.By != ActorCLI {
		e.By = shownTo(s.UserID, e.By) // the user may read the document
	}
	return Ending{Session: s, End: e, by: by, Record: Record{
		Notices: []Notice{NewNotice(NoticeEnded, s.UserID, e.Reason, s.ID)},
		Events:  append([]Event{event}, events...),
	}}
}

// end ends one session with its notice and its events, and has this instance act on it before it returns.
func (r *Registry) end(ctx context.Context, s Session, e End, events ...Event) (stored Session, ended bool, err error) {
	return r.commitEnding(ctx, newEnding(s, e, events...))
}

func (r *Registry) commitEnding(ctx context.Context, ending Ending) (stored Session, ended bool, err error) {
	stored, ended, err = r.store.End(ctx, ending.Session.ID, ending.End, ending.Record)
	if err != nil {
		return stored, false, err
	}
	if !ended {
		r.states.Put(stored)
		if stored.Status == StatusEnded { // whoever ended it, what is acknowledged here counts here, for open sockets, too
			r.inbox.Deliver(foundEnd(stored))
		}
		return stored, false, nil
	}
	r.ended(ending, stored.Version)
	return stored, true, nil
}

// ended has this instance act on an end that has been committed.
func (r *Registry) ended(ending Ending, at time.Time) {
	for _, n := range ending.Record.Notices {
		n.At = at
		r.inbox.Deliver(n)
	}
	s, reason := ending.Session, ending.End.Reason
	r.meter.SessionEnded(reason)
	r.log.Info("session ended", "session", s.ID, "user", s.UserID, "reason", reason, "by", ending.by)
}

// endMany ends those of stored sessions that choose wants, and counts them. What time has ended is written down as that, and does not
// count. It goes on past failures.
func (r *Registry) endMany(ctx context.Context, stored []Session, choose func(Session) (End, bool)) (count int, err error) {
	var endings []Ending
	var failures []error
	for _, s := range stored {
		e, chosen := choose(s)
		if !chosen {
			continue
		}
		if over, _, err := r.passed(s); err != nil || over.Status == s.Status {
			endings = append(endings, newEnding(s, e))
			continue
		}
		switch own, err := r.endLive(ctx, s, e); {
		case own:
			count++
		case CodeOf(err) != CodeNotFound:
			failures = append(failures, err)
		}
	}
	ended, err := r.endTogether(ctx, endings)
	return count + len(ended), errors.Join(append(failures, err)...)
}

// endTogether ends many sessions, a number of them in each commit, and returns those for which nobody was faster. Where one has changed
// since it was read, those of its commit end one by one, each on its own conditions. It goes on past failures.
func (r *Registry) endTogether(ctx context.Context, endings []Ending) (ended []Ending, err error) {
	var mu sync.Mutex
	var failures []error
	var commits errgroup.Group
	commits.SetLimit(maxEnds)
	for chunk := range slices.Chunk(endings, togetherMost) {
		commits.Go(func() error {
			done, err := r.endChunk(ctx, chunk)
			mu.Lock()
			defer mu.Unlock()
			ended, failures = append(ended, done...), append(failures, err)
			return nil
		})
	}
	_ = commits.Wait() // all have said what failed
	return ended, errors.Join(failures...)
}

// maxFailures is how many sessions of a commit may fail to end by themselves before the others are not tried: one may be locked,
// several are an outage.
const maxFailures = 2

func (r *Registry) endChunk(ctx context.Context, chunk []Ending) (ended []Ending, err error) {
	at, ok, err := r.store.EndTogether(ctx, chunk)
	if ok {
		for _, ending := range chunk {
			r.ended(ending, at)
		}
		return chunk, nil
	}
	if err != nil && len(chunk) == 1 {
		return nil, err
	}
	var failures []error
	for _, ending := range chunk {
		switch _, own, err := r.commitEnding(ctx, ending); {
		case own:
			ended = append(ended, ending)
		case err != nil && CodeOf(err) != CodeNotFound:
			failures = append(failures, err)
		}
		if len(failures) == maxFailures {
			break
		}
	}
	return ended, errors.Join(failures...)
}

// shownTo is who did something, as a user may know it: an admin is no more than that. Who it was is in the admins' own event.
func shownTo(uid UserID, by string) string {
	if by == string(uid) || by == ActorSystem || by == "" {
		return by
	}
	return ActorAdmin
}

// endedEvent is the end of a session as its user may read it: an admin is no more than that.
func endedEvent(s Session, e End) Event {
	ip := ""
	if e.By == string(s.UserID) {
		ip = e.IP
	}
	return newEvent(EventSessionEnded, AudienceUser, s.UserID, s.ID, shownTo(s.UserID, e.By), ip).
		with(DetailReason, string(e.Reason)).with(DetailRevocation, e.Job)
}
