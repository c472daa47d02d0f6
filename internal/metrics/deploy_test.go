package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	dashboardFile = "../../deploy/grafana/vigil.json"
	rulesFile     = "../../deploy/prometheus/alerts.yml"
	handbookFile  = "../../docs/operations.md"
)

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// alert is a rule of Prometheus.
type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []alert
		}
	}
	if err := yaml.Unmarshal(read(t, rulesFile), &file); err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no rules")
	}
	return all
}

// expressions lists everything in the dashboard that a data source is asked.
func expressions(t *testing.T) []string {
	t.Helper()
	var dashboard any
	if err := json.Unmarshal(read(t, dashboardFile), &dashboard); err != nil {
		t.Fatal(err)
	}
	var found []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, each := range v {
				if text, ok := each.(string); ok && (name == "expr" || name == "definition" || name == "query") {
					found = append(found, text)
				}
				walk(each)
			}
		case []any:
			for _, each := range v {
				walk(each)
			}
		}
	}
	walk(dashboard)
	if len(found) < 30 {
		t.Fatalf("only %d expressions", len(found))
	}
	return found
}

var (
	metricName = regexp.MustCompile(`\b(?:vigil|go|process)_[a-z0-9_]+`)
	selector   = regexp.MustCompile(`\b((?:vigil|go|process)_[a-z0-9_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`([a-zA-Z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping   = regexp.MustCompile(`\b(?:by|on)\s*\(([^)]*)\)`)
)

// exported tells for each name that a query may use its labels with their values.
func exported(t *testing.T) map[string]map[string]map[string]bool {
	t.Helper()
	names := make(map[string]map[string]map[string]bool)
	for name, f := range gather(t, running()) {
		labels := map[string]map[string]bool{"instance": nil, "job": nil} // given by the scrape
		for _, each := range f.GetMetric() {
			for _, label := range each.GetLabel() {
				if labels[label.GetName()] == nil {
					labels[label.GetName()] = make(map[string]bool)
				}
				labels[label.GetName()][label.GetValue()] = true
			}
		}
		names[name] = labels
		if f.GetMetric()[0].GetHistogram() != nil {
			delete(names, name)
			names[name+"_sum"], names[name+"_count"] = labels, labels
			names[name+"_bucket"] = map[string]map[string]bool{"le": nil}
			for label, values := range labels {
				names[name+"_bucket"][label] = values
			}
		}
	}
	return names
}

// open are labels whose values the instance does not know in advance.
var open = map[string]bool{"instance": true, "job": true, "route": true, "method": true, "status": true}

// faults lists what an expression asks for and nobody exports.
func faults(expr string, names map[string]map[string]map[string]bool) []string {
	var found []string
	asked := metricName.FindAllString(expr, -1)
	for _, name := range asked {
		if names[name] == nil {
			found = append(found, name+" is not exported")
		}
	}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			if values, ok := names[s[1]][m[1]]; !ok || !open[m[1]] && !values[m[3]] {
				found = append(found, s[1]+" has no "+m[0])
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(g[1], ",") {
			label = strings.TrimSpace(label)
			has := func(name string) bool { _, ok := names[name][label]; return ok }
			if label != "" && !slices.ContainsFunc(asked, has) {
				found = append(found, "nothing has a label "+label)
			}
		}
	}
	return found
}

func TestDashboardAndRulesAskForWhatIsExported(t *testing.T) {
	names := exported(t)
	used := make(map[string]bool)
	for _, expr := range expressions(t) {
		for _, fault := range faults(expr, names) {
			t.Errorf("dashboard: %s, in %s", fault, expr)
		}
		for _, name := range metricName.FindAllString(expr, -1) {
			used[name] = true
		}
	}
	for name := range names {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "vigil_") && !used[name] && !used[base+"_bucket"] && !used[base+"_sum"] {
			t.Errorf("%s is on no panel", name)
		}
	}
	for _, a := range alerts(t) {
		for _, fault := range faults(a.Expr, names) {
			t.Errorf("%s: %s, in %s", a.Alert, fault, a.Expr)
		}
	}
}

// The check is itself checked.
func TestExpressionsThatAskForMoreAreFound(t *testing.T) {
	names := exported(t)
	for _, expr := range []string{
		"vigil_sessions_begun_total", "vigil_revocation_seconds", `vigil_sockets_closed_total{kode="4004"}`, `vigil_sockets_closed_total{code="4099"}`,
		"sum by (reason) (vigil_sockets_open)",
	} {
		if len(faults(expr, names)) != 1 {
			t.Errorf("%s: %q", expr, faults(expr, names))
		}
	}
}

func TestEveryAlertSaysWhatToDo(t *testing.T) {
	handbook := string(read(t, handbookFile))
	_, runbook, _ := strings.Cut(handbook, "\n## Runbook\n")
	for _, a := range alerts(t) {
		if a.For == "" || a.Labels["severity"] == "" || a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s is not complete: %+v", a.Alert, a)
		}
		anchor := "/docs/operations.md#" + strings.ToLower(a.Alert)
		if !strings.HasSuffix(a.Annotations["runbook_url"], anchor) || !strings.Contains(runbook, "\n### "+a.Alert+"\n") {
			t.Errorf("%s: its runbook is %s, and is it in %s?", a.Alert, a.Annotations["runbook_url"], handbookFile)
		}
	}
	if n := strings.Count(runbook, "\n### "); n != len(alerts(t)) {
		t.Errorf("%d sections for %d alerts", n, len(alerts(t)))
	}
}

func TestEveryMetricIsInTheHandbook(t *testing.T) {
	handbook := string(read(t, handbookFile))
	metrics := gather(t, running())
	for name := range metrics {
		if strings.HasPrefix(name, "vigil_") && !strings.Contains(handbook, name) {
			t.Errorf("%s is not explained", name)
		}
	}
	for _, name := range metricName.FindAllString(handbook, -1) {
		if strings.HasPrefix(name, "vigil_") && metrics[name] == nil {
			t.Errorf("%s is explained and not exported", name)
		}
	}
}
