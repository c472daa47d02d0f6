package session

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// rounds have what many callers want for one user done once for all of them: whoever comes while it is being done waits for the next
// time, which begins after they came. Of many sign-ins at once one makes room for all. Safe for concurrent use.
type rounds struct {
	mu    sync.Mutex
	users map[UserID]*turn
}

// turn is where the rounds of one user stand. Guarded by rounds.mu.
type turn struct{ running, next *round }

type round struct {
	done   chan struct{} // closed when the following are set
	live   []Session
	ended  []ID
	failed error

	told atomic.Bool // somebody has been told of those that ended
}

// Join takes part in the user's next round, which the first to come does.
func (r *rounds) Join(ctx context.Context, uid UserID, do func(*round) error) *round {
	r.mu.Lock()
	if r.users == nil {
		r.users = make(map[UserID]*turn)
	}
	t := r.users[uid]
	if t == nil {
		t = new(turn)
		r.users[uid] = t
	}
	if joined := t.next; joined != nil {
		r.mu.Unlock()
		return joined
	}
	own, running := &round{done: make(chan struct{}), failed: errNoRound}, t.running
	t.next = own
	r.mu.Unlock()
	if running != nil {
		select {
		case <-running.done:
		case <-ctx.Done(): // then do fails at once
		}
	}
	r.mu.Lock()
	t.running, t.next = own, nil
	r.mu.Unlock()
	defer r.close(uid, t, own)
	own.failed = do(own)
	return own
}

// errNoRound is the outcome of a round that has not come to its end.
var errNoRound = &Error{Op: "round", Code: CodeUnavailable}

func (r *rounds) close(uid UserID, t *turn, own *round) {
	close(own.done)
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.running == own && t.next == nil && r.users[uid] == t {
		delete(r.users, uid)
	}
}

// wait waits for the round to be done.
func (r *round) wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.failed
	case <-ctx.Done():
		return Unavailable("wait for round", ctx.Err())
	}
}

// liveSessions lists a user's sessions that are not known to be over, in order of creation, and writes down the ends
// that time has brought.
func (r *Registry) liveSessions(ctx context.Context, uid UserID) ([]Session, error) {
	stored, err := r.store.UserSessions(ctx, uid, false)
	if err != nil {
		return nil, err
	}
	live := stored[:0]
	for _, s := range stored {
		switch seen, err := r.judge(ctx, s); CodeOf(err) {
		case "":
			live = append(live, seen)
		case CodeUnavailable: // nobody can tell yet: it counts
			live = append(live, s)
		default:
		}
	}
	return live, nil
}

// keepLimit keeps the limit after s has been created. Every instance sees the creations in the order of their commits, so of
// several at once each judges the same ones to be too many. It fails with session_limit where s is one of them
// and the policy refuses, and with reauth_required where newer ones have taken the place of s already.
func (r *Registry) keepLimit(ctx context.Context, s Session) (evicted []ID, err error) {
	if r.settings.MaxSessions == 0 {
		return nil, nil
	}
	kept := r.rounds.Join(ctx, s.UserID, func(kept *round) error { return r.enforce(ctx, s.UserID, kept) })
	if err := kept.wait(ctx); err != nil {
		return nil, err
	}
	at := slices.IndexFunc(kept.live, func(each Session) bool { return each.ID == s.ID })
	switch {
	case r.settings.LimitPolicy == LimitReject && at >= r.settings.MaxSessions:
		return nil, r.withdraw(ctx, s)
	case r.settings.LimitPolicy == LimitReject:
		return nil, nil
	case at < 0 || slices.Contains(kept.ended, s.ID):
		return nil, r.outrun(ctx, s)
	case kept.told.CompareAndSwap(false, true):
		return kept.ended, nil
	default:
		return nil, nil // another of the sign-ins that have taken their place has been told
	}
}

// enforce is a round: it lists who is live and, unless new ones are refused, ends the oldest beyond the limit.
func (r *Registry) enforce(ctx context.Context, uid UserID, kept *round) (err error) {
	kept.live, err = r.liveSessions(ctx, uid)
	if err == nil && r.settings.LimitPolicy != LimitReject {
		kept.ended, err = r.endExcess(ctx, r.excess(kept.live))
	}
	return err
}

// excess are those of a user's live sessions, in order of creation, that are too many: the oldest or, where the policy refuses
// new ones, the newest.
func (r *Registry) excess(live []Session) []Session {
	limit := r.settings.MaxSessions
	if limit == 0 || len(live) <= limit {
		return nil
	}
	if r.settings.LimitPolicy == LimitReject {
		return live[limit:]
	}
	return live[:len(live)-limit]
}

func (r *Registry) endExcess(ctx context.Context, excess []Session) (ended []ID, err error) {
	own := make([]bool, len(excess))
	var ends errgroup.Group
	ends.SetLimit(maxEnds)
	for i, s := range excess {
		ends.Go(func() (err error) {
			_, own[i], err = r.end(ctx, s, End{Reason: ReasonSessionLimit, By: ActorSystem})
			return err
		})
	}
	err = ends.Wait()
	for i, s := range excess {
		if own[i] {
			ended = append(ended, s.ID)
		}
	}
	return ended, err
}

// outrun is the answer to a sign-in whose session has ended before anybody could be told that it had begun.
func (r *Registry) outrun(ctx context.Context, s Session) error {
	stored, err := r.store.Session(ctx, s.ID)
	if err != nil && CodeOf(err) != CodeNotFound {
		return err
	}
	return &Error{Op: "register", Code: CodeReauthRequired, Reason: cmp.Or(stored.EndReason, ReasonSessionLimit)}
}

// refuse is the answer to a sign-in beyond the limit, before anything is written: it spends nothing.
func (r *Registry) refuse(ctx context.Context, s Session) error {
	r.note(ctx, refusedEvent(s))
	return &Error{Op: "register", Code: CodeSessionLimit}
}

// withdraw takes a session back that was created at the same time as others, and is one too many.
func (r *Registry) withdraw(ctx context.Context, s Session) error {
	n := NewNotice(NoticeEnded, s.UserID, ReasonSessionLimit, s.ID)
	if err := r.store.Withdraw(ctx, s.ID, Record{Notices: []Notice{n}, Events: []Event{refusedEvent(s)}}); err != nil {
		return err
	}
	n.At = r.clock.Now()
	r.inbox.Deliver(n)
	return &Error{Op: "register", Code: CodeSessionLimit}
}

func refusedEvent(s Session) Event {
	return newEvent(EventSessionRefused, AudienceUser, s.UserID, "", string(s.UserID), s.IPAddress).
		with(DetailReason, string(ReasonSessionLimit)).with("device", s.Device.kindForPeople())
}

// announce tells every instance of what no commit of the store tells. That it fails undoes nothing.
func (r *Registry) announce(ctx context.Context, n Notice) {
	n.At = r.clock.Now()
	r.inbox.Deliver(n)
	if err := r.publisher.Publish(ctx, n); err != nil {
		r.log.Warn("notice not published", "kind", n.Kind, "user", n.UserID, "error", err)
	}
}

// noteTimeout bounds what an answer waits for the audit trail where nothing else is committed.
const noteTimeout = 2 * time.Second

// note commits events that belong to no other commit. That it fails changes nothing about what they tell of.
func (r *Registry) note(ctx context.Context, events ...Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	if err := r.trail.Append(ctx, events...); err != nil {
		r.log.Error("security event not stored", "type", events[0].Type, "user", events[0].UserID, "error", err)
	}
}
