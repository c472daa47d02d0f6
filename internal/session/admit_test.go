package session_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func TestAdmitDoesNotAllocate(t *testing.T) {
	c := newCrowd(t, 10, 2)
	_, gate, _ := c.open()
	for n := range c.tokens {
		c.admit(t, gate, n)
	}
	n := 0
	if got := testing.AllocsPerRun(1000, func() { c.admit(t, gate, n); n++ }); got != 0 {
		t.Errorf("%g allocations", got)
	}
}

// However many come at once with a token that nobody knows yet, in whatever order: each question is asked once.
func TestFirstRequestsShareEveryQuestion(t *testing.T) {
	const users, requests = 200, 16
	asked := func(t *testing.T, c *crowd, want int64) {
		t.Helper()
		if c.verified.Load() != want || c.lookedUp.Load() != want || c.sessions.Load() != want || c.users.Load() != want {
			t.Errorf("%d verified, %d looked up, %d sessions and %d users read: want %d", c.verified.Load(), c.lookedUp.Load(),
				c.sessions.Load(), c.users.Load(), want)
		}
	}
	together := func(t *testing.T, c *crowd, users int) {
		t.Helper()
		_, gate, _ := c.open()
		c.sessions.Store(0) // those of registration
		for n := range users {
			var all sync.WaitGroup
			for range requests {
				all.Go(func() { c.admit(t, gate, n) })
			}
			all.Wait()
		}
	}
	t.Run("answered at once", func(t *testing.T) {
		c := newCrowd(t, users, 1)
		together(t, c, users)
		asked(t, c, users)
	})
	t.Run("answered slowly", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(t, 1, 1)
			c.slow = func() { <-time.After(time.Second) }
			together(t, c, 1)
			asked(t, c, 1)
		})
	})
}

func TestBadTokensMoveNothing(t *testing.T) {
	c := newCrowd(t, 100, 1)
	_, gate, _ := c.open()
	everybody := func() {
		t.Helper()
		for n := range c.tokens {
			c.admit(t, gate, n)
		}
	}
	everybody()
	known, lookedUp, read := c.verified.Load(), c.lookedUp.Load(), c.sessions.Load()
	refuse := func(token string) {
		t.Helper()
		_, err := gate.Admit(t.Context(), token, session.Origin{})
		wantCode(t, err, session.CodeTokenInvalid)
	}
	for range 2000 {
		refuse(c.tokens[0] + ".")
		refuse(strings.Replace(c.tokens[0], ".", "", 1))
	}
	if n := c.verified.Load() - known; n != 0 {
		t.Errorf("%d tokens without three parts were verified", n)
	}
	for n := range 2000 {
		forged := []byte(c.tokens[n%100])
		forged[5+n%20] ^= 1
		refuse(string(forged))
	}
	known = c.verified.Load()
	everybody()
	if c.verified.Load() != known || c.lookedUp.Load() != lookedUp || c.sessions.Load() != read {
		t.Error("somebody was forgotten")
	}
}

// Somebody who refreshes again and again takes no room from others.
func TestManyTokensOfOneUserDisplaceTheirOwn(t *testing.T) {
	const kept = 16
	c := newCrowd(t, 100, 1)
	_, gate, _ := c.open()
	for n := range c.tokens {
		c.admit(t, gate, n)
	}
	others := len(c.tokens)
	token := c.short(0)
	for range 2000 {
		token = c.Refresh(token)
		c.tokens, c.from = append(c.tokens, lengthen(token)), append(c.from, c.from[0])
		c.admit(t, gate, len(c.tokens)-1)
	}
	verified := c.verified.Load()
	for n := 1; n < others; n++ {
		c.admit(t, gate, n)
	}
	for n := range kept {
		c.admit(t, gate, len(c.tokens)-1-n)
	}
	if got := c.verified.Load(); got != verified {
		t.Errorf("%d tokens were forgotten", got-verified)
	}
	c.admit(t, gate, len(c.tokens)-1-kept)
	if got := c.verified.Load(); got != verified+1 {
		t.Error("more than a user's share is remembered")
	}
}

// What is decided is committed first, and then told. Whoever comes after the notice has been applied is judged by it, whatever answers
// are still on their way that were given before.
func TestNobodyIsJudgedByWhatWasBeforeTheNotice(t *testing.T) {
	refused := func(_ *session.Registry, _ session.UserID, err error) bool { return err != nil }
	for name, c := range map[string]struct {
		decide func(ctx context.Context, r *session.Registry, a session.Admission) error
		heeded func(r *session.Registry, uid session.UserID, err error) bool // by a request that comes later
	}{
		"the session is ended": {func(ctx context.Context, r *session.Registry, a session.Admission) error {
			return r.EndOwn(ctx, a, a.Session.ID)
		}, refused},
		"the user is revoked": {func(ctx context.Context, r *session.Registry, a session.Admission) error {
			_, err := r.RevokeUser(ctx, a.Identity.UserID, session.Actor{By: "boss"})
			return err
		}, refused},
		"the account is disabled": {func(ctx context.Context, r *session.Registry, a session.Admission) error {
			_, err := r.DisableUser(ctx, a.Identity.UserID, session.Actor{By: "boss"})
			return err
		}, refused},
		"the claims are changed": {func(ctx context.Context, r *session.Registry, a session.Admission) error {
			return r.SetAdmin(ctx, a.Identity.UserID, session.Actor{By: "boss"}, true)
		}, func(r *session.Registry, uid session.UserID, err error) bool {
			account, known := r.KnownAccount(uid)
			return err == nil && known && account.Claims["admin"] == true
		}},
	} {
		t.Run(name, func(t *testing.T) { judgedLate(t, c.decide, c.heeded) })
	}
}

func judgedLate(t *testing.T, decide func(context.Context, *session.Registry, session.Admission) error,
	heeded func(*session.Registry, session.UserID, error) bool) {
	const rounds, callers = 200, 3
	c := newCrowd(t, rounds, 1)
	registry, gate, inbox := c.open()
	c.slow = func() {
		for range rand.N(20) {
			runtime.Gosched()
		}
	}
	var told [rounds]atomic.Bool
	var round atomic.Int64
	inbox.Subscribe(func(session.Notice) { told[round.Load()].Store(true) }) // the registry has subscribed before
	for n := range rounds {
		round.Store(int64(n))
		caller := session.Admission{Identity: c.Identity(c.short(n))}
		uid := caller.Identity.UserID
		caller.Session.ID = caller.Identity.SessionID
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for late := false; !late; runtime.Gosched() {
					late = told[n].Load()
					if _, err := gate.Admit(t.Context(), c.tokens[n], c.from[n]); late && !heeded(registry, uid, err) {
						t.Errorf("%s: %v", uid, err)
					}
				}
			})
		}
		for range rand.N(40) {
			runtime.Gosched()
		}
		if err := decide(t.Context(), registry, caller); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
}

// A revocation of which only the store has told, when it was asked for something else, counts from then on.
func TestARevocationCountsHoweverItIsLearned(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		w.admit(i, token, "")
		i.stopFeed()
		if _, err := w.data.Revoke(w.Context(), session.NewNotice(session.NoticeEnded, "ana", session.ReasonAdminRevoked), session.Decree{}); err != nil {
			t.Fatal(err)
		}
		w.admit(i, token, "") // nobody has told
		wantCode(t, i.gate.RequireRecent(w.Context(), w.accounts.Identity(token), time.Hour), session.CodeTokenRevoked)
		w.admit(i, token, session.CodeTokenRevoked)
	})
}

// What a check of the accounts with open sockets has found out counts for requests, too.
func TestARevocationInFirebaseCountsWhoeverFindsIt(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.admit(i, token, "")
		w.pass(10 * time.Second)
		if err := w.accounts.RevokeTokens(w.Context(), "ana"); err != nil {
			t.Fatal(err)
		}
		if err := i.registry.LookUp(w.Context(), []session.UserID{"ana"}); err != nil {
			t.Fatal(err)
		}
		w.admit(i, token, session.CodeTokenRevoked)
		w.ended(s.ID, session.ReasonTokensRevoked)
	})
}
