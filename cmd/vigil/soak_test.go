package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/swarm"
)

// soakFor is set by make soak.
var soakFor = flag.Duration("soak", 8*time.Second, "how long the service is soaked, from a minute on on Firestore, too")

// soak is what a service is put into.
type soak struct {
	people int
	pace   time.Duration // of everything that takes its time
	flags  []string      // of serve, beside those that follow from the pace
	judged time.Duration // how long it takes at least until use does not grow any more: what is remembered for a while is all there
}

// settings have everything end soon that ends by itself, so that minutes have room for what takes days otherwise.
func (s soak) settings() []string {
	settings := []string{
		"--feed-resync=5s", "--max-sessions=3", "--sockets-per-session=3",
		"--rate-limits=register=1000/s:1000,sensitive=1000/s:1000,api=1000/s:1000,handshake=1000/s:1000",
	}
	for flag, paces := range map[string]float64{
		"idle-timeout": 2, "idle-warning": 1, "session-lifetime": 4, "retention": 4, "sweep-interval": .5, "user-state-ttl": 2,
		"ws-token-check-interval": 1, "ws-heartbeat-interval": .5, "ws-disconnect-timeout": 1.5, "ws-auth-timeout": 1, "ws-reauth-grace": .5,
	} {
		settings = append(settings, fmt.Sprintf("--%s=%s", flag, time.Duration(paces*float64(s.pace))))
	}
	return append(settings, s.flags...)
}

// bath is a service that is soaked: `vigil serve` as `vigil swarm` starts it.
type bath struct {
	*testing.T
	soak
	swarm.Server
	began   time.Time
	samples []sample
}

// sample is how much of everything is in use, by the name of its metric or by one of those below.
type sample map[string]float64

const (
	inUse       = "bytes of objects and stacks"
	resident    = "process_resident_memory_bytes"
	goroutines  = "go_goroutines"
	descriptors = "process_open_fds"
	series      = "series" // of metrics
	sockets     = "vigil_sockets_open"
	sessions    = "vigil_sessions_active"
)

// slack is how much more may be in use than before whatever the share: what is there by chance.
var slack = sample{inUse: 4 << 20, resident: 16 << 20, goroutines: 25, descriptors: 25, series: 0}

// grown names what is in use more and more: of the last third of the samples the median is more than a tenth above that of the third before.
// Compared is what all medians are.
func grown(samples []sample) (found, compared []string) {
	third := len(samples) / 3
	for _, what := range slices.Sorted(maps.Keys(slack)) {
		before, after := median(samples[third:2*third], what), median(samples[2*third:], what)
		says := fmt.Sprintf("%s: %.0f, and then %.0f", what, before, after)
		compared = append(compared, says)
		if more := after - before; more > slack[what] && more > before/10 {
			found = append(found, says)
		}
	}
	return found, compared
}

func median(samples []sample, what string) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = s[what]
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// measure takes a sample.
func (b *bath) measure() sample {
	b.Helper()
	bytes, err := b.Collect(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	s := sample{inUse: float64(bytes)}
	_, _, text := get(b.T, b.Ops+"/metrics")
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			s[name], _ = strconv.ParseFloat(value, 64)
			s[series]++
		}
	}
	return s
}

// say logs a sample.
func (b *bath) say(when string, s sample) {
	b.Helper()
	b.Logf("%s, %s: %.1f MB live, %.1f MB resident, %.0f goroutines, %.0f descriptors, %.0f series; %.0f sockets, %.0f sessions of %.0f", time.Since(b.began).Round(time.Second),
		when, s[inUse]/1e6, s[resident]/1e6, s[goroutines], s[descriptors], s[series], s[sockets], s[sessions], s["vigil_sessions_started_total"])
}

// keep saves profiles, for somebody who has to find out what has grown.
func (b *bath) keep(when string) {
	b.Helper()
	for _, profile := range []string{"heap", "goroutine"} {
		_, _, text := get(b.T, b.Ops+"/debug/pprof/"+profile)
		if err := os.WriteFile(filepath.Join(b.ArtifactDir(), profile+"."+when), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// watch takes samples for as long as the soak is to last, and longer until everything has happened.
func (b *bath) watch(missing func(sample) string) {
	b.Helper()
	every := min(max(*soakFor/90, 500*time.Millisecond), 30*time.Second)
	tick := time.NewTicker(every)
	defer tick.Stop()
	early := false
	for n := 1; ; n++ {
		<-tick.C
		s := b.measure()
		b.samples = append(b.samples, s)
		if n%10 == 0 {
			b.say("in use", s)
		}
		took := time.Since(b.began)
		if !early && took >= *soakFor/3 {
			early = true
			b.keep("early")
		}
		switch lacks := missing(s); {
		case took >= *soakFor && lacks == "":
			return
		case took >= *soakFor+4*patience: // what a slow machine prevents succeeds in the end
			b.Fatalf("in vain: %s", lacks)
		}
	}
}

// begin starts a service, and tells of those who are to use it.
func (s soak) begin(t *testing.T) (*bath, *crowd) {
	t.Helper()
	f := &swarmFlags{serve: s.settings(), options: swarm.Options{Progress: func(string, swarm.Counts) {}}}
	l, err := f.startLocal(t.Context(), program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.close()
		if code := l.cmd.ProcessState.ExitCode(); code != 0 || t.Failed() { // a data race is a code, too
			t.Errorf("exit code %d, last words:\n%s", code, &l.said)
		}
	})
	return &bath{T: t, soak: s, Server: f.options.Server, began: time.Now()}, &crowd{
		url: f.options.URL, google: l.google, pace: s.pace, done: make(map[string]int), late: make(map[string]int), odd: make(map[string]int),
	}
}

// everything is what has to happen.
var everything = []string{
	`vigil_sweep_sessions_total{action="purged"}`, `vigil_sessions_ended_total{reason="logout"}`, `vigil_sessions_ended_total{reason="revoked"}`,
	`vigil_sessions_ended_total{reason="admin_revoked"}`, `vigil_sessions_ended_total{reason="idle_timeout"}`,
	`vigil_sessions_ended_total{reason="absolute_timeout"}`, `vigil_sessions_ended_total{reason="session_limit"}`,
	`vigil_sessions_ended_total{reason="user_disabled"}`, `vigil_sessions_ended_total{reason="replaced"}`,
	`vigil_security_alerts_total{type="ip_changed"}`,
}

// R17 of docs/security.md: a service that has been in use for long uses no more than before, and when nobody is there no more than at the
// beginning.
func TestR17SoakWithoutGrowth(t *testing.T) {
	const inboxRemembers, listenerLives = 10 * time.Minute, 30 * time.Minute // notices
	soaks := map[string]soak{"memory": {people: len(deeds), pace: 2 * time.Second, judged: inboxRemembers * 3 / 2}}
	if *soakFor >= time.Minute {
		soaks["firestore"] = soak{
			people: 6, pace: 5 * time.Second, judged: listenerLives * 2,
			flags: []string{"--store=firestore", "--allow-emulators", "--firestore-emulator-host=" + firestoretest.Start(t)},
		}
	}
	for name, s := range soaks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, guests := s.begin(t)
			before := b.measure()
			b.say("before", before)
			ctx, over := context.WithCancel(t.Context())
			defer over()
			left := make(chan struct{})
			go func() {
				guests.gather(ctx, s.people)
				close(left)
			}()
			defer guests.report(b)
			b.watch(func(now sample) string {
				for _, what := range everything {
					if now[what] == 0 {
						return what
					}
				}
				return guests.missing()
			})
			b.keep("late")
			over()
			<-left
			b.judge()
			b.rest(before)
		})
	}
}

// judge looks at what has been found while people were there.
func (b *bath) judge() {
	b.Helper()
	if time.Since(b.began) < b.judged {
		b.Logf("whether use grows can be told after %s", b.judged)
		return
	}
	found, compared := grown(b.samples)
	b.Log(strings.Join(compared, "; "))
	for _, what := range found {
		if strings.HasPrefix(what, resident) && len(buildFlags) > 0 {
			b.Log(what) // the race detector's own memory grows with time
			continue
		}
		b.Error(what)
	}
}

// rest waits until nobody is there any more, and looks at what is left.
func (b *bath) rest(before sample) {
	b.Helper()
	const made = 10 // connections to Google and to the store, with their goroutines
	var s sample
	defer func() { b.say("at rest", s) }()
	patient(b.T, "at rest as little is in use as before", func() bool {
		s = b.measure()
		return s[sockets] == 0 && s[sessions] == 0 && s[goroutines] <= before[goroutines]+made && s[descriptors] <= before[descriptors]+made
	})
}

func TestGrown(t *testing.T) {
	for name, c := range map[string]struct {
		at   func(i int) float64 // of 90 samples
		want bool
	}{
		"the same":                       {func(int) float64 { return 100 }, false},
		"up and down":                    {func(i int) float64 { return 100 + 50*float64(i%7) }, false},
		"more and more":                  {func(i int) float64 { return 100 + 2*float64(i) }, true},
		"less and less":                  {func(i int) float64 { return 1000 - float64(i) }, false},
		"more until it is warm":          {func(i int) float64 { return 100 + 10*float64(min(i, 30)) }, false},
		"a little more":                  {func(i int) float64 { return 100 + .5*float64(i) }, false},
		"more, and little for its share": {func(i int) float64 { return 10_000 + 2*float64(i) }, false},
		"once":                           {func(i int) float64 { return float64(100 + i/80*1_000) }, false},
		"in the end for good":            {func(i int) float64 { return float64(100 + i/70*1_000) }, true},
	} {
		var samples []sample
		for i := range 90 {
			samples = append(samples, sample{goroutines: c.at(i), series: 100})
		}
		if found, _ := grown(samples); (len(found) > 0) != c.want {
			t.Errorf("%s: %v", name, found)
		}
	}
}
