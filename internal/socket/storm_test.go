package socket

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestHandshakesBeyondTheRateAreSentAway(t *testing.T) {
	inBubble(t, func(w *world) {
		w.server.accepts = rate.NewLimiter(2, 3)
		for range 3 {
			w.open(home).browse()
		}
		waits := make(map[time.Duration]bool)
		for range 50 {
			e, _ := w.wantRefused(session.CodeUnavailable, "/v1/ws", nil)
			if e.RetryAfter < time.Second || e.RetryAfter > maxRetryAfter*time.Second || e.RetryAfter%time.Second != 0 {
				w.Errorf("to come back after %s", e.RetryAfter)
			}
			waits[e.RetryAfter] = true
		}
		if len(waits) < 3 {
			w.Errorf("all are to come back after %v", waits)
		}
		synctest.Wait()
		w.server.lobby.mu.Lock()
		waiting := w.server.lobby.waiting
		w.server.lobby.mu.Unlock()
		if n := w.hub.Sockets(); n != 3 || waiting != 3 {
			w.Errorf("%d sockets and %d places taken", n, waiting)
		}
		<-time.After(time.Second)
		w.open(home).browse()
		w.open(home).browse()
		w.wantRefused(session.CodeUnavailable, "/v1/ws", nil)
	})
}

func TestAllBrowsersMayComeBackWithinSeconds(t *testing.T) {
	inBubble(t, func(w *world) {
		const browsers = 15_000
		began := time.Now()
		for in := 0; in < browsers; {
			if w.server.accepts.Allow() {
				in++
			} else {
				<-time.After(time.Millisecond)
			}
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%v", took)
		}
	})
}

// After a restart every tab comes back at once, and nothing is known of anybody.
func TestAReconnectStormReadsEachUserAndSessionOnce(t *testing.T) {
	const users, tabs = 100, 5
	onLoopback(t, func(w *world) {
		before := session.NewRegistry(w.registry.Settings(), session.Ports{ // of the process that is gone
			Store: w.store, Users: w.store, Publisher: w.store, Archive: w.store, Trail: w.store, Jobs: w.store,
			Accounts: w.accounts, Editor: w.accounts, Clock: session.NewClock(), Inbox: session.NewInbox(feedResync),
			After: func(time.Duration, func()) {}, Log: slog.New(slog.DiscardHandler),
		})
		tokens := make([]string, users)
		for u := range tokens {
			tokens[u] = w.accounts.SignIn(session.UserID(fmt.Sprint("user", u)))
			if _, err := before.Register(t.Context(), w.accounts.Identity(tokens[u]), session.SignIn{}); err != nil {
				t.Fatal(err)
			}
		}
		var userReads, sessionReads atomic.Int32
		w.store.Before(func(op string) {
			switch op {
			case "User":
				userReads.Add(1)
			case "Session":
				sessionReads.Add(1)
			}
		})
		lookUps := w.accounts.LookUps()
		var storm sync.WaitGroup
		for u, token := range tokens {
			for range tabs {
				storm.Go(func() { w.comeBack(fmt.Sprint("198.51.100.", u), token) })
			}
		}
		storm.Wait()
		if n := w.hub.Sockets(); n != users*tabs {
			t.Errorf("%d sockets", n)
		}
		if l, r, s := w.accounts.LookUps()-lookUps, userReads.Load(), sessionReads.Load(); l > users || r > users || s > users {
			t.Errorf("%d look-ups, %d users and %d sessions read, for %d users with a session each", l, r, s, users)
		}
	})
}

// comeBack opens a socket and waits until it is ready. It is for goroutines.
func (w *world) comeBack(ip, token string) {
	ws, err := w.upgrade(ip)
	if err != nil {
		w.Error(err)
		return
	}
	w.Cleanup(func() { _ = ws.Close() })
	var f map[string]any
	if err := ws.WriteJSON(wire.Request{Type: wire.TypeAuth, Token: token}); err != nil {
		w.Error(err)
	}
	if err := ws.ReadJSON(&f); err != nil || f["type"] != string(wire.TypeReady) {
		w.Errorf("%v, %v", f, err)
	}
}
