package localgoogle

import (
	"io"
	"net"
	"net/http"
	"sync"
)

// tunnels is the proxy: the far end of a tunnel that a client asks for is accepted here, whatever host it is for. It is the
// handler of the clients' requests, and the listener of the tunnels.
type tunnels struct {
	opened  chan net.Conn
	closed  chan struct{}
	closing sync.Once
	address net.Addr
}

// ServeHTTP implements [http.Handler]. Only the hosts that are served can be reached, nothing on the network.
func (t *tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, ours := hosts[r.URL.Hostname()]; r.Method != http.MethodConnect || !ours || r.URL.Port() != "443" {
		http.Error(w, "This proxy leads to a stand-in of Google's, and nowhere else.", http.StatusForbidden)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		_ = conn.Close() // the client has gone
		return
	}
	select {
	case t.opened <- conn:
	case <-t.closed:
		_ = conn.Close() // there is nobody to talk to any more
	}
}

// Accept implements [net.Listener].
func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case conn := <-t.opened:
		return conn, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (t *tunnels) Close() error {
	t.closing.Do(func() { close(t.closed) })
	return nil
}

// Addr implements [net.Listener].
func (t *tunnels) Addr() net.Addr { return t.address }
