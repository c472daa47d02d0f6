package swarm

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"
)

// What several processes have measured adds up, after it has been sent from one to the other.
func TestReportOfSeveralProcesses(t *testing.T) {
	var all []results
	for process := range 2 {
		s := newSpans()
		s.enter(steady)
		for i := range 50 {
			s.took(Ping, time.Duration(process*50+i+1)*time.Millisecond)
		}
		s.late(3 * time.Millisecond)
		latencies, lateness := s.all()
		sent, err := json.Marshal(results{
			Latencies: latencies, Lateness: lateness, Closes: map[string]int{"4000": 2}, Failures: map[string]int{"timed out": 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		var received results
		if err := json.Unmarshal(sent, &received); err != nil {
			t.Fatal(err)
		}
		all = append(all, received)
	}
	report := Report{Latencies: make(map[Kind]Latency), Closes: make(map[string]int), Failures: make(map[string]int)}
	report.measured(all)
	got := report.Latencies[Ping]
	for name, c := range map[string]struct{ got, want float64 }{
		"p50": {got.P50, 50}, "p95": {got.P95, 95}, "p99": {got.P99, 99}, "max": {got.Max, 100}, "lateness": {got.Lateness.P50, 3},
	} {
		if c.got < c.want*.999 || c.got > c.want*1.001 {
			t.Errorf("%s is %f ms, want %f", name, c.got, c.want)
		}
	}
	if got.Count != 100 || got.Lateness.Count != 2 || len(report.Latencies) != 1 || report.Closes["4000"] != 4 || report.Failures["timed out"] != 2 {
		t.Errorf("%+v", report)
	}
}

// A latency belongs to the phase that it began in, and has a lateness of that.
func TestPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpans()
		s.late(time.Hour) // of no phase
		s.enter(connecting)
		early := time.Now()
		<-time.After(time.Second)
		s.record(Ping, early)
		s.record(Connect, early)
		s.late(time.Millisecond)
		s.enter(steady)
		s.record(Ping, early)
		due := time.Now()
		<-time.After(2 * time.Hour) // longer than there is room for
		s.record(Ping, due)
		latencies, lateness := s.all()
		for kind, want := range map[Kind]int64{Connect: 1, Ping: 1, Register: 0} {
			if got := latencies[kind].TotalCount(); got != want {
				t.Errorf("%d of %s, want %d", got, kind, want)
			}
		}
		if got := latencies[Ping].Max(); got < longest.Microseconds() {
			t.Errorf("%d µs", got)
		}
		if lateness[connecting].TotalCount() != 1 || lateness[steady].TotalCount() != 0 {
			t.Error("lateness of another phase")
		}
	})
}

// The probe finds a timer as late as it is, which in a bubble is not at all.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpans()
		s.enter(steady)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() { s.probe(stop); close(stopped) }()
		<-time.After(time.Second + probeEvery/2)
		close(stop)
		<-stopped
		_, lateness := s.all()
		if got := percentiles(lateness[steady]); got.Count != 100 || got.Max > 0.001 {
			t.Errorf("%+v", got)
		}
	})
}

func TestSplit(t *testing.T) {
	plan := Plan{Browsers: 10, Tokens: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, Rate: 30}
	next := 0
	for _, part := range plan.split(3) {
		if part.First != next || len(part.Tokens) != part.Browsers || part.Browsers < 3 || part.Rate != 10 || part.Tokens[0] != plan.Tokens[next] {
			t.Errorf("%+v", part)
		}
		next += part.Browsers
	}
	if next != 10 {
		t.Errorf("%d browsers", next)
	}
}
