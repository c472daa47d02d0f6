package live_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
	"github.com/vigilhq/vigil/internal/wire"
)

// register notes when which accounts are asked about. It implements what of Firebase the registry uses.
type register struct {
	*sessiontest.Directory
	delay time.Duration // of each call

	mu    sync.Mutex
	calls []time.Time
	asked map[session.UserID][]time.Time
	sizes []int
}

func (r *register) Account(ctx context.Context, uid session.UserID) (session.Account, error) {
	found, err := r.Accounts(ctx, []session.UserID{uid})
	return found[uid], err
}

func (r *register) Accounts(ctx context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
	now := time.Now()
	r.mu.Lock()
	r.calls, r.sizes = append(r.calls, now), append(r.sizes, len(uids))
	for _, uid := range uids {
		r.asked[uid] = append(r.asked[uid], now)
	}
	r.mu.Unlock()
	<-time.After(r.delay)
	return r.Directory.Accounts(ctx, uids)
}

// forget empties the register.
func (r *register) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls, r.sizes, r.asked = nil, nil, make(map[session.UserID][]time.Time)
}

// busiest is the largest number of calls in any span that begins with one.
func (r *register) busiest(span time.Duration) int {
	most := 0
	for i, at := range r.calls {
		n, _ := slices.BinarySearchFunc(r.calls[i:], at.Add(span), time.Time.Compare)
		most = max(most, n)
	}
	return most
}

// longest is the longest that any of these users has gone unasked until now, or until the look-up after.
func (r *register) longest(users []session.UserID, from time.Time) time.Duration {
	var longest time.Duration
	for _, uid := range users {
		last := from
		for _, at := range append(r.asked[uid], time.Now()) {
			longest = max(longest, at.Sub(last))
			last = at
		}
	}
	return longest
}

// inCrowd runs f with an instance whose look-ups are noted, and sockets that say nothing.
func inCrowd(t *testing.T, f func(w *world, i *instance, r *register)) {
	t.Helper()
	inWorld(t, func(w *world) {
		w.settings.IdleTimeout, w.settings.TouchInterval = 10*time.Hour, time.Hour
		w.options.HeartbeatInterval, w.options.DisconnectTimeout = 24*time.Hour, 48*time.Hour
		w.options.MaxTokenAge = 48 * time.Hour
		r := &register{Directory: w.accounts, asked: make(map[session.UserID][]time.Time)}
		w.lookUps = r
		f(w, w.start(), r)
	})
}

// crowd has n users sign in, register and connect at once, and returns them.
func (w *world) crowd(i *instance, name string, n int) (users []session.UserID, tabs []*tab) {
	w.Helper()
	for u := range n {
		uid := session.UserID(fmt.Sprint(name, u))
		now := time.Now().UTC()
		id := session.Identity{
			UserID: uid, SessionID: session.NewID(uid, "", now), AuthTime: now, IssuedAt: now, ExpiresAt: now.Add(48 * time.Hour), SignInProvider: "password",
		}
		w.accounts.Change(uid, func(*session.Account) {})
		token := w.accounts.Issue(id)
		if _, err := i.gate.Authenticate(w.Context(), token); err != nil {
			w.Fatal(err)
		}
		if _, err := i.registry.Register(w.Context(), id, session.SignIn{}); err != nil {
			w.Fatal(err)
		}
		t := w.open(i)
		t.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypeAuth, Token: token}))
		users, tabs = append(users, uid), append(tabs, t)
	}
	w.pass(0)
	for _, t := range tabs {
		t.want(wire.TypeReady)
	}
	return users, tabs
}

// checkInterval is what the interval comes to: a fifth of UserStateTTL is kept for trying again.
const checkInterval = 4 * time.Minute

func TestChecksOfACrowdAreBatchedAndSpread(t *testing.T) {
	inCrowd(t, func(w *world, i *instance, r *register) {
		const users = 15_000
		names, tabs := w.crowd(i, "user", users)
		r.forget()
		began := time.Now()
		w.pass(time.Hour)
		perUser := float64(len(r.calls)) / users
		t.Logf("%d calls in an hour, %.4f a user; at most %d in a second, %d in ten", len(r.calls), perUser, r.busiest(time.Second), r.busiest(10*time.Second))
		if least := float64(time.Hour/checkInterval) / session.MaxAccounts; perUser > least*1.02 {
			t.Errorf("%.4f calls a user and hour, want %.4f", perUser, least)
		}
		if n := r.busiest(time.Second); n > 1 {
			t.Errorf("%d calls in a second", n)
		}
		if d := r.longest(names, began); d > checkInterval {
			t.Errorf("somebody was not asked about for %v", d)
		}
		for _, tab := range tabs {
			tab.open()
		}
	})
}

func TestRarerChecksCostLess(t *testing.T) {
	inCrowd(t, func(w *world, _ *instance, r *register) {
		w.settings.UserStateTTL = 10 * time.Minute
		const users = 2_000
		names, _ := w.crowd(w.start(), "user", users)
		r.forget()
		began := time.Now()
		w.pass(time.Hour)
		if perUser := float64(len(r.calls)) / users; perUser > 0.1201 {
			t.Errorf("%.4f calls a user and hour", perUser)
		}
		if d := r.longest(names, began); d > options.TokenCheckInterval {
			t.Errorf("somebody was not asked about for %v", d)
		}
	})
}

// Whoever comes and goes, nobody is checked late.
func TestCrowdsThatComeAndGo(t *testing.T) {
	inCrowd(t, func(w *world, i *instance, r *register) {
		began := time.Now()
		staying, _ := w.crowd(i, "staying", 250)
		w.pass(time.Minute)
		_, leaving := w.crowd(i, "leaving", 2000)
		w.pass(3 * time.Minute)
		late, _ := w.crowd(i, "late", 330)
		w.pass(90 * time.Second)
		for _, tab := range leaving {
			tab.peer.Gone(wire.CloseNone)
		}
		r.mu.Lock()
		joined := r.asked[late[0]][0]
		r.mu.Unlock()
		w.pass(20 * time.Minute)
		if d := r.longest(staying, began); d > checkInterval {
			t.Errorf("somebody was not asked about for %v", d)
		}
		if d := r.longest(late, joined); d > checkInterval {
			t.Errorf("somebody who came later was not asked about for %v", d)
		}
	})
}

// An outage that is over before what is known is too old closes nothing, and what has been missed is made good without a burst.
func TestChecksAfterAnOutage(t *testing.T) {
	inCrowd(t, func(w *world, i *instance, r *register) {
		names, tabs := w.crowd(i, "user", 3_000)
		began := time.Now()
		w.pass(10 * time.Minute)
		w.accounts.SetDown(true)
		w.pass(50 * time.Second)
		w.accounts.SetDown(false)
		r.forget()
		w.pass(30 * time.Minute)
		for _, tab := range tabs {
			tab.open()
		}
		if n := r.busiest(time.Second); n > 11 {
			t.Errorf("%d calls in a second", n)
		}
		if d := r.longest(names, began.Add(10*time.Minute+50*time.Second)); d > checkInterval {
			t.Errorf("somebody was not asked about for %v", d)
		}
	})
}

// One that is not closes each socket when what is known of its user is too old, and not before.
func TestSocketsCloseAtTheBoundOfTheirUsers(t *testing.T) {
	inCrowd(t, func(w *world, i *instance, r *register) {
		names, tabs := w.crowd(i, "user", 2_000)
		w.pass(10 * time.Minute)
		w.accounts.SetDown(true)
		r.mu.Lock()
		bound := make([]time.Time, len(names))
		for u, uid := range names {
			bound[u] = r.asked[uid][len(r.asked[uid])-1].Add(5 * time.Minute)
		}
		r.mu.Unlock()
		w.pass(6 * time.Minute)
		for u, tab := range tabs {
			tab.closed(wire.CloseUnavailable, "", "")
			if late := tab.at.Sub(bound[u]); late < 0 || late > time.Second {
				t.Fatalf("%s closed %v after the bound", names[u], late)
			}
		}
	})
}

// poisoned fails every call that asks about one of the accounts.
type poisoned struct {
	*register
	uid session.UserID
}

func (p poisoned) Accounts(ctx context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
	found, err := p.register.Accounts(ctx, uids)
	if slices.Contains(uids, p.uid) && len(uids) > 1 {
		return nil, session.Unavailable("look up", nil)
	}
	return found, err
}

// A batch that always fails keeps nobody else's account from being checked.
func TestOneBatchFailsAlone(t *testing.T) {
	inCrowd(t, func(w *world, _ *instance, r *register) {
		w.lookUps = poisoned{r, "user7"}
		_, tabs := w.crowd(w.start(), "user", 1_000)
		w.pass(20 * time.Minute)
		lost := 0
		for _, tab := range tabs {
			tab.mu.Lock()
			if tab.code != 0 {
				lost++
			}
			tab.mu.Unlock()
		}
		if lost > session.MaxAccounts {
			t.Errorf("%d users have lost their sockets", lost)
		}
	})
}

// Who comes with an account that was asked about nearly too long ago is asked about, and not sent away. Nobody lives on an answer that is too old.
func TestAnAgedAccountIsAskedAboutFirst(t *testing.T) {
	for _, left := range []time.Duration{500 * time.Millisecond, 15 * time.Second, 29 * time.Second, 31 * time.Second, time.Minute} {
		t.Run(left.String(), func(t *testing.T) {
			inCrowd(t, func(w *world, i *instance, r *register) {
				w.pass(time.Second) // off the moments at which the crowd is looked at
				token, _ := w.signIn(i, "ana")
				began := time.Now()
				w.pass(5*time.Minute - left)
				tab := w.connect(i, token)
				w.pass(time.Hour - 10*time.Minute)
				tab.open()
				if d := r.longest([]session.UserID{"ana"}, began); d > 5*time.Minute {
					t.Errorf("asked about after %v", d)
				}
			})
		})
	}
}
