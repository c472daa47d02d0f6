package swarm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
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
	maxMetrics = 8 << 20

	settleEvery   = 500 * time.Millisecond
	settleSamples = 4     // in a row
	settleWithin  = 0.002 // of each other
	settleTimeout = 20 * time.Second
	clockTick     = 10 * time.Millisecond // USER_HZ of proc(5), on every Linux
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

// CPU is the time that the process has had a processor, as Linux tells it (proc_pid_stat(5)), in steps of ten milliseconds.
func (s Server) CPU() (time.Duration, error) {
	if s.PID == 0 {
		return 0, errUnknown
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.PID))
	if err != nil {
		return 0, err
	}
	const utime, stime = 11, 12 // counted from the field after the program's name, which may have anything in it
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) <= stime {
		return 0, errUnknown
	}
	user, err := strconv.ParseInt(fields[utime], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(user+system) * clockTick, err
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

// Collect forces a garbage collection, twice: what pools hold survives the first. It needs PPROF=true.
func (s Server) Collect(ctx context.Context) error {
	for range 2 {
		if err := s.get(ctx, "/debug/pprof/heap?gc=1", func(string) error { return nil }); err != nil {
			return fmt.Errorf("force a garbage collection: %w", err)
		}
	}
	return nil
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
	lines := bufio.NewReader(io.LimitReader(response.Body, maxMetrics))
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
