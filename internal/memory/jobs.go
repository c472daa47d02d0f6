package memory

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/vigilhq/vigil/internal/session"
)

var errTaken = errors.New("the id of the mass revocation is taken")

// CreateJob implements [session.Jobs].
func (m *Store) CreateJob(ctx context.Context, j session.MassRevocation, events ...session.Event) (session.MassRevocation, error) {
	if err := ctx.Err(); err != nil {
		return session.MassRevocation{}, session.Unavailable("create job", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.jobs[j.ID]; taken {
		return session.MassRevocation{}, session.Unavailable("create job", errTaken)
	}
	j.Version = m.next()
	m.jobs[j.ID] = j
	m.record(session.Record{Events: events})
	return j, nil
}

// Job implements [session.Jobs].
func (m *Store) Job(ctx context.Context, id string) (session.MassRevocation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.job(ctx, "job", id)
}

func (m *Store) job(ctx context.Context, op, id string) (session.MassRevocation, error) {
	if err := ctx.Err(); err != nil {
		return session.MassRevocation{}, session.Unavailable(op, err)
	}
	j, ok := m.jobs[id]
	if !ok {
		return session.MassRevocation{}, &session.Error{Op: op, Code: session.CodeNotFound}
	}
	return j, nil
}

// UpdateJob implements [session.Jobs].
func (m *Store) UpdateJob(ctx context.Context, j session.MassRevocation, events ...session.Event) (session.MassRevocation, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stored, err := m.job(ctx, "update job", j.ID)
	if err != nil || !stored.Version.Equal(j.Version) {
		return stored, false, err
	}
	j.Version = m.next()
	m.jobs[j.ID] = j
	m.record(session.Record{Events: events})
	return j, true, nil
}

// RunningJobs implements [session.Jobs].
func (m *Store) RunningJobs(ctx context.Context, limit int) ([]session.MassRevocation, error) {
	if err := ctx.Err(); err != nil {
		return nil, session.Unavailable("running jobs", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []session.MassRevocation
	for _, j := range m.jobs {
		if j.State == session.JobRunning {
			found = append(found, j)
		}
	}
	slices.SortFunc(found, func(a, b session.MassRevocation) int { return cmp.Compare(a.ID, b.ID) })
	return found[:min(limit, len(found))], nil
}

// JobEnds implements [session.Jobs].
func (m *Store) JobEnds(ctx context.Context, id string) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, session.Unavailable("job ends", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	count := 0
	for _, e := range m.events {
		if e.Type == session.EventSessionEnded && e.Audience == session.AudienceUser && e.Details[session.DetailRevocation] == id {
			count++
		}
	}
	return count, nil
}
