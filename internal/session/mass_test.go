package session_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func (w *world) askForRevocation(i *instance, actor session.Actor, f session.Filter) session.MassRevocation {
	w.Helper()
	j, err := i.registry.StartRevocation(w.Context(), actor, f)
	if err != nil {
		w.Fatal(err)
	}
	return j
}

func (w *world) workOn(i *instance) {
	w.Helper()
	if err := i.registry.WorkOnRevocations(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// job expects where a mass revocation stands.
func (w *world) job(id string, state session.JobState, ended int) session.MassRevocation {
	w.Helper()
	j, err := w.data.Job(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	if j.State != state || j.Ended != ended {
		w.Errorf("%s with %d ended, want %s with %d", j.State, j.Ended, state, ended)
	}
	return j
}

// endedOnce expects that each of the sessions, and none besides, has ended exactly once in the audit trail, by the revocation.
func (w *world) endedOnce(job string, ids ...session.ID) {
	w.Helper()
	told := make(map[session.ID]int)
	for _, e := range w.events(session.EventSessionEnded) {
		if e.Details["revocation"] == job {
			told[e.SessionID]++
		}
	}
	for _, id := range ids {
		w.ended(id, session.ReasonAdminRevoked)
		if told[id] != 1 {
			w.Errorf("%s ended %d times", id, told[id])
		}
	}
	if len(told) != len(ids) {
		w.Errorf("%d sessions ended, want %d", len(told), len(ids))
	}
}

func TestAMassRevocationEndsWhatItWasAskedFor(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		idle := w.populate(a, 3)[0]
		w.pass(policy.IdleTimeout - time.Minute)
		chosen := w.populate(a, 250)
		_, other := w.signInFrom(a, "ana", phone(""))
		_, own := w.signIn(a, "boss")
		actor := boss
		actor.Session = own.ID
		f := session.Filter{Status: session.StatusEnded} // of which there is nothing to choose
		w.pass(2 * time.Minute)                          // the first three are over, unwritten

		matched, sample, err := a.registry.PreviewRevocation(w.Context(), actor, session.Filter{DeviceType: ""})
		if err != nil || matched != len(chosen)+1 || len(sample) != 10 {
			t.Fatalf("%d matched, %d shown, %v", matched, len(sample), err)
		}
		if n := len(w.events(session.EventSessionEnded)); n > 0 {
			t.Errorf("the preview ended %d sessions", n)
		}
		j := w.askForRevocation(a, actor, f)
		if j.Matched != matched || j.State != session.JobRunning {
			t.Errorf("%+v", j)
		}
		select {
		case <-a.registry.RevocationsAsked():
		default:
			t.Error("nobody is told that there is work")
		}
		w.byAdmin(w.event(session.EventMassRevocation), "")
		w.pass(time.Second)
		_, later := w.signIn(b, "later")
		w.workOn(a)
		w.endedOnce(j.ID, append(chosen, other.Session.ID)...)
		w.job(j.ID, session.JobDone, matched)
		if done := w.event(session.EventMassRevoked); done.Details["ended"] != "251" || done.Details["state"] != "done" {
			t.Errorf("%+v", done)
		}
		w.byAdmin(w.event(session.EventMassRevoked), "")
		w.ended(idle, session.ReasonIdleTimeout)
		for _, s := range []session.Session{own, later} {
			if w.stored(s.ID).Status != session.StatusActive {
				t.Errorf("%s's session ended", s.UserID)
			}
		}
		w.workOn(b) // nothing left
		w.event(session.EventMassRevoked)
		if got, err := a.registry.MassRevocation(w.Context(), j.ID); err != nil || got.State != session.JobDone {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = a.registry.MassRevocation(w.Context(), "nothing")
		wantCode(t, err, session.CodeNotFound)
	})
}

func TestAMassRevocationFiltersWhenASessionIsReached(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, busy := w.signIn(i, "busy")
		_, quiet := w.signIn(i, "quiet")
		_, mobile := w.signInFrom(i, "mobile", phone(""))
		w.pass(policy.TouchInterval - 10*time.Second)
		f := session.Filter{ActiveBefore: time.Now(), DeviceType: ""}
		j := w.askForRevocation(i, boss, f)
		other := w.askForRevocation(i, boss, session.Filter{DeviceType: "mobile"})
		if j.Matched != 3 || other.Matched != 1 {
			t.Errorf("%d and %d matched", j.Matched, other.Matched)
		}
		w.pass(time.Second / 2)
		if _, err := i.registry.Touch(w.Context(), w.admit(i, token, "")); err != nil {
			t.Fatal(err) // not stored yet, and true all the same
		}
		w.workOn(i)
		if w.stored(busy.ID).Status != session.StatusActive {
			t.Error("a session ended that does not match any more")
		}
		w.ended(quiet.ID, session.ReasonAdminRevoked)
		w.ended(mobile.Session.ID, session.ReasonAdminRevoked)
		sum := 0
		for _, e := range w.events(session.EventMassRevoked) {
			ended, err := strconv.Atoi(e.Details["ended"])
			if sum += ended; err != nil {
				t.Error(err)
			}
		}
		if sum != 2 {
			t.Errorf("two ended %d", sum)
		}
	})
}

// Whatever an instance dies at, another goes on when it has been silent for long enough.
func TestAMassRevocationGoesOnWhereItsInstanceDied(t *testing.T) {
	const sessions = 600
	for name, dies := range map[string]func(op string, nth int) bool{
		"before the first mark": func(op string, nth int) bool { return op == "UpdateJob" && nth == 1 },
		"before the first read": func(op string, nth int) bool { return op == "Search" && nth == 2 }, // the first is the preview's
		"at the first end":      func(op string, nth int) bool { return op == "EndTogether" && nth == 1 },
		"amid the ends":         func(op string, nth int) bool { return op == "EndTogether" && nth == 5 },
		"at the second mark":    func(op string, nth int) bool { return op == "UpdateJob" && nth == 2 },
		"at the count":          func(op string, nth int) bool { return op == "JobEnds" && nth == 1 },
		"at the last mark":      func(op string, nth int) bool { return op == "UpdateJob" && nth == 3 },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.start(), w.start()
				ids := w.populate(b, sessions)
				var mu sync.Mutex
				calls, dead := map[string]int{}, false
				a.store.Before(func(op string) {
					mu.Lock()
					defer mu.Unlock()
					calls[op]++
					dead = dead || dies(op, calls[op])
					a.store.SetDown(dead)
				})
				j := w.askForRevocation(b, boss, session.Filter{})
				if name == "before the first read" {
					calls["Search"]++
				}
				wantCode(t, a.registry.WorkOnRevocations(w.Context()), session.CodeUnavailable)
				if !dead {
					t.Fatal("it lives")
				}
				w.pass(time.Second)
				late := w.register(b, w.accounts.SignIn("late"))
				marked := w.job(j.ID, session.JobRunning, w.marked(j.ID))
				w.workOn(b)
				if marked.Owner != "" {
					if got := w.marked(j.ID); got != marked.Ended {
						t.Errorf("it was taken over at once, %d ended", got)
					}
					w.job(j.ID, session.JobRunning, marked.Ended)
					w.pass(20 * time.Second)
					w.workOn(b)
				}
				w.job(j.ID, session.JobDone, sessions)
				w.endedOnce(j.ID, ids...)
				w.event(session.EventMassRevoked)
				if w.stored(late.ID).Status != session.StatusActive {
					t.Error("a later session ended")
				}
			})
		})
	}
}

// marked is how many ended sessions a mass revocation has written down.
func (w *world) marked(id string) int {
	w.Helper()
	j, err := w.data.Job(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return j.Ended
}

// Two that work on the same, because one was thought to be dead, end each session once all the same.
func TestTwoThatWorkOnOneMassRevocationEndEachSessionOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		ids := w.populate(b, 150)
		j := w.askForRevocation(b, boss, session.Filter{})
		stuck, release := make(chan struct{}), make(chan struct{})
		var ends atomic.Int32
		a.store.Before(func(op string) {
			if op != "EndTogether" {
				return
			}
			if n := ends.Add(1); n >= 2 {
				if n == 2 {
					close(stuck)
				}
				<-release
			}
		})
		done := make(chan error, 1)
		go func() { done <- a.registry.WorkOnRevocations(context.WithoutCancel(w.Context())) }()
		select {
		case <-stuck:
		case err := <-done:
			t.Fatalf("nothing to work on: %v", err)
		}
		w.pass(21 * time.Second)
		var counted, resumed sync.Once
		b.store.Before(func(op string) {
			if op == "Search" {
				counted.Do(func() {
					if got, want := w.marked(j.ID), len(w.events(session.EventSessionEnded)); got != want {
						t.Errorf("taken over with %d ended, not %d", got, want)
					}
				})
			}
			if op == "EndTogether" { // the other one is not dead, and does the rest of its batch
				resumed.Do(func() {
					close(release)
					if err := <-done; err != nil {
						t.Error(err)
					}
				})
			}
		})
		w.workOn(b)
		w.job(j.ID, session.JobDone, len(ids))
		w.endedOnce(j.ID, ids...)
		w.event(session.EventMassRevoked)
	})
}

func TestAMassRevocationReadsInBoundedBatches(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		w.populate(i, 1000)
		w.askForRevocation(i, boss, session.Filter{})
		reads := i.store.Calls("Search")
		i.store.Before(func(op string) {
			if op == "UserSessions" {
				t.Error("it reads a user's sessions")
			}
		})
		w.workOn(i)
		if got := i.store.Calls("Search") - reads; got != 2 {
			t.Errorf("%d reads of five hundred", got)
		}
		if got := i.store.Calls("UpdateJob"); got != 3 {
			t.Errorf("%d marks", got)
		}
	})
}

func TestAMassRevocationThatTimeHasOvertakenFails(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		w.populate(i, 3)
		j := w.askForRevocation(i, boss, session.Filter{})
		w.pass(policy.Lifetime + time.Second)
		_, fresh := w.signIn(i, "ana")
		w.workOn(i)
		if got := w.job(j.ID, session.JobFailed, 0); got.Failure == "" {
			t.Error("nobody is told why")
		}
		if e := w.event(session.EventMassRevoked); e.Details["state"] != "failed" {
			t.Errorf("%+v", e)
		}
		if w.stored(fresh.ID).Status != session.StatusActive {
			t.Error("a later session ended")
		}
	})
}

// Beyond some thousands a store counts, and nobody reads them all to say how many there are.
func TestThePreviewOfVeryManyCounts(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		ids := w.populate(i, 2300)
		actor := boss
		actor.Session = ids[0]
		matched, sample, err := i.registry.PreviewRevocation(w.Context(), actor, session.Filter{})
		if err != nil || matched != 2299 || len(sample) != 10 {
			t.Errorf("%d matched, %d shown, %v", matched, len(sample), err)
		}
		if got := i.store.Calls("Search"); got != 4 {
			t.Errorf("%d reads of five hundred", got)
		}
		for _, down := range []string{"Search", "Count"} {
			i.store.Before(func(op string) { i.store.SetDown(op == down) })
			_, _, err := i.registry.PreviewRevocation(w.Context(), actor, session.Filter{})
			wantCode(t, err, session.CodeUnavailable)
		}
	})
}

func TestAMassRevocationThatIsNotWrittenDownIsNotAcknowledged(t *testing.T) {
	for _, down := range []string{"Search", "CreateJob", "RunningJobs"} {
		t.Run(down, func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				w.populate(i, 1)
				i.store.Before(func(op string) { i.store.SetDown(op == down) })
				_, err := i.registry.StartRevocation(w.Context(), boss, session.Filter{})
				if down == "RunningJobs" {
					err = i.registry.WorkOnRevocations(w.Context())
				}
				wantCode(t, err, session.CodeUnavailable)
				i.store.Before(func(string) { i.store.SetDown(false) })
				w.workOn(i)
				if n := len(w.events(session.EventSessionEnded)); n > 0 && down != "RunningJobs" {
					t.Errorf("%d sessions ended", n)
				}
			})
		})
	}
}
