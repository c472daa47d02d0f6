package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// admit runs the domain's own benchmark of the warm path.
func (b *bench) admit(ctx context.Context, _ int) error {
	lines, err := b.goBenchmark(ctx, serverCore, "internal/session", "^BenchmarkAdmit$", b.sizes.goBench)
	if err != nil {
		return err
	}
	b.add("admit/time", lines[0].value["ns/op"]/1000)
	b.add("admit/allocs", lines[0].value["allocs/op"])
	return nil
}

// firestore runs the hours of bench/scale, once: they are of virtual time, and the same every time.
func (b *bench) firestore(ctx context.Context, round int) error {
	if round > 0 {
		return nil
	}
	lines, err := b.goBenchmark(ctx, serverCore, "bench/scale", "^BenchmarkFirestoreHour$", "1x")
	if err != nil {
		return err
	}
	return b.take(lines[0], map[string]string{
		"firestore/active":  "active-writes/session-hour",
		"firestore/idle":    "idle-writes/session-hour",
		"firestore/reads":   "reads/session-hour",
		"firestore/lookups": "lookups/user-hour",
		"firestore: reads per hour with SWEEP_INTERVAL=4h": "reads-sweep4h/session-hour",
	})
}

// take adds figures that a line has to have, by their units.
func (b *bench) take(line benchmark, units map[string]string) error {
	for figure, unit := range units {
		value, ok := line.value[unit]
		if !ok {
			return fmt.Errorf("%s reports no %s", line.name, unit)
		}
		b.add(figure, value)
	}
	return nil
}

// deadlines runs the benchmark of the heap that all timers are in.
func (b *bench) deadlines(ctx context.Context, _ int) error {
	lines, err := b.goBenchmark(ctx, serverCore, "internal/live", "^BenchmarkDeadlines$", b.sizes.goBench)
	for _, line := range lines {
		_, what, _ := strings.Cut(line.name, "/")
		b.add("deadlines: ns for one of 60,000, "+strings.ReplaceAll(what, "_", " "), line.value["ns/op"])
	}
	return err
}

// flood runs the benchmark of good requests among bad ones: both sides are one process, on all cores.
func (b *bench) flood(ctx context.Context, _ int) error {
	lines, err := b.goBenchmark(ctx, bothCores, "internal/fireauth", "^BenchmarkR5GoodTrafficInAFlood$", b.sizes.flood)
	if err != nil {
		return err
	}
	return b.take(lines[0], map[string]string{
		"flood": "flooded/alone",
		"flood: against as many good requests more":                        "flooded/busy",
		"flood: ms of good requests without it, p99":                       "alone-p99-ms",
		"flood: ms of good requests among as many good requests more, p99": "busy-p99-ms",
		"flood: ms of good requests in it, p99":                            "flooded-p99-ms",
	})
}

// benchmark is a line that a benchmark of Go's has printed.
type benchmark struct {
	name  string
	value map[string]float64 // by unit
}

var benchLine = regexp.MustCompile(`(?m)^(Benchmark\S+?)(?:-\d+)?[ \t]+\d+[ \t]+(.+)$`)

// goBenchmark runs a benchmark of a package on some cores. There is at least one line without an error.
func (b *bench) goBenchmark(ctx context.Context, cores, pkg, pattern, benchtime string) ([]benchmark, error) {
	program := b.program(strings.ReplaceAll(pkg, "/", "-") + ".test")
	if _, err := os.Stat(program); err != nil {
		if err := b.gotool(ctx, "test", "-c", "-o", program, module+pkg); err != nil {
			return nil, err
		}
	}
	var stdout bytes.Buffer
	p, err := b.start(ctx, cores, pattern+" of "+pkg, &stdout, nil, program,
		"-test.run", "^$", "-test.bench", pattern, "-test.benchmem", "-test.benchtime", benchtime)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err := p.wait(ctx); err != nil {
		return nil, err
	}
	lines, err := readBenchmarks(stdout.String())
	if err == nil && len(lines) == 0 {
		err = errNothing
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", p.name, err, &stdout)
	}
	return lines, nil
}

// readBenchmarks reads what the testing package prints: https://go.dev/design/14313-benchmark-format.
func readBenchmarks(text string) (lines []benchmark, err error) {
	for _, match := range benchLine.FindAllStringSubmatch(text, -1) {
		line := benchmark{match[1], make(map[string]float64)}
		for fields := strings.Fields(match[2]); len(fields) >= 2; fields = fields[2:] {
			if line.value[fields[1]], err = strconv.ParseFloat(fields[0], 64); err != nil {
				return nil, err
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}
