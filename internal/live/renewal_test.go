package live_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
	"github.com/vigilhq/vigil/internal/wire"
)

// R9: a working day of tabs that renew their tokens, some long before the old one expires, some at the very last of the grace; each
// sends the one it has with every heartbeat.
func TestRenewingTokensKicksNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		first, _ := w.signIn(a, "ana")
		type renewing struct {
			*tab
			token string
			after time.Duration // of a token's issue it is renewed
			due   time.Time
		}
		var tabs []*renewing
		for _, after := range []time.Duration{
			time.Minute, 30 * time.Minute, 55 * time.Minute, sessiontest.TokenLifetime - 1, sessiontest.TokenLifetime,
			sessiontest.TokenLifetime + options.ReauthGrace - time.Second,
		} {
			for _, i := range []*instance{a, b} {
				tabs = append(tabs, &renewing{tab: w.connect(i, first), token: first, after: after, due: time.Now().Add(after)})
			}
		}
		for began := time.Now(); time.Since(began) < 8*time.Hour; {
			for _, r := range tabs {
				if !time.Now().Before(r.due) {
					r.token, r.due = w.accounts.Refresh(r.token), time.Now().Add(r.after)
				}
				r.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypePing, Token: r.token}))
				r.peer.Receive(w.Context(), wire.Encode(activity))
			}
			synctest.Wait()
			for _, r := range tabs {
				r.open()
				if f := r.want(wire.TypePong); r.after < sessiontest.TokenLifetime && f["tokenValid"] != true {
					t.Fatalf("renewed after %s: %v", r.after, f)
				}
			}
			wake := time.Now().Add(options.HeartbeatInterval)
			for _, r := range tabs {
				if r.due.Before(wake) {
					wake = r.due
				}
			}
			w.pass(time.Until(wake))
		}
	})
}

// R9: renewals and heartbeats race the notices that mean others, and then the one that means them.
func TestRenewalsThatRaceRevocationsAreOnlyKickedByTheirOwn(t *testing.T) {
	const rounds = 200
	inWorld(t, func(w *world) {
		i := w.start()
		for round := range rounds {
			uid := session.UserID(fmt.Sprint("user-", round))
			old := time.Now()
			w.pass(time.Second)
			_, ended := w.signIn(i, uid)
			token, s := w.signIn(i, uid)
			tab, quiet := w.connect(i, token), w.connect(i, token)
			w.pass(time.Minute)
			earlier := session.NewNotice(session.NoticeEnded, uid, session.ReasonAdminRevoked)
			earlier.Before = old // a revocation of sign-ins before this one
			var all sync.WaitGroup
			all.Go(func() {
				for range 5 {
					token = w.accounts.Refresh(token)
					tab.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypePing, Token: token}))
					tab.peer.Receive(w.Context(), wire.Encode(ping))
				}
			})
			all.Go(func() { i.inbox.Deliver(earlier) })
			all.Go(func() { i.inbox.Deliver(session.NewNotice(session.NoticeEnded, uid, session.ReasonRevoked, ended.ID)) })
			all.Go(func() { i.inbox.Deliver(session.NewNotice(session.NoticeClaims, uid, "")) })
			all.Wait()
			synctest.Wait()
			for _, f := range tab.take() {
				if f["type"] == string(wire.TypePong) && f["tokenValid"] != true {
					t.Fatalf("round %d: %v", round, f)
				}
			}
			tab.open()
			quiet.open()
			quiet.take()

			all.Go(func() {
				for range 3 {
					token = w.accounts.Refresh(token)
					tab.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypePing, Token: token}))
				}
			})
			all.Go(func() {
				<-time.After(rand.N(2 * time.Nanosecond))
				w.end(i, s)
			})
			all.Wait()
			synctest.Wait()
			quiet.closed(wire.CloseRevoked, wire.TypeSessionRevoked, "admin_revoked")
			tab.take() // pongs before the end
			tab.closed(wire.CloseRevoked, "", "")
			tab.peer.Gone(wire.CloseNone)
			quiet.peer.Gone(wire.CloseNone)
		}
	})
}

// end ends a session.
func (w *world) end(i *instance, s session.Session) {
	if err := i.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID); err != nil {
		w.Error(err)
	}
}
