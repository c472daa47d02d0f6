package socket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// What follows is the side of the server in the benchmarks of costs: a process of its own.

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
	ReadBufferSize: readBuffer, WriteBufferSize: 4096, WriteBufferPool: new(sync.Pool),
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
		if err := server.Serve(w, r, session.Origin{IP: ip}); err != nil {
			panic(err)
		}
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
