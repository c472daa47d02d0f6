package swarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/socket"
)

const (
	revokeTimeout = 10 * time.Second // for a close to come after a revocation
	answerTimeout = 2 * time.Second  // for the last answers to pings
	pollEvery     = 10 * time.Millisecond
)

// worker is a process's share of the browsers. Use [Work].
type worker struct {
	plan      Plan
	socketURL string
	origin    time.Time       // of the stamps in pings
	ctx       context.Context // of every visit
	cancel    context.CancelFunc
	deadlines *live.Deadlines
	scratch   []byte // for the goroutine of the deadlines
	running   sync.WaitGroup
	spans     *spans
	browsers  []*browser
	enrolling atomic.Bool // browsers begin their sessions only

	writing sync.Mutex // guards out
	out     *json.Encoder

	mu       sync.Mutex
	counts   Counts
	closes   map[string]int
	failures map[string]int
}

// Work does what orders say that come from in, and writes replies to out, until it is told to finish. That in ends is an error: the
// process that gives the orders is gone.
func Work(ctx context.Context, in io.Reader, out io.Writer) error {
	w := &worker{
		origin: time.Now(), deadlines: live.NewDeadlines(), spans: newSpans(), out: json.NewEncoder(out),
		closes: make(map[string]int), failures: make(map[string]int),
	}
	ctx, w.cancel = context.WithCancel(ctx)
	w.ctx = ctx
	sending, stop := context.WithCancel(ctx)
	var clockwork sync.WaitGroup
	clockwork.Go(func() { w.deadlines.Run(sending) })
	clockwork.Go(func() { w.spans.probe(sending.Done()) })
	quiet := func() { stop(); clockwork.Wait() } // from then on nothing is sent, and nobody begins a visit
	defer func() { quiet(); w.end() }()
	for orders := json.NewDecoder(in); ; {
		var o order
		if err := orders.Decode(&o); err != nil {
			return fmt.Errorf("swarm: orders: %w", err)
		}
		if o.Do == doFinish {
			quiet()
			w.finish(o.ID)
			return nil
		}
		if o.Do == doToken {
			w.browsers[o.Browser-w.plan.First].renewed(o.Token)
			continue
		}
		w.tell(w.follow(ctx, o))
	}
}

// follow does what an order says.
func (w *worker) follow(ctx context.Context, o order) news {
	reply := news{ID: o.ID}
	switch o.Do { //nolint:exhaustive // Work has the others
	case doPlan:
		w.take(*o.Plan)
	case doEnroll, doBegin:
		w.enrolling.Store(o.Do == doEnroll)
		w.spans.enter(connecting)
		w.summon()
	case doSteady:
		for _, b := range w.browsers {
			b.source.http.CloseIdleConnections() // they would count as the sockets'
		}
		w.spans.enter(steady)
	case doRevoke:
		if w.spans.phaseNow() != revoking {
			w.spans.enter(revoking)
		}
		revoked, err := w.revoke(ctx, w.browsers[o.Browser-w.plan.First], o.Token)
		if reply.Revoked = revoked; err != nil {
			reply.Failure = err.Error()
		}
	case doMass:
		w.spans.enter(mass)
	case doCount:
	}
	reply.Counts = w.counted()
	return reply
}

// summon has browsers come, one after the other, but for those that are on their way.
func (w *worker) summon() {
	for i, b := range w.browsers {
		b.mu.Lock()
		if !b.over && !b.visiting {
			b.come(time.Duration(float64(i) / w.plan.Rate * float64(time.Second)))
		}
		b.mu.Unlock()
	}
}

// take takes the plan, and makes the browsers, of which none has come yet.
func (w *worker) take(plan Plan) {
	w.plan = plan
	w.socketURL = "ws" + strings.TrimPrefix(plan.URL, "http") + "/v1/ws"
	from := plan.Sources
	if len(from) == 0 {
		from = []netip.Addr{{}}
	}
	sources := make([]*source, len(from))
	for i, address := range from {
		sources[i] = newSource(plan.Origin, address)
	}
	for i := range plan.Browsers {
		b := &browser{worker: w, source: sources[i%len(sources)], number: plan.First + i, registered: !plan.Register || plan.Protocol == Plain}
		b.deadline = live.NewDeadline(b.due)
		if plan.Tokens != nil {
			b.token = plan.Tokens[i]
			b.expires = expiry(b.token)
		}
		w.browsers = append(w.browsers, b)
	}
}

// revoke has a browser's user revoked by an administrator, and reports whether its connection was closed.
func (w *worker) revoke(ctx context.Context, b *browser, admin string) (bool, error) {
	closed := make(chan time.Time, 1)
	b.mu.Lock()
	if !b.ready {
		b.mu.Unlock()
		return false, nil
	}
	b.revoked = closed
	user, err := readClaims(b.token)
	b.mu.Unlock()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	began := time.Now()
	if err := b.source.post(ctx, w.plan.URL+"/v1/admin/users/"+user.Subject+"/revoke", admin, `{"reason":"vigil swarm"}`, nil); err != nil {
		return false, fmt.Errorf("revoke: %w", err)
	}
	select {
	case at := <-closed:
		w.spans.took(Revoke, at.Sub(began))
		return true, nil
	case <-ctx.Done():
		return false, nil
	}
}

// finish waits for the last answers, ends everything and tells what was measured.
func (w *worker) finish(id int) {
	for waited := time.Duration(0); waited < answerTimeout; waited += pollEvery {
		if c := w.counted(); c.Unanswered() <= 0 {
			break
		}
		<-time.After(pollEvery)
	}
	reply := news{ID: id, Counts: w.counted()}
	w.end()
	latencies, lateness := w.spans.all()
	w.mu.Lock()
	reply.Results = &results{Latencies: latencies, Lateness: lateness, Closes: maps.Clone(w.closes), Failures: maps.Clone(w.failures)}
	w.mu.Unlock()
	w.tell(reply)
}

// end closes what is open. Nobody begins a visit any more.
func (w *worker) end() {
	w.cancel()
	for _, b := range w.browsers {
		b.mu.Lock()
		if b.client != nil {
			_ = b.client.Close() // without a word
		}
		b.mu.Unlock()
	}
	w.running.Wait()
}

// tell writes to whoever gives the orders. If nobody is there any more, the next order does not come.
func (w *worker) tell(n news) {
	w.writing.Lock()
	defer w.writing.Unlock()
	_ = w.out.Encode(n)
}

func (w *worker) count(change func(*Counts)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.counts)
}

func (w *worker) counted() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts
}

// noteEnd counts the end of a visit: by close code, or as a failure.
func (w *worker) noteEnd(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var closed *socket.ClosedError
	if errors.As(err, &closed) {
		w.closes[strconv.Itoa(int(closed.Code))]++
	} else {
		w.failures[word(err)]++
	}
}

// stamp is a time as pings carry it: nanoseconds of the monotonic clock.
func (w *worker) stamp(t time.Time) int64 { return int64(t.Sub(w.origin)) }

// at is the time of a stamp.
func (w *worker) at(stamp int64) time.Time { return w.origin.Add(time.Duration(stamp)) }
