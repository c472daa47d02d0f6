package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vigilhq/vigil/internal/swarm"
)

const (
	// arrivals are how many browsers begin in a second.
	arrivals = "1500"
	// warmSockets come and go before anything is read, so that what a server needs once does not count as theirs.
	warmSockets = 200
	// minHeartbeat is the shortest that Vigil takes for long, see close code 4005.
	minHeartbeat = 250 * time.Millisecond
	// enough of the sockets have to be there to the end for a figure to be one of them.
	enough = 0.99
)

// sockets measures what an idle socket costs, Vigil's and the plain servers', and how fast Vigil's are closed.
func (b *bench) sockets(ctx context.Context, round int) error {
	n := b.sizes.sockets
	costs := make(map[string]swarm.Report)
	names := []string{"vigil", "gorilla-tuned"}
	if round == 0 {
		names = append(names, "gorilla") // to know where the other has its advantage from
	}
	for i := range names {
		name := names[(i+round)%len(names)]
		r, err := b.cost(ctx, name, n, b.sizes.heartbeat)
		if err != nil {
			return err
		}
		costs[name] = r
		b.add("sockets: bytes per socket of "+name, r.Server.PerConnection.Resident)
		b.add("sockets: bytes in use per socket of "+name, r.Server.PerConnection.Live)
		b.add("sockets: µs of CPU per heartbeat of "+name, *r.Server.CPUPerPing)
		b.add("sockets: part of the other core that the browsers of "+name+" took", r.Clients.CPU/r.Seconds["steady"])
	}
	vigil, tuned := costs["vigil"].Server, costs["gorilla-tuned"].Server
	share, err := storeShare(ctx, n)
	if err != nil {
		return err
	}
	b.add("sockets: of these, the store's, which in production are Firestore's", share)
	b.add("sockets: bytes per socket of vigil beyond what its session had taken before", *vigil.PerConnection.Socket)
	b.add("memory", (vigil.PerConnection.Resident-share)/tuned.PerConnection.Resident)
	b.add("heartbeat", *vigil.CPUPerPing / *tuned.CPUPerPing)
	b.latest = costs
	return b.closes(ctx, n)
}

// cost has browsers come to a fresh server of one kind.
func (b *bench) cost(ctx context.Context, name string, n int, heartbeat time.Duration) (swarm.Report, error) {
	s, err := b.socketServer(ctx, name, heartbeat)
	if err != nil {
		return swarm.Report{}, err
	}
	defer s.stop()
	at, err := b.at(s, min(n, warmSockets), heartbeat)
	if err == nil {
		_, err = b.swarm(ctx, min(n, warmSockets), append(at, "--duration", "1s")...)
	}
	if err != nil {
		return swarm.Report{}, err
	}
	interval := max(heartbeat, b.sizes.heartbeat).String()
	flags := []string{"--settle", interval, "--duration", interval}
	if name == "vigil" {
		flags = append(flags, "--enroll")
	}
	return b.browsers(ctx, s, n, heartbeat, flags...)
}

func (b *bench) socketServer(ctx context.Context, name string, heartbeat time.Duration) (*server, error) {
	if name == "vigil" {
		return b.vigil(ctx, "RATE_LIMITS=off", "WS_HEARTBEAT_INTERVAL="+heartbeat.String())
	}
	return b.baseline(ctx, name)
}

// closes measures how long it takes until those are gone who are to go: single users, and then all.
func (b *bench) closes(ctx context.Context, n int) error {
	r, err := b.swarm(ctx, n, "--rate", arrivals, "--idle", "--duration", "1s", "--revoke", strconv.Itoa(b.sizes.revoke), "--mass")
	if err != nil {
		return err
	}
	if r.Mass == nil || r.Mass.Left > 0 || r.Revocations == nil || r.Revocations.Closed < r.Revocations.Asked {
		return fmt.Errorf("not all were closed: %+v of single users, %+v of all", r.Revocations, r.Mass)
	}
	one := r.Latencies[swarm.Revoke]
	b.add("revoke", one.P99-one.Lateness.P99)
	b.add("sockets: ms from a revocation to the close, p50", one.P50)
	b.add("sockets: ms from a revocation to the close, p99", one.P99)
	b.add("sockets: ms that a timer was late meanwhile, p99", one.Lateness.P99)
	b.add("mass-close", r.Mass.Seconds)
	return nil
}

// growth compares what a socket costs among few, among many, and in two processes. As many heartbeats come in a second whatever the
// number of sockets: a core that has less to do takes longer for each thing, as it falls asleep in between.
func (b *bench) growth(ctx context.Context, round int) error {
	memory, cpu, err := b.grow(ctx, "vigil")
	if err != nil {
		return err
	}
	b.add("growth/memory", memory)
	b.add("growth/cpu", cpu)
	if round > 0 {
		return nil
	}
	memory, cpu, err = b.grow(ctx, "gorilla-tuned") // to know what of it is the machine's
	b.add("growth: memory of gorilla-tuned, the dearest size against the cheapest", memory)
	b.add("growth: CPU of gorilla-tuned, the dearest size against the cheapest", cpu)
	return err
}

// grow measures the sockets of one kind of server at all sizes, and returns how many times as much the dearest takes as the cheapest.
func (b *bench) grow(ctx context.Context, server string) (memory, cpu float64, err error) {
	n := b.sizes.sockets
	var resident, took []float64
	add := func(size string, reports ...swarm.Report) {
		var bytes, each float64
		for _, r := range reports {
			bytes += r.Server.PerConnection.Resident / float64(len(reports))
			each += *r.Server.CPUPerPing / float64(len(reports))
		}
		resident, took = append(resident, bytes), append(took, each)
		b.add(fmt.Sprintf("growth: bytes per socket of %s, %s", server, size), bytes)
		b.add(fmt.Sprintf("growth: µs of CPU per heartbeat of %s, %s", server, size), each)
	}
	sizes := []int{n / 15, n / 3, n}
	if latest, ok := b.latest[server]; ok {
		add(strconv.Itoa(n), latest) // of this round
		sizes = sizes[:2]
	}
	for _, size := range sizes {
		r, err := b.cost(ctx, server, size, max(b.sizes.heartbeat*time.Duration(size)/time.Duration(n), minHeartbeat))
		if err != nil {
			return 0, 0, err
		}
		add(strconv.Itoa(size), r)
	}
	var pair [2]swarm.Report
	group, pairCtx := errgroup.WithContext(ctx)
	for i := range pair {
		group.Go(func() (err error) {
			pair[i], err = b.cost(pairCtx, server, n, b.sizes.heartbeat*time.Duration(len(pair)))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return 0, 0, err
	}
	add(fmt.Sprintf("2 × %d", n), pair[:]...)
	return spread(resident), spread(took), nil
}

// browsers has them come to a server, and says what became of both.
func (b *bench) browsers(ctx context.Context, s *server, n int, heartbeat time.Duration, flags ...string) (swarm.Report, error) {
	at, err := b.at(s, n, heartbeat)
	if err != nil {
		return swarm.Report{}, err
	}
	flags = append(flags, "--gc", "--ops-url", "http://"+s.ops, "--pid", strconv.Itoa(s.cmd.Process.Pid))
	r, err := b.swarm(ctx, n, append(at, flags...)...)
	if err == nil && (r.Server == nil || r.Server.CPUPerPing == nil) {
		err = fmt.Errorf("sockets of %s: %w", s.name, errNothing)
	}
	return r, err
}

// at are the flags that have browsers come to a server.
func (b *bench) at(s *server, n int, heartbeat time.Duration) ([]string, error) {
	flags := []string{"--rate", arrivals, "--idle", "--url", "http://" + s.addr, "--origin", origin}
	if s.name != "vigil" {
		return append(flags, "--protocol", "plain", "--heartbeat", heartbeat.String()), nil
	}
	file, err := b.tokenFile(b.tokens(n))
	return append(flags, "--tokens", file), err
}

// swarm runs `vigil swarm`. Without a URL in the flags it has a Vigil of its own.
func (b *bench) swarm(ctx context.Context, n int, flags ...string) (swarm.Report, error) {
	cores := []string{"--server-cpus", serverCore, "--client-cpus", loadCore}
	if !b.pinned {
		cores = []string{"--server-cpus", "", "--client-cpus", ""}
	}
	args := append([]string{"swarm", "--json", "--browsers", strconv.Itoa(n)}, cores...)
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
	if float64(r.Alive.Clients) < enough*float64(n) {
		return r, p.failed(fmt.Sprintf("has %d of %d browsers left: %s", r.Alive.Clients, n, &stdout))
	}
	return r, nil
}
