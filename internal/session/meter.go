package session

import "time"

// Meter counts what the domain does. Its methods are called on hot paths: they must not block, and be safe for concurrent use.
type Meter interface {
	SessionStarted()
	SessionEnded(reason Reason)
	AlertRaised(t AlertType)
	TokenExpired()
	// CacheAsked notes that a memory of this instance knew the answer, or had to ask. Caches: token, account, user, session.
	CacheAsked(cache string, hit bool)
	// Revoked notes how long a revocation took until everything was done.
	Revoked(took time.Duration)
	// NoticeApplied notes how long after its commit a notice took effect on this instance.
	NoticeApplied(kind Kind, lag time.Duration)
	// Swept notes a completed clean-up.
	Swept(report SweepReport, census Census, took time.Duration)
}

// NoMeter counts nothing.
type NoMeter struct{}

// SessionStarted implements [Meter].
func (NoMeter) SessionStarted() {}

// SessionEnded implements [Meter].
func (NoMeter) SessionEnded(Reason) {}

// AlertRaised implements [Meter].
func (NoMeter) AlertRaised(AlertType) {}

// TokenExpired implements [Meter].
func (NoMeter) TokenExpired() {}

// CacheAsked implements [Meter].
func (NoMeter) CacheAsked(string, bool) {}

// Revoked implements [Meter].
func (NoMeter) Revoked(time.Duration) {}

// NoticeApplied implements [Meter].
func (NoMeter) NoticeApplied(Kind, time.Duration) {}

// Swept implements [Meter].
func (NoMeter) Swept(SweepReport, Census, time.Duration) {}
