package main

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestScale runs the hours and the days once, and holds what they have cost to the targets, and docs/scale.md to what the program prints.
func TestScale(t *testing.T) {
	r := newReport(t)
	t.Run("somebody who works all the time", func(t *testing.T) {
		atMost(t, "writes an hour", r.Active.Writes, 12.5)
		atMost(t, "reads an hour", r.Active.Reads, 0)
	})
	t.Run("a session that is connected and idle", func(t *testing.T) {
		atMost(t, "writes an hour", r.Idle.Writes, 0)
		atMost(t, "reads an hour", r.Idle.Reads, 0)
	})
	t.Run("many who work", func(t *testing.T) {
		atMost(t, "writes an hour", r.Quiet.Writes, 12.5)
		atMost(t, "reads an hour with those of the instance", r.Quiet.ReadsAnHour(asBuilt), 2)
		atMost(t, "reads an hour with those of the instance and few clean-ups", r.Quiet.ReadsAnHour(sharded), 0.5)
		atMost(t, "look-ups an hour", r.Quiet.LookUps, 0.2)
		if r.Quiet.Writes < 11 || r.Quiet.LookUps < 0.05 {
			t.Errorf("next to nothing is counted: %+v", r.Quiet)
		}
	})
	t.Run("the formula for requests that come to any instance", func(t *testing.T) {
		if got, want := missing(fleetSize), r.Far.MissingShare(); math.Abs(got-want) > want/10 {
			t.Errorf("%.3f, %.3f in the simulation", got, want)
		}
	})
	t.Run("docs/scale.md", func(t *testing.T) {
		want, err := r.document()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("../../docs/scale.md")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("it is not what the program prints; `go run ./bench/scale >docs/scale.md` writes it (-want +got):\n%s", diff)
		}
	})
}

func atMost(t *testing.T, what string, got, most float64) {
	t.Helper()
	if got > most {
		t.Errorf("%s: %g, at most %g wanted", what, got, most)
	}
}

func TestFigure(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 0.0333: "0.033", 0.9999: "1", 1.0827: "1.08", 12: "12", 13.06: "13.1", 333.6: "334", 15_600: "15,600", 101_245_469: "101,000,000",
	} {
		if got := figure(x); got != want {
			t.Errorf("%g is %s, want %s", x, got, want)
		}
	}
	if got := ramp(750); got != 5*time.Minute {
		t.Errorf("to 750 operations a second: %s", got)
	}
}

// BenchmarkFirestoreHour reports what sessions cost in an hour in which nothing begins and nothing ends.
func BenchmarkFirestoreHour(b *testing.B) {
	var active, idle, many hour
	for b.Loop() {
		// The virtual time of testing/synctest is for tests alone.
		ran := testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: b.Name(), F: func(t *testing.T) {
			active, idle, many = anHour(t, policy, 1, true), anHour(t, patient(), 1, false), anHour(t, policy, crowded, true)
		}}})
		if !ran {
			b.Fatal("an hour has failed")
		}
	}
	b.ReportMetric(active.Writes, "active-writes/session-hour")
	b.ReportMetric(idle.Writes, "idle-writes/session-hour")
	b.ReportMetric(many.Reads, "own-reads/session-hour")
	b.ReportMetric(many.ReadsAnHour(asBuilt), "reads/session-hour")
	b.ReportMetric(many.ReadsAnHour(sharded), "reads-sweep4h/session-hour")
	b.ReportMetric(many.LookUps, "lookups/user-hour")
}

// What the arithmetic takes from `make bench` is what that has found last.
func TestMeasuredCPU(t *testing.T) {
	text, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	for row, taken := range map[string]float64{
		"sockets: µs of CPU per heartbeat of vigil":  float64(heartbeatCPU) / float64(time.Microsecond),
		"check: requests per second of vigil's core": float64(time.Second) / float64(requestCPU),
	} {
		_, rest, _ := strings.Cut(string(text), "\n| "+row+" | ")
		cell, _, _ := strings.Cut(rest, " |")
		found, err := strconv.ParseFloat(cell, 64)
		if err != nil || math.Abs(found-taken) > taken/1000 {
			t.Errorf("%s: %q (%v), arithmetic.go has %.5g", row, cell, err, taken)
		}
	}
}
