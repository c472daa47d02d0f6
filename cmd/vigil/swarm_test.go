package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/internal/localgoogle"
	"github.com/vigilhq/vigil/internal/swarm"
)

// reportOf is what a swarm has printed.
func (p *process) reportOf() swarm.Report {
	p.Helper()
	var report swarm.Report
	if err := json.Unmarshal([]byte(p.stdout.String()), &report); err != nil {
		p.Fatalf("%v: %s\n%s", err, p.stdout.String(), p.stderr.String())
	}
	return report
}

// Browsers of two processes against a real service with real signatures: the numbers add up on both sides, everybody who is revoked is
// closed, and nothing is left running.
func TestSwarm(t *testing.T) {
	p := launch(t, &world{TB: t}, []string{"swarm", "--browsers=50", "--processes=2", "--rate=200", "--settle=500ms", "--duration=3s", "--heartbeat=400ms", "--activity=1s",
		"--token-lifetime=1m", "--revoke=5", "--mass", "--gc", "--enroll", "--json", "--", "--ws-max-token-age=30m"})
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.stderr.String())
	}
	r := p.reportOf()
	c := r.Counts
	if c.Registered != 50 || c.Connected != 50 || c.Failed != 0 || r.Alive.Clients != 50 || r.Alive.Server == nil || *r.Alive.Server != 50 {
		t.Errorf("alive %+v, server %v, %+v", r.Alive, r.Alive.Server, c)
	}
	if c.Pings < 50*3 || c.Pongs+c.Cut != c.Pings || r.Unanswered != 0 || c.Activities < 50 || c.Reconnections != 0 || c.Sent != 50+c.Pings+c.Activities {
		t.Errorf("%+v", c)
	}
	if c.Renewals < 50 { // of tokens that live no longer than a renewal comes ahead of their end
		t.Errorf("%d renewals", c.Renewals)
	}
	if len(r.Failures) != 0 || len(r.Closes) != 1 || r.Closes["4502"] != 50 || *r.Revocations != (swarm.Revocations{Asked: 5, Closed: 5}) {
		t.Errorf("closes %v, failures %v, revocations %+v", r.Closes, r.Failures, r.Revocations)
	}
	if r.Mass.Open != 45 || r.Mass.Left != 0 || r.Mass.Seconds <= 0 {
		t.Errorf("mass revocation: %+v", r.Mass)
	}
	for kind, want := range map[swarm.Kind]int64{swarm.Register: 50, swarm.Connect: 50, swarm.Ping: 50, swarm.Revoke: 5, swarm.Mass: 45} {
		if got := r.Latencies[kind]; got.Count < want || got.P50 <= 0 || got.P50 > got.Max || got.Lateness.Count == 0 && kind != swarm.Mass {
			t.Errorf("%s: %+v", kind, got)
		}
	}
	if u := r.Server; !u.Collected || u.BaselineResident <= 0 || u.EnrolledResident == nil || u.PerConnection.Socket == nil || u.Pings < 50 ||
		u.Live <= u.BaselineLive || u.BaselineLive <= 0 || r.Seconds["settling"] < 0.5 {
		t.Errorf("%+v", u)
	}
	if google := r.Google.(map[string]any); google["accounts"].(float64) < 50 || google["lookUps"].(float64) < 1 || google["keys"].(float64) < 1 {
		t.Errorf("%+v", google)
	}
	if err := syscall.Kill(r.Server.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the server is still there: %v", err)
	}
}

// freePort is an address that nobody listens at for now.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Somebody's own service is driven with tokens from a file. Killed, and started again without any memory of them, it has all browsers
// back, and the interruption of the swarm ends with a report.
func TestSwarmComesBackToAService(t *testing.T) {
	google, err := localgoogle.Start(t.Context(), localgoogle.Options{ProjectID: "demo-staging", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(google.Close)
	addr, ops := freePort(t), freePort(t)
	settings := append(google.Environ(), "ADDR="+addr, "OPS_ADDR="+ops, "STORE=memory", "ALLOWED_ORIGINS=http://"+addr, "RATE_LIMITS=off")
	const n = 30
	uids := make([]string, n)
	for i := range uids {
		uids[i] = "user-" + strconv.Itoa(i)
	}
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte(strings.Join(google.Tokens(uids, nil), "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t}
	first := launch(t, w, []string{"serve"}, settings...)
	first.awaitReady()
	s := launch(t, w, []string{"swarm", "--url=http://" + addr, "--tokens=" + tokens, "--ops-url=http://" + ops,
		"--rate=200", "--duration=10m", "--heartbeat=500ms", "--json"})
	shows := func(line string) func() bool {
		return func() bool {
			_, _, text := get(t, "http://"+ops+"/metrics")
			return strings.Contains(text, "\n"+line+"\n")
		}
	}
	eventually(t, "all have come", shows(fmt.Sprintf("vigil_sockets_open %d", n)))
	first.signal(syscall.SIGKILL)
	first.wait()
	second := launch(t, w, []string{"serve"}, settings...)
	second.awaitReady()
	eventually(t, "all have come back, and said so", shows(fmt.Sprintf("vigil_socket_reconnections_total %d", n)))
	s.signal(syscall.SIGINT)
	if code := s.wait(); code != 0 {
		t.Fatalf("exit code %d: %s", code, s.stderr.String())
	}
	r := s.reportOf()
	if !r.Interrupted || r.Counts.Connected != n || r.Counts.Reconnections != n || r.Counts.Registered != 2*n || r.Alive.Clients != n || *r.Alive.Server != n {
		t.Errorf("%+v", r)
	}
	if r.Closes["4501"] != n || r.Unanswered != 0 || r.Server != nil {
		t.Errorf("closes %v, %d unanswered, server %+v", r.Closes, r.Unanswered, r.Server)
	}
}

func TestSwarmSaysWhatIsWrong(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := filepath.Join(t.TempDir(), "one")
	if err := os.WriteFile(one, []byte("a."+base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"ana","exp":4102444800}`))+".c"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"--browsers=0": "--browsers must be",
		"--rate=0 --duration=0s --heartbeat=1ms --activity=1s": "--rate must be",
		"--heartbeat=100ms":                                             "--heartbeat must be at least 250ms",
		"--protocol=http":                                               "neither vigil nor plain",
		"--protocol=plain":                                              "needs the --url",
		"--tokens=x":                                                    "--tokens belongs to --url",
		"--url=ftp://x --tokens=x":                                      "not a URL of http or https",
		"--url=https://user:pass@x --tokens=x":                          "not a URL of http or https",
		"--url=https://x":                                               "--tokens FILE goes with --url",
		"--url=https://x --tokens=x --revoke=1":                         "--revoke and --mass end sessions",
		"--url=https://x --tokens=x --mass":                             "--revoke and --mass end sessions",
		"--url=https://x --tokens=x --gc":                               "--gc needs --ops-url",
		"--url=https://x --tokens=x --sources=2":                        "--sources are addresses of this machine",
		"--url=https://x --tokens=x -- --idle-timeout=5m":               "flags of our own server",
		"--url=http://127.0.0.1:1 --tokens=/nowhere":                    "no such file",
		"--url=http://127.0.0.1:1 --tokens=" + tokens:                   "line 1 is not an ID token",
		"--enroll --register=false --url=http://127.0.0.1:1 --tokens=x": "--enroll begins sessions",
	} {
		var out strings.Builder
		err := run(t.Context(), append([]string{"swarm"}, strings.Fields(args)...), func(string) (string, bool) { return "", false }, &out, &out)
		if err == nil || config.ExitCode(err) != 2 || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// A server of our own that does not start says why.
func TestSwarmWithoutAServer(t *testing.T) {
	p := launch(t, &world{TB: t}, []string{"swarm", "--browsers=1", "--", "--idle-timeout=never"})
	if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), `IDLE_TIMEOUT: "never" is not a duration`) {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
}

// Where the addresses stand in a log does not matter, nor how it arrives.
func TestAddressReader(t *testing.T) {
	r := addressReader{found: make(chan struct{})}
	log := "vigil: something\n{\"message\":\"metrics\",\"address\":\"127.0.0.1:2\"}\n{\"message\":\"serving\",\"address\":\"127.0.0.1:1\"}\n{}\n"
	for i := range len(log) {
		if _, err := fmt.Fprint(&r, log[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	<-r.found
	if r.addr != "127.0.0.1:1" || r.ops != "127.0.0.1:2" || r.String() != log {
		t.Errorf("%s, %s, %q", r.addr, r.ops, r.String())
	}
}
