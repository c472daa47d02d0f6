package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// mailPause is how long after a mail about a device another one about it is dropped.
const mailPause = time.Hour

// mail is a mail as it is kept, for as long as it keeps others back.
type mail struct {
	session.Mail
	at time.Time
}

// record commits a record at the time of the write that it belongs to. The caller holds m.mu.
func (m *Store) record(rec session.Record) {
	for _, n := range rec.Notices {
		m.announce(n)
	}
	for _, e := range rec.Events {
		if _, taken := m.recorded[e.ID]; taken {
			continue
		}
		m.recorded[e.ID] = struct{}{}
		e.At, e.Details = m.version, maps.Clone(e.Details)
		m.events = append(m.events, e)
	}
	if rec.Mail == nil {
		return
	}
	maps.DeleteFunc(m.mails, func(_ string, sent mail) bool { return m.version.Sub(sent.at) >= mailPause })
	if _, sent := m.mails[rec.Mail.Device]; !sent {
		m.mails[rec.Mail.Device] = mail{*rec.Mail, m.version}
	}
}

// Mails are the mails of the last hour, in the order in which they were committed.
func (m *Store) Mails() []session.Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := slices.SortedFunc(maps.Values(m.mails), func(a, b mail) int { return a.at.Compare(b.at) })
	var mails []session.Mail
	for _, sent := range kept {
		if sent.Mail != (session.Mail{}) {
			mails = append(mails, sent.Mail)
		}
	}
	return mails
}

// eraseMails forgets what a user's mails say, and not that there were any. The caller holds m.mu.
func (m *Store) eraseMails(uid session.UserID) {
	for device, sent := range m.mails {
		if sent.UserID == uid {
			m.mails[device] = mail{at: sent.at}
		}
	}
}

// Append implements [session.Trail].
func (m *Store) Append(ctx context.Context, events ...session.Event) error {
	if err := ctx.Err(); err != nil {
		return session.Unavailable("append", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next()
	m.record(session.Record{Events: events})
	return nil
}

// UserEvents implements [session.Trail].
func (m *Store) UserEvents(ctx context.Context, uid session.UserID, after session.EventCursor, limit int) ([]session.Event, error) {
	return m.newest(ctx, after, limit, func(e session.Event) bool { return e.UserID == uid && e.Audience == session.AudienceUser })
}

// AllEvents implements [session.Trail].
func (m *Store) AllEvents(ctx context.Context, after session.EventCursor, limit int) ([]session.Event, error) {
	return m.newest(ctx, after, limit, func(session.Event) bool { return true })
}

func (m *Store) newest(ctx context.Context, after session.EventCursor, limit int, passes func(session.Event) bool) ([]session.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, session.Unavailable("events", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []session.Event
	for _, e := range m.events {
		older := after.At.IsZero() || cmp.Or(after.At.Compare(e.At), cmp.Compare(after.ID, e.ID)) > 0
		if older && passes(e) {
			e.Details = maps.Clone(e.Details)
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b session.Event) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.ID, a.ID)) })
	return found[:min(limit, len(found))], nil
}
