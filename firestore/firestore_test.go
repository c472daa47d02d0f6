package firestore

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestMain(m *testing.M) { firestoretest.Main(m) }

func TestStore(t *testing.T) { sessiontest.TestStore(t, open) }

func TestFeed(t *testing.T) { sessiontest.TestFeed(t, open) }

// TestFeedWithoutListener: the catch-up alone keeps the whole contract.
func TestFeedWithoutListener(t *testing.T) {
	sessiontest.TestFeed(t, func(t *testing.T) sessiontest.Backend {
		host, project := firestoretest.Start(t), firestoretest.ProjectID(t)
		silent := firestoretest.NewProxy(t, host)
		silent.Pause()
		return backend(t, func() (*Store, *Feed) {
			s := connect(t, host, project)
			feed := s.Feed()
			feed.client = connect(t, silent.Host(), project).client
			return s, feed
		})
	})
}

// resync is the interval of catch-ups in tests.
const resync = 200 * time.Millisecond

// open returns an instance on an empty project.
func open(t *testing.T) sessiontest.Backend {
	host, project := firestoretest.Start(t), firestoretest.ProjectID(t)
	return backend(t, func() (*Store, *Feed) {
		s := connect(t, host, project)
		return s, s.Feed()
	})
}

// backend returns one of the instances that open opens on the same project.
func backend(t *testing.T, open func() (*Store, *Feed)) sessiontest.Backend {
	s, feed := open()
	return sessiontest.Backend{
		Store: s, Users: s, Publisher: s, Archive: s, Trail: s, Jobs: s, Feed: feed,
		Mails:    func(t *testing.T) []string { return subjects(t, s) },
		Another:  func(t *testing.T) sessiontest.Backend { return backend(t, open) },
		HoldUser: func(t *testing.T, uid session.UserID) func() { return holdUser(t, s, uid) },
	}
}

// connect opens a store that closes with the test.
func connect(t *testing.T, host, project string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{ProjectID: project, EmulatorHost: host, ResyncInterval: resync, MailCollection: "mail"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// subjects are those of the mails.
func subjects(t *testing.T, s *Store) (subjects []string) {
	t.Helper()
	snaps, err := s.mails().OrderBy("createdAt", firestore.Asc).Documents(t.Context()).GetAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, snap := range snaps {
		subject, err := snap.DataAt("message.subject")
		if err != nil {
			t.Fatal(err)
		}
		subjects = append(subjects, subject.(string))
	}
	return subjects
}

// holdUser locks a user's document, as a registration does, until it is released.
func holdUser(t *testing.T, s *Store, uid session.UserID) (release func()) {
	t.Helper()
	held, done := make(chan struct{}), make(chan struct{})
	over := make(chan error, 1)
	go func() {
		over <- s.client.RunTransaction(t.Context(), func(_ context.Context, tx *firestore.Transaction) error {
			_, err := tx.GetAll([]*firestore.DocumentRef{s.users().Doc(userName(uid))})
			close(held)
			select {
			case <-done:
			case <-t.Context().Done():
			}
			return err
		}, firestore.MaxAttempts(1))
	}()
	<-held
	return func() {
		close(done)
		if err := <-over; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("lock: %v", err)
		}
	}
}
