package firestore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// mailPause is how long after a mail about a device another one about it is dropped.
const mailPause = time.Hour

// mailedDoc is what is read of a document of sessionMails.
type mailedDoc struct {
	At time.Time `firestore:"at"`
}

// mailWrites returns the writes that store m, none if there is no collection for it or if one about the same device was stored
// within the last hour. Of two at once only one can commit: both write the device's own document on the condition that it is
// still what they have read. The mail's document cannot be that one, since the extension sends whatever is new to it; and one
// that is named after the hour would let two through at its turn. Nothing is locked for it, so simultaneous registrations
// fail at once instead of waiting for each other in a circle.
func (s *Store) mailWrites(ctx context.Context, m *session.Mail) ([]write, error) {
	if m == nil || s.mailCollection == "" {
		return nil, nil
	}
	sum := sha256.Sum256([]byte(m.Device))
	ref := s.mailed().Doc(hex.EncodeToString(sum[:]))
	snaps, err := s.get(ctx, ref)
	if err != nil {
		return nil, err
	}
	var last mailedDoc
	if snaps[0].Exists() {
		if err := snaps[0].DataTo(&last); err != nil {
			return nil, err
		}
	}
	if !mailDue(last.At, snaps[0].ReadTime) {
		return nil, nil
	}
	mail, now := s.mails().Doc(rand.Text()), s.clock.Now()
	claim := write{ref: ref, do: create, data: map[string]any{
		"mail": mail.ID, "at": firestore.ServerTimestamp, "purgeAt": now.Add(mailPause),
	}}
	if snaps[0].Exists() {
		claim.do, claim.version = update, snaps[0].UpdateTime
	}
	return []write{claim, {ref: mail, do: create, data: map[string]any{
		"userId":    string(m.UserID),
		"to":        []string{text(m.To)},
		"message":   map[string]string{"subject": text(m.Subject), "text": text(m.Text), "html": text(m.HTML)},
		"createdAt": firestore.ServerTimestamp,
		"purgeAt":   now.Add(s.retention),
	}}}, nil
}

// mailDue reports whether a mail about a device may be stored now; last is when the last one was, zero for never. Both are
// Firestore's own times.
func mailDue(last, now time.Time) bool { return last.IsZero() || now.Sub(last) >= mailPause }
