package session

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxEnds bounds how many sessions one call ends at the same time.
const maxEnds = 8

// turns lets callers that name the same user pass one after the other. Of many sign-ins at once the first then makes room for all, and
// the others find it made. Safe for concurrent use.
type turns struct {
	mu    sync.Mutex
	taken map[UserID]*turn
}

type turn struct {
	free    chan struct{} // holds one token while nobody has the turn
	waiting int           // including who has it; guarded by turns.mu
}

// Take waits for the user's turn and returns what gives it back.
func (t *turns) Take(ctx context.Context, uid UserID) (release func(), err error) {
	t.mu.Lock()
	if t.taken == nil {
		t.taken = make(map[UserID]*turn)
	}
	own := t.taken[uid]
	if own == nil {
		own = &turn{free: make(chan struct{}, 1)}
		own.free <- struct{}{}
		t.taken[uid] = own
	}
	own.waiting++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if own.waiting--; own.waiting == 0 {
			delete(t.taken, uid)
		}
	}
	select {
	case <-own.free:
		return func() { own.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, Unavailable("wait for turn", ctx.Err())
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
	release, err := r.turns.Take(ctx, s.UserID)
	if err != nil {
		return nil, err
	}
	defer release()
	live, err := r.liveSessions(ctx, s.UserID)
	if err != nil {
		return nil, err
	}
	excess := r.excess(live)
	if r.settings.LimitPolicy == LimitReject {
		if slices.ContainsFunc(excess, func(each Session) bool { return each.ID == s.ID }) {
			return nil, r.withdraw(ctx, s)
		}
		return nil, nil
	}
	evicted, err = r.endExcess(ctx, excess)
	if err == nil && (slices.Contains(evicted, s.ID) || !slices.ContainsFunc(live, func(each Session) bool { return each.ID == s.ID })) {
		return nil, r.outrun(ctx, s)
	}
	return evicted, err
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
