package live_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// After a restart every tab of every session comes back at once to an instance that knows nothing, and everything that it asks
// takes its time.
func TestAReconnectStormCostsALookUpPerUserAndAReadPerSession(t *testing.T) {
	const users, sessions, tabs = 500, 2, 5
	inCrowd(t, func(w *world, before *instance, r *register) {
		var tokens []string
		for s := range sessions {
			for u := range users {
				token := w.accounts.SignIn(session.UserID(fmt.Sprint("user", u)))
				if _, err := before.registry.Register(w.Context(), w.accounts.Identity(token), session.SignIn{}); err != nil {
					t.Fatal(s, err)
				}
				tokens = append(tokens, token)
			}
			w.pass(time.Second)
		}
		i := w.start()
		w.pass(time.Second)
		r.forget()
		r.delay = 300 * time.Millisecond
		var userReads, sessionReads atomic.Int32
		i.store.Before(func(op string) {
			switch op {
			case "User":
				userReads.Add(1)
			case "Session":
				sessionReads.Add(1)
			}
			<-time.After(20 * time.Millisecond)
		})
		var storm []*tab
		for n := range len(tokens) * tabs {
			t := w.open(i)
			storm = append(storm, t)
			go t.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypeAuth, Token: tokens[n/tabs]}))
		}
		w.pass(5 * time.Second)
		for _, t := range storm {
			t.want(wire.TypeReady)
		}
		if n := len(r.calls); n > users {
			t.Errorf("%d look-ups for %d users", n, users)
		}
		if n := userReads.Load(); n > users {
			t.Errorf("%d reads of users for %d", n, users)
		}
		if n := sessionReads.Load(); n > users*sessions {
			t.Errorf("%d reads of sessions for %d", n, users*sessions)
		}
	})
}
