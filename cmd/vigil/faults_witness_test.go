package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/socket"
	"github.com/vigilhq/vigil/internal/wire"
)

// witness is a sign-in that watches how it is treated.
type witness struct {
	uid, id string
	tokens  [2]string // of the same sign-in, and a fresh one to each other
	// Times since the trial began; zero: not yet. Ended is stored last.
	tried, ended atomic.Int64
	by           atomic.Pointer[replica] // who has acknowledged the end when it was first asked for; nil: it had to be asked for again

	mu     sync.Mutex
	socket *socket.Client // nil: none that is ready
}

// newWitness is a registered sign-in.
func (tr *trial) newWitness(uid, sid string) *witness {
	s := &witness{uid: uid, id: string(session.NewID(session.UserID(uid), sid, time.Time{}))}
	for n := range s.tokens {
		s.tokens[n] = tr.mint(uid, map[string]any{"sid": sid, "copy": n})
	}
	return s
}

// register begins the session at whichever instance there is.
func (tr *trial) register(s *witness) {
	tr.insist(func() bool {
		status, _ := tr.anyReplica().ask(tr.ctx, http.MethodPost, "/v1/sessions", s.tokens[0])
		return status/100 == 2
	})
}

// accepted takes notice of something that was begun at a time and has been accepted.
func (tr *trial) accepted(s *witness, r *replica, what string, begun time.Duration) {
	ended := time.Duration(s.ended.Load())
	if ended == 0 || begun <= ended {
		return
	}
	late := begun - ended
	switch {
	case late > tr.bound:
		tr.blame("a %s of %s, %v after the end was acknowledged, is accepted by instance %d", what, s.id, late, r.number)
	case s.by.Load() == r:
		tr.blame("a %s of %s, %v after the end was acknowledged, is accepted by instance %d, which has acknowledged it", what, s.id, late, r.number)
	}
	tr.note(func() {
		tr.stale[what]++
		tr.latest = max(tr.latest, late)
		if !r.upset.Load() {
			tr.latestCalm = max(tr.latestCalm, late)
		}
	})
}

// refused takes notice that a sign-in was refused for good, at the end of a request.
func (tr *trial) refused(s *witness, r *replica, what string) {
	if s.tried.Load() == 0 {
		tr.blame("a %s of %s, whose end nobody has asked for, is refused by instance %d", what, s.id, r.number)
	}
}

// check asks whether a request of the sign-in may pass.
func (tr *trial) check(ctx context.Context, s *witness, r *replica) (status int) {
	begun := tr.now()
	status, code := r.ask(ctx, http.MethodGet, "/v1/check", s.tokens[rand.N(len(s.tokens))])
	switch status {
	case http.StatusNoContent:
		tr.accepted(s, r, "request", begun)
	case http.StatusUnauthorized:
		tr.refused(s, r, "request")
	case http.StatusServiceUnavailable, 0:
	default:
		tr.blame("a request is answered %d %s", status, code)
	}
	tr.note(func() {
		tr.answers[status]++
		if ended := time.Duration(s.ended.Load()); ended > 0 && begun > ended+tr.bound {
			tr.beyond++
		}
	})
	return status
}

// holdSocket holds a socket of the sign-in, at one instance after another, until it is told not to come back.
func (tr *trial) holdSocket(s *witness) {
	for attempts := 0; tr.ctx.Err() == nil; attempts++ {
		code, stayed := tr.visit(s, tr.anyReplica())
		if code.Terminal() {
			return
		}
		if stayed {
			attempts = 0
		}
		tr.pass(rand.N(500 * time.Millisecond << min(attempts, 3)))
	}
}

// visit holds a socket at one instance, and returns how that has closed it, zero if it has not.
func (tr *trial) visit(s *witness, r *replica) (code wire.CloseCode, stayed bool) {
	ctx, cancel := context.WithTimeout(tr.ctx, tr.pause+patience)
	defer cancel()
	client, err := socket.Dial(ctx, "ws"+strings.TrimPrefix(r.now.Load().api, "http")+"/v1/ws", "https://dashboard.example.com")
	if err != nil {
		return 0, false
	}
	defer func() { _ = client.Close() }()
	defer context.AfterFunc(tr.ctx, func() { _ = client.Close() })()
	begun := tr.now()
	if client.Write(wire.Request{Type: wire.TypeAuth, Token: s.tokens[0]}) != nil {
		return 0, false
	}
	defer s.publish(nil)
	for {
		frame, err := client.Read()
		if closed, ok := errors.AsType[*socket.ClosedError](err); ok {
			if closed.Code.Terminal() {
				tr.refused(s, r, "socket")
			}
			tr.note(func() { tr.closes[closed.Code]++ })
			return closed.Code, stayed
		}
		if err != nil {
			return 0, stayed
		}
		var said struct {
			Type       wire.Type
			Timestamp  time.Duration
			TokenValid bool
		}
		if err := json.Unmarshal(frame, &said); err != nil {
			tr.blame("%v in %s", err, frame)
		}
		switch {
		case said.Type == wire.TypeReady:
			tr.accepted(s, r, "socket", begun)
			s.publish(client)
			stayed = true
		case said.Type == wire.TypePong && said.TokenValid:
			tr.accepted(s, r, "ping", said.Timestamp)
		}
	}
}

// publish says on which socket to ping from now on.
func (s *witness) publish(client *socket.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.socket = client
}

// ping pings on the sockets of all whose end has been acknowledged, for as long as there are such.
func (tr *trial) ping() {
	every := max(100*time.Millisecond, tr.pause/60) // a burst of sixty is what an instance takes that has been stopped
	for n := 0; tr.ctx.Err() == nil; n++ {
		for _, s := range tr.holders {
			if ended := time.Duration(s.ended.Load()); ended > 0 {
				tr.pingOn(s, n, ended)
			}
		}
		tr.pass(every)
	}
}

// pingOn sends a ping, with another token now and then.
func (tr *trial) pingOn(s *witness, n int, ended time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket == nil {
		return
	}
	message := map[string]any{"type": wire.TypePing}
	if n %= len(s.tokens) + 1; n < len(s.tokens) {
		message["token"] = s.tokens[n]
	}
	begun := tr.now()
	message["timestamp"] = int64(begun)
	if s.socket.Write(message) != nil {
		return // its reader knows
	}
	tr.note(func() { tr.pings++ })
	if begun > ended+tr.bound {
		tr.pingsBeyond.Add(1)
	}
}
