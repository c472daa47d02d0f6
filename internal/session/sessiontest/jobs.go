package sessiontest

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

var jobCases = []testCase{
	{"a mass revocation reads as it was stored", jobRoundTrip},
	{"a mass revocation that is not there is not found", jobMissing},
	{"of those who go on with a mass revocation at the same time one does", jobRace},
	{"running mass revocations are found", jobRunning},
	{"a mass revocation's ends are counted by their events", jobEnds},
}

func newJob(id string) session.MassRevocation {
	return session.MassRevocation{
		ID: id, State: session.JobRunning, Note: "leak \u00e4", By: "boss", IP: "203.0.113.9", Spare: session.NewID("boss", "", SignIn),
		Filter: session.Filter{
			UserID: "ana", Status: session.StatusActive, IPAddress: "203.0.113.7", DeviceType: "desktop", Country: "MX",
			ActiveBefore: SignIn, CreatedBefore: SignIn.Add(time.Microsecond),
		},
		Matched: 7, Ended: 3, Cursor: session.Cursor{LastActive: SignIn, ID: session.NewID("ana", "", SignIn)},
		CreatedAt: SignIn, Owner: "instance", LeaseUntil: SignIn.Add(time.Minute),
	}
}

func mustCreateJob(t *testing.T, b Backend, j session.MassRevocation, events ...session.Event) session.MassRevocation {
	t.Helper()
	stored, err := b.Jobs.CreateJob(t.Context(), j, events...)
	if err != nil {
		t.Fatalf("CreateJob: %v", err)
	}
	return stored
}

func job(t *testing.T, b Backend, id string) session.MassRevocation {
	t.Helper()
	j, err := b.Jobs.Job(t.Context(), id)
	if err != nil {
		t.Fatalf("Job: %v", err)
	}
	return j
}

func jobRoundTrip(t *testing.T, a, b Backend) {
	for _, j := range []session.MassRevocation{newJob("one"), {ID: "two", State: session.JobRunning}} {
		stored := mustCreateJob(t, a, j, newEvent(session.EventMassRevocation, "boss"))
		if stored.Version.IsZero() {
			t.Error("no version")
		}
		j.Version = stored.Version
		equal(t, "created", stored, j)
		equal(t, "read", job(t, b, j.ID), j)

		j.State, j.Ended, j.Cursor, j.Failure, j.LeaseUntil = session.JobFailed, 5, session.Cursor{}, "no answer", time.Time{}
		stored, ok, err := b.Jobs.UpdateJob(t.Context(), j, newEvent(session.EventMassRevoked, "boss"))
		if err != nil || !ok || stored.Version.Equal(j.Version) {
			t.Errorf("updated %t to %+v, error %v", ok, stored, err)
		}
		j.Version = stored.Version
		equal(t, "updated", stored, j)
		equal(t, "read", job(t, a, j.ID), j)
	}
	equal(t, "events", len(events(t, a)), 4)
	_, err := a.Jobs.CreateJob(t.Context(), newJob("one"), newEvent(session.EventMassRevocation, "boss"))
	code(t, "CreateJob of a taken id", err, session.CodeUnavailable)
	equal(t, "events", len(events(t, a)), 4)
}

func jobMissing(t *testing.T, a, _ Backend) {
	for _, id := range []string{"", "x", ".", "..", "__all__", "a/b", "../sessionUsers/ana"} {
		_, err := a.Jobs.Job(t.Context(), id)
		code(t, "Job "+id, err, session.CodeNotFound)
		j := newJob(id)
		_, _, err = a.Jobs.UpdateJob(t.Context(), j)
		code(t, "UpdateJob "+id, err, session.CodeNotFound)
		j.Version = SignIn
		_, _, err = a.Jobs.UpdateJob(t.Context(), j)
		code(t, "UpdateJob of a version "+id, err, session.CodeNotFound)
	}
}

func jobRace(t *testing.T, a, b Backend) {
	j, instances := mustCreateJob(t, a, newJob("one")), []Backend{a, b}
	const rounds, rivals = 5, 4
	for round := range rounds {
		var won []session.MassRevocation
		answers := make([]session.MassRevocation, rivals)
		var mu sync.Mutex
		together(rivals, func(i int) {
			own := j
			own.Owner, own.Ended = strconv.Itoa(i), 100*round+i
			got, ok, err := instances[i%2].Jobs.UpdateJob(t.Context(), own, newEvent(session.EventMassRevoked, "boss"))
			if err != nil {
				t.Errorf("UpdateJob: %v", err)
			}
			answers[i] = got
			if ok {
				mu.Lock()
				won = append(won, got)
				mu.Unlock()
			}
		})
		if len(won) != 1 {
			t.Fatalf("%d have won", len(won))
		}
		j = job(t, a, "one")
		for _, got := range answers {
			equal(t, "answer", got, j)
		}
		equal(t, "events", len(events(t, b)), round+1)
	}
}

func jobRunning(t *testing.T, a, b Backend) {
	for _, id := range []string{"a", "b", "c", "d"} {
		mustCreateJob(t, a, newJob(id))
	}
	for id, state := range map[string]session.JobState{"b": session.JobDone, "d": session.JobFailed} {
		j := job(t, b, id)
		j.State = state
		if _, ok, err := b.Jobs.UpdateJob(t.Context(), j); err != nil || !ok {
			t.Fatalf("updated %t, error %v", ok, err)
		}
	}
	for limit, want := range []int{0, 1, 2, 2} {
		running, err := b.Jobs.RunningJobs(t.Context(), limit)
		code(t, "RunningJobs", err, "")
		equal(t, "running", len(running), want)
		for _, j := range running {
			equal(t, "running", j, job(t, a, j.ID))
			if !slices.Contains([]string{"a", "c"}, j.ID) {
				t.Errorf("%s is %s", j.ID, j.State)
			}
		}
	}
}

func jobEnds(t *testing.T, a, b Backend) {
	count := func(id string) int {
		t.Helper()
		n, err := b.Jobs.JobEnds(t.Context(), id)
		code(t, "JobEnds", err, "")
		return n
	}
	equal(t, "before", count("one"), 0)
	for i := range 5 {
		s := MustCreate(t, a.Store, NewSession("ana", SignIn.Add(time.Duration(i)*time.Minute)))
		e := newEvent(session.EventSessionEnded, "ana")
		e.Details = map[string]string{session.DetailReason: "admin_revoked", session.DetailRevocation: []string{"one", "two"}[i/3]}
		for range 2 { // the second time nothing ends
			rec := session.Record{Events: []session.Event{e}}
			_, _, err := b.Store.End(t.Context(), s.ID, session.End{Reason: session.ReasonAdminRevoked, By: "boss"}, rec)
			code(t, "End", err, "")
			e.ID += "again"
		}
	}
	others := []session.Event{newEvent(session.EventSessionEnded, "ana"), newEvent(session.EventMassRevoked, "ana"), newEvent(session.EventSessionEnded, "ana")}
	others[1].Details = map[string]string{session.DetailRevocation: "one"}
	others[2].Details, others[2].Audience = map[string]string{session.DetailRevocation: "one"}, session.AudienceAdmin
	code(t, "Append", a.Trail.Append(t.Context(), others...), "")
	equal(t, "one", count("one"), 3)
	equal(t, "two", count("two"), 2)
	equal(t, "another", count("three"), 0)
}
