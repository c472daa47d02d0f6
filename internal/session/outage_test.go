package session_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func TestNothingIsAdmittedWhileTheFeedIsUnproven(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.admit(i, token, "")
		i.stopFeed()
		w.pass(2*feedResync - time.Second)
		w.admit(i, token, "")
		w.pass(2 * time.Second)
		w.admit(i, token, session.CodeUnavailable)
		i.runFeed(w)
		w.admit(i, token, "")
		if got := w.stored(s.ID); got.Status != session.StatusActive {
			t.Errorf("an outage ended the session: %s", got.EndReason)
		}
	})
}

func TestAfterAnOutageNothingEndsForIdlenessAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.pass(policy.IdleTimeout - time.Minute)
		i.stopFeed()
		w.pass(2 * time.Minute)
		i.runFeed(w)
		w.admit(i, token, session.CodeUnavailable) // another instance may be about to store activity
		w.pass(policy.TouchInterval)
		w.admit(i, token, session.CodeSessionEnded)
		w.ended(s.ID, session.ReasonIdleTimeout)
	})
}

func TestAStoreOutageSignsNobodyOut(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		known, _ := w.signIn(i, "ana")
		w.admit(i, known, "")
		other, _ := w.signIn(i, "ben")
		i.store.SetDown(true)
		w.admit(i, known, "") // from memory, within the feed's bound
		w.admit(i, other, session.CodeUnavailable)
		_, err := w.tryRegister(i, w.accounts.SignIn("cem"))
		wantCode(t, err, session.CodeUnavailable)
		i.store.SetDown(false)
		w.admit(i, other, "")
	})
}

// A read that began before a notice must not bring back what the notice took away.
func TestAReadThatRacesANoticeIsNotBelieved(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		reading, release := make(chan struct{}), make(chan struct{})
		var held atomic.Bool
		i.store.After(func(op string) { // it has read the session as active
			if op == "Session" && held.CompareAndSwap(false, true) {
				close(reading)
				<-release
			}
		})
		answer := make(chan session.Code)
		go func() {
			_, err := i.gate.Admit(context.WithoutCancel(w.Context()), token, session.Origin{})
			answer <- session.CodeOf(err)
		}()
		<-reading
		if _, err := i.registry.EndOthers(w.Context(), as(session.Session{UserID: "ana"})); err != nil {
			t.Fatal(err)
		}
		w.admit(i, token, session.CodeSessionEnded) // a caller that comes after the notice does not join the read
		close(release)
		if code := <-answer; code != session.CodeSessionEnded {
			t.Errorf("the read that raced answers %q", code)
		}
		w.ended(s.ID, session.ReasonRevoked)
	})
}

// A revocation that a notice has told of stands, whatever a read says.
func TestANoticeOfARevocationOutlivesReads(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		w.admit(i, token, "")
		n := session.NewNotice(session.NoticeEnded, "ana", session.ReasonAdminRevoked)
		n.Before = time.Now()
		i.inbox.Deliver(n)
		wantCode(t, i.gate.RequireRecent(w.Context(), w.accounts.Identity(token), time.Hour), session.CodeTokenRevoked)
		w.admit(i, token, session.CodeTokenRevoked)
	})
}

// Notices may have come and gone while an instance was cut off: it starts anew.
func TestAfterAGapNothingIsAnsweredFromMemory(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		w.admit(i, token, "")
		i.stopFeed()
		w.pass(time.Minute)
		if _, _, err := w.data.End(w.Context(), s.ID, session.End{Reason: session.ReasonRevoked, By: "ana"}, session.Record{}); err != nil {
			t.Fatal(err)
		}
		i.runFeed(w)
		w.admit(i, token, session.CodeSessionEnded)
	})
}
