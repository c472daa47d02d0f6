package firestore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// jobDoc is what is read of a document of sessionRevocations.
type jobDoc struct {
	State      string         `firestore:"state"`
	Filter     map[string]any `firestore:"filter"` // the JSON of a filter
	Note       *string        `firestore:"note"`
	By         *string        `firestore:"by"`
	IPAddress  *string        `firestore:"ipAddress"`
	Spare      *string        `firestore:"spare"`
	Matched    int            `firestore:"matched"`
	Ended      int            `firestore:"ended"`
	Cursor     map[string]any `firestore:"cursor"` // the JSON of a cursor
	Failure    *string        `firestore:"failure"`
	CreatedAt  *time.Time     `firestore:"createdAt"`
	Owner      *string        `firestore:"owner"`
	LeaseUntil *time.Time     `firestore:"leaseUntil"`
	WriteID    string         `firestore:"writeId"`
}

// jobFields are the fields of j as they are written.
func (s *Store) jobFields(j session.MassRevocation, writeID string) map[string]any {
	return map[string]any{
		"state":      string(j.State),
		"filter":     asMap(j.Filter),
		"note":       nullable(text(j.Note)),
		"by":         nullable(j.By),
		"ipAddress":  nullable(text(j.IP)),
		"spare":      nullable(string(j.Spare)),
		"matched":    j.Matched,
		"ended":      j.Ended,
		"cursor":     asMap(j.Cursor),
		"failure":    nullable(text(j.Failure)),
		"createdAt":  moment(j.CreatedAt),
		"owner":      nullable(j.Owner),
		"leaseUntil": moment(j.LeaseUntil),
		"purgeAt":    s.clock.Now().Add(s.retention),
		"writeId":    writeID,
	}
}

// readJob reads a job, and the writeId of its document.
func readJob(snap *firestore.DocumentSnapshot) (j session.MassRevocation, writeID string, err error) {
	var doc jobDoc
	if err := snap.DataTo(&doc); err != nil {
		return session.MassRevocation{}, "", err
	}
	j = session.MassRevocation{
		ID:         snap.Ref.ID,
		State:      session.JobState(doc.State),
		Note:       value(doc.Note),
		By:         value(doc.By),
		IP:         value(doc.IPAddress),
		Spare:      session.ID(value(doc.Spare)),
		Matched:    doc.Matched,
		Ended:      doc.Ended,
		Failure:    value(doc.Failure),
		CreatedAt:  value(doc.CreatedAt),
		Owner:      value(doc.Owner),
		LeaseUntil: value(doc.LeaseUntil),
		Version:    snap.UpdateTime,
	}
	if err := fromMap(doc.Filter, &j.Filter); err != nil {
		return session.MassRevocation{}, "", err
	}
	return j, doc.WriteID, fromMap(doc.Cursor, &j.Cursor)
}

// asMap returns the JSON of v, which is an object of strings, as a map.
func asMap(v any) map[string]string {
	data, err := json.Marshal(v)
	m := make(map[string]string)
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		panic(fmt.Sprintf("firestore: %T has grown a member that is no string: %v", v, err))
	}
	return m
}

func fromMap(m map[string]any, v any) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// CreateJob implements [session.Jobs].
func (s *Store) CreateJob(ctx context.Context, j session.MassRevocation, events ...session.Event) (stored session.MassRevocation, err error) {
	const op = "create job"
	writeID := rand.Text()
	err = s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		creation := write{ref: s.jobs().Doc(j.ID), do: create, data: s.jobFields(j, writeID)}
		version, err := s.commit(ctx, append([]write{creation}, s.eventWrites(events)...)...)
		if err == nil {
			stored = j
			stored.Version = version
			return nil
		}
		if unlessMade(err) != nil {
			return err
		}
		found, last, err := s.job(ctx, op, j.ID)
		if err == nil && last != writeID {
			err = fmt.Errorf("the id %s is taken", j.ID)
		}
		stored = found
		return err
	})
	if err != nil {
		return session.MassRevocation{}, err
	}
	return stored, nil
}

// Job implements [session.Jobs].
func (s *Store) Job(ctx context.Context, id string) (session.MassRevocation, error) {
	const op = "job"
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	j, _, err := s.job(ctx, op, id)
	if err != nil && session.CodeOf(err) != session.CodeNotFound {
		return session.MassRevocation{}, session.Unavailable(op, err)
	}
	return j, err
}

// job reads one job, and the writeId of its document.
func (s *Store) job(ctx context.Context, op, id string) (session.MassRevocation, string, error) {
	if !nameable(id) {
		return session.MassRevocation{}, "", notFound(op)
	}
	snaps, err := s.get(ctx, s.jobs().Doc(id))
	if err != nil {
		return session.MassRevocation{}, "", err
	}
	if !snaps[0].Exists() {
		return session.MassRevocation{}, "", notFound(op)
	}
	return readJob(snaps[0])
}

// UpdateJob implements [session.Jobs]. The usual one is a single call.
func (s *Store) UpdateJob(ctx context.Context, j session.MassRevocation, events ...session.Event) (stored session.MassRevocation, ok bool, err error) {
	const op = "update job"
	writeID := rand.Text()
	current := !j.Version.IsZero() && nameable(j.ID)
	err = s.settle(ctx, op, callTimeout, func(ctx context.Context) error {
		if !current {
			found, last, err := s.job(ctx, op, j.ID)
			if err != nil {
				return err
			}
			stored, ok = found, last == writeID
			if ok || !found.Version.Equal(j.Version) {
				return nil
			}
		}
		current = false
		change := write{ref: s.jobs().Doc(j.ID), do: update, data: s.jobFields(j, writeID), version: j.Version}
		version, err := s.commit(ctx, append([]write{change}, s.eventWrites(events)...)...)
		if err != nil {
			return err
		}
		stored, ok = j, true
		stored.Version = version
		return nil
	})
	if err != nil {
		return session.MassRevocation{}, false, err
	}
	return stored, ok, nil
}

// RunningJobs implements [session.Jobs].
func (s *Store) RunningJobs(ctx context.Context, limit int) ([]session.MassRevocation, error) {
	const op = "running jobs"
	if limit <= 0 {
		return nil, nil
	}
	snaps, err := s.page(ctx, s.jobs().Where("state", "==", string(session.JobRunning)).Limit(limit))
	if err != nil {
		return nil, session.Unavailable(op, err)
	}
	running := make([]session.MassRevocation, len(snaps))
	for i, snap := range snaps {
		if running[i], _, err = readJob(snap); err != nil {
			return nil, session.Unavailable(op, err)
		}
	}
	return running, nil
}

// JobEnds implements [session.Jobs].
func (s *Store) JobEnds(ctx context.Context, id string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	count, err := s.count(ctx, s.events().
		Where("type", "==", string(session.EventSessionEnded)).
		Where("audience", "==", string(session.AudienceUser)).
		Where("details."+session.DetailRevocation, "==", id))
	if err != nil {
		return 0, session.Unavailable("job ends", err)
	}
	return count, nil
}
