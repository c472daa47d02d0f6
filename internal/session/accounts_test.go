package session_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestLookUpActsOnAccountsThatAreGone(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		var uids []session.UserID
		var sessions []session.Session
		for _, uid := range []session.UserID{"ana", "ben", "cem"} {
			_, s := w.signIn(i, uid)
			uids, sessions = append(uids, uid), append(sessions, s)
		}
		w.accounts.Change("ben", func(a *session.Account) { a.Disabled = true })
		w.accounts.Remove("cem")
		if err := i.registry.LookUp(w.Context(), uids); err != nil {
			t.Error(err)
		}
		w.ended(sessions[1].ID, session.ReasonUserDisabled)
		w.ended(sessions[2].ID, session.ReasonUserDeleted)
		if w.stored(sessions[0].ID).Status != session.StatusActive {
			t.Error("an innocent session ended")
		}
	})
}

// lostBatch is an identity service whose batches have lost everybody, while single look-ups know better.
type lostBatch struct{ *sessiontest.Directory }

func (l lostBatch) Accounts(_ context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
	found := make(map[session.UserID]session.Account, len(uids))
	for _, uid := range uids {
		found[uid] = session.Account{UserID: uid, Missing: true}
	}
	return found, nil
}

func TestABatchInWhichEverybodyIsMissingIsNotBelieved(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, s := w.signIn(i, "ana")
		doubtful := session.NewRegistry(w.settings, session.Ports{
			Store: i.store, Users: i.store, Publisher: i.store, Archive: i.store, Trail: i.store, Jobs: i.store,
			Accounts: lostBatch{w.accounts}, Editor: w.accounts, Clock: session.NewClock(),
			Inbox: i.inbox, After: func(time.Duration, func()) {}, Log: slog.New(slog.DiscardHandler),
		})
		impossible := session.UserID(strings.Repeat("é", 65)) // 130 bytes: more than Firebase allows
		err := doubtful.LookUp(w.Context(), []session.UserID{impossible, "ana"})
		wantCode(t, err, session.CodeUnavailable)
		if w.stored(s.ID).Status != session.StatusActive {
			t.Error("ended on a doubtful answer")
		}
		w.accounts.Remove("ana")
		if err := doubtful.LookUp(w.Context(), []session.UserID{"ana"}); err != nil {
			t.Fatal(err)
		}
		w.ended(s.ID, session.ReasonUserDeleted)
	})
}

// slowBatch answers batches late, with what was true when it was asked.
type slowBatch struct {
	*sessiontest.Directory
	delay time.Duration
}

func (s slowBatch) Accounts(ctx context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
	found, err := s.Directory.Accounts(ctx, uids)
	<-time.After(s.delay)
	return found, err
}

func TestAnOldAnswerAboutAnAccountDoesNotReplaceANewerOne(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		r := session.NewRegistry(w.settings, session.Ports{
			Store: i.store, Users: i.store, Publisher: i.store, Archive: i.store, Trail: i.store, Jobs: i.store,
			Accounts: slowBatch{w.accounts, time.Second}, Editor: w.accounts, Clock: session.NewClock(),
			Inbox: i.inbox, After: func(time.Duration, func()) {}, Log: slog.New(slog.DiscardHandler),
		})
		gate := session.NewGate(r, w.accounts)
		token, _ := w.signIn(i, "ana")
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := r.LookUp(w.Context(), []session.UserID{"ana"}); err != nil {
				t.Error(err)
			}
		}()
		w.pass(500 * time.Millisecond)
		w.accounts.Change("ana", func(a *session.Account) { a.Disabled = true })
		wantCode(t, gate.RequireRecent(w.Context(), w.accounts.Identity(token), time.Hour), session.CodeUserDisabled)
		<-done
		_, err := gate.Authenticate(w.Context(), token)
		wantCode(t, err, session.CodeUserDisabled)
	})
}

func TestAnAccountsEndThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		_, s := w.signIn(i, "ana")
		w.pass(w.settings.UserStateTTL)
		w.accounts.Remove("ana")
		i.store.SetDown(true)
		err := i.registry.LookUp(w.Context(), []session.UserID{"ana"})
		wantCode(t, err, session.CodeUnavailable)
		if i.registry.AccountKnown("ana", w.settings.UserStateTTL) {
			t.Error("the account counts as checked: nobody would ask again")
		}
		i.store.SetDown(false)
		if err := i.registry.LookUp(w.Context(), []session.UserID{"ana"}); err != nil {
			t.Fatal(err)
		}
		w.ended(s.ID, session.ReasonUserDeleted)
	})
}
