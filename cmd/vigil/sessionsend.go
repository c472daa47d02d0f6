package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/internal/session"
)

const (
	// retryInterval is how long a mass revocation waits after a failure, or while another instance is busy with it.
	retryInterval = time.Second
	// maxRetries is after how many failures in a row the rest is left to the running instances.
	maxRetries = 5
)

func newSessionsEnd(env environment) *cobra.Command {
	m := &maintenance{env: env}
	var f filterFlags
	var all, dryRun bool
	cmd := &cobra.Command{
		Use:   "end [ID...]",
		Short: "End sessions: those named, those that a filter chooses, or all",
		Long: "End sessions: those named, those that a filter chooses, or all. Their users are thrown out on every instance, and have to sign in anew.\n\n" +
			"A filter, or --all, is a mass revocation: it ends every session that was created before the command and that matches when it is\n" +
			"reached. It is written down before it begins, so that running instances go on with it whatever happens to this process.\n" +
			"Asks first; without a terminal it needs --yes. Needs STORE=firestore.",
		Example: "  vigil sessions end 5f2b…e1 --reason 'lost laptop'\n" +
			"  vigil sessions end --country MX --active-before 24h --dry-run\n" +
			"  vigil sessions end --all --reason 'keys leaked' --yes --json",
	}
	m.flags(cmd.Flags())
	f.flags(cmd.Flags())
	cmd.Flags().BoolVar(&all, "all", false, "end all sessions")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say how many a filter chooses, and show some of them")
	check := func(ids []string) error {
		ways := 0
		for _, given := range []bool{len(ids) > 0, f.any(), all} {
			if given {
				ways++
			}
		}
		switch {
		case ways == 0:
			return errors.New("which sessions? Name their ids, choose them by a filter, or say --all")
		case ways > 1:
			return errors.New("ids, a filter and --all exclude each other")
		case dryRun && len(ids) > 0:
			return errors.New("--dry-run is for a filter or --all")
		}
		m.asks = !dryRun
		return f.check()
	}
	return m.command(cmd, check, func(ctx context.Context, s *shell, ids []string) error {
		switch filter := f.filter(s.registry.Now()); {
		case len(ids) > 0:
			return s.endNamed(ctx, ids)
		case dryRun:
			return s.preview(ctx, filter)
		default:
			return s.endMatching(ctx, filter)
		}
	})
}

// endNamed ends sessions one by one, and goes on past failures.
func (s *shell) endNamed(ctx context.Context, ids []string) error {
	if err := s.confirm(ctx, "End "+counted(len(ids), "session")+"?"); err != nil {
		return err
	}
	var failures []error
	for _, id := range ids {
		if err := s.registry.AdminEnd(ctx, s.actor(), session.ID(id)); err != nil {
			failures = append(failures, s.told(ctx, "session "+id, err))
			continue
		}
		var err error
		if s.json {
			err = s.print(map[string]string{"id": id, "status": string(session.StatusEnded)})
		} else {
			_, err = fmt.Fprintf(s.env.stdout, "session %s is over\n", id)
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// preview says what a mass revocation would end.
func (s *shell) preview(ctx context.Context, f session.Filter) error {
	matched, sample, err := s.registry.PreviewRevocation(ctx, s.actor(), f)
	if err != nil {
		return s.told(ctx, "preview", err)
	}
	if s.json {
		views := make([]session.View, len(sample))
		for i, each := range sample {
			views[i] = s.registry.Settings().ViewForAdmin(each, "")
		}
		return s.print(map[string]any{"matched": matched, "sample": views})
	}
	if _, err := fmt.Fprintf(s.env.stdout, "%s would end.\n", counted(matched, "session")); err != nil {
		return err
	}
	l := lister{shell: s, table: table{w: s.env.stdout}}
	return l.print(sample)
}

// endMatching is a mass revocation: asked for, written down, and then done here unless another instance is faster.
func (s *shell) endMatching(ctx context.Context, f session.Filter) error {
	if !s.yes {
		matched, sample, err := s.registry.PreviewRevocation(ctx, s.actor(), f)
		if err != nil {
			return s.told(ctx, "preview", err)
		}
		if matched == 0 {
			_, err := fmt.Fprintln(s.env.stderr, "No sessions.")
			return err
		}
		l := lister{shell: s, table: table{w: s.env.stderr}}
		if err := l.show(sample, matched); err != nil {
			return err
		}
		if err := s.confirm(ctx, "End "+counted(matched, "session")+"?"); err != nil {
			return err
		}
	}
	j, err := s.registry.StartRevocation(ctx, s.actor(), f)
	if err != nil {
		return s.told(ctx, "begin the revocation", err)
	}
	j, err = s.follow(ctx, j)
	if s.json {
		return errors.Join(err, s.print(map[string]any{"id": j.ID, "state": j.State, "matched": j.Matched, "ended": j.Ended}))
	}
	_, failure := fmt.Fprintf(s.env.stdout, "Revocation %s is %s: %d matched, %d ended.\n", j.ID, j.State, j.Matched, j.Ended)
	return errors.Join(err, failure)
}

// show prints some of the sessions that are about to end.
func (l *lister) show(sample []session.Session, matched int) error {
	if err := l.rows(sample); err != nil {
		return err
	}
	if more := matched - len(sample); more > 0 {
		_, err := fmt.Fprintf(l.env.stderr, "… and %d more\n", more)
		return err
	}
	return nil
}

// follow works on mass revocations until j is over, and tells how far it is. It returns j as last seen.
func (s *shell) follow(ctx context.Context, j session.MassRevocation) (session.MassRevocation, error) {
	working, stop := context.WithCancel(ctx)
	failed, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		failed <- s.work(working)
	}()
	bar := newProgress(s.env.stderr, "revocation "+j.ID+", sessions ended", j.Matched)
	defer func() {
		bar.close()
		stop()
		<-done
	}()
	tick := time.NewTicker(progressRefresh)
	defer tick.Stop()
	for {
		bar.set(j.Ended)
		select {
		case <-ctx.Done():
			return j, left(j, errInterrupted)
		case err := <-failed:
			return j, left(j, cmp.Or(s.told(ctx, "work", err), errInterrupted))
		case <-tick.C:
		}
		seen, err := s.registry.MassRevocation(ctx, j.ID)
		if ctx.Err() != nil {
			return j, left(j, errInterrupted)
		}
		if err != nil {
			return j, left(j, s.told(ctx, "read", err))
		}
		switch j = seen; j.State {
		case session.JobRunning:
		case session.JobFailed:
			return j, fmt.Errorf("revocation %s: %s", j.ID, j.Failure)
		case session.JobDone:
			bar.set(j.Ended)
			return j, nil
		}
	}
}

var errInterrupted = errors.New("interrupted")

// left is the failure of one who leaves a mass revocation to the others.
func left(j session.MassRevocation, err error) error {
	return fmt.Errorf("revocation %s: %w; running instances go on with it, GET /v1/admin/revocations/%s tells how far it is", j.ID, err, j.ID)
}

// work works on mass revocations until ctx is done. It fails when it has failed several times in a row.
func (s *shell) work(ctx context.Context) error {
	for failures := 0; ; {
		err := s.registry.WorkOnRevocations(ctx)
		if failures++; err == nil {
			failures = 0
		}
		if failures == maxRetries {
			return err
		}
		if !wait(ctx, retryInterval, nil) {
			return nil
		}
	}
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
