package live_test

import (
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestSilenceClosesAndPongsCount(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		alive, dead := w.connect(i, token), w.connect(i, token)
		dead.mute.Store(true)
		w.pass(options.DisconnectTimeout - 1)
		dead.open()
		w.pass(1)
		dead.closed(wire.CloseSilent, "", "")
		w.pass(20 * time.Minute)
		alive.open()
		if alive.pings < 40 || alive.pings > 43 { // one each heartbeat interval
			t.Errorf("%d pings in 21 minutes", alive.pings)
		}
	})
}

func TestAnUnprovenFeedClosesSocketsForAReconnection(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		tab := w.connect(i, token)
		i.stopFeed()
		w.pass(2*feedResync - 2*time.Second)
		tab.open()
		w.pass(4 * time.Second)
		tab.closed(wire.CloseUnavailable, "", "")
		stored, err := w.data.Session(w.Context(), s.ID)
		if err != nil || stored.Status != session.StatusActive {
			t.Errorf("%s, %v", stored.EndReason, err)
		}
		i.runFeed(w)
		w.connect(i, token)
	})
}

// R1: what a ping is answered does not wait for the look at the vitals. A process that was stopped may find a ping before anything else.
func TestAPingBeyondTheBoundIsNotAnswered(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		tab := w.connect(b, token)
		b.stopFeed()
		w.revoke(a, "ana")
		age, _ := b.inbox.Age()
		w.pass(2*feedResync - age)
		tab.send(wire.Request{Type: wire.TypePing, Token: token})
		if f := tab.want(wire.TypePong); f["tokenValid"] != true {
			t.Fatalf("within the bound: %v", f)
		}
		w.pass(1)
		tab.send(wire.Request{Type: wire.TypePing, Token: token})
		tab.closed(wire.CloseUnavailable, "", "")
	})
}

// R1: notices may have come and gone while nobody looked, so a socket does not live through a gap.
func TestNoSocketLivesThroughAGap(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		i.stopFeed()
		age, _ := i.inbox.Age()
		w.pass(2*feedResync - age + 1)
		tab.open()
		i.inbox.Prove(time.Now())
		tab.closed(wire.CloseUnavailable, "", "")
	})
}

func TestNoActivityIsAcceptedOnAnUnprovenFeed(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		tab := w.connect(i, token)
		i.stopFeed()
		age, _ := i.inbox.Age()
		w.pass(2*feedResync - age + 1)
		tab.open()
		tab.send(wire.Request{Type: wire.TypeActivity})
		tab.closed(wire.CloseUnavailable, "", "")
		if stored, err := w.data.Session(w.Context(), s.ID); err != nil || !stored.LastActive.Equal(s.LastActive) {
			t.Errorf("active at %s, %v", stored.LastActive, err)
		}
	})
}

func TestSocketsPerSessionAreBounded(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.SocketsPerSession = 3
		i := w.start()
		token, _ := w.signIn(i, "ana")
		var tabs []*tab
		for range 4 {
			tabs = append(tabs, w.connect(i, token))
		}
		tabs[0].closed(wire.CloseTooMany, "", "")
		for _, tab := range tabs[1:] {
			tab.open()
		}
	})
}

func TestASocketThatIsBeingClosedTakesNoPlace(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.SocketsPerSession = 3
		i := w.start()
		token, _ := w.signIn(i, "ana")
		oldest, closed, third := w.connect(i, token), w.connect(i, token), w.connect(i, token)
		closed.send(wire.Request{Type: "unknown"}) // whose browser has yet to answer
		closed.closed(wire.CloseProtocol, "", "")
		fourth := w.connect(i, token)
		oldest.open()
		w.connect(i, token)
		oldest.closed(wire.CloseTooMany, "", "")
		third.open()
		fourth.open()
	})
}

func TestDrain(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tabs := []*tab{w.connect(i, token), w.connect(i, token), w.open(i)}
		i.hub.Drain(w.Context())
		for _, tab := range append(tabs, w.open(i)) {
			tab.closed(wire.CloseRestart, "", "")
		}
	})
}

func TestGonePeersLeaveNothingBehind(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab, silent := w.connect(i, token), w.open(i)
		tab.peer.Gone(wire.CloseNone)
		silent.peer.Gone(wire.CloseNone)
		if n := i.hub.Sockets(); n != 0 {
			t.Errorf("%d sockets", n)
		}
		w.pass(31 * time.Minute)
		tab.want()
	})
}
