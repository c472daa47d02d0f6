package socket

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/vigilhq/vigil/internal/wire"
)

// full is set by make faults.
var full = flag.Bool("full", false, "do in full what takes minutes")

// caller is a client that says no more than it is told to, byte by byte.
type caller struct {
	net.Conn
	read *bufio.Reader
	auth []byte // the frame
}

// say sends some bytes.
func (c *caller) say(b []byte) error {
	_, err := c.Write(b)
	return err
}

// handshake asks for a socket.
const handshake = "GET /v1/ws HTTP/1.1\r\nHost: vigil.test\r\nOrigin: " + dashboard + "\r\n" + ipHeader + ": " + home + "\r\n" +
	"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// upgraded waits for the server's consent.
func (c *caller) upgraded() error {
	answer, err := http.ReadResponse(c.read, nil) //nolint:bodyclose // a 101 has none
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(answer.Status)
	}
	return err
}

// hear waits for a frame that begins like this, past others.
func (c *caller) hear(first byte) error {
	for {
		head, err := c.read.Peek(2)
		if err != nil {
			return err
		}
		found, size := head[0] == first, 2+int(head[1])
		if head[1] == 126 { // no frame here is longer than two bytes can tell
			if head, err = c.read.Peek(4); err != nil {
				return err
			}
			size = 4 + int(head[2])<<8 + int(head[3])
		}
		if _, err = c.read.Discard(size); err != nil || found {
			return err
		}
	}
}

var pingFrame = clientFrame(fin|opText, `{"type":"ping"}`)

// stages are the states in which a connection can be cut, each with what leads to it from the one before.
var stages = []struct {
	name string
	next func(c *caller) error
}{
	{"connected", func(*caller) error { return nil }},
	{"half a handshake", func(c *caller) error { return c.say([]byte(handshake[:len(handshake)/2])) }},
	{"upgraded", func(c *caller) error { return errors.Join(c.say([]byte(handshake[len(handshake)/2:])), c.upgraded()) }},
	{"half an auth", func(c *caller) error { return c.say(c.auth[:len(c.auth)/2]) }},
	{"auth", func(c *caller) error { return c.say(c.auth[len(c.auth)/2:]) }},
	{"ready", func(c *caller) error { return c.hear(fin | opText) }},
	{"half a frame", func(c *caller) error { return c.say(pingFrame[:len(pingFrame)/2]) }},
	{"half a message", func(c *caller) error {
		return errors.Join(c.say(pingFrame[len(pingFrame)/2:]), c.say(clientFrame(opText, `{"type":`)))
	}},
	{"being closed", func(c *caller) error {
		return errors.Join(c.hear(fin|opText), c.say(clientFrame(fin|reservedOp, "")), c.hear(fin|websocket.CloseMessage))
	}},
}

// upgradedAt is the first of them in which there is a peer.
const upgradedAt = 2

// abort opens a connection from an address of this machine's own, brings it to a stage and cuts it: with a reset, or in order, and then the
// server has to follow.
func (w *world) abort(from net.IP, token string, stage int, reset bool) error {
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second)
	defer cancel()
	nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}).DialContext(ctx, "tcp", w.addr.String())
	if err != nil {
		return err
	}
	tcp := nc.(*net.TCPConn)
	defer tcp.Close()
	deadline, _ := ctx.Deadline()
	_ = tcp.SetDeadline(deadline)
	auth := wire.Encode(wire.Request{Type: wire.TypeAuth, Token: token})
	c := &caller{tcp, bufio.NewReader(tcp), clientFrame(fin|opText, string(auth))}
	for _, s := range stages[:stage+1] {
		if err := s.next(c); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if reset {
		return errors.Join(tcp.SetLinger(0), tcp.Close())
	}
	if err := tcp.CloseWrite(); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, tcp); err != nil {
		return fmt.Errorf("%s, and then nothing: %w", stages[stage].name, err)
	}
	return nil
}

// aborts cuts connections, so many in each stage and each way, a few at a time.
func (w *world) aborts(token string, each int) {
	const atOnce = 8 // each from an address of its own, whose ports are free again a minute after an end in order
	var next atomic.Int64
	var callers sync.WaitGroup
	for n := range atOnce {
		callers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= 2*each*len(stages) || w.Failed() {
					return
				}
				if err := w.abort(net.IPv4(127, 0, 1, byte(1+n)), token, i/2%len(stages), i%2 == 0); err != nil {
					w.Error(err)
				}
				select {
				case <-w.returned: //nolint:errcheck // refused or not
				default: // later, or there was no request
				}
			}
		})
	}
	callers.Wait()
	w.eventually("all peers are gone", func() bool { return w.hub.Sockets() == 0 })
}

func TestConnectAndAbortLeavesNothingBehind(t *testing.T) {
	const few, many = 45, 5556 // in each stage, and each way: 810, and 100,008
	const slack = 256 << 10    // bytes: less than three for each of many
	each := few
	if *full {
		each = many
	}
	onLoopback(t, func(w *world) {
		w.server.accepts.SetLimit(rate.Inf)
		token, _ := w.signIn("ana")
		goroutines, files := runtime.NumGoroutine(), descriptors(t)
		w.aborts(token, few) // so that there is what is made once
		memory := inUse()

		began := time.Now()
		w.aborts(token, each)
		took := time.Since(began)
		w.eventually("goroutines and descriptors are as before", func() bool {
			return runtime.NumGoroutine() <= goroutines && descriptors(t) <= files
		})
		w.eventually("memory is as before", func() bool { return inUse() <= memory+slack })
		t.Logf("%d cycles in %v: %d goroutines before, %d after; %d descriptors, %d; %d bytes in use, %d",
			2*each*len(stages), took.Round(time.Millisecond), goroutines, runtime.NumGoroutine(), files, descriptors(t), memory, inUse())

		if got, want := w.counts.total(), 2*(each+few)*(len(stages)-upgradedAt); got != want {
			t.Errorf("%d closes are counted of %d sockets", got, want)
		}
		w.server.lobby.mu.Lock()
		defer w.server.lobby.mu.Unlock()
		if w.server.lobby.waiting != 0 || len(w.server.lobby.byHolder) != 0 {
			t.Errorf("%d places before auth are taken", w.server.lobby.waiting)
		}
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}
