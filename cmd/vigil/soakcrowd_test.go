package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/localgoogle"
	"github.com/vigilhq/vigil/internal/socket"
	"github.com/vigilhq/vigil/internal/wire"
)

// crowd is the users of a service that is soaked. Each visits again and again, and each visit ends in another way.
type crowd struct {
	url    string
	google *localgoogle.Server
	pace   time.Duration // of what takes its time

	mu   sync.Mutex
	done map[string]int // visits, by what was done
	late map[string]int // visits that were over before all was done, by how they ended: the machine was slow
	odd  map[string]int // visits that went wrong
}

// gather has people visit until ctx is done, and returns when the last one has left.
func (c *crowd) gather(ctx context.Context, people int) {
	var visiting sync.WaitGroup
	for n, address := range sourceAddresses(people) {
		visiting.Go(func() {
			for i := n * len(deeds) / people; ctx.Err() == nil; i++ { // so that all that can be done begins at once
				c.visit(ctx, fmt.Sprint("soak-", n), address, deeds[i%len(deeds)])
			}
		})
	}
	visiting.Wait()
}

func (c *crowd) visit(ctx context.Context, uid string, from netip.Addr, d deed) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
	g := &guest{
		crowd: c, uid: uid, from: from,
		http: &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: dialer.DialContext}},
	}
	var leave context.CancelFunc
	g.ctx, leave = context.WithCancel(ctx)
	d.do(g)
	leave()
	g.http.CloseIdleConnections()

	c.mu.Lock()
	defer c.mu.Unlock()
	refused, _ := errors.AsType[refusal](g.err)
	closed, _ := errors.AsType[*socket.ClosedError](g.err)
	switch {
	case g.err == nil:
		c.done[d.name]++
	case ctx.Err() != nil: // it is over for everybody
	case refused.status == http.StatusUnauthorized, refused.status == http.StatusServiceUnavailable, closed != nil:
		c.late[g.err.Error()]++
	default:
		c.odd[fmt.Sprint(d.name, ": ", g.err)]++
	}
}

// missing is a deed that nobody has done yet, empty if there is none.
func (c *crowd) missing() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range deeds {
		if c.done[d.name] == 0 {
			return d.name
		}
	}
	return ""
}

// report says how the visits went.
func (c *crowd) report(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := func(counts map[string]int) (n int) {
		for each := range maps.Values(counts) {
			n += each
		}
		return n
	}
	done, late, odd := sum(c.done), sum(c.late), sum(c.odd)
	t.Logf("visits: %d; %d too late: %v; %d odd: %v", done, late, c.late, odd, c.odd)
	if odd > max(1, (done+late+odd)/100) {
		t.Errorf("%d visits have gone wrong", odd)
	}
}

// guest is a user during a visit. After a failure nothing more is done.
type guest struct {
	*crowd
	ctx  context.Context // of the visit
	uid  string
	from netip.Addr
	http *http.Client
	err  error
}

// stay is a session of a guest, with open sockets.
type stay struct {
	token, id string
	sockets   []*socket.Client
	closed    []chan struct{} // one for each socket: closed with it
}

// refusal is an answer that is no success.
type refusal struct {
	status int
	code   string
}

func (r refusal) Error() string { return fmt.Sprint(r.status, " ", r.code) }

// call makes a request. The id is that of the session in the answer, if there is one.
func (g *guest) call(method, path, token, body string) (id string) {
	if g.err == nil {
		id, g.err = g.try(method, path, token, body)
	}
	return id
}

func (g *guest) try(method, path, token, body string) (id string, err error) {
	request, err := http.NewRequestWithContext(g.ctx, method, g.url+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := g.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || len(content) == 0 {
		return "", err
	}
	var answer struct {
		Code    string `json:"code"`
		Session struct {
			ID string `json:"id"`
		} `json:"session"`
	}
	if err := json.Unmarshal(content, &answer); err != nil {
		return "", err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return "", refusal{response.StatusCode, answer.Code}
	}
	return answer.Session.ID, nil
}

// refused makes a request that has to be refused like this.
func (g *guest) refused(want refusal, method, path, token, body string) {
	if g.err != nil {
		return
	}
	if _, err := g.try(method, path, token, body); err != want { //nolint:errorlint // nothing wraps it
		g.err = fmt.Errorf("%s %s: %w, want %w", method, path, err, want)
	}
}

// token is of the sign-in that sid names, which was just now, and ends after so long.
func (g *guest) token(sid string, lifetime time.Duration) string {
	return g.google.Token(g.uid, map[string]any{"sid": sid, "exp": time.Now().Add(lifetime).Unix()})
}

// begin signs in, begins the session and opens sockets.
func (g *guest) begin(tabs int, body string) *stay {
	s := &stay{token: g.token(rand.Text(), time.Hour)}
	s.id = g.call(http.MethodPost, "/v1/sessions", s.token, body)
	for range tabs {
		g.open(s, s.token)
	}
	return s
}

// dial opens a socket that says nothing. It ends with the visit.
func (g *guest) dial() *socket.Client {
	if g.err != nil {
		return nil
	}
	client, err := socket.NewDialer(swarmOrigin, g.from).Dial(g.ctx, "ws"+strings.TrimPrefix(g.url, "http")+"/v1/ws")
	if g.err = err; err != nil {
		return nil
	}
	context.AfterFunc(g.ctx, func() { _ = client.Close() })
	return client
}

// greet has a socket authenticate.
func (g *guest) greet(client *socket.Client, token string) {
	if g.err == nil {
		g.err = client.Write(wire.Request{Type: wire.TypeAuth, Token: token})
	}
	for g.err == nil {
		var frame []byte
		if frame, g.err = client.Read(); strings.Contains(string(frame), `"type":"ready"`) {
			return
		}
	}
}

// open opens a socket of a session.
func (g *guest) open(s *stay, token string) {
	client := g.dial()
	g.greet(client, token)
	if g.err != nil {
		return
	}
	closed := make(chan struct{})
	s.sockets, s.closed = append(s.sockets, client), append(s.closed, closed)
	go func() {
		defer close(closed)
		for {
			if _, err := client.Read(); err != nil {
				return
			}
		}
	}()
}

// use has a person use a page for a while: the socket's heartbeat with a new token, activity, requests.
func (g *guest) use(s *stay) {
	for range 3 {
		g.wait(g.pace / 3)
		for _, client := range s.sockets {
			_ = client.Write(wire.Request{Type: wire.TypePing, Token: s.token}) // it may be closed by now, which the requests find out
		}
		g.call(http.MethodGet, "/v1/check?activity=true", s.token, "")
		g.call(http.MethodGet, "/v1/sessions?status=all", s.token, "")
		g.call(http.MethodGet, "/v1/events", s.token, "")
	}
}

func (g *guest) wait(d time.Duration) {
	if g.err != nil {
		return
	}
	select {
	case <-time.After(d):
	case <-g.ctx.Done():
		g.err = g.ctx.Err()
	}
}

// gone waits until the server has closed all sockets of a session, with something to do meanwhile, now and then.
func (g *guest) gone(s *stay, meanwhile func()) {
	timeout := time.After(patience)
	tick := time.NewTicker(g.pace / 3)
	defer tick.Stop()
	for waiting := slices.Clone(s.closed); len(waiting) > 0 && g.err == nil; {
		select {
		case <-waiting[0]:
			waiting = waiting[1:]
		case <-tick.C:
			if meanwhile != nil {
				meanwhile()
			}
		case <-timeout:
			g.err = errors.New("a socket is not closed")
		case <-g.ctx.Done():
			g.err = g.ctx.Err()
		}
	}
}

// admin does something as an administrator, who signs in for it and out again.
func (g *guest) admin(do func(token string)) {
	boss := &guest{crowd: g.crowd, ctx: g.ctx, uid: g.uid + "-admin", from: g.from, http: g.http, err: g.err}
	boss.google.SetClaims(boss.uid, map[string]any{"admin": true})
	s := boss.begin(0, "")
	g.err = boss.err
	do(s.token)
	g.call(http.MethodPost, "/v1/logout", s.token, "")
}
