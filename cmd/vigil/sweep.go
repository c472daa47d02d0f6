package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/internal/session"
)

// A chore is a part of a clean-up by the name that it has here.
type chore struct {
	name, what string
	duty       session.Duty
	count      func(session.SweepReport) int
}

var chores = []chore{
	{"expire", "sessions past their deadline, written down as ended", session.SweepExpired, func(r session.SweepReport) int { return r.Expired }},
	{"limit", "sessions beyond MAX_SESSIONS, ended", session.SweepLimits, func(r session.SweepReport) int { return r.Limited }},
	{"purge", "ended sessions older than RETENTION, deleted", session.SweepPurge, func(r session.SweepReport) int { return r.Purged }},
}

func newSweep(env environment) *cobra.Command {
	m := &maintenance{env: env}
	cmd := &cobra.Command{
		Use:   "sweep [expire|purge|limit]...",
		Short: "Clean up now: what running instances do every SWEEP_INTERVAL",
		Long: "Clean up now, all of it or the parts that are named: write down ends that time has brought (expire), delete what has been kept for\n" +
			"its time (purge), end sessions beyond the limit (limit). All of it also completes revocations that were left undone, and counts\n" +
			"the sessions for the statistics, as expire does. It does no more than the settings say, never asks, and may run at any time.\n" +
			"Give it the settings of the service: it goes by them. Needs STORE=firestore.",
		Example: "  vigil sweep\n" +
			"  RETENTION=168h vigil sweep purge --json",
	}
	cmd.Flags().StringVar(&m.reason, "reason", "", "why, for the audit trail")
	check := func(names []string) error {
		_, err := choresOf(names)
		return err
	}
	return m.command(cmd, check, func(ctx context.Context, s *shell, names []string) error {
		chosen, err := choresOf(names)
		if err != nil {
			return err
		}
		return s.sweep(ctx, chosen)
	})
}

// choresOf are those named, all if none is.
func choresOf(names []string) ([]chore, error) {
	if len(names) == 0 {
		return chores, nil
	}
	named := make(map[string]bool)
	for _, name := range names {
		named[name] = true
	}
	var chosen []chore
	for _, c := range chores {
		if named[c.name] {
			chosen = append(chosen, c)
			delete(named, c.name)
		}
	}
	for _, name := range names {
		if named[name] {
			return nil, fmt.Errorf("%q is none of expire, purge, limit", name)
		}
	}
	return chosen, nil
}

// sweep does chores and reports what it has done, also when it fails.
func (s *shell) sweep(ctx context.Context, chosen []chore) error {
	var duties session.Duty
	for _, c := range chosen {
		duties |= c.duty
	}
	report, err := s.swept(ctx, duties)
	return errors.Join(s.told(ctx, "sweep", err), s.reportSweep(report, chosen))
}

func (s *shell) swept(ctx context.Context, duties session.Duty) (report session.SweepReport, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		report, err = s.registry.SweepRequested(ctx, s.actor(), duties)
	}()
	bar := newProgress(s.env.stderr, "cleaning up, sessions ended", 0)
	defer bar.close()
	tick := time.NewTicker(progressRefresh)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return report, err
		case <-tick.C:
			bar.set(int(s.ended.n.Load()))
		}
	}
}

func (s *shell) reportSweep(report session.SweepReport, chosen []chore) error {
	if s.json {
		return s.print(report)
	}
	t := table{w: s.env.stdout}
	var rows [][]string
	for _, c := range chosen {
		rows = append(rows, []string{c.name, strconv.Itoa(c.count(report)), c.what})
	}
	return t.print(rows...)
}
