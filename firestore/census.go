package firestore

import (
	"context"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// censusDoc is the document sessionSweeps/latest.
type censusDoc struct {
	ActiveSessions int            `firestore:"activeSessions"`
	Users          int            `firestore:"users"`
	ByDeviceType   map[string]int `firestore:"byDeviceType"`
	ByCountry      map[string]int `firestore:"byCountry"`
	Zombies        int            `firestore:"zombies"`
	CountedAt      time.Time      `firestore:"countedAt"`
}

func (s *Store) latestSweep() *firestore.DocumentRef { return s.sweeps().Doc("latest") }

// SaveCensus implements [session.Archive].
func (s *Store) SaveCensus(ctx context.Context, c session.Census) error {
	doc := censusDoc(c)
	doc.CountedAt = micro(doc.CountedAt)
	return s.settle(ctx, "save census", callTimeout, func(ctx context.Context) error {
		_, err := s.latestSweep().Set(ctx, doc)
		return err
	})
}

// Census implements [session.Archive].
func (s *Store) Census(ctx context.Context) (session.Census, error) {
	const op = "census"
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	snaps, err := s.get(ctx, s.latestSweep())
	if err != nil {
		return session.Census{}, session.Unavailable(op, err)
	}
	var doc censusDoc
	if snaps[0].Exists() {
		if err := snaps[0].DataTo(&doc); err != nil {
			return session.Census{}, session.Unavailable(op, err)
		}
	}
	return session.Census(doc), nil
}
