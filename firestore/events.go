package firestore

import (
	"context"
	"time"

	"cloud.google.com/go/firestore"

	"github.com/vigilhq/vigil/internal/session"
)

// eventDoc is what is read of a document of securityEvents.
type eventDoc struct {
	Type      string            `firestore:"type"`
	Audience  string            `firestore:"audience"`
	UserID    *string           `firestore:"userId"`
	SessionID *string           `firestore:"sessionId"`
	Actor     *string           `firestore:"actor"`
	IPAddress *string           `firestore:"ipAddress"`
	At        time.Time         `firestore:"at"`
	Details   map[string]string `firestore:"details"`
}

// eventFields are the fields of e as they are written.
func (s *Store) eventFields(e session.Event) map[string]any {
	details := make(map[string]string, len(e.Details))
	for name, value := range e.Details {
		details[name] = text(value)
	}
	return map[string]any{
		"type":      string(e.Type),
		"audience":  string(e.Audience),
		"userId":    nullable(string(e.UserID)),
		"sessionId": nullable(string(e.SessionID)),
		"actor":     nullable(text(e.Actor)),
		"ipAddress": nullable(text(e.IPAddress)),
		"at":        firestore.ServerTimestamp,
		"details":   details,
		"shard":     hashShard(e.ID),
		"purgeAt":   s.clock.Now().Add(s.retention),
	}
}

func readEvents(snaps []*firestore.DocumentSnapshot) ([]session.Event, error) {
	events := make([]session.Event, len(snaps))
	for i, snap := range snaps {
		var doc eventDoc
		if err := snap.DataTo(&doc); err != nil {
			return nil, err
		}
		events[i] = session.Event{
			ID:        snap.Ref.ID,
			Type:      session.EventType(doc.Type),
			Audience:  session.Audience(doc.Audience),
			UserID:    session.UserID(value(doc.UserID)),
			SessionID: session.ID(value(doc.SessionID)),
			Actor:     value(doc.Actor),
			IPAddress: value(doc.IPAddress),
			At:        doc.At,
		}
		if len(doc.Details) > 0 {
			events[i].Details = doc.Details
		}
	}
	return events, nil
}

// Append implements [session.Trail].
func (s *Store) Append(ctx context.Context, events ...session.Event) error {
	const op = "append"
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	writes := s.eventWrites(events)
	for i := range writes {
		writes[i].do = create
	}
	if _, err := s.oneByOne(ctx, writes); err != nil {
		return session.Unavailable(op, err)
	}
	return nil
}

// UserEvents implements [session.Trail].
func (s *Store) UserEvents(ctx context.Context, uid session.UserID, after session.EventCursor, limit int) ([]session.Event, error) {
	const op = "user events"
	if limit <= 0 {
		return nil, nil
	}
	query := s.events().Where("userId", "==", string(uid)).Where("audience", "==", string(session.AudienceUser))
	snaps, err := s.page(ctx, newest(query, after).Limit(limit))
	if err != nil {
		return nil, session.Unavailable(op, err)
	}
	events, err := readEvents(snaps)
	if err != nil {
		return nil, session.Unavailable(op, err)
	}
	return events, nil
}

// newest orders a query of events.
func newest(q firestore.Query, after session.EventCursor) firestore.Query {
	q = q.OrderBy("at", firestore.Desc).OrderBy(firestore.DocumentID, firestore.Desc)
	switch {
	case after.At.IsZero():
		return q
	case nameable(after.ID):
		return q.StartAfter(micro(after.At), after.ID)
	default:
		return q.StartAfter(micro(after.At))
	}
}

// AllEvents implements [session.Trail]. No index may span all events in the order of time, so the shards are merged.
func (s *Store) AllEvents(ctx context.Context, after session.EventCursor, limit int) ([]session.Event, error) {
	const op = "all events"
	if limit <= 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	var strands [shards]strand
	err := eachShard(func(k int) error {
		// A little more than its share, so that most shards need not be asked again.
		strands[k] = strand{query: newest(s.events().Where("shard", "==", k), after), size: limit/shards + 2}
		return strands[k].fill(ctx, s)
	})
	if err != nil {
		return nil, session.Unavailable(op, err)
	}
	var merged []session.Event
	for len(merged) < limit {
		var next *strand
		for k := range strands {
			if head := &strands[k]; len(head.events) > 0 && (next == nil || later(head.events[0], next.events[0])) {
				next = head
			}
		}
		if next == nil {
			break
		}
		merged, next.events = append(merged, next.events[0]), next.events[1:]
		if err := next.fill(ctx, s); err != nil {
			return nil, session.Unavailable(op, err)
		}
	}
	return merged, nil
}

// later reports whether a comes before b in a list.
func later(a, b session.Event) bool {
	if !a.At.Equal(b.At) {
		return a.At.After(b.At)
	}
	return a.ID > b.ID
}

// strand is the events of one shard, newest first.
type strand struct {
	query  firestore.Query // of those that have not been read
	size   int             // how many are read at once
	events []session.Event
	over   bool
}

// fill reads on when all that was read is used up.
func (t *strand) fill(ctx context.Context, s *Store) error {
	if len(t.events) > 0 || t.over {
		return nil
	}
	snaps, err := s.page(ctx, t.query.Limit(t.size))
	if err != nil {
		return err
	}
	t.over = len(snaps) < t.size
	if len(snaps) > 0 {
		t.query = t.query.StartAfter(snaps[len(snaps)-1])
	}
	t.events, err = readEvents(snaps)
	return err
}
