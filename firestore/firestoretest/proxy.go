package firestoretest

import (
	"context"
	"net"
	"sync"
	"testing"
)

// Proxy passes TCP connections on to a target until it is told to fail.
type Proxy struct {
	target   string
	listener net.Listener

	mu       sync.Mutex
	asking   chan struct{} // closed while bytes may pass to the target
	answered chan struct{} // closed while bytes may pass back
	cut      bool
	conns    map[net.Conn]struct{}
}

// NewProxy returns a proxy to target, host:port, which ends with the test.
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{target: target, listener: listener, asking: make(chan struct{}), answered: make(chan struct{}), conns: make(map[net.Conn]struct{})}
	p.Restore()
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	tb.Cleanup(func() {
		_ = listener.Close()
		p.Restore()
		p.Cut()
		serving.Wait()
	})
	return p
}

// Host is the address of the proxy, host:port.
func (p *Proxy) Host() string { return p.listener.Addr().String() }

// Cut resets all connections, of which it returns the number, and every new one, until [Proxy.Restore].
func (p *Proxy) Cut() (connections int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for conn := range p.conns {
		reset(conn)
	}
	return len(p.conns) / 2 // each has a side here and one there
}

// Pause holds back all bytes, both ways and without an error, until [Proxy.Restore].
func (p *Proxy) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	shut(&p.asking)
	shut(&p.answered)
}

// Mute holds back what the target answers, until [Proxy.Restore]: what it is asked for is done, and nobody hears of it.
func (p *Proxy) Mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	shut(&p.answered)
}

func shut(way *chan struct{}) {
	select {
	case <-*way:
		*way = make(chan struct{})
	default:
	}
}

// Restore ends a cut, a pause and a silence. What has been held back passes now.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	for _, way := range [...]chan struct{}{p.asking, p.answered} {
		select {
		case <-way:
		default:
			close(way)
		}
	}
}

func (p *Proxy) serve(serving *sync.WaitGroup) {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		serving.Go(func() { p.join(conn) })
	}
}

// join connects conn with the target until either side ends.
func (p *Proxy) join(conn net.Conn) {
	defer p.drop(conn)
	if !p.keep(conn) {
		return
	}
	target, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		return
	}
	defer p.drop(target)
	if !p.keep(target) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { p.pass(conn, target, &p.answered) })
	p.pass(target, conn, &p.asking)
	back.Wait()
}

// keep takes a connection in, so that a cut reaches it.
func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return false
	}
	p.conns[conn] = struct{}{}
	return true
}

func (p *Proxy) drop(conn net.Conn) {
	p.mu.Lock()
	delete(p.conns, conn)
	p.mu.Unlock()
	reset(conn)
}

// pass copies bytes until one of the two ends, and then ends both.
func (p *Proxy) pass(to, from net.Conn, way *chan struct{}) {
	defer reset(to)
	defer reset(from)
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		open := *way
		p.mu.Unlock()
		<-open
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// reset closes a connection with a TCP reset, as a crash or a firewall would.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
