package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigilhq/vigil/internal/session"
)

// What the domain's enumerations hold. A word that is missing here counts as "other"; the tests compare with the domain.
var (
	reasons = []session.Reason{
		session.ReasonLogout, session.ReasonRevoked, session.ReasonAdminRevoked, session.ReasonTokensRevoked,
		session.ReasonIdleTimeout, session.ReasonAbsoluteTimeout, session.ReasonSessionLimit, session.ReasonIPChanged,
		session.ReasonUserDisabled, session.ReasonUserDeleted, session.ReasonCredentialsChanged, session.ReasonReplaced,
	}
	alertTypes = []session.AlertType{
		session.AlertTooManySessions, session.AlertDeviceMix, session.AlertNewDevice, session.AlertNewCountry,
		session.AlertImpossibleTravel, session.AlertIPChanged,
	}
	kinds = []session.Kind{
		session.NoticeEnded, session.NoticeStarted, session.NoticeReset, session.NoticeAlert, session.NoticeClaims,
	}
	memories = []string{"token", "account", "user", "session"}
)

// The actions of a clean-up.
const (
	sweptExpired = "expired"
	sweptPurged  = "purged"
	sweptLimited = "limited"
)

// cache counts how often a memory knew the answer.
type cache struct{ hit, miss prometheus.Counter }

func (m *Metrics) addDomain() {
	m.started = m.counter("sessions_started_total", "Sessions begun through this instance.")
	m.ended = newFamily(m.counters("sessions_ended_total", "Sessions ended by this instance, by reason.", "reason"), word, reasons...)
	m.alerts = newFamily(m.counters("security_alerts_total", "Security alerts raised, by type.", "type"), word, alertTypes...)
	m.expired = m.counter("tokens_expired_total", "ID tokens that were refused, or stopped counting on a socket, because they had expired.")

	caches := m.counters("cache_requests_total", "Questions to the memories of this instance, by memory and whether it knew.", "cache", "result")
	cacheOf := func(name string) cache {
		return cache{caches.WithLabelValues(name, "hit"), caches.WithLabelValues(name, "miss")}
	}
	m.caches, m.otherCache = make(map[string]cache, len(memories)), cacheOf(other)
	for _, name := range memories {
		m.caches[name] = cacheOf(name)
	}

	m.revocation = m.histogram("revocation_seconds", "Time from the request to revoke a user until everything was done, in seconds.",
		.05, .1, .25, .5, 1, 2, 4, 8, 16, 32)
	lags := m.histograms("notice_lag_seconds", "Time from the commit of a notice to its effect on this instance, in seconds.",
		[]float64{.01, .025, .05, .1, .25, .5, 1, 2, 5, 15, 30, 60}, "kind")
	m.lag, m.otherLag = make(map[session.Kind]prometheus.Observer, len(kinds)), lags.WithLabelValues(other)
	for _, kind := range kinds {
		m.lag[kind] = lags.WithLabelValues(string(kind))
	}

	m.sweeps = m.counter("sweeps_total", "Completed clean-ups.")
	m.sweep = m.histogram("sweep_seconds", "Time that a clean-up took, in seconds.", .1, .5, 1, 5, 15, 60, 300, 1800)
	m.swept = newFamily(m.counters("sweep_sessions_total", "Sessions that clean-ups have dealt with, by action.", "action"), word,
		sweptExpired, sweptPurged, sweptLimited)
}

// SessionStarted implements [session.Meter].
func (m *Metrics) SessionStarted() { m.started.Inc() }

// SessionEnded implements [session.Meter].
func (m *Metrics) SessionEnded(reason session.Reason) { m.ended.of(reason).Inc() }

// AlertRaised implements [session.Meter].
func (m *Metrics) AlertRaised(t session.AlertType) { m.alerts.of(t).Inc() }

// TokenExpired implements [session.Meter], and the meter of the sockets.
func (m *Metrics) TokenExpired() { m.expired.Inc() }

// CacheAsked implements [session.Meter].
func (m *Metrics) CacheAsked(name string, hit bool) {
	c, ok := m.caches[name]
	if !ok {
		c = m.otherCache
	}
	if hit {
		c.hit.Inc()
	} else {
		c.miss.Inc()
	}
}

// Revoked implements [session.Meter].
func (m *Metrics) Revoked(took time.Duration) { m.revocation.Observe(took.Seconds()) }

// NoticeApplied implements [session.Meter]. A lag below zero is the clocks' inaccuracy, and counts as none.
func (m *Metrics) NoticeApplied(kind session.Kind, lag time.Duration) {
	h, ok := m.lag[kind]
	if !ok {
		h = m.otherLag
	}
	h.Observe(max(lag, 0).Seconds())
}

// Swept implements [session.Meter].
func (m *Metrics) Swept(report session.SweepReport, census session.Census, took time.Duration) {
	m.sweeps.Inc()
	m.sweep.Observe(took.Seconds())
	m.swept.of(sweptExpired).Add(float64(max(report.Expired, 0)))
	m.swept.of(sweptPurged).Add(float64(max(report.Purged, 0)))
	m.swept.of(sweptLimited).Add(float64(max(report.Limited, 0)))
	m.Counted(census)
}

// Counted notes what a clean-up has counted, be it another instance's.
func (m *Metrics) Counted(census session.Census) { m.census.Store(&census) }
