package firestore

import (
	"context"
	"maps"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// Erase implements [session.Users]. It only ever takes away fields of documents that are there, and mails: it brings nothing back, and what
// others decide about a session at the same time stands.
func (s *Store) Erase(ctx context.Context, uid session.UserID) error {
	const op = "erase"
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	kinds := []erasure{{s.sessions(), stripSession}, {s.events(), stripEvent}}
	if s.mailCollection != "" {
		kinds = append(kinds, erasure{s.mails(), dropMail})
	}
	for _, kind := range kinds {
		if err := s.erase(ctx, kind, uid); err != nil {
			return session.Unavailable(op, err)
		}
	}
	return nil
}

// erasure is what becomes of a user's documents of one kind.
type erasure struct {
	of     *firestore.CollectionRef
	change func(*firestore.DocumentSnapshot) (w write, needed bool, err error)
}

// erase makes the changes in batches.
func (s *Store) erase(ctx context.Context, kind erasure, uid session.UserID) error {
	q := kind.of.Where("userId", "==", string(uid)).OrderBy(firestore.DocumentID, firestore.Asc)
	return s.scan(ctx, q, purgeBatch, func(page []*firestore.DocumentSnapshot) (bool, error) {
		var changes []write
		for _, snap := range page {
			change, needed, err := kind.change(snap)
			if err != nil {
				return false, err
			}
			if needed {
				changes = append(changes, change)
			}
		}
		_, err := s.oneByOne(ctx, changes)
		return true, err
	})
}

// dropMail deletes a mail.
func dropMail(snap *firestore.DocumentSnapshot) (w write, needed bool, err error) {
	return write{ref: snap.Ref, do: remove}, true, nil
}

// stripSession takes the personal data out of a session, if any is left.
func stripSession(snap *firestore.DocumentSnapshot) (w write, needed bool, err error) {
	found, _, err := readSession(snap)
	if err != nil {
		return write{}, false, err
	}
	bare := found
	bare.IPAddress, bare.Networks, bare.UserAgent, bare.Location, bare.Device.Name = "", session.Networks{}, "", nil, ""
	if found == bare {
		return write{}, false, nil
	}
	return write{ref: snap.Ref, do: update, data: map[string]any{
		"ipAddress": "",
		"networks":  []string{}, "otherNetworks": []string{},
		"userAgent":   "",
		"location":    nil,
		"device.name": nil,
	}}, true, nil
}

// stripEvent takes the personal data out of an event, if any is left.
func stripEvent(snap *firestore.DocumentSnapshot) (w write, needed bool, err error) {
	events, err := readEvents([]*firestore.DocumentSnapshot{snap})
	if err != nil {
		return write{}, false, err
	}
	bare := events[0].Erased()
	if bare.IPAddress == events[0].IPAddress && maps.Equal(bare.Details, events[0].Details) {
		return write{}, false, nil
	}
	details := map[string]string{} // never null
	maps.Copy(details, bare.Details)
	fields := map[string]any{"ipAddress": nullable(bare.IPAddress), "details": details}
	return write{ref: snap.Ref, do: update, data: fields}, true, nil
}
