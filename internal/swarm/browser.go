package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/socket"
	"github.com/vigilhq/vigil/internal/wire"
)

// browser is one of a worker's. It visits the server, one goroutine for each visit, and between two visits it is nothing but its deadline.
type browser struct {
	worker   *worker
	source   *source
	number   int // among all
	deadline *live.Deadline

	mu         sync.Mutex
	token      string
	expires    time.Time // of the token; zero: nobody knows
	asked      bool      // for another one
	news       bool      // the server has not been told the token
	stranded   bool      // it cannot come back without another one
	registered bool      // or supposed to be
	comeAt     time.Time // of the next visit; zero: none is due
	visiting   bool      // from the beginning of a visit to its end

	// Of the visit.
	client    *socket.Client // nil: there is none
	ready     bool
	readyAt   time.Time
	interval  time.Duration // between pings
	pingAt    time.Time
	actAt     time.Time // zero: never
	answerBy  time.Time // zero: no ping is waiting
	waiting   int       // pings without an answer
	attempts  int       // in vain, since the last good visit
	lostAt    time.Time // of the last good visit; zero: there is none to make up for
	connected bool      // it has been ready at least once
	over      bool
	revoked   chan time.Time // takes the time of the next close, if somebody waits for it
}

// due does what the time has come for. It is called on the one goroutine that sends.
func (b *browser) due() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.client == nil {
		switch {
		case b.comeAt.IsZero():
			return 0
		case now.Before(b.comeAt):
			return b.comeAt.Sub(now)
		}
		b.comeAt, b.visiting = time.Time{}, true
		b.worker.running.Go(b.visit)
		return 0
	}
	if !b.ready {
		return 0
	}
	if !b.answerBy.IsZero() && !now.Before(b.answerBy) {
		_ = b.client.Close() // the reader finds out
		return 0
	}
	next := b.pingAt
	if !now.Before(b.pingAt) {
		b.ping(now)
		b.pingAt = b.pingAt.Add(b.interval)
		next = b.pingAt
	}
	if !b.actAt.IsZero() {
		if !now.Before(b.actAt) {
			b.send(activityFrame)
			b.actAt = b.actAt.Add(b.worker.plan.Activity)
			b.worker.count(func(c *Counts) { c.Activities++ })
		}
		next = earlier(next, b.actAt)
	}
	if !b.answerBy.IsZero() {
		next = earlier(next, b.answerBy)
	}
	return max(next.Sub(now), time.Nanosecond) // late ones are sent one after the other
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

var activityFrame = wire.Encode(wire.Request{Type: wire.TypeActivity})

// ping sends a heartbeat that was due at pingAt, and sees to the next token in time. The caller holds b.mu.
func (b *browser) ping(now time.Time) {
	const lead = time.Minute // or two heartbeats
	if !b.expires.IsZero() && b.expires.Sub(now) < max(2*b.interval, lead) {
		b.askToken()
	}
	frame := append(b.worker.scratch[:0], `{"type":"ping","timestamp":`...)
	frame = strconv.AppendInt(frame, b.worker.stamp(b.pingAt), 10)
	if !b.lostAt.IsZero() {
		frame = append(frame, `,"reconnectedAfterMs":`...)
		frame = strconv.AppendInt(frame, b.readyAt.Sub(b.lostAt).Milliseconds(), 10)
		b.lostAt = time.Time{}
	}
	if b.worker.plan.Protocol == Vigil && (b.news || b.worker.plan.PingToken) {
		frame = append(append(append(frame, `,"token":"`...), b.token...), '"') // which has nothing to escape in it
		b.news = false
	}
	frame = append(frame, '}')
	b.worker.scratch = frame
	b.waiting++
	if b.answerBy.IsZero() {
		b.answerBy = now.Add(pongWait)
	}
	b.worker.count(func(c *Counts) { c.Pings++ })
	b.send(frame)
}

// send sends a frame, or cuts the connection, which its reader notices. The caller holds b.mu, or is alone with the connection.
func (b *browser) send(frame []byte) {
	b.worker.count(func(c *Counts) { c.Sent++ })
	if b.client.WriteFrame(frame) != nil {
		_ = b.client.Close() // it is lost already
	}
}

// visit is a connection, from its dial to its end.
func (b *browser) visit() {
	reason, err := b.stay(b.worker.ctx)
	b.leave(reason, err)
}

// stay returns how the visit has ended, without an error if nothing more was to be done; reason is that of the last frame, if there was
// one.
func (b *browser) stay(ctx context.Context) (reason string, err error) {
	w := b.worker
	if err := b.enter(ctx); err != nil || w.enrolling.Load() {
		return "", err
	}
	began := time.Now()
	client, err := b.source.dialer.Dial(ctx, w.socketURL)
	if err != nil {
		return "", err
	}
	if !b.hold(client) {
		return "", context.Cause(ctx)
	}
	if w.plan.Protocol == Plain {
		w.spans.record(Connect, began)
		b.begin(plainHeartbeat)
	}
	for {
		frame, err := client.Read()
		if err != nil {
			return reason, err
		}
		w.count(func(c *Counts) { c.Received++ })
		if reason, err = b.hear(frame, began); err != nil {
			return reason, err
		}
	}
}

// enter begins the session if that has to be done.
func (b *browser) enter(ctx context.Context) error {
	b.mu.Lock()
	needed, token := !b.registered, b.token
	b.mu.Unlock()
	if !needed {
		return nil
	}
	began := time.Now()
	if err := b.source.post(ctx, b.worker.plan.URL+"/v1/sessions", token, `{"deviceName":"vigil swarm"}`, nil); err != nil {
		return err
	}
	b.worker.spans.record(Register, began)
	b.worker.count(func(c *Counts) { c.Registered++ })
	b.mu.Lock()
	b.registered = true
	b.mu.Unlock()
	return nil
}

// hold takes a connection over and says who is there, unless everything is over.
func (b *browser) hold(client *socket.Client) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.worker.ctx.Err() != nil {
		_ = client.Close() // it is over
		return false
	}
	b.client = client
	if b.worker.plan.Protocol == Vigil {
		b.send(wire.Encode(wire.Request{Type: wire.TypeAuth, Token: b.token}))
		b.news = false
	}
	return true
}

// heard is what a browser reads of the server's frames, of whatever type. A plain server sends the ping back.
type heard struct {
	Type              wire.Type `json:"type"`
	Timestamp         int64     `json:"timestamp"`
	HeartbeatInterval int64     `json:"heartbeatInterval"` // milliseconds
	TokenExpiresAt    time.Time `json:"tokenExpiresAt"`
	TokenValid        bool      `json:"tokenValid"`
	Reason            string    `json:"reason"`
}

// hear acts on a frame, and returns its reason if it is a last one.
func (b *browser) hear(frame []byte, began time.Time) (reason string, err error) {
	var h heard
	if err := json.Unmarshal(frame, &h); err != nil {
		return "", errors.New("not a frame of the protocol")
	}
	switch h.Type { //nolint:exhaustive // the others are news that a person would look at
	case wire.TypeReady:
		b.worker.spans.record(Connect, began)
		b.mu.Lock()
		b.expires = h.TokenExpiresAt
		b.mu.Unlock()
		b.begin(time.Duration(h.HeartbeatInterval) * time.Millisecond)
	case wire.TypePong, wire.TypePing:
		b.worker.spans.record(Ping, b.worker.at(h.Timestamp))
		b.mu.Lock()
		b.waiting--
		b.answerBy = time.Time{}
		if h.Type == wire.TypePong && !h.TokenValid {
			b.askToken()
		}
		b.mu.Unlock()
		b.worker.count(func(c *Counts) { c.Pongs++ })
	case wire.TypeAuthExpired, wire.TypeSessionRevoked:
		return h.Reason, nil
	}
	return "", nil
}

// begin is what follows ready: heartbeats, spread over the interval from the first one on, and activity.
func (b *browser) begin(interval time.Duration) {
	if b.worker.plan.Heartbeat > 0 {
		interval = b.worker.plan.Heartbeat
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.ready, b.readyAt, b.interval = true, now, max(interval, time.Millisecond)
	b.pingAt = now.Add(rand.N(b.interval))
	next := b.pingAt
	if every := b.worker.plan.Activity; every > 0 {
		b.actAt = now.Add(rand.N(every))
		next = earlier(next, b.actAt)
	}
	first := !b.connected
	b.connected = true
	b.worker.count(func(c *Counts) {
		c.Open++
		if first {
			c.Connected++
		} else {
			c.Reconnections++
		}
	})
	b.worker.deadlines.Arm(b.deadline, next.Sub(now))
}

// leave ends a visit, and says when the next one is.
func (b *browser) leave(reason string, err error) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.client != nil {
		_ = b.client.Close() // it is over
	}
	wasReady := b.ready
	if wasReady {
		b.worker.count(func(c *Counts) { c.Open--; c.Cut += b.waiting })
		b.lostAt = now
		if now.Sub(b.readyAt) >= stableAfter {
			b.attempts = 0
		}
	}
	b.client, b.ready, b.waiting, b.answerBy, b.actAt = nil, false, 0, time.Time{}, time.Time{}
	b.visiting = false
	switch {
	case b.worker.ctx.Err() != nil:
		return // the worker has ended it
	case err == nil:
		if !b.worker.enrolling.Load() { // it was too late to be summoned with the others
			b.come(0)
		}
		return
	}
	b.worker.noteEnd(err)
	if b.revoked != nil {
		b.revoked <- now
		b.revoked = nil
	}
	if began := b.worker.spans.massBegan(); wasReady && !began.IsZero() {
		b.worker.spans.record(Mass, began)
	}
	b.decide(ended(err, reason), retryAfter(err))
}

// decide arms the next visit, if there is to be one. The caller holds b.mu.
func (b *browser) decide(next intent, atLeast time.Duration) {
	switch next {
	case retry:
	case tooEager:
		b.attempts = max(b.attempts, tooManyTry)
	case reenter:
		b.registered = !b.worker.plan.Register
	case renew:
		if b.stranded = b.worker.plan.Renewable; b.stranded {
			b.askToken()
			return
		}
		next = giveUp
	case giveUp:
	}
	if next == giveUp {
		b.over = true
		if !b.connected {
			b.worker.count(func(c *Counts) { c.Failed++ })
		}
		return
	}
	b.come(atLeast + rand.N(backoff(b.attempts)))
	b.attempts++
}

// come arms the next visit. The caller holds b.mu.
func (b *browser) come(in time.Duration) {
	b.comeAt = time.Now().Add(in)
	b.worker.deadlines.Arm(b.deadline, max(in, time.Nanosecond))
}

// askToken asks for another token, once, if there can be one. The caller holds b.mu.
func (b *browser) askToken() {
	if b.worker.plan.Renewable && !b.asked {
		b.asked = true
		b.worker.tell(news{Renew: &b.number})
	}
}

// renewed takes over a token: the next ping has it, or the next visit.
func (b *browser) renewed(token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.token, b.expires, b.asked, b.news = token, expiry(token), false, true
	b.worker.count(func(c *Counts) { c.Renewals++ })
	if b.stranded {
		b.stranded = false
		b.come(0)
	}
}
