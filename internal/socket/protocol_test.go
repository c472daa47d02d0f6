package socket

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/wire"
)

func TestAConversation(t *testing.T) {
	onLoopback(t, func(w *world) {
		token, id := w.signIn("ana")
		tab := w.open(home).browse()
		if err := <-w.returned; err != nil { // from the handler, while the socket lives on
			t.Error(err)
		}
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		if view, _ := tab.want(wire.TypeReady)["session"].(map[string]any); view["id"] != string(id) {
			t.Errorf("session %v", view)
		}
		tab.send(wire.Request{Type: wire.TypePing, Timestamp: []byte(`17`)})
		if f := tab.want(wire.TypePong); f["timestamp"] != 17.0 || f["tokenValid"] != true {
			t.Errorf("%v", f)
		}
		tab.send(wire.Request{Type: wire.TypeActivity})
		w.push("ana", 1)
		tab.want(wire.TypeSessionClosed)
		w.end("ana", id)
		tab.wantClosed(4502, wire.TypeSessionRevoked, "admin_revoked")
		<-tab.cut
		w.eventually("the peer is gone", func() bool { return w.hub.Sockets() == 0 })
	})
}

func TestWhatTheProtocolDoesNotKnow(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 1<<20)
	ping, message := clientFrame(fin|opPing, ""), clientFrame(fin|opText, `{"type":"ping"}`)
	for name, c := range map[string]struct {
		frames [][]byte
		code   int
	}{
		"binary":                    {[][]byte{clientFrame(fin|websocket.BinaryMessage, `{"type":"ping"}`)}, 4500},
		"text that is not UTF-8":    {[][]byte{clientFrame(fin|opText, "{\"type\":\"ping\",\"timestamp\":\"\xff\"}")}, 4500},
		"bad JSON":                  {[][]byte{clientFrame(fin|opText, `{"type":`)}, 4500},
		"reserved opcode":           {[][]byte{clientFrame(fin|reservedOp, ""), long}, 1002},
		"reserved bit":              {[][]byte{clientFrame(fin|reservedBit|opText, "{}")}, 1002},
		"not masked":                {[][]byte{{fin | opText, 2}, []byte("{}")}, 1002},
		"fragmented control frame":  {[][]byte{clientFrame(opPing, "")}, 1002},
		"not masked pong":           {[][]byte{{fin | websocket.PongMessage, 4}, make([]byte, 8), message}, 1002},
		"fragmented pong":           {[][]byte{clientFrame(websocket.PongMessage, "")}, 1002},
		"pong of a reserved bit":    {[][]byte{clientFrame(fin|reservedBit|websocket.PongMessage, "")}, 1002},
		"long pong":                 {[][]byte{{fin | websocket.PongMessage, 0x80 | 126}, make([]byte, 130), message}, 1002},
		"long control frame":        {[][]byte{{fin | opPing, 0x80 | 126, 0, 200, 0, 0, 0, 0}, long[:200]}, 1002},
		"continues nothing":         {[][]byte{clientFrame(fin|opContinue, "x")}, 1002},
		"message inside another":    {[][]byte{clientFrame(opText, "x"), clientFrame(fin|opText, "{}")}, 1002},
		"invalid close code":        {[][]byte{clientFrame(fin|websocket.CloseMessage, "\x03\xee")}, 1002}, // 1006
		"too long by a byte":        {[][]byte{{fin | opText, 0x80 | 126, 0x40, 0x01, 0, 0, 0, 0}, long}, 1009},
		"too long, and all of it":   {[][]byte{{fin | opText, 0x80 | 127, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0}, long}, 1009},
		"2^63-1":                    {[][]byte{{fin | opText, 0x80 | 127, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0}, long}, 1009},
		"2^63":                      {[][]byte{{fin | opText, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, long}, 1009},
		"2^63-1 after a fragment":   {[][]byte{clientFrame(opText, "x"), {fin, 0x80 | 127, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0}, long}, 1009},
		"fragments without end":     {[][]byte{clientFrame(opText, "x"), bytes.Repeat(clientFrame(opContinue, strings.Repeat("x", 100)), 200)}, 1009},
		"fragments without content": {[][]byte{clientFrame(opText, ""), bytes.Repeat(clientFrame(opContinue, ""), 100_000)}, 4005},
		"flood of pings":            {[][]byte{bytes.Repeat(ping, 1000)}, 4005},
		"flood of pongs":            {[][]byte{bytes.Repeat(clientFrame(fin|websocket.PongMessage, "x"), 1000)}, 4005},
		"flood of messages":         {[][]byte{bytes.Repeat(message, 1000)}, 4005},
		"pongs inside a message":    {[][]byte{clientFrame(opText, "x"), bytes.Repeat(clientFrame(fin|websocket.PongMessage, ""), 1000)}, 4005},
		"pings inside a message":    {[][]byte{clientFrame(opText, "x"), bytes.Repeat(ping, 1000)}, 4005},
	} {
		t.Run(name, func(t *testing.T) {
			onLoopback(t, func(w *world) {
				token, _ := w.signIn("ana")
				tab := w.connect(token).browse()
				before := allocated()
				_ = tab.raw(c.frames...) // may be cut off
				if end := <-tab.closed; end.code != c.code {
					t.Errorf("closed with %d, want %d", end.code, c.code)
				}
				if more := allocated() - before; more > 4<<20 {
					t.Errorf("%d bytes allocated", more)
				}
				<-tab.cut
			})
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// However pongs come, the messages between them arrive.
func TestPongsBetweenMessages(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		tab := w.connect(token).mute()
		pong := clientFrame(fin|websocket.PongMessage, strings.Repeat("x", 125))
		message := clientFrame(fin|opText, `{"type":"ping"}`)
		half := len(message) - 5
		for name, parts := range map[string][][]byte{
			"before":                {pong, message},
			"before, at once":       {slices.Concat(pong, message)},
			"after, at once":        {slices.Concat(message, pong)},
			"in between, at once":   {slices.Concat(pong, pong, message, pong)},
			"in bits":               {pong[:1], pong[1:3], pong[3:50], pong[50:], message[:1], message[1:]},
			"inside of a message":   {clientFrame(opText, `{"type":`), pong, clientFrame(fin|opContinue, `"ping"}`), pong},
			"beside parts of it":    {slices.Concat(pong, message[:half]), slices.Concat(message[half:], pong[:7]), pong[7:]},
			"empty":                 {clientFrame(fin|websocket.PongMessage, ""), message},
			"empty and in bits too": {{fin | websocket.PongMessage}, {0x80, 0, 0}, slices.Concat([]byte{0, 0}, message)},
		} {
			for _, part := range parts {
				if err := tab.raw(part); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // it has been read
			}
			var f map[string]any
			if err := tab.ReadJSON(&f); err != nil || f["type"] != string(wire.TypePong) {
				t.Fatalf("%s: %v, %v", name, f, err)
			}
			<-time.After(time.Minute / 4) // for the next ones not to be too many
		}
	})
}

// Whoever has read a pong waits for what comes next where the stack is small: not in gorilla.
func TestAPongLeavesNobodyInGorilla(t *testing.T) {
	onLoopback(t, func(w *world) {
		token, _ := w.signIn("ana")
		tab := w.connect(token)
		if err := tab.raw(clientFrame(fin|opText, `{"type":"ping"}`), clientFrame(fin|websocket.PongMessage, "")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := tab.ReadMessage(); err != nil {
			t.Fatal(err)
		}
		w.eventually("the pong is read, and somebody awaits more", func() bool {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			return !bytes.Contains(stacks, []byte("NextReader")) && bytes.Contains(stacks, []byte("await"))
		})
	})
}

func TestTheLongestMessage(t *testing.T) {
	onLoopback(t, func(w *world) {
		token, _ := w.signIn("ana")
		tab := w.connect(token).browse()
		message := []byte(`{"type":"ping","x":"`)
		message = append(message, bytes.Repeat([]byte("x"), readLimit-len(message)-2)...)
		message = append(message, '"', '}')
		for range 10 {
			if err := tab.WriteMessage(websocket.TextMessage, message); err != nil {
				t.Fatal(err)
			}
			tab.want(wire.TypePong)
		}
	})
}

func TestPingsOfTheClientAreAnswered(t *testing.T) {
	onLoopback(t, func(w *world) {
		tab := w.open(home)
		pong := make(chan string, 1)
		tab.SetPongHandler(func(data string) error { pong <- data; return nil })
		tab.browse()
		if err := tab.WriteControl(websocket.PingMessage, []byte("still there?"), time.Time{}); err != nil {
			t.Fatal(err)
		}
		if data := <-pong; data != "still there?" {
			t.Errorf("pong %q", data)
		}
	})
}

func TestSilenceBeforeAuth(t *testing.T) {
	inBubble(t, func(w *world) {
		began := time.Now()
		tab := w.open(home).mute().browse()
		if after := tab.wantClosed(4501, wire.TypeAuthExpired, "token_missing").Sub(began); after != options.AuthTimeout {
			w.Errorf("closed after %s", after)
		}
		if after := (<-tab.cut).Sub(began); after != options.AuthTimeout+closeTimeout {
			w.Errorf("cut after %s", after)
		}
	})
}

func TestOneByteASecond(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		began := time.Now()
		tab := w.open(home).browse()
		var trickle sync.WaitGroup
		defer trickle.Wait()
		trickle.Go(func() {
			for _, b := range clientFrame(fin|opText, string(wire.Encode(wire.Request{Type: wire.TypeAuth, Token: token}))) {
				if tab.raw([]byte{b}) != nil {
					return
				}
				<-time.After(time.Second)
			}
			w.Error("never cut off")
		})
		if after := tab.wantClosed(4501, wire.TypeAuthExpired, "token_missing").Sub(began); after != options.AuthTimeout {
			w.Errorf("closed after %s", after)
		}
		if after := (<-tab.cut).Sub(began); after > options.AuthTimeout+closeTimeout {
			w.Errorf("cut after %s", after)
		}
	})
}

func TestAnUnfinishedMessageIsNoSignOfLife(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		tab := w.connect(token).mute().browse()
		began := time.Now()
		var trickle sync.WaitGroup
		defer trickle.Wait()
		trickle.Go(func() {
			for err := tab.raw(clientFrame(opText, "")); err == nil; err = tab.raw(clientFrame(opContinue, "x")) {
				<-time.After(time.Second)
			}
		})
		if after := tab.wantClosed(4004, "", "").Sub(began); after != options.DisconnectTimeout {
			w.Errorf("closed after %s", after)
		}
		<-tab.cut
	})
}

func TestControlFramesAreWelcomeForever(t *testing.T) {
	for name, opcode := range map[string]byte{"pings": websocket.PingMessage, "pongs": websocket.PongMessage} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(w *world) {
				token, _ := w.signIn("ana")
				tab := w.connect(token).browse()
				for range 2 * maxIntake / 100 {
					if err := tab.raw(clientFrame(fin|opcode, strings.Repeat("x", 100))); err != nil {
						w.Fatal(err)
					}
					<-time.After(250 * time.Millisecond)
				}
				tab.send(ping)
				tab.want(wire.TypePong)
			})
		})
	}
}

func TestPongsAreASignOfLife(t *testing.T) {
	inBubble(t, func(w *world) {
		token, _ := w.signIn("ana")
		alive, dead := w.connect(token).browse(), w.connect(token).mute().browse()
		dead.wantClosed(4004, "", "")
		<-time.After(20 * time.Minute)
		synctest.Wait()
		alive.send(ping)
		alive.want(wire.TypePong)
	})
}
