package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/vigilhq/vigil/internal/tied"
)

// fleet is the workers, as the process sees them that has started them.
type fleet struct {
	members []*member
	plan    Plan
}

// member is one worker.
type member struct {
	plan    Plan
	cmd     *exec.Cmd
	exited  <-chan struct{}
	said    tied.Tail // what it has said on standard error
	asked   int       // how many orders want a reply so far
	writing sync.Mutex
	orders  *json.Encoder
	input   io.Closer
	replies chan news // closed when nothing comes any more
	renew   func(browser int) string
}

// farewell is how long a worker may take to end once nobody gives it orders any more.
const farewell = 10 * time.Second

// launch starts workers, each by a command of its own, and gives them their plans. Renew makes a token for a browser, by number.
func launch(ctx context.Context, plan Plan, workers int, command func() *exec.Cmd, renew func(int) string) (*fleet, error) {
	f := &fleet{plan: plan}
	for _, part := range plan.split(workers) {
		m := &member{plan: part, cmd: command(), replies: make(chan news, 1), renew: renew}
		if err := m.start(); err != nil {
			f.close()
			return nil, fmt.Errorf("start a worker: %w", err)
		}
		f.members = append(f.members, m)
	}
	for _, m := range f.members {
		if _, err := m.ask(ctx, order{Do: doPlan, Plan: &m.plan}); err != nil {
			f.close()
			return nil, err
		}
	}
	return f, nil
}

func (m *member) start() error {
	in, err := m.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	m.cmd.Stderr = &m.said
	if m.exited, err = tied.Start(m.cmd, syscall.SIGKILL); err != nil {
		return err
	}
	m.input, m.orders = in, json.NewEncoder(in)
	go m.listen(out)
	return nil
}

// listen passes replies on, and answers what the worker asks for by itself.
func (m *member) listen(out io.Reader) {
	defer close(m.replies)
	for all := json.NewDecoder(out); ; {
		var n news
		if all.Decode(&n) != nil {
			return // it has ended
		}
		if n.Renew == nil {
			m.replies <- n
			continue
		}
		go m.order(order{Do: doToken, Browser: *n.Renew, Token: m.renew(*n.Renew)}) // it may be too busy to read
	}
}

// order gives an order. If the worker has ended, no reply comes.
func (m *member) order(o order) {
	m.writing.Lock()
	defer m.writing.Unlock()
	_ = m.orders.Encode(o)
}

// ask gives an order and waits for its reply. One at a time.
func (m *member) ask(ctx context.Context, o order) (news, error) {
	m.asked++
	o.ID = m.asked
	m.order(o)
	for {
		select {
		case n, ok := <-m.replies:
			switch {
			case !ok:
				return n, fmt.Errorf("a worker has ended: %s", &m.said)
			case n.ID != o.ID: // of an order that nobody waits for any more
				continue
			case n.Failure != "":
				return n, errors.New(n.Failure)
			}
			return n, nil
		case <-ctx.Done():
			return news{}, context.Cause(ctx)
		}
	}
}

// all gives an order to every worker at once, and adds up what they have counted.
func (f *fleet) all(ctx context.Context, o order) (Counts, []news, error) {
	replies := make([]news, len(f.members))
	failures := make([]error, len(f.members))
	var asking sync.WaitGroup
	for i, m := range f.members {
		asking.Go(func() { replies[i], failures[i] = m.ask(ctx, o) })
	}
	asking.Wait()
	var sum Counts
	for _, reply := range replies {
		sum.add(reply.Counts)
	}
	return sum, replies, errors.Join(failures...)
}

// revoke has the user of a browser revoked, and reports whether the browser was closed for it.
func (f *fleet) revoke(ctx context.Context, browser int, admin string) (bool, error) {
	for _, m := range f.members {
		if browser < m.plan.First+m.plan.Browsers {
			reply, err := m.ask(ctx, order{Do: doRevoke, Browser: browser, Token: admin})
			return reply.Revoked, err
		}
	}
	return false, nil
}

// cpu is the time that the workers have had a processor so far.
func (f *fleet) cpu() (time.Duration, error) {
	var sum time.Duration
	for _, m := range f.members {
		took, err := Server{PID: m.cmd.Process.Pid}.CPU()
		if err != nil {
			return 0, err
		}
		sum += took
	}
	return sum, nil
}

// close ends the workers.
func (f *fleet) close() {
	for _, m := range f.members {
		_ = m.input.Close() // without orders it ends
	}
	for _, m := range f.members {
		select {
		case <-m.exited:
		case <-time.After(farewell):
			_ = m.cmd.Process.Kill() // it may have ended just now
			<-m.exited
		}
	}
}
