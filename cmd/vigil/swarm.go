package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/internal/swarm"
)

const swarmLong = `Put the service under load: many browsers, which register, hold a socket, send heartbeats and activity, renew their tokens and
come back as the client package does. Reports what became of them, and latencies beside how late a timer fires on this machine.

Without --url it starts everything itself and needs nothing else: a stand-in for Google on loopback, and 'vigil serve' with
STORE=memory, real signatures and no rate limits; what follows -- are flags of that 'serve'. Everything ends with it.

With --url it drives a service that is running, with the ID tokens in --tokens, one on a line, each of a user of its own. That is a
load on whatever the service uses: it begins a session for each token, in its store and in its audit trail (users may get alerts and
mails, and their oldest sessions may be evicted), keeps so many sockets open, and notes activity. It ends no session and revokes nobody.
Do it to a staging project of your own, never to somebody else's. The origin must be one of its ALLOWED_ORIGINS, and its RATE_LIMITS
must let so many browsers in from one address.

A process has at most 20,000 descriptors in many places: there is a worker process for every 15,000 browsers.`

// swarmFlags are the flags of the command, as they were given.
type swarmFlags struct {
	options    swarm.Options
	protocol   string
	tokens     string // file
	counted    bool   // the number of browsers was given
	sources    int
	idle       bool
	lifetime   time.Duration
	serverCPUs string
	clientCPUs string
	json       bool
	serve      []string // arguments
}

func newSwarm(env environment) *cobra.Command {
	f := new(swarmFlags)
	cmd := &cobra.Command{Use: "swarm [flags] [-- flags of serve]", Short: "Put the service under load, here or in staging", Long: swarmLong}
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.serve = args
		if err := f.check(cmd.Flags().Changed); err != nil {
			return config.UsageError{Err: err}
		}
		return f.run(cmd.Context(), env)
	}
	cmd.AddCommand(newSwarmWorker(env))
	return cmd
}

// newSwarmWorker is a process's share of the browsers. Nobody but [swarm.Run] has a use for it.
func newSwarmWorker(env environment) *cobra.Command {
	return &cobra.Command{
		Use: "worker", Hidden: true, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return swarm.Work(cmd.Context(), cmd.InOrStdin(), env.stdout)
		},
	}
}

func (f *swarmFlags) add(cmd *cobra.Command) {
	flags, o := cmd.Flags(), &f.options
	flags.IntVar(&o.Browsers, "browsers", 1000, "how many browsers, each of a user of its own (default with --tokens: as many as there are)")
	flags.Float64Var(&o.Rate, "rate", 500, "how many of them begin in a second")
	flags.DurationVar(&o.Settle, "settle", 0, "how long to leave them alone once they are there, before anything is measured")
	flags.DurationVar(&o.Duration, "duration", 30*time.Second, "how long to hold them then")
	flags.DurationVar(&o.Heartbeat, "heartbeat", 0, "time between two pings of a browser (default what the server says)")
	flags.DurationVar(&o.Activity, "activity", time.Minute, "time between two activities of a person")
	flags.BoolVar(&f.idle, "idle", false, "no activity")
	flags.BoolVar(&o.PingToken, "ping-token", false, "send the token in every ping, rather than when it is new, as the client package does")
	flags.BoolVar(&o.Register, "register", true, "begin the sessions; else they have to be there")
	flags.BoolVar(&o.Enroll, "enroll", false, "begin all sessions before the first socket, to tell the memory of sockets from that of sessions")
	flags.IntVar(&o.Revoke, "revoke", 0, "then revoke so many users, one after the other (not with --url)")
	flags.BoolVar(&o.Mass, "mass", false, "then revoke everybody at once (not with --url)")
	flags.BoolVar(&o.Collect, "gc", false, "force a garbage collection in the server before its memory is read")
	flags.StringVar(&o.URL, "url", "", "base URL of a service to drive instead of one of our own")
	flags.StringVar(&f.tokens, "tokens", "", "file of ID tokens for it, one on a line")
	flags.StringVar(&o.Origin, "origin", "", "the page to pretend to be (default the URL's origin)")
	flags.StringVar(&f.protocol, "protocol", string(swarm.Vigil), "vigil, or plain: a server that sends every frame back, to compare with")
	flags.IntVar(&o.Server.PID, "pid", 0, "process of the service, if it is on this machine, to read its memory and CPU time")
	flags.StringVar(&o.Server.Ops, "ops-url", "", "base URL of its OPS_ADDR, to compare what it counts and for --gc")
	flags.IntVar(&f.sources, "sources", 64, "how many addresses of 127.0.0.0/8 to come from, for a service on loopback (Linux)")
	flags.IntVar(&o.Processes, "processes", 0, "worker processes (default one for every 15,000 browsers)")
	flags.DurationVar(&f.lifetime, "token-lifetime", time.Hour, "how long our own tokens count")
	flags.StringVar(&f.serverCPUs, "server-cpus", "0", "processors for our own server, where there is taskset and more than one; empty: all")
	flags.StringVar(&f.clientCPUs, "client-cpus", "1", "processors for the workers; empty: all")
	flags.BoolVar(&f.json, "json", false, "print JSON, one object")
}

const (
	perProcess = 15_000
	// minHeartbeat is what the service takes for ever: it closes with 4005 after more than five messages a second.
	minHeartbeat = 250 * time.Millisecond
)

// check finds fault with the flags, all at once, and completes what follows from them.
func (f *swarmFlags) check(given func(string) bool) error {
	o := &f.options
	var faults []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	o.Protocol, f.counted = swarm.Protocol(f.protocol), given("browsers")
	plain := o.Protocol == swarm.Plain
	want(plain || o.Protocol == swarm.Vigil, "--protocol %q is neither vigil nor plain", f.protocol)
	want(!o.Enroll || o.Register && !plain, "--enroll begins sessions: it goes with --register alone")
	want(o.Browsers > 0, "--browsers must be at least 1")
	want(o.Rate > 0, "--rate must be more than nothing")
	want(o.Settle >= 0 && o.Duration > 0, "--settle cannot be negative, and --duration must be more than nothing")
	want(o.Processes >= 0 && f.sources >= 0 && o.Revoke >= 0, "--processes, --sources and --revoke cannot be negative")
	want(o.Heartbeat == 0 || plain && o.Heartbeat > 0 || o.Heartbeat >= minHeartbeat,
		"--heartbeat must be at least %s: the service takes no more messages", minHeartbeat)
	want(o.Activity >= minHeartbeat, "--activity must be at least %s; --idle is without any", minHeartbeat)
	want(f.lifetime >= time.Second && f.lifetime <= time.Hour, "--token-lifetime must be from 1s to 1h")
	o.URL, o.Server.Ops = strings.TrimSuffix(o.URL, "/"), strings.TrimSuffix(o.Server.Ops, "/")
	if o.URL == "" {
		for _, flag := range []string{"tokens", "origin", "pid", "ops-url", "register"} {
			want(!given(flag), "--%s belongs to --url: without it everything is our own", flag)
		}
		want(!plain, "--protocol=plain needs the --url of such a server")
	} else {
		target, err := url.Parse(o.URL)
		want(err == nil && (target.Scheme == "http" || target.Scheme == "https") && target.Host != "" && target.User == nil,
			"--url %q is not a URL of http or https", o.URL)
		want(plain == (f.tokens == ""), "--tokens FILE goes with --url, and is of no use to --protocol=plain")
		want(plain || err != nil || target.Scheme != "http" || target.Hostname() == "localhost" || loopback(target),
			"--url %q: tokens go to another machine over https alone", o.URL)
		want(o.Revoke == 0 && !o.Mass, "--revoke and --mass end sessions: only those of our own server, without --url")
		want(len(f.serve) == 0, "arguments after -- are flags of our own server, without --url")
		want(!o.Collect || o.Server.Ops != "", "--gc needs --ops-url")
		want(!given("sources") || err == nil && loopback(target), "--sources are addresses of this machine, from which only a service on loopback can be reached")
		if err == nil && o.Origin == "" {
			o.Origin = target.Scheme + "://" + target.Host
		}
		if err != nil || !loopback(target) {
			f.sources = 0
		}
	}
	if runtime.GOOS != "linux" && !given("sources") {
		f.sources = 0 // only Linux has the whole of 127.0.0.0/8 without being told
	}
	if f.idle || plain {
		o.Activity = 0
	}
	return errors.Join(faults...)
}

// loopback reports whether a URL names an IPv4 address of this machine's own.
func loopback(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.Is4() && ip.IsLoopback()
}

// sourceAddresses are so many addresses of this machine, from 127.0.1.1 on.
func sourceAddresses(n int) []netip.Addr {
	var all []netip.Addr
	for next := netip.AddrFrom4([4]byte{127, 0, 1, 1}); len(all) < n; next = next.Next() {
		all = append(all, next)
	}
	return all
}

// run lets the browsers loose and reports. What was found before a failure is reported, too.
func (f *swarmFlags) run(ctx context.Context, env environment) error {
	o := &f.options
	p := newSwarmProgress(env.stderr)
	o.Progress = p.tell
	o.Sources = sourceAddresses(f.sources)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	f.pin(ctx, env)
	o.Command = func() *exec.Cmd { return on(ctx, f.clientCPUs, self, "swarm", "worker") }
	var ours *local
	if o.URL == "" {
		if ours, err = f.startLocal(ctx, self); err != nil {
			return err
		}
		defer ours.close()
	} else if err := f.readTokens(); err != nil {
		return config.UsageError{Err: err}
	}
	if o.Processes == 0 {
		o.Processes = (o.Browsers + perProcess - 1) / perProcess
	}
	report, err := swarm.Run(ctx, *o)
	p.close()
	if ours != nil {
		report.Google = ours.google.Asked()
		err = errors.Join(err, ours.lastWords())
	}
	if f.json {
		return errors.Join(err, json.NewEncoder(env.stdout).Encode(report))
	}
	return errors.Join(err, report.Print(env.stdout))
}

// readTokens reads the tokens of the file, and has a browser for each, or for as many as were asked for.
func (f *swarmFlags) readTokens() error {
	o := &f.options
	if o.Protocol == swarm.Plain {
		return nil
	}
	file, err := os.Open(f.tokens)
	if err != nil {
		return fmt.Errorf("--tokens: %w", err)
	}
	defer func() { _ = file.Close() }() // it is only read from
	if o.Tokens, err = swarm.ReadTokens(file, time.Now()); err == nil && len(o.Tokens) == 0 {
		err = errors.New("there is none")
	}
	if err != nil {
		return fmt.Errorf("--tokens: %w", err)
	}
	if f.counted && o.Browsers > len(o.Tokens) {
		return fmt.Errorf("--tokens: there are %d, for %d browsers", len(o.Tokens), o.Browsers)
	}
	if !f.counted {
		o.Browsers = len(o.Tokens)
	}
	o.Tokens = o.Tokens[:o.Browsers]
	return nil
}

// pin makes sure that processes can have processors of their own; otherwise they have all, and this says so.
func (f *swarmFlags) pin(ctx context.Context, env environment) {
	for _, cpus := range []*string{&f.serverCPUs, &f.clientCPUs} {
		if *cpus == "" {
			continue
		}
		err := errors.New("there is one processor")
		if runtime.NumCPU() > 1 {
			err = on(ctx, *cpus, "true").Run()
		}
		if err != nil {
			_, _ = fmt.Fprintf(env.stderr, "not on processor %s alone: %v\n", *cpus, err) // which is not worth failing for
			*cpus = ""
		}
	}
}

// on is a command on some processors alone, or on all.
func on(ctx context.Context, cpus, program string, args ...string) *exec.Cmd {
	if cpus != "" {
		program, args = "taskset", append([]string{"-c", cpus, program}, args...)
	}
	return exec.CommandContext(context.WithoutCancel(ctx), program, args...) // whoever starts it ends it in order
}
