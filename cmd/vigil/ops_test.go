package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// opsURL waits until the process tells where its metrics are.
func (p *process) opsURL() string {
	p.Helper()
	address := ""
	eventually(p.TB, "the metrics have an address", func() bool {
		for line := range strings.Lines(p.stderr.String()) {
			var entry struct{ Message, Address string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Message == "metrics" {
				address = entry.Address
			}
		}
		return address != ""
	})
	return "http://" + address
}

func get(t *testing.T, url string, edits ...func(*http.Request)) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		edit(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

func TestMetricsAreServedToOperators(t *testing.T) {
	t.Parallel()
	p := launchDev(t)
	ops := p.opsURL()
	p.call(http.MethodGet, "/v1/check", "no.such.token", nil)
	status, _, text := get(t, ops+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	for _, want := range []string{
		`vigil_http_requests_total{method="GET",route="/v1/check",status="401"} 1`,
		"vigil_ready 1", "vigil_sockets_open 0", "vigil_feed_age_seconds ", "vigil_clock_offset_seconds ",
		`vigil_sessions_ended_total{reason="admin_revoked"} 0`, "go_goroutines ", "vigil_build_info{",
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("%s is missing in:\n%s", want, text)
		}
	}
	_, header, _ := get(t, ops+"/metrics", func(r *http.Request) { r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0") })
	if got := header.Get("Content-Type"); !strings.HasPrefix(got, "application/openmetrics-text") {
		t.Errorf("OpenMetrics is answered as %s", got)
	}
	for _, path := range []string{"/", "/metrics/", "/v1/check", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars"} {
		if status, _, _ := get(t, ops+path); status != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, status)
		}
	}
	if status, _, _ := get(t, ops+"/metrics", func(r *http.Request) { r.Host = "rebound.example.com" }); status != http.StatusMisdirectedRequest {
		t.Errorf("under another name: %d, want 421", status)
	}
	if status, _, _ := get(t, p.api+"/metrics"); status != http.StatusNotFound {
		t.Errorf("the API serves the metrics: %d", status)
	}
	if !strings.Contains(p.stdout.String(), "Metrics    "+ops+"/metrics\n") {
		t.Errorf("the introduction does not name %s:\n%s", ops, p.stdout.String())
	}
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(p.stderr.String(), `"httpRequest":{"requestMethod":"GET","status":401,"latency":"`) {
		t.Errorf("no request in Cloud Logging's shape:\n%s", p.stderr.String())
	}
}

func TestProfilesWhereTheyAreWanted(t *testing.T) {
	t.Parallel()
	p := launchDev(t, "PPROF=true")
	for _, path := range []string{"", "heap", "goroutine?debug=1", "cmdline"} {
		if status, _, _ := get(t, p.opsURL()+"/debug/pprof/"+path); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestMetricsCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	p := launchDev(t, "OPS_ADDR=")
	if strings.Contains(p.stderr.String(), `"message":"metrics"`) || strings.Contains(p.stdout.String(), "Metrics ") {
		t.Errorf("%s%s", p.stdout.String(), p.stderr.String())
	}
}

func TestATakenOpsAddressIsNamed(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for command, settings := range map[string][]string{
		"dev":   {"IDENTITY_ADDR=127.0.0.1:0"},
		"serve": {"STORE=memory", "FIREBASE_PROJECT_ID=demo", "ALLOW_EMULATORS=true", "FIREBASE_AUTH_EMULATOR_HOST=127.0.0.1:1"},
	} {
		p := launch(t, &world{TB: t}, []string{command}, append(settings, "OPS_ADDR="+taken.Addr().String())...)
		if code := p.wait(); code != 1 || !strings.Contains(p.stderr.String(), "vigil: OPS_ADDR: ") ||
			!strings.Contains(p.stderr.String(), "address already in use") {
			t.Errorf("%s: exit code %d: %s", command, code, p.stderr.String())
		}
	}
}
