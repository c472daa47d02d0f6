package metrics

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// running returns metrics of an instance that has done something of everything.
func running() *Metrics {
	m := New()
	m.Watch(Gauges{
		Sockets: func() int { return 7 }, FeedAge: func() (time.Duration, bool) { return 3 * time.Second, true },
		Ready: func() bool { return true }, ClockOffset: func() time.Duration { return -250 * time.Millisecond },
	})
	m.Route("", "")
	m.Route("GET", "/v1/check")(204, 2*time.Millisecond)
	m.Swept(session.SweepReport{Expired: 1, Purged: 2, Limited: 3}, session.Census{ActiveSessions: 40, Users: 30, Zombies: 2}, time.Second)
	return m
}

func gather(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]*dto.MetricFamily, len(families))
	for _, f := range families {
		found[f.GetName()] = f
	}
	return found
}

// values lists what is exported, by name and label values, for counters and gauges; for histograms the count.
func values(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	found := make(map[string]float64)
	for name, f := range gather(t, m) {
		for _, each := range f.GetMetric() {
			key := name
			for _, label := range each.GetLabel() { // sorted by name
				key += " " + label.GetValue()
			}
			switch {
			case each.GetHistogram() != nil:
				found[key] = float64(each.GetHistogram().GetSampleCount())
			case each.GetCounter() != nil:
				found[key] = each.GetCounter().GetValue()
			default:
				found[key] = each.GetGauge().GetValue()
			}
		}
	}
	return found
}

func TestEverythingIsCountedUnderItsName(t *testing.T) {
	m := running()
	m.SessionStarted()
	m.SessionEnded(session.ReasonIdleTimeout)
	m.SessionEnded("boredom")
	m.AlertRaised(session.AlertNewDevice)
	m.AlertRaised("ufo")
	m.TokenExpired()
	m.CacheAsked("token", true)
	m.CacheAsked("token", false)
	m.CacheAsked("wallet", true)
	m.Revoked(time.Second)
	m.NoticeApplied(session.NoticeEnded, time.Second)
	m.NoticeApplied(session.NoticeEnded, -time.Second)
	m.NoticeApplied("rumour", time.Second)
	m.SocketClosed(wire.CloseSilent)
	m.SocketClosed(wire.CloseNone)
	m.SocketClosed(4999)
	m.Reconnected(3 * time.Second)
	m.Operations("read", 5)
	m.Operations("read", -5)
	m.Operations("lock", 1)
	m.LookedUp(3, 2, 1)
	m.KeysRenewed(true)
	m.KeysRenewed(false)
	m.KeysRenewed(false)
	m.RateLimited("api")
	m.RateLimited("mood")
	check := m.Route("DELETE", "/v1/sessions/:id")
	check(204, time.Millisecond)
	check(204, time.Millisecond)
	check(799, time.Millisecond)
	got := values(t, m)
	for key, want := range map[string]float64{
		"vigil_sessions_started_total": 1, "vigil_sessions_ended_total idle_timeout": 1, "vigil_sessions_ended_total other": 1,
		"vigil_sessions_ended_total logout": 0, "vigil_security_alerts_total new_device": 1, "vigil_security_alerts_total other": 1,
		"vigil_tokens_expired_total": 1, "vigil_cache_requests_total token hit": 1, "vigil_cache_requests_total token miss": 1,
		"vigil_cache_requests_total session miss": 0, "vigil_cache_requests_total other hit": 1,
		"vigil_revocation_seconds": 1, "vigil_notice_lag_seconds ended": 2, "vigil_notice_lag_seconds other": 1, "vigil_notice_lag_seconds reset": 0,
		"vigil_sockets_closed_total 4004": 1, "vigil_heartbeat_failures_total": 1, "vigil_sockets_closed_total client": 1,
		"vigil_sockets_closed_total other": 1, "vigil_sockets_closed_total 4502": 0,
		"vigil_socket_reconnections_total": 1, "vigil_socket_reconnection_seconds": 1,
		"vigil_firestore_operations_total read": 5, "vigil_firestore_operations_total other": 1, "vigil_firestore_operations_total delete": 0,
		"vigil_identity_lookups_total ok": 3, "vigil_identity_lookups_total missing": 2, "vigil_identity_lookups_total failed": 1,
		"vigil_identity_key_renewals_total ok": 1, "vigil_identity_key_renewals_total failed": 2,
		"vigil_rate_limited_total api": 1, "vigil_rate_limited_total other": 1, "vigil_rate_limited_total register": 0,
		"vigil_http_requests_total DELETE /v1/sessions/:id 204": 2, "vigil_http_requests_total DELETE /v1/sessions/:id other": 1,
		"vigil_http_requests_total DELETE /v1/sessions/:id 503": 0, "vigil_http_requests_total other other 500": 0,
		"vigil_http_request_duration_seconds DELETE /v1/sessions/:id": 3,
		"vigil_sweeps_total": 1, "vigil_sweep_seconds": 1,
		"vigil_sweep_sessions_total expired": 1, "vigil_sweep_sessions_total purged": 2, "vigil_sweep_sessions_total limited": 3,
		"vigil_sessions_active": 40, "vigil_users_active": 30, "vigil_sessions_zombies": 2,
		"vigil_sockets_open": 7, "vigil_feed_age_seconds": 3, "vigil_ready": 1, "vigil_clock_offset_seconds": -0.25,
	} {
		if value, ok := got[key]; !ok || value != want {
			t.Errorf("%s is %v (there: %t), want %v", key, value, ok, want)
		}
	}
}

func TestWhatIsNotKnownYetIsAbsent(t *testing.T) {
	m := New()
	for _, name := range []string{"vigil_sessions_active", "vigil_sessions_zombies", "vigil_users_active", "vigil_ready", "vigil_feed_age_seconds"} {
		if _, ok := gather(t, m)[name]; ok {
			t.Errorf("%s is exported before anybody knows it", name)
		}
	}
	m.Watch(Gauges{
		Sockets: func() int { return 0 }, FeedAge: func() (time.Duration, bool) { return time.Hour, false },
		Ready: func() bool { return false }, ClockOffset: func() time.Duration { return 0 },
	})
	got := gather(t, m)
	if got["vigil_feed_age_seconds"] != nil || got["vigil_ready"].GetMetric()[0].GetGauge().GetValue() != 0 {
		t.Errorf("%v, %v", got["vigil_feed_age_seconds"], got["vigil_ready"])
	}
}

func TestNamesFollowTheConventions(t *testing.T) {
	var ours []*dto.MetricFamily
	for name, f := range gather(t, running()) {
		if strings.HasPrefix(name, namespace+"_") {
			ours = append(ours, f)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(ours).Lint()
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

func TestScrape(t *testing.T) {
	m := running()
	server := httptest.NewServer(m.Handler())
	defer server.Close()
	if err := testutil.ScrapeAndCompare(server.URL, strings.NewReader(`
# HELP vigil_sockets_open Open sockets, those that have not authenticated yet included.
# TYPE vigil_sockets_open gauge
vigil_sockets_open 7
`), "vigil_sockets_open"); err != nil {
		t.Error(err)
	}
}

// A word that the domain has gained must not hide among the others.
func TestEveryWordOfTheDomainHasASeries(t *testing.T) {
	for typ, c := range map[string]struct {
		dir  string
		have []string
	}{
		"Reason":    {"../session", words(reasons)},
		"AlertType": {"../session", words(alertTypes)},
		"Kind":      {"../session", words(kinds)},
		"CloseCode": {"../wire", nil},
	} {
		declared := constants(t, c.dir, typ)
		if typ == "CloseCode" {
			for _, code := range closeCodes {
				if code >= wire.CloseRestart {
					c.have = append(c.have, codeLabel(code))
				}
			}
			declared = slices.DeleteFunc(declared, func(code string) bool { return code == "0" })
		}
		slices.Sort(c.have)
		declared = slices.Compact(declared)
		if !slices.Equal(c.have, declared) {
			t.Errorf("%s: series for %v, declared are %v", typ, c.have, declared)
		}
	}
}

func words[K ~string](all []K) []string {
	texts := make([]string, len(all))
	for i, each := range all {
		texts[i] = string(each)
	}
	return texts
}

// constants lists the values of the constants of a type that a folder's files declare, sorted.
func constants(t *testing.T, dir, typ string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) == 0 {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typ {
				if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
					value := literal.Value
					if text, err := strconv.Unquote(value); err == nil {
						value = text
					}
					found[value] = true
				}
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatalf("no constants of type %s in %s", typ, dir)
	}
	return slices.Sorted(maps.Keys(found))
}

func TestTheHotPathDoesNotAllocate(t *testing.T) {
	m := running()
	answered := m.Route("GET", "/v1/check")
	for name, f := range map[string]func(){
		"cache":  func() { m.CacheAsked("session", true) },
		"closed": func() { m.SocketClosed(wire.CloseIdle) },
		"ended":  func() { m.SessionEnded(session.ReasonLogout) },
		"notice": func() { m.NoticeApplied(session.NoticeEnded, time.Millisecond) },
		"http":   func() { answered(204, time.Millisecond) },
	} {
		if n := testing.AllocsPerRun(100, f); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkCacheAsked(b *testing.B) {
	m := New()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.CacheAsked("session", true)
		}
	})
}

func BenchmarkAnswered(b *testing.B) {
	answered := New().Route("GET", "/v1/check")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			answered(204, time.Millisecond)
		}
	})
}

func BenchmarkScrape(b *testing.B) {
	m := running()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
