package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// admit runs the domain's own benchmark of the warm path.
func (b *bench) admit(ctx context.Context, _ int) error {
	got, err := b.goBenchmark(ctx, "internal/session", "^BenchmarkAdmit$")
	if err != nil {
		return err
	}
	b.add("admit/ns", got["ns/op"]/1000)
	b.add("admit/allocs", got["allocs/op"])
	return nil
}

var benchLine = regexp.MustCompile(`(?m)^Benchmark\S+\s+\d+\s+(.+)$`)

// goBenchmark runs one benchmark of a package on the servers' core and returns what it reports, by unit.
func (b *bench) goBenchmark(ctx context.Context, pkg, pattern string) (map[string]float64, error) {
	program := b.program(strings.ReplaceAll(pkg, "/", "-") + ".test")
	if matches, _ := filepath.Glob(program); matches == nil {
		if err := b.gotool(ctx, "test", "-c", "-o", program, module+pkg); err != nil {
			return nil, err
		}
	}
	var stdout bytes.Buffer
	p, err := b.start(ctx, serverCore, pattern, &stdout, nil, program,
		"-test.run", "^$", "-test.bench", pattern, "-test.benchmem", "-test.benchtime", b.sizes.goBench)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err := p.wait(ctx); err != nil {
		return nil, err
	}
	line := benchLine.FindSubmatch(stdout.Bytes())
	if line == nil {
		return nil, fmt.Errorf("%s in %s: %w\n%s", pattern, pkg, errNothing, &stdout)
	}
	got := make(map[string]float64)
	for fields := strings.Fields(string(line[1])); len(fields) >= 2; fields = fields[2:] {
		value, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return nil, err
		}
		got[fields[1]] = value
	}
	return got, nil
}
