package fireauth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// maxDeskCalls is how many calls for single accounts are under way before those that come later wait for one of them to end, and
// share the next.
const maxDeskCalls = 8

// maxDeskWaiting is how many questions wait at most; beyond, the answer is unavailable at once.
const maxDeskWaiting = 20_000

// deskTimeout lets a call that is given up after [callTimeout] say so itself.
const deskTimeout = callTimeout + 100*time.Millisecond

// desk takes questions for single accounts and has them share calls when there are many: after a restart everybody's account is asked for at
// once, and Firebase allows 500 calls a second. A question is never part of a call that began before it. Safe for concurrent use.
type desk struct {
	lookUp func(context.Context, []session.UserID) (map[session.UserID]session.Account, error)

	mu      sync.Mutex
	waiting []question
	calls   int
}

// question asks for an account. Its answer has room for one.
type question struct {
	uid    session.UserID
	answer chan<- found
	over   <-chan struct{} // closed when nobody waits for the answer any more
}

func (q question) isOver() bool {
	select {
	case <-q.over:
		return true
	default:
		return false
	}
}

type found struct {
	account session.Account
	err     error
}

// ask returns the account, or fails with unavailable, after [deskTimeout] at the latest.
func (d *desk) ask(ctx context.Context, uid session.UserID) (session.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, deskTimeout)
	defer cancel()
	answer := make(chan found, 1)
	if !d.queue(ctx, question{uid, answer, ctx.Done()}) {
		return session.Account{}, session.Unavailable("look up", errors.New("too many look-ups wait"))
	}
	select {
	case f := <-answer:
		return f.account, f.err
	case <-ctx.Done():
		return session.Account{}, session.Unavailable("look up", ctx.Err())
	}
}

// queue sees that a question is asked, unless too many wait.
func (d *desk) queue(ctx context.Context, q question) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) >= maxDeskWaiting {
		d.waiting = slices.DeleteFunc(d.waiting, question.isOver)
	}
	if len(d.waiting) >= maxDeskWaiting {
		return false
	}
	d.waiting = append(d.waiting, q)
	if d.calls < maxDeskCalls {
		d.calls++
		go d.work(context.WithoutCancel(ctx)) // for others, too
	}
	return true
}

// next takes the questions for a call, without those that nobody waits for any more. The latest come first: when there are more than can be answered
// in time, an answer to the oldest would come too late for all of them.
func (d *desk) next() (batch []question) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for last := len(d.waiting) - 1; last >= 0 && len(batch) < session.MaxAccounts; last-- {
		if q := d.waiting[last]; !q.isOver() {
			batch = append(batch, q)
		}
		d.waiting = d.waiting[:last]
	}
	if len(batch) == 0 {
		d.waiting = nil
		d.calls--
	}
	return batch
}

// work answers questions until there are none.
func (d *desk) work(ctx context.Context) {
	for {
		batch := d.next()
		if len(batch) == 0 {
			return
		}
		accounts, err := d.together(ctx, batch)
		for _, q := range batch {
			q.answer <- found{accounts[q.uid], err}
		}
	}
}

// together asks for the accounts of a batch. That all of many are missing is believed only if a call for one of them agrees.
func (d *desk) together(ctx context.Context, batch []question) (map[session.UserID]session.Account, error) {
	uids := make([]session.UserID, len(batch))
	for i, q := range batch {
		uids[i] = q.uid
	}
	slices.Sort(uids)
	uids = slices.Compact(uids)
	accounts, err := d.lookUp(ctx, uids)
	if err != nil || len(uids) == 1 {
		return accounts, err
	}
	for _, a := range accounts {
		if !a.Missing {
			return accounts, nil
		}
	}
	first := max(slices.IndexFunc(uids, possible), 0) // the others are missing without having been asked for
	one, err := d.lookUp(ctx, uids[first:first+1])
	if err == nil && !one[uids[first]].Missing {
		err = session.Unavailable("look up", errors.New("an account that is missing among others is there alone"))
	}
	return accounts, err
}
