package firestoretest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// echo serves what it is sent back to the sender, and returns its address.
func echo(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	return l.Addr().String()
}

func connect(t *testing.T, host string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask sends a line and returns what comes back.
func ask(conn net.Conn) (string, error) {
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(conn).ReadString('\n')
}

func TestProxy(t *testing.T) {
	p := NewProxy(t, echo(t))
	conn := connect(t, p.Host())
	if got, err := ask(conn); got != "hello\n" || err != nil {
		t.Fatalf("open: %q, %v", got, err)
	}

	p.Pause()
	p.Pause()
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if got, err := ask(conn); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("paused: %q, %v", got, err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	p.Restore()
	if got, err := bufio.NewReader(conn).ReadString('\n'); got != "hello\n" || err != nil {
		t.Errorf("after the pause: %q, %v", got, err)
	}

	if n := p.Cut(); n != 1 {
		t.Errorf("%d connections cut", n)
	}
	if got, err := ask(conn); err == nil {
		t.Errorf("a connection while cut: %q", got)
	}
	// A new one may be reset before the dialer has seen it.
	if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Host()); err == nil {
		if got, err := ask(conn); err == nil {
			t.Errorf("a new connection while cut: %q", got)
		}
		_ = conn.Close()
	}
	p.Restore()
	if got, err := ask(connect(t, p.Host())); got != "hello\n" || err != nil {
		t.Errorf("after the cut: %q, %v", got, err)
	}
}

func TestProxyMute(t *testing.T) {
	target, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	p := NewProxy(t, target.Addr().String())
	asking := connect(t, p.Host())
	asked, err := target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer asked.Close()

	p.Mute()
	if _, err := io.WriteString(asking, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(asked).ReadString('\n'); got != "hello\n" || err != nil {
		t.Errorf("asked: %q, %v", got, err)
	}
	if _, err := io.WriteString(asked, "done\n"); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(asking)
	_ = asking.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if got, err := answers.ReadString('\n'); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("muted: %q, %v", got, err)
	}
	_ = asking.SetReadDeadline(time.Time{})
	p.Restore()
	if got, err := answers.ReadString('\n'); got != "done\n" || err != nil {
		t.Errorf("after the silence: %q, %v", got, err)
	}
}

func TestProjectID(t *testing.T) {
	if a, b := ProjectID(t), ProjectID(t); a == b || len(a) > 30 {
		t.Errorf("%s and %s", a, b)
	}
}
