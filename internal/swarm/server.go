package swarm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Server is what is known of the process that is put under load.
type Server struct {
	PID int    // on this machine; zero: its memory and its CPU time are not known
	Ops string // base URL of its metrics and profiles; empty: what it counts itself is not known
}

const (
	opsTimeout = 30 * time.Second
	maxOps     = 64 << 20 // bytes: a heap profile as text grows with the places that have ever called for memory

	settleEvery   = 500 * time.Millisecond
	settleSamples = 4     // in a row
	settleWithin  = 0.002 // of each other
	settleTimeout = 20 * time.Second
)

var errUnknown = errors.New("not known")

// Resident is the memory of the process that is resident, in bytes, as Linux tells it (proc_pid_smaps_rollup(5)).
func (s Server) Resident() (int64, error) {
	if s.PID == 0 {
		return 0, errUnknown
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", s.PID))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Rss:" {
			kilobytes, err := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, errUnknown
}

// CPU is the time that the threads of the process have had a processor, as Linux tells it to the nanosecond (Documentation/scheduler/
// sched-stats.rst): what /proc/PID/stat has comes in steps of ten milliseconds, in which a thousand heartbeats have room. What threads
// took that have ended is not in it; a Go program ends none at rest.
func (s Server) CPU() (time.Duration, error) {
	if s.PID == 0 {
		return 0, errUnknown
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.PID))
	if err != nil || len(threads) == 0 {
		return 0, errUnknown
	}
	var sum time.Duration
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended just now
		}
		running, _, _ := strings.Cut(string(text), " ")
		nanoseconds, err := strconv.ParseInt(running, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(nanoseconds)
	}
	return sum, nil
}

// Sockets is how many sockets the server counts as open.
func (s Server) Sockets(ctx context.Context) (int, error) {
	var open int
	found := false
	err := s.get(ctx, "/metrics", func(line string) error {
		if value, ok := strings.CutPrefix(line, "vigil_sockets_open "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			open, found = int(n), true
			return err
		}
		return nil
	})
	if err == nil && !found {
		err = errUnknown
	}
	return open, err
}

// Collect forces a garbage collection, twice: what pools hold survives the first. It returns the bytes of objects and stacks that are left. It
// needs PPROF=true.
func (s Server) Collect(ctx context.Context) (live int64, err error) {
	for range 2 {
		found := 0
		live = 0
		err := s.get(ctx, "/debug/pprof/heap?gc=1&debug=1", func(line string) error {
			if !strings.HasPrefix(line, "# ") { // most lines are stacks
				return nil
			}
			var bytes int64
			for _, format := range []string{"# HeapAlloc = %d", "# Stack = %d"} {
				if _, err := fmt.Sscanf(line, format, &bytes); err == nil {
					live += bytes
					found++
				}
			}
			return nil
		})
		if err == nil && found != 2 {
			err = errUnknown
		}
		if err != nil {
			return 0, fmt.Errorf("force a garbage collection: %w", err)
		}
	}
	return live, nil
}

func (s Server) get(ctx context.Context, path string, read func(line string) error) error {
	if s.Ops == "" {
		return errUnknown
	}
	ctx, cancel := context.WithTimeout(ctx, opsTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Ops+path, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", s.Ops+path, response.Status)
	}
	lines := bufio.NewReader(io.LimitReader(response.Body, maxOps))
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := read(line); err != nil {
			return err
		}
	}
}

// Settled waits until the resident memory stays what it is, for a while, and returns it: Go gives memory back little by little.
func (s Server) Settled(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for low, high, alike := int64(0), int64(0), 0; ; {
		resident, err := s.Resident()
		if err != nil {
			return 0, err
		}
		low, high = min(low, resident), max(high, resident)
		if alike++; float64(high-low) > settleWithin*float64(high) {
			low, high, alike = resident, resident, 1
		}
		if alike >= settleSamples {
			return resident, nil
		}
		select {
		case <-ctx.Done():
			return resident, nil // it is what it is
		case <-time.After(settleEvery):
		}
	}
}
