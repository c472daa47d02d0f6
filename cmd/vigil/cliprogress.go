package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/vigilhq/vigil/internal/session"
)

// progressInterval is how often progress is told where there is no terminal, and progressRefresh how often where there is one.
const (
	progressInterval = 3 * time.Second
	progressRefresh  = 300 * time.Millisecond
)

// progress tells how far long work has come: a bar on a terminal, a line now and then elsewhere.
type progress struct {
	w     io.Writer
	what  string
	total int                      // 0: unknown
	bar   *progressbar.ProgressBar // nil where there is no terminal
	next  time.Time                // of the next line
}

// newProgress begins with nothing done of total, which is 0 where nobody knows.
func newProgress(w io.Writer, what string, total int) *progress {
	p := &progress{w: w, what: what, total: total}
	if isTerminal(w) {
		most := total
		if most == 0 {
			most = -1
		}
		p.bar = progressbar.NewOptions(most, progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish(),
			progressbar.OptionUseANSICodes(true), progressbar.OptionSetElapsedTime(true))
	}
	return p
}

// set tells that n are done. What cannot be shown is not worth failing for.
func (p *progress) set(n int) {
	if p.bar != nil {
		if p.total > 0 {
			n = min(n, p.total)
		}
		_ = p.bar.Set(n)
		return
	}
	if now := time.Now(); !now.Before(p.next) {
		p.next = now.Add(progressInterval)
		p.line(n)
	}
}

func (p *progress) line(n int) {
	if p.total > 0 {
		_, _ = fmt.Fprintf(p.w, "%s: %d of %d\n", p.what, n, p.total)
	} else {
		_, _ = fmt.Fprintf(p.w, "%s: %d\n", p.what, n)
	}
}

// close leaves the terminal to whatever is said next.
func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// endCounter counts the sessions that this process ends.
type endCounter struct {
	session.NoMeter
	n atomic.Int64
}

// SessionEnded implements [session.Meter].
func (c *endCounter) SessionEnded(session.Reason) { c.n.Add(1) }
