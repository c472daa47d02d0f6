package swarm

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// phase is a part of a run that has a lateness of its own.
type phase string

const (
	connecting phase = "connecting"
	steady     phase = "steady"
	revoking   phase = "revoking"
	mass       phase = "mass"
)

var phases = []phase{connecting, steady, revoking, mass}

// Kind is what a latency is of.
type Kind string

// The kinds.
const (
	Register Kind = "register" // the request that begins a session, to its answer
	Connect  Kind = "connect"  // the dial, to ready
	Ping     Kind = "ping"     // the time that a ping is due, to its pong
	Revoke   Kind = "revoke"   // the request to revoke one user, to the close frame at the user's browser
	Mass     Kind = "mass"     // the request to revoke everybody, to each close frame
)

// kinds are in the order of the report, each with the phase that it is measured in.
var kinds = []struct {
	kind  Kind
	phase phase
	title string
}{
	{Register, connecting, "begin the session"},
	{Connect, connecting, "connect, to ready"},
	{Ping, steady, "ping, to pong"},
	{Revoke, revoking, "revoke one, to its close"},
	{Mass, mass, "revoke all, to each close"},
}

const (
	longest = 10 * time.Minute // longer spans count as this one
	figures = 3                // significant ones
)

// span collects durations, in a histogram of microseconds. The zero value is empty. In JSON it is a compressed histogram, so that
// what several processes have measured adds up.
type span struct{ *hdrhistogram.Histogram }

func newSpan() span { return span{hdrhistogram.New(1, longest.Microseconds(), figures)} }

func (s span) record(d time.Duration) {
	_ = s.RecordValue(min(max(d.Microseconds(), 1), longest.Microseconds())) // which is in its range
}

// MarshalText implements [encoding.TextMarshaler].
func (s span) MarshalText() ([]byte, error) {
	return s.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *span) UnmarshalText(text []byte) (err error) {
	s.Histogram, err = hdrhistogram.Decode(text)
	return err
}

// spans are those of one process. Safe for concurrent use.
type spans struct {
	mu        sync.Mutex
	phase     phase
	since     time.Time // of the phase
	latencies map[Kind]span
	lateness  map[phase]span
}

func newSpans() *spans {
	s := &spans{latencies: make(map[Kind]span), lateness: make(map[phase]span)}
	for _, k := range kinds {
		s.latencies[k.kind] = newSpan()
	}
	for _, p := range phases {
		s.lateness[p] = newSpan()
	}
	return s
}

// enter begins a phase.
func (s *spans) enter(p phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase, s.since = p, time.Now()
}

// record takes a latency that began at a time, unless that was in another phase than the one of its kind.
func (s *spans) record(k Kind, began time.Time) {
	took := time.Since(began)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range kinds {
		if known.kind == k && known.phase == s.phase && !began.Before(s.since) {
			s.latencies[k].record(took)
		}
	}
}

// late takes how late a timer has fired.
func (s *spans) late(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in, ok := s.lateness[s.phase]; ok {
		in.record(d)
	}
}

// massBegan is when everybody was about to be revoked, the zero time before that.
func (s *spans) massBegan() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != mass {
		return time.Time{}
	}
	return s.since
}

// probeEvery is the timer whose lateness is measured.
const probeEvery = 10 * time.Millisecond

// probe measures until stop is closed how late a timer fires.
func (s *spans) probe(stop <-chan struct{}) {
	timer := time.NewTimer(probeEvery)
	defer timer.Stop()
	for due := time.Now().Add(probeEvery); ; due = time.Now().Add(probeEvery) {
		select {
		case <-stop:
			return
		case <-timer.C:
		}
		s.late(time.Since(due))
		timer.Reset(probeEvery)
	}
}

// took takes a latency in the phase of its kind.
func (s *spans) took(k Kind, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latencies[k].record(d)
}

func (s *spans) phaseNow() phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase
}

// all returns what was collected. Nothing is, from then on.
func (s *spans) all() (latencies map[Kind]span, lateness map[phase]span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = ""
	return s.latencies, s.lateness
}
