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
	d.mu.Lock()
	d.waiting = append(d.waiting, question{uid, answer})
	if d.calls < maxDeskCalls {
		d.calls++
		go d.work(context.WithoutCancel(ctx)) // for others, too
	}
	d.mu.Unlock()
	select {
	case f := <-answer:
		return f.account, f.err
	case <-ctx.Done():
		return session.Account{}, session.Unavailable("look up", ctx.Err())
	}
}

// work answers questions until there are none.
func (d *desk) work(ctx context.Context) {
	for {
		d.mu.Lock()
		batch := d.waiting[:min(len(d.waiting), session.MaxAccounts)]
		d.waiting = d.waiting[len(batch):]
		if len(batch) == 0 {
			d.waiting = nil
			d.calls--
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
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
	one, err := d.lookUp(ctx, uids[:1])
	if err == nil && !one[uids[0]].Missing {
		err = session.Unavailable("look up", errors.New("an account that is missing among others is there alone"))
	}
	return accounts, err
}
