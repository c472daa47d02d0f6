package live_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestRevocationReachesEverySocketEverywhere(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		one, _ := w.signIn(a, "ana")
		two, _ := w.signIn(b, "ana")
		other, _ := w.signIn(a, "ben")
		tabs := []*tab{w.connect(a, one), w.connect(b, one), w.connect(b, two)}
		bens := w.connect(b, other)
		for _, tab := range tabs {
			tab.take()
		}
		w.revoke(a, "ana")
		for _, tab := range tabs {
			tab.closed(wire.CloseRevoked, wire.TypeSessionRevoked, "admin_revoked")
		}
		bens.open()
		bens.want()
	})
}

func TestTheEndOfOneSessionIsNewsToTheOthers(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		one, first := w.signIn(a, "ana")
		kept := w.connect(b, one)
		two, second := w.signIn(a, "ana")
		w.pass(0)
		f := kept.want(wire.TypeSessionStarted)
		if view, _ := f["session"].(map[string]any); view["id"] != string(second.ID) || view["current"] != false {
			t.Errorf("%v", f)
		}
		ended := w.connect(b, two)
		w.must(a.registry.EndOwn(w.Context(), as(first), second.ID))
		ended.closed(wire.CloseRevoked, wire.TypeSessionRevoked, "revoked")
		if f := kept.want(wire.TypeSessionClosed); f["sessionId"] != string(second.ID) || f["reason"] != "revoked" {
			t.Errorf("%v", f)
		}
		kept.open()
	})
}

func TestReplacedSessionsSocketsMayComeBack(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, old := w.signIn(i, "ana")
		tab := w.connect(i, token)
		w.pass(time.Second)
		if _, err := i.registry.Register(w.Context(), w.accounts.Identity(w.accounts.SignIn("ana")), session.SignIn{Replaces: old.ID}); err != nil {
			t.Fatal(err)
		}
		tab.closed(wire.CloseReplaced, wire.TypeSessionRevoked, "replaced")
	})
}

// A revocation that falls between the check of a token and the socket's readiness must find the socket.
func TestARevocationDuringAuthIsNotLost(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		b.store.Before(func(op string) {
			if op == "Session" {
				b.store.Before(func(string) {})
				if _, err := a.registry.RevokeUser(w.Context(), "ana", session.Actor{By: "boss"}); err != nil {
					t.Error(err)
				}
			}
		})
		tab := w.open(b)
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		w.pass(0)
		tab.mu.Lock()
		code := tab.code
		tab.mu.Unlock()
		if code != wire.CloseRevoked && code != wire.CloseUnauthorized {
			t.Fatalf("survived: %d, %v", code, tab.take())
		}
	})
}

// Until its session is known to be live, a socket must hear nothing of the user's.
func TestAPendingSocketHearsNoPushes(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, s := w.signIn(a, "ana")
		_, other := w.signIn(a, "ana")
		w.pass(0)
		b.store.Before(func(op string) {
			if op == "Session" { // the peer is pending
				b.store.Before(func(string) {})
				if err := b.registry.EndOwn(w.Context(), as(s), other.ID); err != nil {
					t.Error(err)
				}
			}
		})
		tab := w.open(b)
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		tab.want(wire.TypeReady)
	})
}

// R8, in small: sockets that open while their user is revoked. Everything is known, so that nothing but the order of
// joining and checking keeps the two apart.
func TestNoSocketSurvivesARevocationThatRacesItsAuth(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		for n := range 2000 {
			uid := session.UserID(strconv.Itoa(n))
			token, _ := w.signIn(i, uid)
			if _, err := i.gate.Admit(w.Context(), token, session.Origin{}); err != nil {
				t.Fatal(err)
			}
			tab := w.open(i)
			n := session.NewNotice(session.NoticeEnded, uid, session.ReasonAdminRevoked)
			n.Before = time.Now()
			var both sync.WaitGroup
			both.Go(func() {
				tab.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypeAuth, Token: token}))
			})
			both.Go(func() {
				for range rand.N(100) {
					runtime.Gosched()
				}
				i.inbox.Deliver(n)
			})
			both.Wait()
			tab.mu.Lock()
			code := tab.code
			tab.mu.Unlock()
			if code == 0 {
				t.Fatal("a socket survived")
			}
			tab.peer.Gone(wire.CloseNone)
		}
	})
}

func TestNobodyIsToldOfAStartThatIsOverAlready(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		tab := w.connect(b, token)
		b.store.Before(func(op string) {
			if op == "Session" { // of the one that has started
				<-time.After(time.Second)
			}
		})
		_, second := w.signIn(a, "ana")
		w.must(a.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, second.ID))
		w.pass(5 * time.Second)
		tab.want(wire.TypeSessionClosed)
	})
}

func TestDrainKeepsToItsTime(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		w.connect(i, token)
		w.pass(28*time.Minute - time.Second)
		hanging := make(chan struct{})
		i.store.Before(func(op string) {
			if op == "Session" {
				<-hanging
			}
		})
		w.pass(time.Second) // it is being looked at
		ctx, cancel := context.WithTimeout(w.Context(), time.Millisecond)
		defer cancel()
		began := time.Now()
		i.hub.Drain(ctx)
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %s", took)
		}
		close(hanging)
	})
}
