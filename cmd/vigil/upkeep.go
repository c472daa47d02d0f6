package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// massInterval is how often an instance looks for mass revocations that nobody works on any more.
const massInterval = 5 * time.Second

// finishRevocations completes what other instances have left undone, at start and ever again.
func (i *instance) finishRevocations(ctx context.Context) {
	for {
		if err := i.registry.FinishRevocations(ctx); err != nil && ctx.Err() == nil {
			i.log.Warn("revocations not completed yet", "error", err)
		}
		if !wait(ctx, i.config.FeedResync+rand.N(i.config.FeedResync), nil) {
			return
		}
	}
}

// workOnMassRevocations does mass revocations as soon as they are asked for here, and those that other instances have left.
func (i *instance) workOnMassRevocations(ctx context.Context) {
	for wait(ctx, massInterval+rand.N(massInterval), i.registry.RevocationsAsked()) {
		if err := i.registry.WorkOnRevocations(ctx); err != nil && ctx.Err() == nil {
			i.log.Warn("mass revocations go on later", "error", err)
		}
	}
}

// sweep cleans up at start, and ever again unless another instance has: each clean-up reads every active session. The times are random, so
// that instances started at once do not stay in step.
func (i *instance) sweep(ctx context.Context) {
	every := i.config.SweepInterval
	if every == 0 {
		return
	}
	for due := true; ; due = i.sweepIsDue(ctx) {
		if due {
			if _, err := i.registry.Sweep(ctx, session.SweepAll); err != nil && ctx.Err() == nil {
				i.log.Warn("clean-up not complete", "error", err)
			}
		}
		jitter := every / 5
		if !wait(ctx, every-jitter/2+rand.N(jitter+1), nil) {
			return
		}
	}
}

// sweepIsDue reports whether nobody has cleaned up lately, or nobody can tell. Lately is less than the shortest wait between two
// clean-ups of one instance, so that an instance never takes its own for another's.
func (i *instance) sweepIsDue(ctx context.Context) bool {
	census, err := i.registry.Census(ctx)
	if err != nil {
		return true
	}
	lately := i.config.SweepInterval / 5 * 4
	if i.Clock.Now().Sub(census.CountedAt) >= lately {
		return true
	}
	i.Metrics.Counted(census)
	return false
}

// wait waits for d or for a value of sooner, and reports whether ctx is still going on.
func wait(ctx context.Context, d time.Duration, sooner <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-sooner:
	}
	return ctx.Err() == nil
}
