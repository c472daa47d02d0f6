package session_test

import (
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// A revocation that is being finished while another one is decided leaves that one to be finished, too.
func TestFinishingLeavesALaterRevocationPending(t *testing.T) {
	inWorld(t, func(w *world) {
		dying, finisher, doomed := w.start(), w.start(), w.start()
		w.signIn(dying, "ana")
		dieAfterCommit := func(i *instance) {
			i.store.Before(func(op string) { i.store.SetDown(op == "UserSessions") })
			_, err := i.registry.RevokeUser(w.Context(), "ana", session.Actor{By: "boss"})
			wantCode(t, err, session.CodeUnavailable)
			i.stopFeed()
		}
		dieAfterCommit(dying)
		w.pass(2*feedResync + time.Second)
		var later session.Session
		finisher.store.After(func(op string) {
			if op == "UserSessions" { // what is to end has been read
				finisher.store.After(func(string) {})
				_, later = w.signIn(finisher, "ana")
				w.pass(time.Second)
				dieAfterCommit(doomed)
			}
		})
		if err := finisher.registry.FinishRevocations(w.Context()); err != nil {
			t.Fatal(err)
		}
		if u, _ := w.data.User(w.Context(), "ana"); !u.TokensPending {
			t.Fatal("nobody will look again")
		}
		w.pass(2*feedResync + time.Second)
		if err := finisher.registry.FinishRevocations(w.Context()); err != nil {
			t.Fatal(err)
		}
		w.ended(later.ID, session.ReasonAdminRevoked)
		if u, _ := w.data.User(w.Context(), "ana"); u.TokensPending {
			t.Error("still pending")
		}
	})
}
