// Package metrics counts what the service does and shows it to Prometheus. It is the only importer of Prometheus' client.
//
// [Metrics] implements the meters that the domain, the sockets, the HTTP edge and the adapters declare. Names and labels
// are a contract: dashboards and alert rules stand on them (see deploy and docs/operations.md).
//
// Every label has few values, whatever clients send: what is not known counts as "other". The known values exist from the
// start, at zero, so that the first event is an increase and not merely a new series. The methods are called
// on hot paths, so they find their series in maps made beforehand instead of having the client hash labels each time.
package metrics

import (
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

const (
	namespace = "vigil"
	other     = "other" // the value of a label for everything that has none of its own
	// scrapeTimeout bounds the answer to a scrape: as long as Prometheus waits by default.
	scrapeTimeout = 10 * time.Second
	maxScrapes    = 4 // at once
)

// Metrics holds the counters of one instance in a registry of its own. Use [New]. Safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	gauges   atomic.Pointer[Gauges]
	census   atomic.Pointer[session.Census] // of the last clean-up of this instance, nil before

	started       prometheus.Counter
	ended         family[session.Reason]
	alerts        family[session.AlertType]
	expired       prometheus.Counter
	caches        map[string]cache
	otherCache    cache
	revocation    prometheus.Histogram
	lag           map[session.Kind]prometheus.Observer
	otherLag      prometheus.Observer
	sweeps        prometheus.Counter
	sweep         prometheus.Histogram
	swept         family[string]
	closed        family[wire.CloseCode]
	silent        prometheus.Counter
	reconnections prometheus.Counter
	reconnection  prometheus.Histogram
	operations    family[string]
	lookUps       family[string]
	renewals      family[string]
	limited       family[string]
	requests      *prometheus.CounterVec
	durations     *prometheus.HistogramVec
}

var _ session.Meter = (*Metrics)(nil)

// New returns metrics that stand at zero.
func New() *Metrics {
	r := prometheus.NewRegistry()
	m := &Metrics{registry: r}
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(),
		collector{m},
	)
	m.addDomain()
	m.addSockets()
	m.addDependencies()
	m.addHTTP()
	return m
}

// Handler answers scrapes, in OpenMetrics to those who ask for it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		Registry: m.registry, EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout,
	})
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

// histogram has buckets in seconds.
func (m *Metrics) histogram(name, help string, buckets ...float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

// histograms have buckets in seconds.
func (m *Metrics) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

// family is a counter for each known value of its one label, and one for all others.
type family[K comparable] struct {
	known  map[K]prometheus.Counter // read only
	others prometheus.Counter
}

// newFamily makes the counters; text is a value's label.
func newFamily[K comparable](v *prometheus.CounterVec, text func(K) string, known ...K) family[K] {
	f := family[K]{known: make(map[K]prometheus.Counter, len(known)), others: v.WithLabelValues(other)}
	for _, k := range known {
		f.known[k] = v.WithLabelValues(text(k))
	}
	return f
}

func (f family[K]) of(k K) prometheus.Counter {
	if c, ok := f.known[k]; ok {
		return c
	}
	return f.others
}

// word is the label of what is a word already.
func word[K ~string](k K) string { return string(k) }

// buildInfo tells which build this is: as a version of the module or, built from a work tree, as a revision.
func buildInfo() prometheus.Collector {
	labels := prometheus.Labels{"version": "unknown", "revision": "unknown", "goversion": "unknown"}
	if info, ok := debug.ReadBuildInfo(); ok {
		labels["goversion"] = info.GoVersion
		if info.Main.Version != "" {
			labels["version"] = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				labels["revision"] = s.Value
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say which build this is.", ConstLabels: labels,
	})
	g.Set(1)
	return g
}
