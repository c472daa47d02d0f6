package firestore

import (
	"context"
	"maps"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// Erase implements [session.Users]. It only ever takes away fields of documents that are there: it brings nothing back, and what
// others decide about a session at the same time stands.
func (s *Store) Erase(ctx context.Context, uid session.UserID) error {
	const op = "erase"
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	for _, kept := range []struct {
		of    *firestore.CollectionRef
		strip func(*firestore.DocumentSnapshot) (map[string]any, error)
	}{
		{s.sessions(), stripSession},
		{s.events(), stripEvent},
	} {
		q := kept.of.Where("userId", "==", string(uid)).OrderBy(firestore.DocumentID, firestore.Asc)
		err := s.scan(ctx, q, purgeBatch, func(page []*firestore.DocumentSnapshot) (bool, error) {
			var changes []write
			for _, snap := range page {
				fields, err := kept.strip(snap)
				if err != nil {
					return false, err
				}
				if fields != nil {
					changes = append(changes, write{ref: snap.Ref, do: update, data: fields})
				}
			}
			_, err := s.oneByOne(ctx, changes)
			return true, err
		})
		if err != nil {
			return session.Unavailable(op, err)
		}
	}
	return nil
}

// stripSession returns what to change of a session, nil if there is nothing left.
func stripSession(snap *firestore.DocumentSnapshot) (map[string]any, error) {
	found, _, err := readSession(snap)
	if err != nil {
		return nil, err
	}
	bare := found
	bare.IPAddress, bare.Networks, bare.UserAgent, bare.Location, bare.Device.Name = "", session.Networks{}, "", nil, ""
	if found == bare {
		return nil, nil
	}
	return map[string]any{
		"ipAddress": "",
		"networks":  []string{}, "otherNetworks": []string{},
		"userAgent":   "",
		"location":    nil,
		"device.name": nil,
	}, nil
}

// stripEvent returns what to change of an event, nil if there is nothing left.
func stripEvent(snap *firestore.DocumentSnapshot) (map[string]any, error) {
	events, err := readEvents([]*firestore.DocumentSnapshot{snap})
	if err != nil {
		return nil, err
	}
	bare := events[0].Erased()
	if bare.IPAddress == events[0].IPAddress && maps.Equal(bare.Details, events[0].Details) {
		return nil, nil
	}
	details := map[string]string{} // never null
	maps.Copy(details, bare.Details)
	return map[string]any{"ipAddress": nullable(bare.IPAddress), "details": details}, nil
}
