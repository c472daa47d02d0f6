package main

import (
	"fmt"
	"io"
	"time"

	"github.com/vigilhq/vigil/internal/swarm"
)

// How often the progress of a swarm is told, on a terminal and elsewhere.
const (
	swarmRefresh  = time.Second
	swarmInterval = 5 * time.Second
)

// swarmProgress tells how far a swarm is: in one line that changes on a terminal, in a line now and then elsewhere.
type swarmProgress struct {
	w        io.Writer
	terminal bool
	stage    string
	next     time.Time
}

func newSwarmProgress(w io.Writer) *swarmProgress {
	return &swarmProgress{w: w, terminal: isTerminal(w)}
}

// tell is told more often than there is something to be read. What cannot be shown is not worth failing for.
func (p *swarmProgress) tell(stage string, c swarm.Counts) {
	now := time.Now()
	if stage == p.stage && now.Before(p.next) {
		return
	}
	begin, end, every := "", "\n", swarmInterval
	if p.terminal {
		begin, end, every = "\r\x1b[K", "", swarmRefresh
	}
	p.stage, p.next = stage, now.Add(every)
	counted := ""
	if c.Connected > 0 {
		counted = fmt.Sprintf(": %d connected, %d open, %d frames sent, %d received", c.Connected, c.Open, c.Sent, c.Received)
	}
	_, _ = fmt.Fprint(p.w, begin, stage, counted, end)
}

// close leaves the terminal to whatever is said next.
func (p *swarmProgress) close() {
	if p.terminal {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
	}
}
