package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// missed says whether a figure of the part does not reach its target.
func (r *results) missed(part string) bool {
	return slices.ContainsFunc(figures, func(f figure) bool {
		samples := r.Samples[f.key]
		return f.part == part && len(samples) > 0 && f.verdict(median(samples)) == missed
	})
}

// explainCheck keeps where Vigil's time goes at the check, in a round that is not counted.
func (b *bench) explainCheck(ctx context.Context) error {
	tokens := b.tokens(b.sizes.users)
	file, err := b.tokenFile(tokens)
	if err != nil {
		return err
	}
	s, err := b.checker(ctx, "vigil", tokens)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := b.load(ctx, s, file, b.sizes.warm); err != nil {
		return err
	}
	asked := make(chan error, 1)
	go func() {
		_, err := b.load(ctx, s, file, b.sizes.load+2*time.Second)
		asked <- err
	}()
	err = b.explain(ctx, s, "check", "CPU of `vigil serve` while it answers `GET /v1/check`", fmt.Sprintf("profile?seconds=%.0f", max(1, b.sizes.load.Seconds())))
	if loadErr := <-asked; err == nil {
		err = loadErr
	}
	return err
}

// explain keeps the upper end of one of the server's profiles.
func (b *bench) explain(ctx context.Context, s *server, part, title, profile string, flags ...string) error {
	data, err := s.profile(ctx, profile)
	if err != nil {
		return err
	}
	file := b.program(part + ".pprof")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	args := append([]string{"tool", "pprof", "-top", "-cum", "-nodecount=30"}, flags...)
	out, err := exec.CommandContext(ctx, "go", append(args, b.program("vigil"), file)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go tool pprof: %w\n%s", err, out)
	}
	_, table, found := strings.Cut(string(out), "Showing nodes")
	if !found {
		table = string(out)
	}
	b.Profiles = append(b.Profiles, explained{title, strings.TrimSpace(table)})
	return nil
}
