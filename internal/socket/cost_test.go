package socket

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/vigilhq/vigil/internal/wire"
)

// What a socket costs, beside the plainest server that can be made of the same library: [plain]. The servers are processes of their
// own on one processor each, so that nothing of the client is in the figures.
//
//	go test -run '^$' -bench 'Idle|Mass|Revoked' -benchtime 1x ./internal/socket
//	go test -run '^$' -bench Heartbeat -benchtime 60000x -count 6 ./internal/socket
//
// SOCKETS is how many, 5,000 unless it is set; PROFILES is the beginning of names for profiles of the servers.

// sockets is how many sockets a benchmark opens.
func sockets(b *testing.B) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SOCKETS"), "5000"))
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// child is a server in a process of its own.
type child struct {
	*testing.B
	address string
	tokens  func(i int) string
	in      io.Writer
	out     *bufio.Scanner
}

func startChild(b *testing.B, kind string, users int) *child {
	b.Helper()
	began := time.Now().Unix()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", fmt.Sprintf("%s=%s %d %d", childKey, kind, users, began))
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := cmp.Or(err1, err2, cmd.Start()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	c := &child{B: b, tokens: func(i int) string { return costToken(i, began) }, in: in, out: bufio.NewScanner(out)}
	c.out.Scan()
	c.address = c.out.Text()
	return c
}

// ask has the child do something, and reads the answer into answer.
func (c *child) ask(question string, answer any) {
	c.Helper()
	if _, err := fmt.Fprintln(c.in, question); err != nil {
		c.Fatal(err)
	}
	if !c.out.Scan() {
		c.Fatal("the server has died")
	}
	if err := json.Unmarshal(c.out.Bytes(), answer); err != nil {
		c.Fatal(err)
	}
}

func (c *child) usage() (u usage) { c.ask("usage", &u); return u }

// open opens n sockets, authenticated where the server knows what that is.
func (c *child) open(n int, auth bool) []*browser {
	c.Helper()
	browsers := make([]*browser, n)
	var opening errgroup.Group
	opening.SetLimit(32)
	for i := range browsers {
		opening.Go(func() (err error) {
			browsers[i], err = c.connect(i, auth)
			return err
		})
	}
	if err := opening.Wait(); err != nil {
		c.Fatal(err)
	}
	return browsers
}

// browser is the other side of a socket, as thin as can be.
type browser struct {
	net.Conn
	ping []byte // a frame
}

func (c *child) connect(i int, auth bool) (*browser, error) {
	nc, err := (&net.Dialer{}).DialContext(c.Context(), "tcp", c.address)
	if err != nil {
		return nil, err
	}
	c.Cleanup(func() { _ = nc.Close() })
	br := &browser{Conn: nc}
	_, err = fmt.Fprintf(nc, "GET /v1/ws HTTP/1.1\r\nHost: vigil.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: %s\r\n%s: 203.0.%d.%d\r\n"+
		"User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\r\n",
		dashboard, ipHeader, i/250, i%250)
	if err != nil {
		return nil, err
	}
	var answer []byte
	for one := make([]byte, 1); !bytes.HasSuffix(answer, []byte("\r\n\r\n")); {
		if _, err := nc.Read(one); err != nil {
			return nil, err
		}
		answer = append(answer, one...)
	}
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 101")) {
		return nil, fmt.Errorf("handshake: %s", answer)
	}
	br.ping = masked(wire.Encode(wire.Request{Type: wire.TypePing, Token: c.tokens(i), Timestamp: []byte("1764167695123")}))
	if !auth {
		return br, nil
	}
	if _, err := nc.Write(masked(wire.Encode(wire.Request{Type: wire.TypeAuth, Token: c.tokens(i)}))); err != nil {
		return nil, err
	}
	frame, err := br.next(make([]byte, 4096))
	if err == nil && !bytes.Contains(frame, []byte(`"ready"`)) {
		err = fmt.Errorf("not ready: %q", frame)
	}
	return br, err
}

// masked is a text frame of a client, masked with zeros.
func masked(payload []byte) []byte {
	if len(payload) < 126 {
		return clientFrame(fin|opText, string(payload))
	}
	return append([]byte{fin | opText, 0x80 | 126, byte(len(payload) >> 8), byte(len(payload)), 0, 0, 0, 0}, payload...)
}

// next reads a frame, which must fit into buf.
func (br *browser) next(buf []byte) ([]byte, error) {
	have := 0
	for {
		n, err := br.Read(buf[have:])
		if err != nil {
			return nil, err
		}
		have += n
		header, size := 2, int(buf[1])
		if have >= 4 && size == 126 {
			header, size = 4, int(buf[2])<<8|int(buf[3])
		}
		if have >= header && have >= header+size {
			return buf[:header+size], nil
		}
	}
}

func BenchmarkIdleSocket(b *testing.B) {
	for _, kind := range []string{"plain", "vigil"} {
		b.Run(kind, func(b *testing.B) {
			n := sockets(b)
			c := startChild(b, kind, n)
			before := c.usage()
			browsers := c.open(n, kind == "vigil")
			idle := c.usage()
			beat(b, browsers, n)
			beaten := c.usage()
			for _, br := range browsers { // as if the server had asked for it
				if _, err := br.Write(clientFrame(fin|websocket.PongMessage, "")); err != nil {
					b.Fatal(err)
				}
			}
			after := c.usage()
			per := func(a, b int64) float64 { return float64(b-a) / float64(n) }
			b.ReportMetric(per(before.RSS, idle.RSS), "rss-B/socket")
			b.ReportMetric(per(before.RSS, beaten.RSS), "rss-after-heartbeat-B/socket")
			b.ReportMetric(per(before.RSS, after.RSS), "rss-after-pong-B/socket")
			b.ReportMetric(per(before.Heap, after.Heap), "heap-B/socket")
			b.ReportMetric(per(before.Stack, after.Stack), "stack-B/socket")
			b.ReportMetric(per(before.Goroutines, after.Goroutines), "goroutines/socket")
			b.ReportMetric(0, "ns/op")
			c.profile("heap", kind)
		})
	}
}

// profile has the child write a profile, or begin or stop one of its processor, if somebody wants them.
func (c *child) profile(what, kind string) {
	c.Helper()
	if prefix := os.Getenv("PROFILES"); prefix != "" {
		var took int64
		c.ask(what+" "+prefix+kind+"-"+what, &took)
	}
}

// beat has n heartbeats sent and answered, some of them at once.
func beat(b *testing.B, browsers []*browser, n int) {
	b.Helper()
	var next atomic.Int64
	var beating errgroup.Group
	for range 16 {
		beating.Go(func() error {
			buf := make([]byte, 4096)
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				br := browsers[i%int64(len(browsers))]
				if _, err := br.Write(br.ping); err != nil {
					return err
				}
				if f, err := br.next(buf); err != nil || f[0] != fin|opText {
					return fmt.Errorf("heartbeat %d: %q, %w", i, f, err)
				}
			}
			return nil
		})
	}
	if err := beating.Wait(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkHeartbeat(b *testing.B) {
	for _, token := range []bool{true, false} { // the unchanged one, or none
		for _, kind := range []string{"plain", "vigil"} {
			b.Run(fmt.Sprintf("%s/token=%t", kind, token), func(b *testing.B) {
				const sockets = 2000
				c := startChild(b, kind, sockets)
				browsers := c.open(sockets, kind == "vigil")
				if !token {
					for _, br := range browsers {
						br.ping = masked(wire.Encode(wire.Request{Type: wire.TypePing, Timestamp: []byte("1764167695123")}))
					}
				}
				beat(b, browsers, sockets)
				before := c.usage()
				c.profile("cpu", kind)
				b.ResetTimer()
				beat(b, browsers, b.N)
				b.StopTimer()
				after := c.usage()
				c.profile("stop", kind)
				b.ReportMetric(float64(after.CPU-before.CPU)/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(b.N), "mallocs/op")
				b.ReportMetric(float64(after.Allocated-before.Allocated)/float64(b.N), "alloc-B/op")
			})
		}
	}
}

// closes reads until each socket is told of its close, and returns how long after began.
func (c *child) closes(browsers []*browser, began time.Time) []time.Duration {
	c.Helper()
	took := make([]time.Duration, len(browsers))
	var reading errgroup.Group
	for i, br := range browsers {
		reading.Go(func() error {
			buf := make([]byte, 1024)
			for have := 0; ; {
				n, err := br.Read(buf[have:])
				if err != nil {
					return err
				}
				if have += n; bytes.IndexByte(buf[:have], fin|websocket.CloseMessage) >= 0 {
					took[i] = time.Since(began)
					_ = br.Close()
					return nil
				}
			}
		})
	}
	if err := reading.Wait(); err != nil {
		c.Fatal(err)
	}
	slices.Sort(took)
	return took
}

func BenchmarkMassRevocation(b *testing.B) {
	n := sockets(b)
	for b.Loop() {
		c := startChild(b, "vigil", n)
		browsers := c.open(n, true)
		c.profile("cpu", "mass")
		began := time.Now()
		var delivered int64
		c.ask("revoke-all", &delivered)
		took := c.closes(browsers, began)
		c.profile("stop", "mass")
		b.ReportMetric(float64(took[n-1].Milliseconds()), "last-ms")
		b.ReportMetric(float64(took[n/2].Milliseconds()), "median-ms")
		b.ReportMetric(float64(delivered)/1e6, "delivered-ms")
	}
	b.ReportMetric(0, "ns/op")
}

func BenchmarkOneRevoked(b *testing.B) {
	n := sockets(b)
	c := startChild(b, "vigil", n)
	browsers := c.open(n, true)
	b.ResetTimer()
	var took []time.Duration
	for i := range min(500, n) {
		began := time.Now()
		var delivered int64
		c.ask("revoke "+strconv.Itoa(i), &delivered)
		took = append(took, c.closes(browsers[i:i+1], began)...)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "median-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
	b.ReportMetric(0, "ns/op")
}
