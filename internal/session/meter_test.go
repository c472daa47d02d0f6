package session_test

import (
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// counts is a meter that can be read.
type counts struct {
	mu    sync.Mutex
	known map[string]int
}

func newCounts() *counts { return &counts{known: make(map[string]int)} }

func (c *counts) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[what]++
}

func (c *counts) of(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[what]
}

func (c *counts) SessionStarted()                 { c.add("started") }
func (c *counts) SessionEnded(r session.Reason)   { c.add("ended " + string(r)) }
func (c *counts) AlertRaised(t session.AlertType) { c.add("alert " + string(t)) }
func (c *counts) TokenExpired()                   { c.add("token expired") }
func (c *counts) Revoked(time.Duration)           { c.add("revoked") }
func (c *counts) NoticeApplied(k session.Kind, lag time.Duration) {
	c.add("notice " + string(k))
	if lag < 0 {
		c.add("negative lag")
	}
}

func (c *counts) CacheAsked(cache string, hit bool) {
	c.add(map[bool]string{true: "hit ", false: "miss "}[hit] + cache)
}

func (c *counts) Swept(r session.SweepReport, census session.Census, _ time.Duration) {
	c.add("swept")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known["swept expired"] += r.Expired
	c.known["zombies"] += census.Zombies
}

func TestWhatHappensIsCounted(t *testing.T) {
	inWorld(t, func(w *world) {
		counted := newCounts()
		w.meter = counted
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.admit(i, token, "")
		w.admit(i, token, "")
		if err := i.registry.EndOwn(w.Context(), as(s), s.ID); err != nil {
			t.Fatal(err)
		}
		w.signIn(i, "ana")
		if _, err := i.registry.RevokeUser(w.Context(), "ana", session.Actor{By: "boss"}); err != nil {
			t.Fatal(err)
		}
		w.signIn(i, "ben")
		w.pass(policy.IdleTimeout)
		if _, err := i.registry.Sweep(w.Context(), session.SweepAll); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Hour)
		w.admit(i, token, session.CodeTokenExpired)
		want := map[string]int{
			"started": 3, "ended logout": 1, "ended admin_revoked": 1, "ended idle_timeout": 1, "revoked": 1, "token expired": 1,
			"notice ended": 4, "swept": 1, "swept expired": 1, "zombies": 1,
			"hit token": 2, "miss token": 4, "hit session": 1, "miss session": 1,
			"hit account": 3, "miss account": 2, "hit user": 3, "miss user": 2,
		}
		counted.mu.Lock()
		defer counted.mu.Unlock()
		if !maps.Equal(counted.known, want) {
			t.Errorf("counted %v\nwant    %v", counted.known, want)
		}
	})
}
