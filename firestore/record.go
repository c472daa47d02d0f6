package firestore

import (
	"context"
	"crypto/rand"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// noticeLife is how long notices are kept: far beyond any catch-up, long enough to look into what happened.
const noticeLife = time.Hour

// noticeDoc is what is read of a document of sessionNotices.
type noticeDoc struct {
	Kind       string     `firestore:"kind"`
	UserID     string     `firestore:"userId"`
	SessionIDs []string   `firestore:"sessionIds"`
	Before     *time.Time `firestore:"before"`
	Reason     string     `firestore:"reason"`
	Alert      *alertDoc  `firestore:"alert"`
	At         time.Time  `firestore:"at"`

	// Of a notice in place of many: for each of SessionIDs the name of the notice about it, and whose it is, if not all are one user's.
	NoticeIDs []string `firestore:"noticeIds"`
	UserIDs   []string `firestore:"userIds"`
}

type alertDoc struct {
	Type              session.AlertType `firestore:"type"`
	SessionID         session.ID        `firestore:"sessionId"`
	Sessions          int               `firestore:"sessions,omitempty"`
	DeviceTypes       []string          `firestore:"deviceTypes,omitempty"`
	Device            string            `firestore:"device,omitempty"`
	Country           string            `firestore:"country,omitempty"`
	PreviousCountry   string            `firestore:"previousCountry,omitempty"`
	DistanceKM        int               `firestore:"distanceKm,omitempty"`
	SpeedKMH          int               `firestore:"speedKmh,omitempty"`
	IPAddress         string            `firestore:"ipAddress,omitempty"`
	PreviousIPAddress string            `firestore:"previousIpAddress,omitempty"`
}

func (d noticeDoc) notice(id string) session.Notice {
	n := session.Notice{
		ID:     id,
		Kind:   session.Kind(d.Kind),
		UserID: session.UserID(d.UserID),
		Before: value(d.Before),
		Reason: session.Reason(d.Reason),
		Alert:  (*session.Alert)(d.Alert),
		At:     d.At,
	}
	for _, id := range d.SessionIDs {
		n.SessionIDs = append(n.SessionIDs, session.ID(id))
	}
	return n
}

// notices returns what the document with this name says: one notice, or each of those that it stands for.
func (d noticeDoc) notices(id string) []session.Notice {
	if len(d.NoticeIDs) == 0 || len(d.NoticeIDs) != len(d.SessionIDs) {
		return []session.Notice{d.notice(id)}
	}
	each := make([]session.Notice, len(d.SessionIDs))
	for i, of := range d.SessionIDs {
		one := d
		one.SessionIDs = []string{of}
		if len(d.UserIDs) == len(d.SessionIDs) {
			one.UserID = d.UserIDs[i]
		}
		each[i] = one.notice(d.NoticeIDs[i])
	}
	return each
}

// everyShard is the shard of a notice that concerns users of any.
const everyShard = -1

// together is one document for notices of the same kind and reason, each about one session.
func (s *Store) together(notices []session.Notice) write {
	first := notices[0]
	fields := s.noticeFields(first)
	if len(notices) == 1 {
		return write{ref: s.notices().Doc(first.ID), data: fields}
	}
	sessions, users, names := make([]string, len(notices)), make([]string, len(notices)), make([]string, len(notices))
	one := true
	for i, n := range notices {
		sessions[i], users[i], names[i] = string(n.SessionIDs[0]), string(n.UserID), n.ID
		one = one && n.UserID == first.UserID
	}
	fields["sessionIds"], fields["noticeIds"] = sessions, names
	if !one {
		fields["userId"], fields["userIds"], fields["shard"] = "", users, everyShard
	}
	return write{ref: s.notices().Doc(rand.Text()), data: fields}
}

// noticeFields are the fields of n as they are written.
func (s *Store) noticeFields(n session.Notice) map[string]any {
	fields := map[string]any{
		"kind":    string(n.Kind),
		"userId":  string(n.UserID),
		"reason":  string(n.Reason),
		"at":      firestore.ServerTimestamp,
		"shard":   hashShard(n.UserID),
		"purgeAt": s.clock.Now().Add(noticeLife),
	}
	if n.Alert != nil {
		alert := alertDoc(*n.Alert)
		alert.Device = text(alert.Device)
		fields["alert"] = alert
	}
	if !n.Before.IsZero() {
		fields["before"] = micro(n.Before)
		return fields
	}
	ids := make([]string, len(n.SessionIDs))
	for i, id := range n.SessionIDs {
		ids[i] = string(id)
	}
	fields["sessionIds"] = ids
	return fields
}

// record returns the writes of rec. Whether its mail is due is looked up, and the writes fail if that changes.
func (s *Store) record(ctx context.Context, rec session.Record) ([]write, error) {
	var writes []write
	for _, n := range rec.Notices {
		writes = append(writes, write{ref: s.notices().Doc(n.ID), data: s.noticeFields(n)})
	}
	writes = append(writes, s.eventWrites(rec.Events)...)
	mail, err := s.mailWrites(ctx, rec.Mail)
	return append(writes, mail...), err
}

func (s *Store) eventWrites(events []session.Event) []write {
	writes := make([]write, len(events))
	for i, e := range events {
		writes[i] = write{ref: s.events().Doc(e.ID), data: s.eventFields(e)}
	}
	return writes
}

// mark is the writeId of a change that commits rec, so that whoever tries again with the same record learns that the change was
// its own.
func mark(rec session.Record, otherwise string) string {
	if len(rec.Notices) > 0 {
		return rec.Notices[0].ID
	}
	if len(rec.Events) > 0 {
		return rec.Events[0].ID
	}
	return otherwise
}
