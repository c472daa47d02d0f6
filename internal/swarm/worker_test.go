package swarm

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// one is a plan of one browser.
func one(t testing.TB, s *service) Plan {
	return Plan{Protocol: Vigil, URL: s.URL, Browsers: 1, Register: true, Tokens: []string{token(t, "ana", time.Now().Add(time.Hour))}}
}

// A browser does what the client package does: it registers, comes with its token, sends heartbeats without it, and activity.
func TestABrowsersLife(t *testing.T) {
	tokens := make(chan string, 1)
	var pings, activities, withToken atomic.Int32
	s := play(t, &service{visit: func(_ int32, ws *websocket.Conn) int {
		tokens <- welcome(ws)
		for f, ok := read(ws); ok; f, ok = read(ws) {
			switch f.Type {
			case "ping":
				pings.Add(1)
				if f.Token != "" {
					withToken.Add(1)
				}
				say(ws, fmt.Sprintf(`{"type":"pong","timestamp":%d,"tokenValid":true}`, f.Timestamp))
			case "activity":
				activities.Add(1)
			}
		}
		return 0
	}})
	plan := one(t, s)
	plan.Activity = 30 * time.Millisecond
	h := employ(t, plan, nil)
	h.do(order{Do: doBegin})
	h.until("connected", func(c Counts) bool { return c.Open == 1 })
	h.do(order{Do: doSteady})
	h.until("alive", func(c Counts) bool { return c.Pongs >= 5 && c.Activities >= 3 })
	n := h.do(order{Do: doFinish})
	if got := <-tokens; got != plan.Tokens[0] || s.registered.Load() != 1 || s.visits.Load() != 1 {
		t.Errorf("token %q, %d registrations, %d visits", got, s.registered.Load(), s.visits.Load())
	}
	c := n.Counts
	if c.Unanswered() != 0 || c.Registered != 1 || c.Connected != 1 || c.Open != 1 || c.Sent != 1+c.Pings+c.Activities || c.Received != 1+c.Pongs {
		t.Errorf("%+v", c)
	}
	if int(pings.Load()) != c.Pings || int(activities.Load()) != c.Activities || withToken.Load() != 0 {
		t.Errorf("%d pings, %d of them with a token, %d activities; %+v", pings.Load(), withToken.Load(), activities.Load(), c)
	}
	r := n.Results
	if r.Latencies[Ping].TotalCount() == 0 || r.Latencies[Connect].TotalCount() != 1 || r.Latencies[Register].TotalCount() != 1 || len(r.Closes)+len(r.Failures) != 0 {
		t.Errorf("%+v", r)
	}
}

// After each end it does what that calls for, and with what it came back it says how long it was away.
func TestComingBack(t *testing.T) {
	for name, c := range map[string]struct {
		code       int
		last       string // frame before the close
		registered int32
		over       bool
	}{
		"restart":          {code: 4000, registered: 1},
		"lost":             {registered: 1},
		"not registered":   {code: 4501, last: `{"type":"auth_expired","reason":"session_required"}`, registered: 2},
		"revoked":          {code: 4502, last: `{"type":"session_revoked","reason":"admin_revoked"}`, registered: 1, over: true},
		"a revoked token":  {code: 4501, last: `{"type":"auth_expired","reason":"token_revoked"}`, registered: 1, over: true},
		"an expired token": {code: 4001, last: `{"type":"auth_expired","reason":"token_expired"}`, registered: 1, over: true}, // and there is no other
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := make(chan float64, 10)
			s := play(t, &service{visit: func(n int32, ws *websocket.Conn) int {
				welcome(ws)
				if n > 1 {
					f, _ := read(ws)
					told <- f.Reconnected
					answer(ws)
					return 0
				}
				if c.last != "" {
					say(ws, c.last)
				}
				return c.code
			}})
			h := employ(t, one(t, s), nil)
			h.do(order{Do: doBegin})
			if c.over {
				h.until("it is over", func(c Counts) bool { return c.Connected == 1 && c.Open == 0 })
				<-time.After(2 * backoffBase)
			} else {
				h.until("it is back", func(c Counts) bool { return c.Open == 1 && c.Reconnections == 1 })
				if away := <-told; away < 0 || away > 60_000 {
					t.Errorf("away for %f ms", away)
				}
			}
			n := h.do(order{Do: doFinish})
			if got := s.registered.Load(); got != c.registered || c.over != (s.visits.Load() == 1) {
				t.Errorf("%d registrations, %d visits", got, s.visits.Load())
			}
			if c.code != 0 && n.Results.Closes[fmt.Sprint(c.code)] != 1 || c.code == 0 && n.Results.Failures["connection lost"] != 1 {
				t.Errorf("%+v", n.Results)
			}
		})
	}
}

// A new token is asked for before the old one ends, told with the next ping, and used to come back.
func TestRenewal(t *testing.T) {
	second := token(t, "ana", time.Now().Add(2*time.Hour))
	var mu sync.Mutex
	var came, told []string
	s := play(t, &service{visit: func(n int32, ws *websocket.Conn) int {
		got := welcome(ws)
		mu.Lock()
		came = append(came, got)
		mu.Unlock()
		for f, ok := read(ws); ok; f, ok = read(ws) {
			if f.Token != "" {
				mu.Lock()
				told = append(told, f.Token)
				mu.Unlock()
				if n == 1 {
					return 4000
				}
			}
			say(ws, fmt.Sprintf(`{"type":"pong","timestamp":%d,"tokenValid":%t}`, f.Timestamp, n > 1))
		}
		return 0
	}})
	plan := one(t, s)
	plan.Renewable = true
	h := employ(t, plan, func(int) string { return second })
	h.do(order{Do: doBegin})
	h.until("it is back", func(c Counts) bool { return c.Renewals == 1 && c.Reconnections == 1 && c.Open == 1 })
	h.do(order{Do: doFinish})
	mu.Lock()
	defer mu.Unlock()
	if len(came) != 2 || came[0] != plan.Tokens[0] || came[1] != second || len(told) != 1 || told[0] != second {
		t.Errorf("came with %q, told %q", came, told)
	}
}

// A browser whose token has ended while it was away comes back with another one.
func TestStranded(t *testing.T) {
	second := token(t, "ana", time.Now().Add(2*time.Hour))
	came := make(chan string, 2)
	s := play(t, &service{visit: func(n int32, ws *websocket.Conn) int {
		came <- welcome(ws)
		if n == 1 {
			return 4001
		}
		answer(ws)
		return 0
	}})
	plan := one(t, s)
	plan.Renewable = true
	h := employ(t, plan, func(int) string { return second })
	h.do(order{Do: doBegin})
	h.until("it is back", func(c Counts) bool { return c.Reconnections == 1 })
	if first, then := <-came, <-came; first != plan.Tokens[0] || then != second {
		t.Errorf("came with %q and %q", first, then)
	}
}

// What a server that is busy answers is no reason to give up; what it answers for good is.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		service *service
		failure string
		over    bool
	}{
		"registration is busy": {failure: "registration answered with 503 unavailable", service: &service{register: func(n int32, w http.ResponseWriter) {
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = w.Write([]byte(`{"code":"unavailable"}`))
			}
		}}},
		"handshake is busy": {failure: "handshake answered with 429", service: &service{refuse: func(n int32, w http.ResponseWriter) bool {
			if n == 1 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
			}
			return n == 1
		}}},
		"the sign-in is spent": {failure: "registration answered with 401 reauth_required", over: true, service: &service{register: func(_ int32, w http.ResponseWriter) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":"reauth_required"}`))
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.service.visit = func(_ int32, ws *websocket.Conn) int { welcome(ws); answer(ws); return 0 }
			h := employ(t, one(t, play(t, c.service)), nil)
			h.do(order{Do: doBegin})
			h.until("it has come, or given up", func(got Counts) bool { return got.Failed == 1 == c.over && got.Open == 1 == !c.over })
			if n := h.do(order{Do: doFinish}); n.Results.Failures[c.failure] != 1 {
				t.Errorf("%+v", n.Results)
			}
		})
	}
}

// The load is open-loop: a server that answers nothing for a while is sent as many pings as before, and every one of them has waited
// since it was due.
func TestAStallIsNotHidden(t *testing.T) {
	const stall = 400 * time.Millisecond
	var pings atomic.Int32
	s := play(t, &service{visit: func(_ int32, ws *websocket.Conn) int {
		for first := true; ; first = false {
			_, data, err := ws.ReadMessage()
			if err != nil {
				return 0
			}
			if first {
				<-time.After(stall)
			}
			pings.Add(1)
			say(ws, string(data))
		}
	}})
	h := employ(t, Plan{Protocol: Plain, URL: s.URL, Browsers: 1, Heartbeat: 20 * time.Millisecond}, nil)
	h.do(order{Do: doBegin})
	h.until("connected", func(c Counts) bool { return c.Open == 1 })
	h.do(order{Do: doSteady})
	h.until("pinged", func(c Counts) bool { return c.Pongs >= 30 })
	n := h.do(order{Do: doFinish})
	took := n.Results.Latencies[Ping]
	if late := stall.Microseconds() / 2; took.ValueAtPercentile(75) < 10 || took.Max() < late {
		t.Errorf("the longest %d µs, with a stall of %s", took.Max(), stall)
	}
	// Those that were due in the first half of the stall have waited for more than the second half.
	waited := 0
	for _, bar := range took.Distribution() {
		if bar.From >= stall.Microseconds()/2 {
			waited += int(bar.Count)
		}
	}
	if waited < 5 {
		t.Errorf("%d of %d pings have waited for more than half of the stall", waited, took.TotalCount())
	}
}

// One user is revoked at a time, by the administrator's token, and what is measured ends with the close.
func TestRevoke(t *testing.T) {
	var mu sync.Mutex
	sockets := make(map[string]*websocket.Conn)
	s := play(t, &service{
		visit: func(_ int32, ws *websocket.Conn) int {
			user, err := readClaims(welcome(ws))
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			sockets[user.Subject] = ws
			mu.Unlock()
			answer(ws)
			return 0
		},
		revoke: func(uid string) {
			mu.Lock()
			defer mu.Unlock()
			for user, ws := range sockets {
				if uid == "" || user == uid {
					_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4502, ""), time.Now().Add(time.Second))
				}
			}
		},
	})
	plan := Plan{Protocol: Vigil, URL: s.URL, Browsers: 3}
	for _, uid := range strings.Fields("ana ben cid") {
		plan.Tokens = append(plan.Tokens, token(t, uid, time.Now().Add(time.Hour)))
	}
	h := employ(t, plan, nil)
	h.do(order{Do: doBegin})
	h.until("connected", func(c Counts) bool { return c.Open == 3 })
	h.do(order{Do: doSteady})
	admin := token(t, "boss", time.Now().Add(time.Hour))
	for _, want := range []bool{true, false} { // who is not there any more cannot be closed
		if n := h.do(order{Do: doRevoke, Browser: 1, Token: admin}); n.Revoked != want {
			t.Errorf("revoked: %t", n.Revoked)
		}
	}
	h.do(order{Do: doMass})
	s.revoke("")
	h.until("all closed", func(c Counts) bool { return c.Open == 0 })
	n := h.do(order{Do: doFinish})
	r := n.Results
	if r.Latencies[Revoke].TotalCount() != 1 || r.Latencies[Mass].TotalCount() != 2 || r.Closes["4502"] != 3 || s.registered.Load() != 0 {
		t.Errorf("%+v", r)
	}
}

// All begin their sessions before the first of them connects.
func TestEnroll(t *testing.T) {
	s := play(t, &service{visit: func(_ int32, ws *websocket.Conn) int { welcome(ws); answer(ws); return 0 }})
	h := employ(t, one(t, s), nil)
	h.do(order{Do: doEnroll})
	h.until("enrolled", func(c Counts) bool { return c.Registered == 1 })
	if s.visits.Load() != 0 {
		t.Error("it has connected")
	}
	h.do(order{Do: doBegin})
	h.until("connected", func(c Counts) bool { return c.Open == 1 })
	if s.registered.Load() != 1 {
		t.Errorf("%d registrations", s.registered.Load())
	}
}

// Whoever is still about to begin a session when all the others connect does so once, too.
func TestEnrolledLate(t *testing.T) {
	late := make(chan struct{})
	s := play(t, &service{
		register: func(int32, http.ResponseWriter) { <-late },
		visit:    func(_ int32, ws *websocket.Conn) int { welcome(ws); answer(ws); return 0 },
	})
	h := employ(t, one(t, s), nil)
	h.do(order{Do: doEnroll})
	h.until("it has asked", func(Counts) bool { return s.registered.Load() == 1 })
	h.do(order{Do: doBegin})
	close(late)
	h.until("connected", func(c Counts) bool { return c.Open == 1 })
	if n := h.do(order{Do: doFinish}); s.registered.Load() != 1 || s.visits.Load() != 1 || n.Counts.Connected != 1 {
		t.Errorf("%d registrations, %d visits, %+v", s.registered.Load(), s.visits.Load(), n.Counts)
	}
}

// Without anybody to give orders a worker ends.
func TestAWorkerEndsWithItsOrders(t *testing.T) {
	s := play(t, &service{visit: func(_ int32, ws *websocket.Conn) int { welcome(ws); answer(ws); return 0 }})
	h := employ(t, one(t, s), nil)
	h.do(order{Do: doBegin})
	h.until("connected", func(c Counts) bool { return c.Open == 1 })
	_ = h.in.Close()
	if err := <-h.ended; err == nil {
		t.Error("that is no error")
	}
}
