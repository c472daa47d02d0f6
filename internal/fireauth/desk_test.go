package fireauth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// bureau answers a desk's calls after a while. It knows everybody but who is missing.
type bureau struct {
	delay   time.Duration
	err     error
	missing map[session.UserID]bool

	mu    sync.Mutex
	calls [][]session.UserID
}

func (b *bureau) lookUp(ctx context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
	b.mu.Lock()
	b.calls = append(b.calls, uids)
	delay, err := b.delay, b.err
	b.mu.Unlock()
	accounts, late := call(ctx, make(slots, 1), func(context.Context) (map[session.UserID]session.Account, error) {
		<-time.After(delay)
		accounts := make(map[session.UserID]session.Account)
		for _, uid := range uids {
			accounts[uid] = session.Account{UserID: uid, Missing: b.missing[uid]}
		}
		return accounts, err
	})
	if late != nil {
		return nil, session.Unavailable("look up", late)
	}
	return accounts, nil
}

// askAll asks for many accounts at once and returns how long the last answer took.
func (d *desk) askAll(t *testing.T, n int, check func(session.UserID, session.Account, error)) time.Duration {
	began := time.Now()
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			uid := session.UserID(fmt.Sprint("user", i))
			a, err := d.ask(t.Context(), uid)
			check(uid, a, err)
		})
	}
	callers.Wait()
	took := time.Since(began)
	synctest.Wait()
	if d.calls != 0 || len(d.waiting) != 0 {
		t.Errorf("%d calls and %d questions are left", d.calls, len(d.waiting))
	}
	return took
}

func TestManyQuestionsShareCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users = 15_000
		b := &bureau{delay: 50 * time.Millisecond, missing: map[session.UserID]bool{"user7": true}}
		d := &desk{lookUp: b.lookUp}
		took := d.askAll(t, users, func(uid session.UserID, a session.Account, err error) {
			if err != nil || a.UserID != uid || a.Missing != (uid == "user7") {
				t.Errorf("%s: %+v, %v", uid, a, err)
			}
		})
		if n := len(b.calls); n > users/session.MaxAccounts+maxDeskCalls {
			t.Errorf("%d calls for %d users", n, users)
		}
		for _, uids := range b.calls {
			if len(uids) > session.MaxAccounts {
				t.Errorf("a call for %d", len(uids))
			}
		}
		if took > deskTimeout {
			t.Errorf("the last has waited for %v", took)
		}
	})
}

func TestFewQuestionsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bureau{delay: 50 * time.Millisecond}
		d := &desk{lookUp: b.lookUp}
		if took := d.askAll(t, maxDeskCalls, func(session.UserID, session.Account, error) {}); took != b.delay {
			t.Errorf("answered after %v", took)
		}
	})
}

// What is asked during a call is not part of it: the account may have changed since that began.
func TestQuestionsAreOlderThanTheirCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bureau{delay: 50 * time.Millisecond}
		d := &desk{lookUp: b.lookUp}
		var callers sync.WaitGroup
		for range 3 * maxDeskCalls {
			callers.Go(func() {
				if _, err := d.ask(t.Context(), "ana"); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		began := time.Now()
		callers.Wait()
		if took := time.Since(began); took != 2*b.delay || len(b.calls) != maxDeskCalls+1 {
			t.Errorf("%d calls, the last answer after %v", len(b.calls), took)
		}
	})
}

func TestABatchWithoutAnybodyIsNotBelieved(t *testing.T) {
	for name, there := range map[string]bool{"one is there": true, "none is": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{lookUp: func(_ context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
					<-time.After(time.Millisecond)
					accounts := make(map[session.UserID]session.Account)
					for _, uid := range uids {
						accounts[uid] = session.Account{UserID: uid, Missing: !there || len(uids) > 1}
					}
					return accounts, nil
				}}
				var mu sync.Mutex
				refused := 0
				d.askAll(t, 50, func(uid session.UserID, a session.Account, err error) {
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err != nil:
						wantCode(t, err, session.CodeUnavailable)
						refused++
					case a.Missing == there:
						t.Errorf("%s: %+v", uid, a)
					}
				})
				if there != (refused > 0) {
					t.Errorf("%d are unavailable", refused)
				}
			})
		})
	}
}

// An account that cannot exist, and is missing without anybody having been asked, bears no witness.
func TestABatchIsNotBelievedForAnAccountThatCannotExist(t *testing.T) {
	impossible := []session.UserID{"", session.UserID(strings.Repeat("A", maxUID+1))}
	d := &desk{lookUp: func(_ context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
		accounts := make(map[session.UserID]session.Account)
		for _, uid := range uids {
			accounts[uid] = session.Account{UserID: uid, Missing: len(uids) > 1 || !possible(uid)}
		}
		return accounts, nil
	}}
	for _, other := range []session.UserID{"ana", impossible[1]} {
		var batch []question
		for _, uid := range append(impossible, other) {
			batch = append(batch, question{uid: uid})
		}
		accounts, err := d.together(t.Context(), batch)
		if other == "ana" {
			wantCode(t, err, session.CodeUnavailable)
		} else if err != nil || !accounts[other].Missing {
			t.Errorf("%v, %v, where none can exist", accounts, err)
		}
	}
}

func TestQuestionsFailInTime(t *testing.T) {
	for name, b := range map[string]*bureau{
		"failing": {delay: 50 * time.Millisecond, err: errors.New("no answer")}, "hanging": {delay: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &desk{lookUp: b.lookUp}
				ask := func() error { _, err := d.ask(t.Context(), "ana"); return err }
				var callers sync.WaitGroup
				for range 500 {
					callers.Go(func() { wantCode(t, within(t, ask), session.CodeUnavailable) })
				}
				callers.Wait()
				<-time.After(time.Minute)
				b.mu.Lock()
				b.delay, b.err = 0, nil
				b.mu.Unlock()
				wantCode(t, ask(), "")
			})
		})
	}
}

// When more is asked than can be answered in time, there are answers all the same, and those who have given up stand in nobody's way.
func TestDeskUnderwater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const users, patience = 5_000, 1500 * time.Millisecond
		b := &bureau{delay: 1200 * time.Millisecond}
		d := &desk{lookUp: b.lookUp}
		var callers sync.WaitGroup
		began := time.Now()
		for i := range users {
			callers.Go(func() {
				<-time.After(time.Duration(i) * 500 * time.Microsecond)
				for {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					_, err := d.ask(ctx, session.UserID(fmt.Sprint("user", i)))
					cancel()
					if err == nil {
						return
					}
					<-time.After(rand.N(6 * time.Second)) // as browsers do
				}
			})
		}
		callers.Wait()
		asked := 0
		for _, call := range b.calls {
			asked += len(call)
		}
		if took := time.Since(began); took > 2*time.Minute || asked > 5*users {
			t.Errorf("all know after %s, when %d have been asked about for %d", took, asked, users)
		}
	})
}
