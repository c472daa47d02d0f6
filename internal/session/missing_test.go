package session_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// slowReads has the store take its time for every read of a session, as a real one does.
func (i *instance) slowReads() {
	i.store.After(func(op string) {
		if op == "Session" {
			<-time.After(50 * time.Millisecond)
		}
	})
}

// askOften sends a hundred requests at once.
func (w *world) askOften(i *instance, token string, want session.Code) (took time.Duration) {
	w.Helper()
	began := time.Now()
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			_, err := i.gate.Admit(w.Context(), token, session.Origin{})
			if got := session.CodeOf(err); got != want {
				w.Errorf("answered %q, want %q", got, want)
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

func TestASignInWithoutASessionCostsOneReadASecond(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		i.slowReads()
		token := w.accounts.SignIn("ana")
		for n := range 5 {
			took := w.askOften(i, token, session.CodeSessionRequired)
			if n > 0 && took < 900*time.Millisecond {
				t.Errorf("asked again, and answered after %s", took)
			}
			if got := i.store.Calls("Session"); got != n+1 {
				t.Errorf("%d reads after %d times", got, n+1)
			}
		}
		ctx, hangUp := context.WithTimeout(w.Context(), time.Millisecond)
		defer hangUp()
		_, err := i.gate.Admit(ctx, token, session.Origin{})
		wantCode(t, err, session.CodeUnavailable)
	})
}

func TestARegistrationIsSeenAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		w.signIn(a, "ana")
		w.pass(time.Second)
		token := w.accounts.SignIn("ana")
		w.admit(a, token, session.CodeSessionRequired)
		w.admit(b, token, session.CodeSessionRequired)
		w.register(a, token)
		w.pass(0)
		began := time.Now()
		w.admit(a, token, "")
		w.admit(b, token, "")
		if took := time.Since(began); took > 0 {
			t.Errorf("took %s", took)
		}
	})
}

// The first session of a user is announced to nobody: who has just asked for it waits, and finds it.
func TestAFirstRegistrationIsFoundByWhoWaits(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token := w.accounts.SignIn("ana")
		w.admit(a, token, session.CodeSessionRequired)
		w.admit(b, token, session.CodeSessionRequired)
		w.register(a, token)
		a.slowReads()
		b.slowReads()
		if took := w.askOften(a, token, ""); took > 100*time.Millisecond {
			t.Errorf("took %s where it was registered", took)
		}
		if took := w.askOften(b, token, ""); took > 1100*time.Millisecond {
			t.Errorf("took %s elsewhere", took)
		}
	})
}
