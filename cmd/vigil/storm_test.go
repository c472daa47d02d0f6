package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/socket"
	"github.com/vigilhq/vigil/internal/wire"
)

// ending is how a socket has ended.
type ending struct {
	code wire.CloseCode // 0: lost without a word
	at   time.Time
}

// hold opens a socket, waits until it is ready and tells its end. It is for goroutines.
func (u *user) hold(p *process, ends chan<- ending) error {
	client, err := socket.Dial(p.Context(), "ws"+strings.TrimPrefix(p.api, "http")+"/v1/ws", "https://dashboard.example.com")
	if err != nil {
		return err
	}
	p.Cleanup(func() { _ = client.Close() })
	if err := client.Write(wire.Request{Type: wire.TypeAuth, Token: u.idToken}); err != nil {
		return err
	}
	if frame, err := client.Read(); err != nil || !strings.Contains(string(frame), string(wire.TypeReady)) {
		return fmt.Errorf("%s, %w", frame, err)
	}
	go func() {
		for {
			_, err := client.Read()
			if closed, ok := errors.AsType[*socket.ClosedError](err); ok {
				ends <- ending{closed.Code, time.Now()}
				return
			}
			if err != nil {
				ends <- ending{0, time.Now()}
				return
			}
		}
	}()
	return nil
}

// R13 of docs/security.md: a restart with many sockets tells each of them so, one after the other, within the time that platforms give.
func TestR13TerminationWithManySockets(t *testing.T) {
	const users, tabs, atOnce = 42, 50, 40
	w := newWorld(t)
	p := w.serve("", "STORE=memory", "RATE_LIMITS=off")
	silent := p.silent()
	ends := make(chan ending, users*tabs)
	var opening sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for n := range users {
		uid := fmt.Sprint("user", n)
		w.createUser(uid, userPass, nil)
		u := &user{world: w, browser: browser{identity: w.identity.URL, key: "test", email: uid + "@example.com", password: userPass}}
		if err := u.browser.signIn(t.Context()); err != nil {
			t.Fatal(err)
		}
		u.register(p)
		for range tabs {
			slots <- struct{}{}
			opening.Go(func() {
				if err := u.hold(p, ends); err != nil {
					t.Error(err)
				}
				<-slots
			})
		}
	}
	opening.Wait()
	if t.Failed() {
		t.FailNow()
	}
	<-silent // a connection without a request has been given up by itself

	began := time.Now()
	p.signal(syscall.SIGTERM)
	var first, last time.Time
	for range users * tabs {
		select {
		case end := <-ends:
			if end.code != wire.CloseRestart {
				t.Fatalf("closed with %d after %v", end.code, end.at.Sub(began))
			}
			if first.IsZero() || end.at.Before(first) {
				first = end.at
			}
			if end.at.After(last) {
				last = end.at
			}
		case <-time.After(patience):
			t.Fatal("not all are told")
		}
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	t.Logf("%d sockets: the first after %v, the last after %v, the process has ended after %v", users*tabs, first.Sub(began), last.Sub(began), time.Since(began))
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the process has ended after %v", took)
	}
	if spread := last.Sub(first); spread < time.Second { // at a thousand a second it is two
		t.Errorf("all are told within %v", spread)
	}
}

// silent opens a connection that never says anything, and tells when the instance has closed it.
func (p *process) silent() <-chan struct{} {
	p.Helper()
	nc, err := new(net.Dialer).DialContext(p.Context(), "tcp", strings.TrimPrefix(p.api, "http://"))
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = nc.Close() })
	closed := make(chan struct{})
	go func() {
		_ = nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := nc.Read(make([]byte, 1)); errors.Is(err, net.ErrClosed) || err == nil {
			p.Errorf("read: %v", err)
		} else if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			p.Error("a connection without a request stays open")
		}
		close(closed)
	}()
	return closed
}
