package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigilhq/vigil/internal/session"
)

// Gauges are read from the running instance at each scrape. All of them must be set and be safe for concurrent use.
type Gauges struct {
	Sockets     func() int
	FeedAge     func() (age time.Duration, proven bool)
	Ready       func() bool
	ClockOffset func() time.Duration
}

// Watch has every later scrape show the gauges. Until then they are absent.
func (m *Metrics) Watch(g Gauges) { m.gauges.Store(&g) }

func desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, nil, nil)
}

var (
	descSockets     = desc("sockets_open", "Open sockets, those that have not authenticated yet included.")
	descFeedAge     = desc("feed_age_seconds", "Time since the feed was last proven, in seconds; absent before the first proof.")
	descReady       = desc("ready", "Whether the instance is ready for requests, as /readyz says.")
	descClockOffset = desc("clock_offset_seconds", "Store time minus the local clock's, in seconds.")
	descActive      = desc("sessions_active", "Live sessions of all users, as the last clean-up that this instance knows of counted them; absent before the first.")
	descUsers       = desc("users_active", "Users with live sessions, as the last clean-up that this instance knows of counted them; absent before the first.")
	descZombies     = desc("sessions_zombies",
		"Sessions that the last clean-up found live in the store, but past their deadline without any sign of life; absent before the first.")
)

// collector shows what is read at a scrape. What is not known yet is left out: a zero would be taken for a fact.
type collector struct{ m *Metrics }

// Describe implements [prometheus.Collector].
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSockets, descFeedAge, descReady, descClockOffset, descActive, descUsers, descZombies} {
		descs <- d
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	show := func(d *prometheus.Desc, value float64) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	if g := c.m.gauges.Load(); g != nil {
		show(descSockets, float64(g.Sockets()))
		if age, proven := g.FeedAge(); proven {
			show(descFeedAge, age.Seconds())
		}
		ready := 0.
		if g.Ready() {
			ready = 1
		}
		show(descReady, ready)
		show(descClockOffset, g.ClockOffset().Seconds())
	}
	if census := c.m.census.Load(); census != nil {
		showCensus(show, *census)
	}
}

func showCensus(show func(*prometheus.Desc, float64), census session.Census) {
	show(descActive, float64(census.ActiveSessions))
	show(descUsers, float64(census.Users))
	show(descZombies, float64(census.Zombies))
}
