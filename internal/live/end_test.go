package live_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/live"
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

// R1: who ends again what another instance has ended, because the first answer was lost, is told so by an instance that acts on it.
func TestAnEndThatIsFoundClosesSocketsHere(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, s := w.signIn(a, "ana")
		tab := w.connect(b, token)
		b.stopFeed()
		for _, i := range []*instance{a, b} {
			w.must(i.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID))
		}
		tab.closed(wire.CloseRevoked, wire.TypeSessionRevoked, "admin_revoked")
	})
}

// So is who ends several at once, of which another instance has just ended one.
func TestAnEndThatIsFoundAmongSeveralClosesSocketsHere(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, s := w.signIn(a, "ana")
		tab := w.connect(b, token)
		_, own := w.signIn(a, "ana")
		w.pass(0)
		tab.want(wire.TypeSessionStarted)
		b.stopFeed()
		b.store.After(func(op string) {
			if op == "UserSessions" { // what is to end has been read
				w.must(a.registry.AdminEnd(w.Context(), session.Actor{By: "boss"}, s.ID))
			}
		})
		if n, err := b.registry.EndOthers(w.Context(), as(own)); n != 0 || err != nil {
			t.Fatalf("%d ended, %v", n, err)
		}
		tab.closed(wire.CloseRevoked, wire.TypeSessionRevoked, "admin_revoked")
	})
}

// The others have been told when it ended, here or wherever that was.
func TestAnEndThatIsFoundIsNoNews(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, kept := w.signIn(i, "ana")
		_, old := w.signIn(i, "ana")
		w.pass(0)
		tab := w.connect(i, token)
		for range 3 {
			w.must(i.registry.EndOwn(w.Context(), as(kept), old.ID))
		}
		w.pass(0)
		tab.want(wire.TypeSessionClosed)
		tab.open()
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

// R8: sockets that open while their user is revoked. Everything is known, so that nothing but the order of joining and checking
// keeps the two apart. With the order turned round some survive.
func TestNoSocketSurvivesARevocationThatRacesItsAuth(t *testing.T) {
	const worlds, users, sockets = 20, 500, 10
	ready := 0 // those that the revocation came after
	for range worlds {
		inWorld(t, func(w *world) {
			i := w.start()
			for n := range users {
				ready += w.race(i, session.UserID(strconv.Itoa(n)), sockets)
			}
		})
	}
	if all := worlds * users * sockets; ready == 0 || ready == all {
		t.Errorf("it was no race: %d of %d sockets were ready first", ready, all)
	}
}

// race has sockets of a user authenticate while the user is revoked, and returns how many were ready before.
func (w *world) race(i *instance, uid session.UserID, sockets int) (ready int) {
	w.Helper()
	token := w.accounts.SignIn(uid)
	if _, err := i.registry.Register(w.Context(), w.accounts.Identity(token), session.SignIn{}); err != nil {
		w.Fatal(err)
	}
	if _, err := i.gate.Admit(w.Context(), token, session.Origin{}); err != nil {
		w.Fatal(err)
	}
	auth := wire.Encode(wire.Request{Type: wire.TypeAuth, Token: token})
	revocation := session.NewNotice(session.NoticeEnded, uid, session.ReasonAdminRevoked)
	revocation.Before = time.Now()
	racers, peers := make([]racer, sockets), make([]*live.Peer, sockets)
	var begin, all sync.WaitGroup
	begin.Add(1)
	for n := range racers {
		peers[n] = i.hub.Connect(&racers[n], session.Origin{})
		all.Go(func() {
			begin.Wait()
			peers[n].Receive(w.Context(), auth)
		})
	}
	all.Go(func() {
		begin.Wait()
		for range rand.N(2 * sockets) {
			runtime.Gosched()
		}
		i.inbox.Deliver(revocation)
	})
	begin.Done()
	all.Wait()
	for n, peer := range peers {
		peer.Gone(wire.CloseNone)
		if racers[n].code == 0 {
			w.Fatal("a socket survived")
		}
		ready += racers[n].frames
	}
	return ready
}

// racer is a connection that remembers the least. It implements live.Conn; a peer calls it under its lock.
type racer struct {
	frames int // before the end: one, if it was ready
	code   wire.CloseCode
}

func (r *racer) Send([]byte) { r.frames++ }
func (*racer) Ping([]byte)   {}

func (r *racer) Close(code wire.CloseCode, _ []byte) { r.code = code }

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
