// Command bench measures Vigil against the servers in bench/baseline and writes what came of it into docs/benchmarks.md. It is what
// `make bench` runs.
//
// Servers have one core for themselves and whoever loads them the other. All that is compared is measured in one run, in rounds: each
// round measures every server once, so that whatever else the machine does meets all of them. A figure is the median of its rounds.
// Nothing leaves the machine: Google is internal/localgoogle, and Vigil runs as in production, with real signatures, on a store in memory.
//
// Programs are children of this one and end with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// sizes are how much is measured in one round.
type sizes struct {
	users      int           // who take turns at the check
	warm, load time.Duration // of the check
	sockets    int
	revoke     int           // users, one after the other
	heartbeat  time.Duration // interval, and how long heartbeats are counted
	goBench    string        // -test.benchtime
	flood      string        // the same, in seconds with and without one
}

var (
	full  = sizes{users: 2000, warm: time.Second, load: 4 * time.Second, sockets: 15_000, revoke: 100, heartbeat: 10 * time.Second, goBench: "1s", flood: "5x"}
	quick = sizes{users: 200, warm: 100 * time.Millisecond, load: time.Second, sockets: 100, revoke: 20, heartbeat: time.Second, goBench: "1000x", flood: "1x"}
)

// options are what the command line says.
type options struct {
	sizes
	rounds   int
	only     []string // parts; empty: all
	document string   // where the table goes; empty: nowhere
	raw      string   // where the samples go; empty: nowhere
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	o := options{sizes: full}
	flags.IntVar(&o.rounds, "rounds", 5, "rounds")
	sockets := flags.Int("sockets", 0, fmt.Sprintf("sockets on one server (default %d)", full.sockets))
	only := flags.String("only", "", "measure some parts alone, separated by commas: "+strings.Join(partNames(), ", "))
	small := flags.Bool("quick", false, "small numbers, which show that everything runs and nothing else")
	flags.StringVar(&o.document, "document", "", "Markdown file to put the tables of a full run into, between its markers")
	flags.StringVar(&o.raw, "raw", "", "file for every sample, as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *small {
		o.sizes = quick
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if *small || *only != "" {
		o.document = ""
	}
	if *sockets > 0 {
		o.sockets = *sockets
	}
	results, err := measure(ctx, o, os.Stderr)
	if err != nil {
		o.document = "" // what there is of an unfinished run is for the terminal
	}
	return errors.Join(err, results.publish(stdout, o))
}
