package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vigilhq/vigil/internal/swarm"
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
	return during(func() error {
		_, err := b.load(ctx, s, file, b.sizes.load+time.Second)
		return err
	}, func() error {
		return b.explain(ctx, s, "CPU time of `vigil serve` while it answers `GET /v1/check`", "profile?seconds="+seconds(b.sizes.load), "-cum")
	})
}

// explainSockets keeps what Vigil's sockets take while they are idle, in a round that is not counted.
func (b *bench) explainSockets(ctx context.Context) error {
	s, err := b.socketServer(ctx, "vigil", b.sizes.heartbeat)
	if err != nil {
		return err
	}
	defer s.stop()
	n := b.sizes.sockets
	return during(func() error {
		_, err := b.browsers(ctx, s, n, b.sizes.heartbeat, "--duration", (3 * b.sizes.heartbeat).String())
		return err
	}, func() error {
		err := poll(ctx, func() (bool, error) {
			open, err := swarm.Server{Ops: "http://" + s.ops}.Sockets(ctx)
			return open >= n || s.ended(), err
		})
		if err == nil {
			err = b.explain(ctx, s, fmt.Sprintf("CPU time of `vigil serve` while %d sockets send a heartbeat every %s", n, b.sizes.heartbeat),
				"profile?seconds="+seconds(b.sizes.heartbeat), "-cum")
		}
		if err == nil {
			err = b.explain(ctx, s, fmt.Sprintf("Heap of `vigil serve` with %d idle sockets", n), "heap?gc=1", "-sample_index=inuse_space")
		}
		if err == nil {
			err = b.explainStacks(ctx, s, n)
		}
		return err
	})
}

// stackLine is a line of the runtime's own in a heap profile that is text.
var stackLine = regexp.MustCompile(`(?m)^# Stack = (\d+) /`)

// explainStacks keeps what of the sockets' memory is no heap.
func (b *bench) explainStacks(ctx context.Context, s *server, n int) error {
	text, err := s.profile(ctx, "heap?gc=1&debug=1")
	if err != nil {
		return err
	}
	found := stackLine.FindSubmatch(text)
	if found == nil {
		return errors.New("a heap profile without stacks")
	}
	stacks, err := strconv.ParseFloat(string(found[1]), 64)
	b.Profiles = append(b.Profiles, explained{"And stacks, in bytes for each socket", number(stacks / float64(n))})
	return err
}

func seconds(d time.Duration) string { return strconv.Itoa(max(1, int(d.Seconds()))) }

// during does one thing while another is going on, and waits for both.
func during(load, look func() error) error {
	loaded := make(chan error, 1)
	go func() { loaded <- load() }()
	err := look()
	return errors.Join(err, <-loaded)
}

// explain keeps the upper end of one of the server's profiles.
func (b *bench) explain(ctx context.Context, s *server, title, profile string, flags ...string) error {
	data, err := s.profile(ctx, profile)
	if err != nil {
		return err
	}
	file := b.program("profile")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	args := slices.Concat([]string{"tool", "pprof", "-top", "-nodecount=30"}, flags, []string{b.program("vigil"), file})
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go tool pprof: %w\n%s", err, out)
	}
	_, table, _ := strings.Cut(string(out), "Showing nodes")
	b.Profiles = append(b.Profiles, explained{title, strings.TrimSpace(table)})
	return nil
}
