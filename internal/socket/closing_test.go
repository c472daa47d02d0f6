package socket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/wire"
)

func TestACloseIsOverWithTheAnswer(t *testing.T) {
	inBubble(t, func(w *world) {
		token, id := w.signIn("ana")
		tab := w.connect(token).browse()
		began := time.Now()
		w.end("ana", id)
		tab.wantClosed(4502, wire.TypeSessionRevoked, "admin_revoked")
		if after := (<-tab.cut).Sub(began); after != 0 {
			w.Errorf("cut after %s", after)
		}
		synctest.Wait()
		if n := w.hub.Sockets(); n != 0 {
			w.Errorf("%d sockets", n)
		}
	})
}

func TestACloseThatIsNotAnsweredIsCut(t *testing.T) {
	for name, busy := range map[string]bool{"silent": false, "goes on talking": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				token, id := w.signIn("ana")
				tab := w.connect(token).mute().browse()
				began := time.Now()
				w.end("ana", id)
				tab.wantClosed(4502, wire.TypeSessionRevoked, "admin_revoked")
				var talk sync.WaitGroup
				defer talk.Wait()
				if busy {
					message := wire.Encode(wire.Request{Type: wire.TypePing, Token: w.accounts.SignIn("ben")})
					talk.Go(func() {
						for tab.raw(clientFrame(fin|opText, string(message)), clientFrame(fin|opPing, "")) == nil {
							<-time.After(time.Millisecond)
						}
					})
				}
				asked := w.accounts.LookUps()
				if after := (<-tab.cut).Sub(began); after != closeTimeout {
					w.Errorf("cut after %s", after)
				}
				if n := w.accounts.LookUps(); n != asked {
					w.Errorf("it was listened to: %d look-ups", n-asked)
				}
			})
		})
	}
}

func TestACloseDoesNotWaitForWhatIsUnderWay(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		defer w.hold()()
		tab := w.open(home).mute().browse()
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		synctest.Wait()
		began := time.Now()
		w.drain()
		tab.wantClosed(4000, "", "")
		if after := (<-tab.cut).Sub(began); after != closeTimeout {
			w.Errorf("cut after %s", after)
		}
	})
}

// What is pushed while gorilla closes for a protocol error is lost, but takes nothing with it.
func TestAPushDuringAProtocolErrorDoesNotCutItShort(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		tab := w.connect(token).mute()
		if err := tab.raw(clientFrame(fin|reservedOp, "")); err != nil {
			w.Fatal(err)
		}
		synctest.Wait() // the close waits for its reader, and the push for the close
		w.push("ana", 1)
		synctest.Wait()
		began := time.Now()
		tab.browse().wantClosed(1002, "", "")
		synctest.Wait()
		if n := w.hub.Sockets(); n != 0 {
			w.Errorf("%d sockets while the close is under way", n)
		}
		if after := (<-tab.cut).Sub(began); after != closeTimeout {
			w.Errorf("cut after %s", after)
		}
	})
}

func TestACloseOfTheClientIsAnswered(t *testing.T) {
	for _, code := range []int{websocket.CloseNormalClosure, websocket.CloseGoingAway, 4321} {
		inBubble(t, func(w *world) {
			token, _ := w.signIn("ana")
			tab := w.connect(token).browse()
			began := time.Now()
			if err := tab.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, "bye"), time.Time{}); err != nil {
				w.Fatal(err)
			}
			tab.wantClosed(code, "", "")
			if after := (<-tab.cut).Sub(began); after != 0 {
				w.Errorf("cut after %s", after)
			}
			synctest.Wait()
			if n := w.hub.Sockets(); n != 0 {
				w.Errorf("%d sockets", n)
			}
		})
	}
}

// R11: one reader in a hundred stops.
func TestAReaderThatStopsIsCutAndTheOthersAreNotHarmed(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		stopped := w.connect(token)
		var others []*tab
		for range 99 {
			others = append(others, w.connect(token).browse())
		}
		began := time.Now()
		for range 3 {
			w.push("ana", 10)
			synctest.Wait()
		}
		for _, tab := range others {
			for range 30 {
				tab.want(wire.TypeSessionClosed)
			}
		}
		if after := time.Since(began); after != 0 {
			w.Errorf("the others had to wait for %s", after)
		}
		<-time.After(writeTimeout - 1)
		synctest.Wait()
		if n := w.hub.Sockets(); n != 100 {
			w.Errorf("%d sockets before the write timeout", n)
		}
		<-time.After(1)
		synctest.Wait()
		if n := w.hub.Sockets(); n != 99 {
			w.Errorf("%d sockets after the write timeout", n)
		}
		w.counts.want(w.T, map[wire.CloseCode]int{wire.CloseSlow: 1})
		stopped.browse().wantClosed(websocket.CloseAbnormalClosure, "", "")
		w.push("ana", 1)
		for _, tab := range others {
			tab.want(wire.TypeSessionClosed)
		}
	})
}

func TestAReaderThatFallsBehindIsTold(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		tab := w.connect(token)
		w.push("ana", 1)
		synctest.Wait() // one is being written
		w.push("ana", maxQueued)
		<-time.After(writeTimeout - time.Second)
		w.push("ana", 2*maxQueued) // one too many, and more
		if _, _, err := tab.ReadMessage(); err != nil {
			w.Fatal(err)
		}
		tab.browse().wantClosed(4003, "", "") // right after
		<-tab.cut
		synctest.Wait()
		w.counts.want(w.T, map[wire.CloseCode]int{wire.CloseSlow: 1})
	})
}

// Each frame is taken in time, so that none of them shows how slow the reader is.
func TestACloseDoesNotWaitForASlowReader(t *testing.T) {
	inBubble(t, func(w *world) {
		token, id := w.signIn("ana")
		tab := w.connect(token)
		w.push("ana", 50)
		w.end("ana", id)
		<-time.After(writeTimeout - 1)
		if _, _, err := tab.ReadMessage(); err != nil {
			w.Fatal(err)
		}
		synctest.Wait()
		if n := w.hub.Sockets(); n != 1 {
			w.Errorf("%d sockets before the write timeout", n)
		}
		<-time.After(1)
		synctest.Wait()
		if n := w.hub.Sockets(); n != 0 {
			w.Errorf("%d sockets after the write timeout", n)
		}
	})
}

func TestTheServerClosesAfterItsConnections(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		w.connect(token).mute().browse()
		answering := w.connect(token).browse()
		began := time.Now()
		limited, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		w.drain()
		w.server.Close(limited)
		if after := time.Since(began); after != time.Second {
			w.Errorf("gave up after %s", after)
		}
		w.server.Close(w.Context())
		if after := time.Since(began); after != closeTimeout {
			w.Errorf("closed after %s", after)
		}
		answering.wantClosed(4000, "", "")
	})
}

func TestClosingTheServerEndsWorkUnderWay(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		defer w.hold()()
		tab := w.open(home).browse()
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		synctest.Wait()
		began := time.Now()
		w.server.Close(w.Context())
		tab.wantClosed(4002, "", "")
		if after := time.Since(began); after != 0 {
			w.Errorf("after %s", after)
		}
	})
}

func TestServeAndCloseAtOnce(t *testing.T) {
	onLoopback(t, func(w *world) {
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				for range 20 {
					ws, err := w.upgrade(home)
					if err != nil {
						if !errors.Is(err, websocket.ErrBadHandshake) {
							t.Error(err)
						}
						return
					}
					_ = ws.Close()
				}
			})
		}
		w.server.Close(w.Context())
		clients.Wait()
	})
}

// Who ends its side without a goodbye is told nothing: there is no code for that.
func TestAnEndWithoutACloseIsNotAnswered(t *testing.T) {
	onLoopback(t, func(w *world) {
		token, _ := w.signIn("ana")
		tab := w.connect(token)
		if err := tab.NetConn().(*net.TCPConn).CloseWrite(); err != nil { //nolint:forcetypeassert // it is loopback
			w.Fatal(err)
		}
		if rest, err := io.ReadAll(tab.NetConn()); err != nil || len(rest) > 0 {
			w.Errorf("%q, %v", rest, err)
		}
	})
}

// pair is a server's connection that nobody reads, and the client's end of it.
func (w *world) pair() (*conn, *tab) {
	w.Helper()
	listener := newPipes()
	accepted := make(chan *conn, 1)
	web := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c, err := w.server.upgrade(rw, r)
		if err != nil {
			w.Error(err)
		}
		accepted <- c
	})}
	go func() { _ = web.Serve(listener) }()
	w.Cleanup(func() { _ = web.Close() })
	there := *w
	there.dial = listener.dial
	t := there.open(home)
	return <-accepted, t
}

func TestAPingGoesWithTheFrameBeforeIt(t *testing.T) {
	inBubble(t, func(w *world) {
		c, tab := w.pair()
		c.Ping([]byte("{}"))
		written := make([]byte, 100)
		n, err := tab.NetConn().Read(written)
		if want := []byte{fin | opText, 2, '{', '}', fin | opPing, 0}; err != nil || !bytes.Equal(written[:n], want) {
			w.Errorf("%v, %v", written[:n], err)
		}
		c.Send([]byte(`{"type":"first"}`))
		synctest.Wait() // it is being written
		for range maxQueued - 1 {
			c.Send([]byte("{}"))
		}
		c.Ping([]byte("{}")) // of which the frame has room
		tab.mute().browse().want("first")
		tab.wantClosed(4003, "", "")
		<-tab.cut
	})
}

func TestNothingGoesAfterAClose(t *testing.T) {
	inBubble(t, func(w *world) {
		c, tab := w.pair()
		c.Send([]byte(`{"type":"first"}`))
		synctest.Wait()
		c.Close(wire.CloseRevoked, []byte(`{"type":"last","reason":"why"}`))
		c.Close(wire.CloseRestart, []byte(`{"type":"late"}`))
		c.Send([]byte(`{"type":"later"}`))
		c.Ping(nil)
		if n := c.line.queued; n != 2 {
			w.Errorf("%d frames after the one that is being written", n)
		}
		tab.mute().browse().want("first")
		tab.wantClosed(4502, "last", "why")
		c.server.running.Wait()
		c.Send(nil)
		c.Ping(nil)
		c.Close(wire.CloseRestart, nil)
		c.server.running.Wait()
		if c.line.queue != nil || c.writing {
			w.Errorf("%d frames wait for a writer", c.line.queued)
		}
		<-tab.cut
	})
}

func TestALostConnectionTakesNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		c, tab := w.pair()
		if err := tab.Conn.Close(); err != nil {
			w.Fatal(err)
		}
		for range 2 * maxQueued {
			c.Send([]byte("{}"))
			synctest.Wait()
		}
		if !c.closing() {
			w.Error("there is hope for it")
		}
		c.Close(wire.CloseRestart, nil)
		c.server.running.Wait()
		if c.line.queue != nil || c.writing {
			w.Errorf("%d frames wait for a writer", c.line.queued)
		}
	})
}

func TestEverybodyAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		for range 20 {
			c, tab := w.pair()
			tab.mute().browse()
			var callers sync.WaitGroup
			for i := range 8 {
				callers.Go(func() {
					for range 20 {
						c.Ping([]byte("{}"))
						c.Ping(nil)
					}
					if i == 0 {
						c.Close(wire.CloseRestart, nil)
					}
				})
			}
			callers.Wait()
			if end := <-tab.closed; end.code != 4000 && end.code != 4003 {
				w.Errorf("closed with %d", end.code)
			}
			<-tab.cut
			c.server.running.Wait()
		}
	})
}
