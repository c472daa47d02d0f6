package socket

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
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
			for _, br := range browsers { // as if the server had asked for it
				if _, err := br.Write(clientFrame(fin|websocket.PongMessage, "")); err != nil {
					b.Fatal(err)
				}
			}
			after := c.usage()
			per := func(a, b int64) float64 { return float64(b-a) / float64(n) }
			b.ReportMetric(per(before.RSS, idle.RSS), "rss-B/socket")
			b.ReportMetric(per(before.RSS, after.RSS), "rss-after-heartbeat-B/socket")
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

// The server's side.

const childKey = "VIGIL_SOCKET_BENCHMARK"

// usage is what a child has used.
type usage struct {
	RSS, Heap, Stack   int64 // bytes, after a collection
	Goroutines         int64
	CPU                int64 // nanoseconds
	Mallocs, Allocated int64 // since it began
}

func childMain(what string) {
	var kind string
	var users int
	var began int64
	if _, err := fmt.Sscan(what, &kind, &users, &began); err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it lives as long as the process
	if err != nil {
		panic(err)
	}
	handler, revoke := http.Handler(http.HandlerFunc(plain)), func(int) {}
	if kind == "vigil" {
		handler, revoke = costWorld(users, began)
	}
	web := &http.Server{ReadHeaderTimeout: time.Minute, Handler: handler}
	go func() { _ = web.Serve(listener) }()
	fmt.Println(listener.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		answer(in.Text(), users, revoke)
	}
}

func answer(question string, users int, revoke func(int)) {
	began := time.Now()
	command, argument, _ := strings.Cut(question, " ")
	switch command {
	case "usage":
		_ = json.NewEncoder(os.Stdout).Encode(used())
		return
	case "heap":
		f := create(argument)
		_ = pprof.WriteHeapProfile(f)
		_ = f.Close()
	case "cpu":
		_ = pprof.StartCPUProfile(create(argument))
	case "stop":
		pprof.StopCPUProfile()
	case "revoke":
		i, _ := strconv.Atoi(argument)
		revoke(i)
	case "revoke-all":
		for i := range users {
			revoke(i)
		}
	}
	fmt.Println(time.Since(began).Nanoseconds())
}

var plainUpgrader = websocket.Upgrader{
	ReadBufferSize: 512, WriteBufferSize: 4096, WriteBufferPool: new(sync.Pool),
	CheckOrigin: func(*http.Request) bool { return true },
}

// plain is the server to compare with: gorilla with small buffers, one goroutine a connection, an echo.
func plain(w http.ResponseWriter, r *http.Request) {
	ws, err := plainUpgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	go func() {
		defer ws.Close()
		for {
			kind, data, err := ws.ReadMessage()
			if err != nil {
				return
			}
			if err := ws.WriteMessage(kind, data); err != nil {
				return
			}
		}
	}()
}

// costToken is as long as Firebase's.
func costToken(i int, began int64) string {
	claims := fmt.Sprintf(`{"iss":"https://securetoken.google.com/demo-vigil","aud":"demo-vigil","auth_time":%[1]d,"user_id":"%[2]s","sub":"%[2]s",`+
		`"iat":%[1]d,"exp":%[3]d,"email":"%[2]s@example.com","email_verified":true,"firebase":{"identities":{"email":["%[2]s@example.com"]},`+
		`"sign_in_provider":"password"},"role":"editor"}`, began, costUser(i), began+3600)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","kid":"8d9be0b2ac1b5c6f7f0f5d3e9c4a7b6d5e4f3a2b","typ":"JWT"}`)) + "." + encode([]byte(claims)) + "." +
		encode(bytes.Repeat([]byte(strconv.Itoa(i%10)), 256))
}

func costUser(i int) session.UserID { return session.UserID(fmt.Sprintf("kXw3tRz9QhYb2LmNpS%010d", i)) }

// costVerifier takes every token for a good one.
type costVerifier struct{}

func (costVerifier) Verify(_ context.Context, token string) (session.Identity, error) {
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		return session.Identity{}, err
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		return session.Identity{}, err
	}
	uid, _ := claims["sub"].(string)
	began, _ := claims["iat"].(float64)
	signedIn := time.Unix(int64(began), 0)
	return session.Identity{
		UserID: session.UserID(uid), SessionID: session.NewID(session.UserID(uid), "", signedIn), AuthTime: signedIn, IssuedAt: signedIn,
		ExpiresAt: signedIn.Add(time.Hour), SignInProvider: "password", Claims: claims,
	}, nil
}

func (costVerifier) Claims(string) map[string]any { return nil }

// costWorld is an instance with the sessions of so many users, and the end of the i-th.
func costWorld(users int, began int64) (http.Handler, func(i int)) {
	log := slog.New(slog.DiscardHandler)
	data, deadlines, accounts := memory.Open(session.NewClock()), live.NewDeadlines(), sessiontest.NewDirectory()
	inbox := session.NewInbox(time.Hour) // proven once for the whole run
	settings := session.Settings{Policy: policy, AdminClaim: "admin", UserStateTTL: time.Hour, FeedResync: feedResync}
	registry := session.NewRegistry(settings, session.Ports{
		Store: data, Users: data, Publisher: data, Archive: data, Trail: data, Jobs: data,
		Accounts: accounts, Editor: accounts, Clock: session.NewClock(), Inbox: inbox, After: deadlines.After, Log: log,
	})
	gate := session.NewGate(registry, costVerifier{})
	o := options
	o.HeartbeatInterval, o.DisconnectTimeout = 30*time.Minute, time.Hour // nothing comes unasked
	hub := live.NewHub(o, gate, registry, inbox, deadlines, log)
	server := New(hub, func(origin string) bool { return origin == dashboard })
	server.lobby.max = users
	inbox.Prove(time.Now())
	go deadlines.Run(context.Background())
	for i := range users {
		accounts.SignIn(costUser(i))
		id, err := gate.Authenticate(context.Background(), costToken(i, began))
		if err == nil {
			_, err = registry.Register(context.Background(), id, session.SignIn{UserAgent: strings.Repeat("x", 110), Origin: session.Origin{IP: netip.MustParseAddr(home)}})
		}
		if err != nil {
			panic(err)
		}
	}
	serve := func(w http.ResponseWriter, r *http.Request) {
		ip, _ := netip.ParseAddr(r.Header.Get(ipHeader))
		server.Serve(w, r, session.Origin{IP: ip})
	}
	return http.HandlerFunc(serve), func(i int) {
		n := session.NewNotice(session.NoticeEnded, costUser(i), session.ReasonAdminRevoked)
		n.Before = time.Now()
		inbox.Deliver(n)
	}
}

// used measures after collections enough to have stacks shrink as far as they can.
func used() usage {
	for range 6 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		panic(err)
	}
	return usage{
		RSS: resident * int64(os.Getpagesize()), Heap: int64(m.HeapInuse), Stack: int64(m.StackInuse),
		Goroutines: int64(runtime.NumGoroutine()), CPU: r.Utime.Nano() + r.Stime.Nano(),
		Mallocs: int64(m.Mallocs), Allocated: int64(m.TotalAlloc),
	}
}

func create(name string) *os.File {
	f, err := os.Create(name)
	if err != nil {
		panic(err)
	}
	return f
}
