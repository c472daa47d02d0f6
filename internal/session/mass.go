package session

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// JobState is where a mass revocation stands.
type JobState string

// The states.
const (
	JobRunning JobState = "running"
	JobDone    JobState = "done"
	JobFailed  JobState = "failed"
)

// MassRevocation ends all sessions that a filter chooses, in the background and whatever happens to the instance that does it.
type MassRevocation struct {
	ID      string
	State   JobState
	Filter  Filter // CreatedBefore is the moment of the request
	Note    string // the admin's
	By      string // a uid or an actor
	IP      string // the admin's
	Spare   ID     // the admin's own session, empty if none
	Matched int    // when it was asked for
	Ended   int    // up to Cursor
	Cursor  Cursor // everything up to there is done
	Failure string // why it failed, for admins

	CreatedAt  time.Time
	Owner      string    // the instance that works on it
	LeaseUntil time.Time // when another may go on with it

	Version time.Time // the store's own, as a session's
}

const (
	// exactScan is about how many sessions are looked at one by one to say how many a mass revocation would end; beyond it the
	// store counts, those included that time has ended and nobody has written down, and perhaps others: see [Archive.Count].
	exactScan = 2000
	// sampleSize is how many sessions are shown of those that a mass revocation would end.
	sampleSize = 10
	// jobBatch is how many sessions are asked for between two marks of progress.
	jobBatch = 500
	// jobLease is how long an instance may be silent before another goes on with its work: both may end sessions at the same
	// time, each of which ends once. No call that it makes between two marks may take as long.
	jobLease = 20 * time.Second
	// jobCall bounds those calls that could.
	jobCall = 8 * time.Second
	// maxRunningJobs is how many an instance looks at in one go.
	maxRunningJobs = 20
)

// PreviewRevocation says how many sessions a mass revocation would end, without the actor's own, and shows some of them.
func (r *Registry) PreviewRevocation(ctx context.Context, actor Actor, f Filter) (matched int, sample []Session, err error) {
	f = r.massFilter(f)
	var after Cursor
	for scanned := 0; scanned < exactScan; {
		batch, next, err := r.archive.Search(ctx, f, after, searchBatch)
		if err != nil {
			return 0, nil, err
		}
		now := r.clock.Now()
		for _, s := range batch {
			if s = r.settled(s, now); s.ID == actor.Session || !f.Passes(s) {
				continue
			}
			if matched++; len(sample) < sampleSize {
				sample = append(sample, s)
			}
		}
		if next == nil {
			return matched, sample, nil
		}
		after = *next
		scanned += looked(len(batch), searchBatch)
	}
	all, err := r.archive.Count(ctx, f)
	if actor.Session != "" && all > 0 {
		own, err := r.store.Session(ctx, actor.Session)
		if err == nil && f.Passes(own) {
			all--
		}
	}
	return max(all, matched), sample, err
}

func (r *Registry) massFilter(f Filter) Filter {
	f.Status = StatusActive
	if f.CreatedBefore.IsZero() {
		f.CreatedBefore = r.clock.Now()
	}
	return f
}

// StartRevocation has every session ended that was created before now and passes the filter when it is reached, without the
// actor's own. It returns once that is written down; the work is [Registry.WorkOnRevocations]'s, of any instance.
func (r *Registry) StartRevocation(ctx context.Context, actor Actor, f Filter) (MassRevocation, error) {
	f = r.massFilter(f)
	matched, _, err := r.PreviewRevocation(ctx, actor, f)
	if err != nil {
		return MassRevocation{}, err
	}
	j := MassRevocation{
		ID: rand.Text(), State: JobRunning, Filter: f, Note: actor.Note, By: actor.By, IP: actor.IP, Spare: actor.Session,
		Matched: matched, CreatedAt: f.CreatedBefore,
	}
	j, err = r.jobs.CreateJob(ctx, j, j.event(EventMassRevocation))
	if err != nil {
		return MassRevocation{}, err
	}
	r.log.Info("mass revocation asked for", "revocation", j.ID, "by", j.By, "matched", matched)
	select {
	case r.jobAsked <- struct{}{}:
	default:
	}
	return j, nil
}

func (j MassRevocation) event(t EventType) Event {
	chosen, _ := json.Marshal(j.Filter) // strings and times: it cannot fail
	return Actor{By: j.By, IP: j.IP, Note: j.Note}.event(t, j.Filter.UserID, "").
		with(DetailRevocation, j.ID).with("filter", string(chosen)).
		with("matched", strconv.Itoa(j.Matched)).with("ended", strconv.Itoa(j.Ended)).with("state", string(j.State))
}

// MassRevocation reads one. It fails with not_found.
func (r *Registry) MassRevocation(ctx context.Context, id string) (MassRevocation, error) {
	return r.jobs.Job(ctx, id)
}

// RevocationsAsked has a value when somebody has just asked this instance for a mass revocation.
func (r *Registry) RevocationsAsked() <-chan struct{} { return r.jobAsked }

// WorkOnRevocations goes on with every mass revocation that no other instance is busy with. It returns when there is nothing
// left to do now, and goes on past failures.
func (r *Registry) WorkOnRevocations(ctx context.Context) error {
	running, err := r.jobs.RunningJobs(ctx, maxRunningJobs)
	if err != nil {
		return err
	}
	var failures []error
	for _, j := range running {
		if j.Owner != r.worker && r.clock.Now().Before(j.LeaseUntil) {
			continue
		}
		if err := r.workOn(ctx, j); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// workOn does one mass revocation to its end, unless another instance takes it over.
func (r *Registry) workOn(ctx context.Context, j MassRevocation) error {
	if j.Owner != "" { // whoever had it may have ended more than it has written down
		j.Ended = r.jobEnds(ctx, j)
	}
	for ok := true; ok; {
		j.Owner, j.LeaseUntil = r.worker, r.clock.Now().Add(jobLease)
		var err error
		if j, ok, err = r.jobs.UpdateJob(ctx, j); err != nil || !ok {
			return err
		}
		if r.clock.Now().After(j.CreatedAt.Add(r.settings.Lifetime)) {
			j.Failure = "not done within the lifetime of a session: time has ended what was left"
			return r.closeJob(ctx, j, JobFailed)
		}
		batch, next, err := r.nextBatch(ctx, j)
		if err != nil {
			return err
		}
		ended, err := r.endBatch(ctx, j, batch)
		j.Ended += ended
		if err != nil {
			r.releaseJob(ctx, j)
			return err
		}
		if next == nil {
			return r.closeJob(ctx, j, JobDone)
		}
		j.Cursor = *next
	}
	return nil
}

// nextBatch reads the next sessions of a mass revocation.
func (r *Registry) nextBatch(ctx context.Context, j MassRevocation) (batch []Session, next *Cursor, err error) {
	ctx, cancel := context.WithTimeout(ctx, jobCall)
	defer cancel()
	return r.archive.Search(ctx, j.Filter, j.Cursor, jobBatch)
}

// jobEnds counts what a mass revocation has ended. Where the store does not say so, what is written down has to do: it may be
// too few, and no reason not to go on.
func (r *Registry) jobEnds(ctx context.Context, j MassRevocation) int {
	ended, err := r.jobs.JobEnds(ctx, j.ID)
	if err != nil {
		r.log.Warn("ends of a mass revocation not counted", "revocation", j.ID, "error", err)
		return j.Ended
	}
	return ended
}

// releaseJob lets another instance go on at once where this one is about to stop.
func (r *Registry) releaseJob(ctx context.Context, j MassRevocation) {
	if ctx.Err() == nil {
		return // it tries again itself
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTimeout)
	defer cancel()
	j.LeaseUntil = time.Time{}
	if _, _, err := r.jobs.UpdateJob(ctx, j); err != nil {
		r.log.Warn("mass revocation not handed over", "revocation", j.ID, "error", err)
	}
}

// endBatch ends those of a batch that are to end, and counts them.
func (r *Registry) endBatch(ctx context.Context, j MassRevocation, batch []Session) (int, error) {
	return r.endMany(ctx, batch, func(s Session) (End, bool) {
		return End{Reason: ReasonAdminRevoked, By: j.By, Job: j.ID}, s.ID != j.Spare && j.Filter.Passes(r.withActivity(s))
	})
}

// closeJob writes down how a mass revocation has ended.
func (r *Registry) closeJob(ctx context.Context, j MassRevocation, state JobState) error {
	count, cancel := context.WithTimeout(ctx, jobCall)
	defer cancel()
	j.Ended, j.State, j.LeaseUntil = r.jobEnds(count, j), state, time.Time{}
	if _, ok, err := r.jobs.UpdateJob(ctx, j, j.event(EventMassRevoked)); err != nil || !ok {
		return err
	}
	r.log.Info("mass revocation over", "revocation", j.ID, "state", state, "ended", j.Ended)
	return nil
}
