package swarm

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Report is what was found. What is not known is left out.
type Report struct {
	Protocol    Protocol `json:"protocol"`
	Browsers    int      `json:"browsers"` // asked for
	Processes   int      `json:"processes"`
	Sources     int      `json:"sources"` // addresses; 0: the system's choice
	Interrupted bool     `json:"interrupted,omitempty"`

	Counts     Counts `json:"counts"`     // at the end
	Unanswered int    `json:"unanswered"` // pings
	Alive      Alive  `json:"alive"`

	Seconds   map[string]float64 `json:"seconds"` // how long the parts took
	Latencies map[Kind]Latency   `json:"latencies"`
	Closes    map[string]int     `json:"closes"`   // by the server, by code
	Failures  map[string]int     `json:"failures"` // other ends, by what happened

	Server      *Usage       `json:"server,omitempty"`
	Clients     *Clients     `json:"clients,omitempty"`
	Revocations *Revocations `json:"revocations,omitempty"`
	Mass        *MassClose   `json:"mass,omitempty"`
	Google      any          `json:"google,omitempty"` // what the stand-in was asked, if there was one
}

// Alive is how many sockets were open when the steady time was over, on both sides.
type Alive struct {
	Clients int  `json:"clients"`
	Server  *int `json:"server,omitempty"`
}

// Percentiles are spans in milliseconds.
type Percentiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Latency is a latency, and how late a timer of ten milliseconds has fired in the same processes and time.
type Latency struct {
	Percentiles
	Lateness Percentiles `json:"lateness"`
}

// Usage is what the server took: before there was any connection, and in the steady time.
type Usage struct {
	PID              int      `json:"pid"`
	BaselineResident int64    `json:"baselineResident"`           // bytes
	BaselineLive     int64    `json:"baselineLive,omitempty"`     // bytes of objects and stacks that a garbage collection has left
	BaselineCPU      float64  `json:"baselineCpu"`                // seconds in a second
	EnrolledResident *int64   `json:"enrolledResident,omitempty"` // bytes, with all sessions begun and no socket
	Resident         int64    `json:"resident"`                   // bytes
	Live             int64    `json:"live,omitempty"`             // bytes, as BaselineLive
	CPU              float64  `json:"cpu"`                        // seconds, those of the baseline taken off
	Collected        bool     `json:"collected"`                  // memory was read after a forced garbage collection
	PerConnection    PerUnit  `json:"perConnection"`
	Pings            int      `json:"pings"`                // answered in the steady time
	CPUPerPing       *float64 `json:"cpuPerPing,omitempty"` // microseconds; everything else that was done for a connection is in it
}

// PerUnit is what one connection took.
type PerUnit struct {
	Resident float64  `json:"resident"`         // bytes, its session included
	Socket   *float64 `json:"socket,omitempty"` // bytes, without what the session had taken before
	Live     float64  `json:"live,omitempty"`   // bytes of objects and stacks
	CPU      float64  `json:"cpu"`              // microseconds in a second
}

// Clients is what the workers took in the steady time.
type Clients struct {
	CPU float64 `json:"cpu"` // seconds
}

// Revocations are those of single users.
type Revocations struct {
	Asked  int `json:"asked"`
	Closed int `json:"closed"`
}

// MassClose is the end of everybody.
type MassClose struct {
	Open    int     `json:"open"`    // before
	Left    int     `json:"left"`    // after
	Seconds float64 `json:"seconds"` // from before the request to the last close frame
}

func percentiles(s span) Percentiles {
	ms := func(microseconds int64) float64 { return float64(microseconds) / 1000 }
	return Percentiles{
		Count: s.TotalCount(), P50: ms(s.ValueAtPercentile(50)), P95: ms(s.ValueAtPercentile(95)), P99: ms(s.ValueAtPercentile(99)), Max: ms(s.Max()),
	}
}

// measured takes over what workers have measured.
func (r *Report) measured(all []results) {
	latencies, lateness := newSpans().all()
	for _, one := range all {
		for kind, s := range one.Latencies {
			latencies[kind].Merge(s.Histogram)
		}
		for phase, s := range one.Lateness {
			lateness[phase].Merge(s.Histogram)
		}
		for code, n := range one.Closes {
			r.Closes[code] += n
		}
		for what, n := range one.Failures {
			r.Failures[what] += n
		}
	}
	for _, k := range kinds {
		if latencies[k.kind].TotalCount() > 0 {
			r.Latencies[k.kind] = Latency{percentiles(latencies[k.kind]), percentiles(lateness[k.phase])}
		}
	}
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...any) {
		for i, cell := range cells {
			if i > 0 {
				_, _ = fmt.Fprint(t, "\t") // Flush tells
			}
			_, _ = fmt.Fprint(t, cell)
		}
		_, _ = fmt.Fprintln(t)
	}
	if r.Interrupted {
		row("INTERRUPTED: what follows is of the time until then")
	}
	c := r.Counts
	row("browsers", fmt.Sprintf("%d asked for, %d connected, %d given up", r.Browsers, c.Connected, c.Failed))
	alive := fmt.Sprintf("%d here", r.Alive.Clients)
	if r.Alive.Server != nil {
		alive += fmt.Sprintf(", %d at the server", *r.Alive.Server)
	}
	row("alive at the end", alive)
	row("frames", fmt.Sprintf("%d sent, %d received", c.Sent, c.Received))
	row("pings", fmt.Sprintf("%d sent, %d answered, %d cut off, %d unanswered", c.Pings, c.Pongs, c.Cut, r.Unanswered))
	row("activities", c.Activities)
	row("tokens renewed", c.Renewals)
	row("reconnections", c.Reconnections)
	row("closed by the server", tally(r.Closes))
	row("failures", tally(r.Failures))
	if v := r.Revocations; v != nil {
		row("users revoked", fmt.Sprintf("%d, %d of them closed", v.Asked, v.Closed))
	}
	if m := r.Mass; m != nil {
		row("mass revocation", fmt.Sprintf("%d of %d closed, the last after %.3f s", m.Open-m.Left, m.Open, m.Seconds))
	}
	r.printServer(row)
	if err := t.Flush(); err != nil {
		return err
	}
	return r.printLatencies(w)
}

func (r *Report) printServer(row func(...any)) {
	if s := r.Server; s != nil {
		how := "as it was"
		if s.Collected {
			how = "after a garbage collection"
		}
		memory := fmt.Sprintf("%s, %s without connections, %s; %.1f KB per connection",
			megabytes(s.Resident), megabytes(s.BaselineResident), how, s.PerConnection.Resident/1000)
		if s.PerConnection.Live > 0 {
			memory += fmt.Sprintf(", %.1f KB of it in use", s.PerConnection.Live/1000)
		}
		if s.PerConnection.Socket != nil {
			memory += fmt.Sprintf(", %.1f KB for the socket", *s.PerConnection.Socket/1000)
		}
		row("server's memory", memory)
		cpu := fmt.Sprintf("%.2f s in %.1f s; %.2f µs per connection and second", s.CPU, r.Seconds[string(steady)], s.PerConnection.CPU)
		if s.CPUPerPing != nil {
			cpu += fmt.Sprintf(", %.1f µs per ping", *s.CPUPerPing)
		}
		row("server's CPU time", cpu)
	}
	if r.Clients != nil {
		row("browsers' CPU time", fmt.Sprintf("%.2f s", r.Clients.CPU))
	}
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

func tally(counts map[string]int) string {
	if len(counts) == 0 {
		return "none"
	}
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s × %d", what, counts[what]))
	}
	return strings.Join(parts, ", ")
}

// printLatencies writes the table of latencies.
func (r *Report) printLatencies(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprint(t, "\nmilliseconds\tcount\tp50\tp95\tp99\tmax\t\n") // Flush tells
	row := func(title string, p Percentiles) {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t\n", title, p.Count, p.P50, p.P95, p.P99, p.Max)
	}
	for _, k := range kinds {
		if latency, ok := r.Latencies[k.kind]; ok {
			row(k.title, latency.Percentiles)
			row("a timer's lateness meanwhile", latency.Lateness)
		}
	}
	return t.Flush()
}
