package handlers

import (
	"context"
	"maps"
	"sync"
	"time"
)

const (
	readyTimeout = 2 * time.Second
	readyMemory  = time.Second
)

// probe runs checks. Those that may cost something run once a second at most, however many ask: nobody needs a token to ask, and a
// check of the store is billed. Safe for concurrent use.
type probe struct {
	fresh, remembered []Check

	mu     sync.Mutex
	latest *round
}

// round is one run of the checks.
type round struct {
	began    time.Time
	done     chan struct{}
	outcomes map[string]error // by the checks' names; to be read when done is closed
}

func newProbe(checks []Check) *probe {
	p := new(probe)
	for _, c := range checks {
		if c.Fresh {
			p.fresh = append(p.fresh, c)
		} else {
			p.remembered = append(p.remembered, c)
		}
	}
	return p
}

// outcomes returns how the checks come out, by their names. It takes no longer than the checks may, for ctx ends only those that are
// run for this caller alone.
func (p *probe) outcomes(ctx context.Context) map[string]error {
	shared := p.round(context.WithoutCancel(ctx))
	<-shared.done
	all := run(ctx, p.fresh) // last, so that what is never remembered is not a run's length old either
	maps.Copy(all, shared.outcomes)
	return all
}

// round returns the run that is going on or is remembered, or else begins one.
func (p *probe) round(ctx context.Context) *round {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.latest != nil && !p.latest.stale() {
		return p.latest
	}
	r := &round{began: time.Now(), done: make(chan struct{})}
	p.latest = r
	go func() {
		defer close(r.done)
		r.outcomes = run(ctx, p.remembered)
	}()
	return r
}

func (r *round) stale() bool {
	select {
	case <-r.done:
		return time.Since(r.began) >= readyMemory
	default:
		return false
	}
}

// run runs checks at once.
func run(ctx context.Context, checks []Check) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	answers := make([]chan error, len(checks))
	for i, c := range checks {
		answers[i] = make(chan error, 1) // a check that comes too late finds nobody, and no obstacle
		go func() { answers[i] <- c.Check(ctx) }()
	}
	outcomes := make(map[string]error, len(checks))
	for i, c := range checks {
		select {
		case outcomes[c.Name] = <-answers[i]:
		case <-ctx.Done():
			outcomes[c.Name] = ctx.Err()
			select { // what is there by now counts: that another took too long says nothing about it
			case outcomes[c.Name] = <-answers[i]:
			default:
			}
		}
	}
	return outcomes
}
