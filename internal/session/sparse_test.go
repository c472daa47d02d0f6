package session_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// phones chooses the one session of [world.sparse] that is on a phone.
var phones = session.Filter{DeviceType: "mobile"}

// sparse stores n sessions, the last of which in the order of a search is on a phone.
func (w *world) sparse(n int) (last session.ID) {
	w.Helper()
	var all []session.Session
	for k := range n {
		all = append(all, sessiontest.NewSession(userNumber(k), time.Now()))
	}
	slices.SortFunc(all, func(a, b session.Session) int { return strings.Compare(string(a.ID), string(b.ID)) })
	all[n-1].Device.Type = "mobile"
	for _, s := range all {
		sessiontest.MustCreate(w, w.data, s)
	}
	w.pass(2 * time.Second)
	return all[n-1].ID
}

// A request looks at some thousands of sessions, whatever is asked for, and the next one goes on behind them.
func TestSearchForWhatIsRareComesToAnEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		last := w.sparse(4500)
		page, next, err := i.registry.Search(w.Context(), phones, session.Cursor{}, 50)
		if err != nil || len(page) != 0 || next == nil || i.store.Calls("Search") != 2 {
			t.Fatalf("%d sessions, next %v after %d reads, %v", len(page), next, i.store.Calls("Search"), err)
		}
		if found, pages := searchAll(w, i, phones, 50); !slices.Equal(found, []session.ID{last}) || pages != 3 {
			t.Errorf("found %v on %d pages", found, pages)
		}
		before := i.store.Calls("Search")
		matched, sample, err := i.registry.PreviewRevocation(w.Context(), boss, phones)
		if err != nil || matched != 1 || len(sample) != 0 || i.store.Calls("Search") != before+2 {
			t.Errorf("%d matched, %d shown, %v", matched, len(sample), err)
		}
	})
}

// A mass revocation of what is rare writes down how far it has looked, and another instance goes on from there.
func TestAMassRevocationOfWhatIsRareGoesOnWhereItWas(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		last := w.sparse(4500)
		j := w.askForRevocation(b, boss, phones)
		searches := 0
		a.store.Before(func(op string) {
			if op == "Search" {
				searches++
			}
			a.store.SetDown(searches > 3)
		})
		wantCode(t, a.registry.WorkOnRevocations(w.Context()), session.CodeUnavailable)
		if reached := w.job(j.ID, session.JobRunning, 0).Cursor; reached.ID == "" || reached.ID >= last {
			t.Errorf("it has reached %+v", reached)
		}
		w.pass(20 * time.Second)
		before := b.store.Calls("Search")
		w.workOn(b)
		if got := b.store.Calls("Search") - before; got != 2 {
			t.Errorf("%d reads to go on", got)
		}
		w.job(j.ID, session.JobDone, 1)
		w.endedOnce(j.ID, last)
	})
}

// hanging is a store that does not answer calls of one method.
type hanging struct {
	sessiontest.Data
	op string
}

func (h hanging) Search(ctx context.Context, f session.Filter, after session.Cursor, limit int) ([]session.Session, *session.Cursor, error) {
	if h.op == "Search" {
		<-ctx.Done()
	}
	return h.Data.Search(ctx, f, after, limit)
}

func (h hanging) JobEnds(ctx context.Context, id string) (int, error) {
	if h.op == "JobEnds" {
		<-ctx.Done()
	}
	return h.Data.JobEnds(ctx, id)
}

// Another instance would think it dead and do the same work, and neither would ever come to an end.
func TestAMassRevocationWaitsForNothingLongerThanItsLease(t *testing.T) {
	for op, want := range map[string]session.Code{"Search": session.CodeUnavailable, "JobEnds": ""} {
		t.Run(op, func(t *testing.T) {
			inWorld(t, func(w *world) {
				b := w.start()
				a := w.startOn(hanging{w.data, op})
				ids := w.populate(b, 3)
				j := w.askForRevocation(b, boss, session.Filter{})
				began := time.Now()
				ctx, cancel := context.WithTimeout(w.Context(), time.Minute) // for one that would wait
				defer cancel()
				wantCode(t, a.registry.WorkOnRevocations(ctx), want)
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it waited for %s", took)
				}
				if op == "JobEnds" { // what it has counted itself has to do
					w.job(j.ID, session.JobDone, len(ids))
					w.endedOnce(j.ID, ids...)
				}
			})
		})
	}
}

// A store that cannot count what has ended keeps no mass revocation open.
func TestAMassRevocationClosesWithoutACount(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		ids := w.populate(b, 600)
		var ended atomic.Int32 // several commits are under way at once
		a.store.Before(func(op string) {
			if op == "EndTogether" {
				ended.Add(1)
			}
			a.store.SetDown(ended.Load() > 10) // five hundred in fifties
		})
		j := w.askForRevocation(b, boss, session.Filter{})
		wantCode(t, a.registry.WorkOnRevocations(w.Context()), session.CodeUnavailable)
		marked := w.marked(j.ID)
		if marked != 500 {
			t.Errorf("%d written down", marked)
		}
		w.pass(20 * time.Second)
		b.store.Before(func(op string) { b.store.SetDown(op == "JobEnds") })
		w.workOn(b)
		w.job(j.ID, session.JobDone, len(ids))
		w.endedOnce(j.ID, ids...)
	})
}
