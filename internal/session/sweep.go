package session

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"
)

// Duty is a part of a clean-up.
type Duty uint8

// The duties.
const (
	SweepExpired Duty = 1 << iota // sessions that time has ended are written down as ended
	SweepLimits                   // sessions beyond the limit end
	SweepPurge                    // what has been kept for its time is deleted
	SweepAll     = SweepExpired | SweepLimits | SweepPurge
)

// SweepReport says what a clean-up has done.
type SweepReport struct {
	Expired int `json:"expired"` // sessions ended that time had ended
	Purged  int `json:"purged"`  // ended sessions deleted after the retention
	Limited int `json:"limited"` // sessions ended to keep the limit
}

// Census is what a clean-up has counted.
type Census struct {
	ActiveSessions int            `json:"activeSessions"`
	Users          int            `json:"users"` // with active sessions
	ByDeviceType   map[string]int `json:"byDeviceType"`
	ByCountry      map[string]int `json:"byCountry"` // without those whose country is unknown
	Zombies        int            `json:"zombies"`   // found past their deadline and not ended: nobody had looked
	CountedAt      time.Time      `json:"countedAt"` // zero: never
}

// otherType is the type of a device that is of no other. A session whose device has none counts as such: no store need take an empty name.
const otherType = "other"

// sweepBatch is how many documents a clean-up handles at a time.
const sweepBatch = 300

// Sweep cleans up: it does the duties in bounded batches, and with [SweepExpired] takes the census. Each of its actions is conditional, so
// that any number of them at the same time do no harm. It goes on past failures, and reports what it has done also when it fails.
func (r *Registry) Sweep(ctx context.Context, duties Duty) (SweepReport, error) {
	began := localNow()
	var report SweepReport
	var failures []error
	census, err := r.visit(ctx, duties, &report)
	failures = append(failures, err)
	if duties&SweepPurge != 0 {
		report.Purged, err = r.purge(ctx)
		failures = append(failures, err)
	}
	if duties&SweepAll == SweepAll {
		failures = append(failures, r.FinishRevocations(ctx))
	}
	if err := errors.Join(failures...); err != nil {
		return report, err
	}
	r.meter.Swept(report, census, time.Since(began))
	r.log.Info("swept", "expired", report.Expired, "purged", report.Purged, "limited", report.Limited)
	return report, nil
}

// SweepRequested is [Registry.Sweep] for an admin.
func (r *Registry) SweepRequested(ctx context.Context, actor Actor, duties Duty) (SweepReport, error) {
	var asked []string
	for _, d := range []struct {
		duty Duty
		name string
	}{{SweepExpired, "expire"}, {SweepPurge, "purge"}, {SweepLimits, "limit"}} {
		if duties&d.duty != 0 {
			asked = append(asked, d.name)
		}
	}
	e := actor.event(EventSweepRequested, "", "").with("duties", strings.Join(asked, ", "))
	if err := r.trail.Append(ctx, e); err != nil {
		return SweepReport{}, err
	}
	return r.Sweep(ctx, duties)
}

// visit goes through all sessions that are stored as active, user by user.
func (r *Registry) visit(ctx context.Context, duties Duty, report *SweepReport) (Census, error) {
	if duties&(SweepExpired|SweepLimits) == 0 {
		return Census{}, nil
	}
	census := Census{ByDeviceType: make(map[string]int), ByCountry: make(map[string]int), CountedAt: r.clock.Now()}
	var failures []error
	var after Session
	live := 0 // sessions of the user of after
	for {
		batch, err := r.archive.ActiveByUser(ctx, after, sweepBatch)
		if err != nil {
			return Census{}, errors.Join(append(failures, err)...)
		}
		var over []Session
		for _, s := range batch {
			if s.UserID != after.UserID {
				failures = append(failures, r.sweepLimit(ctx, duties, after.UserID, live, report))
				live = 0
			}
			after = s
			if seen := r.settled(s, census.CountedAt); seen.Status == StatusEnded {
				over = append(over, s)
				continue
			}
			if live++; live == 1 {
				census.Users++
			}
			census.count(s)
		}
		census.Zombies += len(over)
		if duties&SweepExpired != 0 {
			ended, err := r.endOver(ctx, over)
			report.Expired += ended
			failures = append(failures, err)
		}
		if len(batch) < sweepBatch {
			break
		}
	}
	failures = append(failures, r.sweepLimit(ctx, duties, after.UserID, live, report))
	if duties&SweepExpired != 0 {
		failures = append(failures, r.archive.SaveCensus(ctx, census))
	}
	return census, errors.Join(failures...)
}

func (c *Census) count(s Session) {
	c.ActiveSessions++
	c.ByDeviceType[cmp.Or(s.Device.class(), otherType)]++
	if s.Location != nil && s.Location.Country != "" {
		c.ByCountry[s.Location.Country]++
	}
}

// endOver writes down that time has ended sessions, and counts those for which nobody was faster. It goes on past failures.
func (r *Registry) endOver(ctx context.Context, over []Session) (int, error) {
	endings := make([]Ending, 0, len(over))
	for _, s := range over {
		if _, e, err := r.passed(s); err == nil && e.Reason != "" { // else nobody can tell yet
			endings = append(endings, newEnding(s, e))
		}
	}
	ended, err := r.endTogether(ctx, endings)
	return len(ended), err
}

// sweepLimit ends those of a user's sessions that are beyond the limit: one may have been lowered, and a registration may have been cut
// short before it could keep it.
func (r *Registry) sweepLimit(ctx context.Context, duties Duty, uid UserID, live int, report *SweepReport) error {
	if duties&SweepLimits == 0 || r.settings.MaxSessions == 0 || live <= r.settings.MaxSessions {
		return nil
	}
	sessions, err := r.liveSessions(ctx, uid)
	if err != nil {
		return err
	}
	ended, err := r.endExcess(ctx, r.excess(sessions))
	report.Limited += len(ended)
	return err
}

func (r *Registry) purge(ctx context.Context) (purged int, err error) {
	for more := true; more; {
		var n int
		n, more, err = r.archive.Purge(ctx, r.clock.Now(), sweepBatch)
		purged += n
		if err != nil {
			return purged, err
		}
	}
	return purged, nil
}
