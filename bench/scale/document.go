package main

import (
	"cmp"
	_ "embed"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"
)

//go:embed scale.md.tmpl
var layout string

// seed is of the people's days.
const seed = 1

// report is what the document is made of.
type report struct {
	Active, Idle, Quiet hour
	Near, Far           measurement
	Ledger              []entry
	Million, Hundred    load
	Layouts             []layoutRow
	Limits              []limit
	Naive               bills
}

// entry is a line of what the day has cost: of all sessions, by the hour of one.
type entry struct {
	Name          string
	Reads, Writes float64
}

// layoutRow is a fleet for so many sessions.
type layoutRow struct {
	Name string
	load
	Bill bills
}

// limit is a [spot] with what is asked of it.
type limit struct {
	spot
	Million, Hundred, Reached float64
}

// newReport runs everything.
func newReport(t *testing.T) report {
	t.Helper()
	r := report{
		Active: anHour(t, policy, 1, true), Idle: anHour(t, patient(), 1, false), Quiet: anHour(t, policy, crowded, true),
		Near: simulate(t, fleetSize, true, seed), Far: simulate(t, fleetSize, false, seed),
		Naive: naive(),
	}
	r.Million, r.Hundred = r.Near.at(1e6, asBuilt), r.Near.at(1e8, asBuilt)
	for _, of := range []struct{ why, name string }{
		{forRegistration, "registrations"}, {forActivity, "activity"}, {forRequests, "requests, sockets that open"},
		{forSockets, "looks before warnings and ends, news of other sessions"}, {forEnds, "ends"}, {forSweep, "clean-ups"},
	} {
		r.Ledger = append(r.Ledger, entry{of.name, r.Near.Hourly(r.Near.reads[of.why]), r.Near.Hourly(r.Near.writes[of.why])})
	}
	for _, layout := range layouts {
		for _, sessions := range layout.sizes {
			l := r.Near.at(sessions, layout.design)
			r.Layouts = append(r.Layouts, layoutRow{layout.name, l, l.bill()})
		}
	}
	for _, s := range spots {
		r.Limits = append(r.Limits, limit{s, s.Load(r.Million), s.Load(r.Hundred), r.Near.breaksAt(s, asBuilt)})
	}
	slices.SortFunc(r.Limits, func(a, b limit) int { return cmp.Compare(a.Reached, b.Reached) })
	return r
}

// layouts are the fleets that the document compares.
var layouts = []struct {
	name  string
	sizes []float64
	design
}{
	{"15,000 sockets each", []float64{1e4, 1e5, 1e6, 1e8}, asBuilt},
	{"Cloud Run, 1,000 each", []float64{1e4, 1e5, 1e6}, cloudRun},
	{"15,000 each, by `shard`, clean-up every 4 h", []float64{1e6, 1e8}, sharded},
}

// document is docs/scale.md.
func (r report) document() (string, error) {
	parsed, err := template.New("scale").Funcs(functions).Parse(layout)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = parsed.Execute(&text, r)
	return text.String(), err
}

var functions = template.FuncMap{
	"n": figure, "whole": whole, "usd": func(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) },
	"percent": func(x float64) string { return strconv.FormatFloat(100*x, 'f', 0, 64) + " %" },
	"over":    func(a, b float64) float64 { return a / b },
	"times":   func(a, b float64) float64 { return a * b },
	"float":   func(n int) float64 { return float64(n) },
	"ramp":    ramp, "minutes": func(d time.Duration) string { return figure(d.Minutes()) },
	"missing": missing, "massPerSecond": func() float64 { return endsTogether * commitsAtOnce / commitLatency.Seconds() },
	"micros":       func(d time.Duration) string { return figure(float64(d) / float64(time.Microsecond)) },
	"heartbeatCPU": func() time.Duration { return heartbeatCPU }, "requestCPU": func() time.Duration { return requestCPU },
	"noticeCPU": func() time.Duration { return noticeCPU }, "busy": func() float64 { return busy },
	"backgroundReads": func() float64 { return backgroundReads }, "probes": func() int { return probesPerHour },
	"people": func() int { return people }, "asBuilt": func() design { return asBuilt }, "sharded": func() design { return sharded },
}

// figure is a number in three digits that count, with commas.
func figure(x float64) string {
	if x == 0 {
		return "0"
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(math.Abs(x)))))
	if decimals == 0 {
		unit := math.Pow(10, math.Floor(math.Log10(math.Abs(x)))-2)
		return whole(math.Round(x/unit) * unit)
	}
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(x, 'f', min(decimals, 3), 64), "0"), ".")
}

// whole is a whole number with commas.
func whole(x float64) string {
	digits := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
