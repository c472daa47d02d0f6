package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vigilhq/vigil/internal/localgoogle"
	"github.com/vigilhq/vigil/internal/swarm"
)

const (
	project = "demo-vigil"
	origin  = "http://127.0.0.1"
)

// bench is one run.
type bench struct {
	options
	results
	dir      string // temporary
	google   *localgoogle.Server
	signed   []string // tokens
	pinned   bool
	latest   map[string]swarm.Report // of each server with all sockets, in this round
	progress io.Writer
	began    time.Time
}

// A part is measured once in each round, if it is measured at all.
type part struct {
	name  string
	round func(*bench, context.Context, int) error
	// explain keeps profiles of what is too slow or too large. Nil: there is nothing to show.
	explain func(*bench, context.Context) error
}

var parts = []part{
	{"admit", (*bench).admit, nil},
	{"check", (*bench).checks, (*bench).explainCheck},
	{"sockets", (*bench).sockets, (*bench).explainSockets},
	{"growth", (*bench).growth, nil},
	{"firestore", (*bench).firestore, nil},
	{"deadlines", (*bench).deadlines, nil},
	{"flood", (*bench).flood, nil},
}

func partNames() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// measure runs all rounds. Nothing that it starts is there any more when it returns. With an error, too, it returns what was found.
func measure(ctx context.Context, o options, progress io.Writer) (results, error) {
	for _, name := range o.only {
		if !slices.Contains(partNames(), name) {
			return results{}, fmt.Errorf("there is no part %q", name)
		}
	}
	b := &bench{options: o, results: results{Samples: make(map[string][]float64)}, progress: progress, began: time.Now()}
	var err error
	if b.dir, err = os.MkdirTemp("", "vigil-bench-"); err != nil {
		return results{}, err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	if err := b.compile(ctx); err != nil {
		return results{}, err
	}
	if b.google, err = localgoogle.Start(ctx, localgoogle.Options{ProjectID: project, Dir: b.dir}); err != nil {
		return results{}, err
	}
	defer b.google.Close()
	b.sign() // on all cores
	b.pin(ctx)
	for round := range o.rounds {
		for _, p := range parts {
			if o.only != nil && !slices.Contains(o.only, p.name) {
				continue
			}
			b.say("round %d of %d: %s", round+1, o.rounds, p.name)
			if err := p.round(b, ctx, round); err != nil {
				return b.results, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	for _, p := range parts {
		if p.explain == nil || !b.missed(p.name) {
			continue
		}
		b.say("%s misses a target: profiles", p.name)
		if err := p.explain(b, ctx); err != nil {
			return b.results, fmt.Errorf("profiles of %s: %w", p.name, err)
		}
	}
	return b.results, nil
}

// compile makes the programs.
func (b *bench) compile(ctx context.Context) error {
	return b.gotool(ctx, "build", "-o", b.dir+"/", module+"cmd/vigil", module+"bench/baseline", module+"bench/load")
}

const module = "github.com/vigilhq/vigil/"

func (b *bench) gotool(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, out)
	}
	return nil
}

func (b *bench) program(name string) string { return filepath.Join(b.dir, name) }

// pin gives servers a core of their own where that can be had. This process, which is Google to them, moves to the other.
func (b *bench) pin(ctx context.Context) {
	_, err := exec.LookPath("taskset")
	if err == nil && runtime.NumCPU() > 1 {
		err = exec.CommandContext(ctx, "taskset", "-a", "-c", "-p", loadCore, strconv.Itoa(os.Getpid())).Run()
	}
	switch {
	case err != nil:
		b.say("no taskset (util-linux), or not allowed (%v): servers and load share all cores, and the figures are of both", err)
	case runtime.NumCPU() < 2:
		b.say("one core: servers and load share it, and the figures are of both")
	default:
		b.pinned = true
	}
}

func (b *bench) say(form string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, "%4.0fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(form, args...))
}

// sign has as many users sign in as any part has use for. It takes most of a millisecond for each.
func (b *bench) sign() {
	uids := make([]string, max(b.sizes.users, b.sizes.sockets, warmSockets))
	for i := range uids {
		uids[i] = "user" + strconv.Itoa(i)
	}
	b.signed = b.google.Tokens(uids, nil)
}

// tokens are those of so many users, each signed in once.
func (b *bench) tokens(n int) []string { return b.signed[:n] }

// tokenFile writes them for whoever reads them from a file.
func (b *bench) tokenFile(tokens []string) (string, error) {
	file, err := os.CreateTemp(b.dir, "tokens-*") // for the owner alone
	if err != nil {
		return "", err
	}
	_, err = file.WriteString(strings.Join(tokens, "\n"))
	return file.Name(), errors.Join(err, file.Close())
}

var errNothing = errors.New("nothing was measured")
