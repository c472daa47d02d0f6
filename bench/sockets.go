package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/vigilhq/vigil/internal/swarm"
)

const (
	// arrivals are how many browsers begin in a second.
	arrivals = "1500"
	// enough of the sockets have to be there to the end for a figure to be one of them.
	enough = 0.99
)

// sockets measures what an idle socket costs, Vigil's and the plain servers', how fast Vigil's are closed, and what becomes of the
// cost as they grow more.
func (b *bench) sockets(ctx context.Context, round int) error {
	n := b.sizes.sockets
	var vigil, tuned swarm.Report
	steps := []func() error{
		func() (err error) {
			vigil, err = b.swarm(ctx, n, "--enroll", "--mass", "--revoke", strconv.Itoa(b.sizes.revoke))
			return err
		},
		func() (err error) {
			tuned, err = b.plainSwarm(ctx, "gorilla-tuned", n)
			return err
		},
	}
	if round == 0 {
		steps = append(steps, func() error {
			plain, err := b.plainSwarm(ctx, "gorilla", n)
			b.addCost("gorilla with its defaults", plain)
			return err
		})
	}
	for i := range steps {
		if err := steps[(i+round)%len(steps)](); err != nil {
			return err
		}
	}
	b.addCost("vigil", vigil)
	b.addCost("tuned gorilla", tuned)
	// 	b.add("sockets: bytes per socket of vigil without what its session takes", *vigil.Server.PerConnection.Socket)
	b.add("memory", vigil.Server.PerConnection.Resident/tuned.Server.PerConnection.Resident)
	b.add("heartbeat", *vigil.Server.CPUPerPing / *tuned.Server.CPUPerPing)
	b.addCloses(vigil)
	return b.growth(ctx, round, vigil)
}

// addCost keeps what one socket took.
func (b *bench) addCost(name string, r swarm.Report) {
	if r.Server == nil || r.Server.CPUPerPing == nil {
		return
	}
	b.add("sockets: bytes per socket of "+name, r.Server.PerConnection.Resident)
	b.add("sockets: µs of CPU per heartbeat of "+name, *r.Server.CPUPerPing)
	b.add("sockets: part of the other core that the browsers of "+name+" took", r.Clients.CPU/r.Seconds["steady"])
}

// addCloses keeps how long closes took.
func (b *bench) addCloses(r swarm.Report) {
	one := r.Latencies[swarm.Revoke]
	b.add("revoke", one.P99-one.Lateness.P99)
	b.add("sockets: ms from a revocation to the close, p50", one.P50)
	b.add("sockets: ms from a revocation to the close, p99", one.P99)
	b.add("sockets: ms that a timer was late meanwhile, p99", one.Lateness.P99)
	b.add("mass-close", r.Mass.Seconds)
}

// growth compares what a socket costs among few, many, and in two processes.
func (b *bench) growth(ctx context.Context, round int, full swarm.Report) error {
	n := b.sizes.sockets
	var memory, cpu []float64
	add := func(name string, reports ...swarm.Report) {
		var bytes, each float64
		for _, r := range reports {
			bytes += r.Server.PerConnection.Resident / float64(len(reports))
			each += *r.Server.CPUPerPing / float64(len(reports))
		}
		memory, cpu = append(memory, bytes), append(cpu, each)
		b.add("growth: bytes per socket, "+name, bytes)
		b.add("growth: µs of CPU per heartbeat, "+name, each)
	}
	add(strconv.Itoa(n), full)
	for _, size := range []int{n / 15, n / 3} {
		r, err := b.swarm(ctx, size)
		if err != nil {
			return err
		}
		add(strconv.Itoa(size), r)
	}
	var pair [2]swarm.Report
	group, pairCtx := errgroup.WithContext(ctx)
	for i := range pair {
		group.Go(func() (err error) {
			pair[i], err = b.swarm(pairCtx, n)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	add(fmt.Sprintf("2 × %d", n), pair[:]...)
	b.add("growth/memory", spread(memory))
	b.add("growth/cpu", spread(cpu))
	return nil
}

// swarm has browsers come to a Vigil of their own.
func (b *bench) swarm(ctx context.Context, n int, flags ...string) (swarm.Report, error) {
	flags = append(flags, "--", "--ws-heartbeat-interval", b.sizes.heartbeat.String())
	return b.browsers(ctx, n, flags...)
}

// plainSwarm has browsers come to one of the servers that send back what they get.
func (b *bench) plainSwarm(ctx context.Context, mode string, n int) (swarm.Report, error) {
	s, err := b.baseline(ctx, mode)
	if err != nil {
		return swarm.Report{}, err
	}
	defer s.stop()
	return b.browsers(ctx, n, "--protocol", "plain", "--url", "http://"+s.addr, "--pid", strconv.Itoa(s.cmd.Process.Pid),
		"--ops-url", "http://"+s.ops, "--heartbeat", b.sizes.heartbeat.String())
}

// browsers runs `vigil swarm` with what is the same for every server.
func (b *bench) browsers(ctx context.Context, n int, flags ...string) (swarm.Report, error) {
	cores := []string{"--server-cpus", serverCore, "--client-cpus", loadCore}
	if !b.pinned {
		cores = []string{"--server-cpus", "", "--client-cpus", ""}
	}
	args := append([]string{"swarm", "--browsers", strconv.Itoa(n), "--rate", arrivals, "--idle", "--duration", b.sizes.heartbeat.String(), "--gc", "--json"}, cores...)
	var stdout bytes.Buffer
	p, err := b.start(ctx, bothCores, "vigil swarm", &stdout, nil, b.program("vigil"), append(args, flags...)...)
	if err != nil {
		return swarm.Report{}, err
	}
	defer p.stop()
	if err := p.wait(ctx); err != nil {
		return swarm.Report{}, err
	}
	var r swarm.Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		return r, fmt.Errorf("%q of vigil swarm: %w", &stdout, err)
	}
	if r.Server == nil || r.Server.CPUPerPing == nil || float64(r.Alive.Clients) < enough*float64(n) {
		return r, p.failed(fmt.Sprintf("has %d of %d browsers left: %s", r.Alive.Clients, n, &stdout))
	}
	return r, nil
}
