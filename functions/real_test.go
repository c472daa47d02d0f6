package functions

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore"
	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/fireauth"
	"github.com/vigilhq/vigil/internal/identity"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// realResync is short: who finishes what another has begun waits for twice as long.
const realResync = time.Second

// reality is Firestore with its events, Firebase Authentication, and the functions between them.
type reality struct {
	*testing.T
	project   string
	events    *firestoretest.Events
	auth      string // where Firebase Authentication is
	verifier  *fireauth.Verifier
	store     *firestore.Store
	functions string // where the functions are
}

func newReality(t *testing.T) *reality {
	w := &reality{T: t, project: firestoretest.ProjectID(t), events: firestoretest.NewEvents(t)}
	accounts, err := identity.New(identity.Options{ProjectID: w.project})
	if err != nil {
		t.Fatal(err)
	}
	auth := httptest.NewServer(accounts)
	t.Cleanup(auth.Close)
	w.auth = strings.TrimPrefix(auth.URL, "http://")
	if w.verifier, err = fireauth.Open(t.Context(), fireauth.Options{ProjectID: w.project, EmulatorHost: w.auth}); err != nil {
		t.Fatal(err)
	}
	var registry *session.Registry
	registry, _, w.store = w.instance()
	s, err := New(Options{Registry: registry, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for name, f := range s.functions {
		mux.Handle("/"+name, f)
	}
	served := httptest.NewServer(mux)
	t.Cleanup(served.Close)
	w.functions = served.URL
	w.events.Subscribe(t, w.project, "sessionUsers/{uid}", w.functions+"/"+OnRevocation)
	return w
}

// instance is one process of Vigil's, whose store can be taken away from it.
func (w *reality) instance() (*session.Registry, *sessiontest.Outage, *firestore.Store) {
	w.Helper()
	clock := session.NewClock()
	store, err := firestore.Open(w.Context(), firestore.Options{ProjectID: w.project, EmulatorHost: w.events.Host(), Clock: clock})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = store.Close() })
	data := sessiontest.NewOutage(store)
	policy := session.Policy{
		IdleTimeout: 30 * time.Minute, IdleWarning: 2 * time.Minute, Lifetime: 12 * time.Hour, TouchInterval: 5 * time.Minute,
		ReauthMaxAge: 5 * time.Minute, Retention: 24 * time.Hour, MaxSessions: 5, LimitPolicy: session.LimitEvict,
	}
	return session.NewRegistry(
		session.Settings{Policy: policy, AdminClaim: "admin", UserStateTTL: time.Minute, FeedResync: realResync},
		session.Ports{
			Store: data, Users: data, Publisher: data, Archive: data, Trail: data, Jobs: data,
			Accounts: w.verifier, Editor: w.verifier, Clock: clock, Inbox: session.NewInbox(realResync),
			After: func(d time.Duration, f func()) { time.AfterFunc(d, f) }, Log: slog.New(slog.DiscardHandler),
		}), data, store
}

// toolkit calls Firebase Authentication, with an admin's credentials where the path is an admin's.
func (w *reality) toolkit(path string, body object) (status int, answer object) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, "http://"+w.auth+path, bytes.NewReader(encode(body)))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if strings.Contains(path, "/projects/") {
		r.Header.Set("Authorization", "Bearer owner")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		w.Fatal(err)
	}
	return response.StatusCode, answer
}

// user is somebody who is signed in.
type user struct {
	uid              session.UserID
	email, refreshed string
	session          session.Session
}

const password = "correct horse"

// signUp creates an account that is signed in, with a session.
func (w *reality) signUp(r *session.Registry, email string) user {
	w.Helper()
	status, answer := w.toolkit("/identitytoolkit.googleapis.com/v1/accounts:signUp?key=any", object{
		"email": email, "password": password, "returnSecureToken": true,
	})
	if status != http.StatusOK {
		w.Fatalf("%d %v", status, answer)
	}
	return w.register(r, email, answer)
}

func (w *reality) signIn(r *session.Registry, email string) user {
	w.Helper()
	status, answer := w.toolkit("/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=any", object{
		"email": email, "password": password, "returnSecureToken": true,
	})
	if status != http.StatusOK {
		w.Fatalf("%d %v", status, answer)
	}
	return w.register(r, email, answer)
}

func (w *reality) register(r *session.Registry, email string, answer object) user {
	w.Helper()
	id, err := w.verifier.Verify(w.Context(), answer["idToken"].(string))
	if err != nil {
		w.Fatal(err)
	}
	reg, err := r.Register(w.Context(), id, session.SignIn{UserAgent: "Chrome", Device: session.Device{Type: "desktop"}})
	if err != nil {
		w.Fatal(err)
	}
	return user{id.UserID, email, answer["refreshToken"].(string), reg.Session}
}

// refreshes reports whether a refresh token is still good for anything.
func (w *reality) refreshes(u user) bool {
	w.Helper()
	status, _ := w.toolkit("/securetoken.googleapis.com/v1/token?key=any", object{"grant_type": "refresh_token", "refresh_token": u.refreshed})
	return status == http.StatusOK
}

// eventually waits for something.
func (w *reality) eventually(what string, holds func() bool) {
	w.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			w.Fatalf("not within a minute: %s", what)
		case <-tick.C:
		}
	}
}

func (w *reality) stored(uid session.UserID) session.User {
	w.Helper()
	u, err := w.store.User(w.Context(), uid)
	if err != nil {
		w.Fatal(err)
	}
	return u
}

// nextSecond waits until no token of this second can be taken for one of the next.
func (w *reality) nextSecond() {
	select {
	case <-w.Context().Done():
	case <-time.After(time.Until(time.Now().Truncate(time.Second).Add(time.Second + 10*time.Millisecond))):
	}
}

// delivered waits until so many events have been acknowledged.
func (w *reality) delivered(atLeast int) []firestoretest.Event {
	w.Helper()
	w.eventually("the events", func() bool { return len(w.events.Delivered()) >= atLeast })
	return w.events.Delivered()
}

// An instance dies for good between the commit of a revocation and everything else. The event of that very commit is enough.
func TestOnRevocationFinishesWhatADeadInstanceOwes(t *testing.T) {
	w := newReality(t)
	dying, itsStore, _ := w.instance()
	ana, ben := w.signUp(dying, "ana@example.com"), w.signUp(dying, "ben@example.com")
	w.nextSecond()
	itsStore.Before(func(op string) {
		if op == "UserSessions" {
			itsStore.SetDown(true)
		}
	})
	if _, err := dying.RevokeUser(t.Context(), ana.uid, session.Actor{By: session.ActorCLI}); session.CodeOf(err) != session.CodeUnavailable {
		t.Fatalf("the instance lives: %v", err)
	}
	w.eventually("the refresh token is refused", func() bool { return !w.refreshes(ana) })
	w.eventually("nothing is pending", func() bool { return !w.stored(ana.uid).TokensPending })
	if s, err := w.store.Session(t.Context(), ana.session.ID); err != nil || s.EndReason != session.ReasonAdminRevoked {
		t.Errorf("%+v, %v", s, err)
	}
	if !w.refreshes(ben) {
		t.Error("another user's token is refused")
	}

	// Whatever comes of it again, in whatever order, concerns nobody any more: not even who has signed in since.
	events := w.delivered(2) // of the revocation, and of its end
	w.nextSecond()
	living, _, _ := w.instance()
	again := w.signIn(living, ana.email)
	revokedAt := w.stored(ana.uid).RevokedAt
	slices.Reverse(events)
	for _, event := range slices.Concat(events, events) {
		if status := firestoretest.Redeliver(t, w.functions+"/"+OnRevocation, event); status != http.StatusNoContent {
			t.Errorf("delivered again: %d", status)
		}
	}
	if u := w.stored(ana.uid); !w.refreshes(again) || u.TokensPending || !u.RevokedAt.Equal(revokedAt) {
		t.Errorf("revoked again: %+v", u)
	}
}

// deletions are the forms in which Google tells of a deleted account.
var deletions = map[string]func(project string, uid session.UserID, id string) firestoretest.Event{
	"second generation": func(project string, uid session.UserID, id string) firestoretest.Event {
		return firestoretest.Event{Header: http.Header{
			"Ce-Id": {id}, "Ce-Type": {deletedV2}, "Ce-Specversion": {"1.0"}, "Ce-Subject": {"users/" + string(uid)},
			"Ce-Source": {"//identitytoolkit.googleapis.com/projects/" + project}, "Content-Type": {"application/json"},
		}, Body: encode(object{"oldValue": object{"uid": uid}})}
	},
	"first generation": func(_ string, uid session.UserID, id string) firestoretest.Event {
		return firestoretest.Event{Header: http.Header{"Content-Type": {"application/json"}}, Body: encode(object{
			"context": object{"eventId": id, "eventType": deletedLegacy, "resource": object{"service": "firebaseauth.googleapis.com"}},
			"data":    object{"uid": uid},
		})}
	},
}

func TestOnUserDeletedEndsEverything(t *testing.T) {
	w := newReality(t)
	living, _, _ := w.instance()
	for name, event := range deletions {
		t.Run(name, func(t *testing.T) {
			email := strings.ReplaceAll(name, " ", "-") + "@example.com"
			u := w.signUp(living, email)
			deliver := func(id string) {
				t.Helper()
				if status := firestoretest.Redeliver(t, w.functions+"/"+OnUserDeleted, event(w.project, u.uid, id)); status != http.StatusNoContent {
					t.Fatalf("answered %d", status)
				}
			}
			deliver("early")
			if known := w.stored(u.uid); known != (session.User{ID: u.uid}) {
				t.Fatalf("an account that is there: %+v", known)
			}
			w.nextSecond()
			path := "/identitytoolkit.googleapis.com/v1/projects/" + w.project + "/accounts:delete"
			if status, answer := w.toolkit(path, object{"localId": u.uid}); status != http.StatusOK {
				t.Fatalf("%d %v", status, answer)
			}
			deliver("event-1")
			s, err := w.store.Session(t.Context(), u.session.ID)
			if err != nil || s.EndReason != session.ReasonUserDeleted || s.UserAgent != "" {
				t.Errorf("%+v, %v", s, err)
			}
			known := w.stored(u.uid)
			if known.DeletedAt.IsZero() || known.TokensPending || known.ErasePending {
				t.Errorf("%+v", known)
			}
			for _, id := range []string{"event-1", "event-2", "early"} {
				deliver(id)
			}
			if w.stored(u.uid) != known || w.audited(u.uid) != 1 {
				t.Errorf("%+v, %d events", w.stored(u.uid), w.audited(u.uid))
			}
		})
	}
}

// audited counts the entries of the audit trail that an account was deleted.
func (w *reality) audited(uid session.UserID) (count int) {
	w.Helper()
	events, err := w.store.UserEvents(w.Context(), uid, session.EventCursor{}, 100)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range events {
		if e.Type == session.EventAccountDeleted {
			count++
		}
	}
	return count
}

// Deleted through Vigil: what Firebase tells of it afterwards is no news.
func TestOnUserDeletedKnowsWhatVigilHasDone(t *testing.T) {
	w := newReality(t)
	living, _, _ := w.instance()
	u := w.signUp(living, "ana@example.com")
	w.nextSecond()
	caller := session.Admission{Identity: session.Identity{UserID: u.uid, SessionID: u.session.ID}, Session: u.session}
	if err := living.DeleteAccount(t.Context(), caller); err != nil {
		t.Fatal(err)
	}
	known := w.stored(u.uid)
	for _, event := range deletions {
		if status := firestoretest.Redeliver(t, w.functions+"/"+OnUserDeleted, event(w.project, u.uid, "event-1")); status != http.StatusNoContent {
			t.Fatalf("answered %d", status)
		}
	}
	if w.stored(u.uid) != known || w.audited(u.uid) != 1 {
		t.Errorf("%+v, %d events", w.stored(u.uid), w.audited(u.uid))
	}
}

func TestSweepCleansUp(t *testing.T) {
	w := newReality(t)
	living, _, _ := w.instance()
	u := w.signUp(living, "ana@example.com")
	long := u.session
	long.ID = session.NewID(u.uid, "long ago", u.session.AuthTime)
	long.LastActive = long.LastActive.Add(-time.Hour)
	if _, _, err := w.store.Create(t.Context(), long, session.Record{}); err != nil {
		t.Fatal(err)
	}
	status, answer := send(t, w.functions+"/"+Sweep, nil, nil)
	if status != http.StatusOK || answer != `{"expired":1,"purged":0,"limited":0}` {
		t.Errorf("%d %s", status, answer)
	}
	if s, err := w.store.Session(context.Background(), long.ID); err != nil || s.EndReason != session.ReasonIdleTimeout {
		t.Errorf("%+v, %v", s, err)
	}
}
