package sessiontest

import (
	"context"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// Create implements [session.Store].
func (o *Outage) Create(ctx context.Context, s session.Session, rec session.Record) (session.Session, bool, error) {
	return win(o, "Create", func() (session.Session, bool, error) { return o.data.Create(ctx, s, rec) })
}

// Session implements [session.Store].
func (o *Outage) Session(ctx context.Context, id session.ID) (session.Session, error) {
	return ask(o, "Session", func() (session.Session, error) { return o.data.Session(ctx, id) })
}

// UserSessions implements [session.Store].
func (o *Outage) UserSessions(ctx context.Context, uid session.UserID, all bool) ([]session.Session, error) {
	return ask(o, "UserSessions", func() ([]session.Session, error) { return o.data.UserSessions(ctx, uid, all) })
}

// RecentSessions implements [session.Store].
func (o *Outage) RecentSessions(ctx context.Context, uid session.UserID, limit int) ([]session.Session, error) {
	return ask(o, "RecentSessions", func() ([]session.Session, error) { return o.data.RecentSessions(ctx, uid, limit) })
}

// Touch implements [session.Store].
func (o *Outage) Touch(ctx context.Context, s session.Session, at time.Time, n *session.Notice) (session.Session, error) {
	return ask(o, "Touch", func() (session.Session, error) {
		if stored, err := o.data.Session(ctx, s.ID); err == nil && !stored.Version.Equal(s.Version) {
			o.mu.Lock()
			o.calls[StaleTouch]++
			o.mu.Unlock()
		}
		return o.data.Touch(ctx, s, at, n)
	})
}

// Move implements [session.Store].
func (o *Outage) Move(ctx context.Context, s session.Session, networks session.Networks, rec session.Record) (session.Session, bool, error) {
	return win(o, "Move", func() (session.Session, bool, error) { return o.data.Move(ctx, s, networks, rec) })
}

// End implements [session.Store].
func (o *Outage) End(ctx context.Context, id session.ID, e session.End, rec session.Record) (session.Session, bool, error) {
	return win(o, "End", func() (session.Session, bool, error) { return o.data.End(ctx, id, e, rec) })
}

// EndTogether implements [session.Store].
func (o *Outage) EndTogether(ctx context.Context, endings []session.Ending) (time.Time, bool, error) {
	return win(o, "EndTogether", func() (time.Time, bool, error) { return o.data.EndTogether(ctx, endings) })
}

// Withdraw implements [session.Store].
func (o *Outage) Withdraw(ctx context.Context, id session.ID, rec session.Record) error {
	return o.do("Withdraw", func() error { return o.data.Withdraw(ctx, id, rec) })
}

// User implements [session.Users].
func (o *Outage) User(ctx context.Context, uid session.UserID) (session.User, error) {
	return ask(o, "User", func() (session.User, error) { return o.data.User(ctx, uid) })
}

// Revoke implements [session.Users].
func (o *Outage) Revoke(ctx context.Context, n session.Notice, d session.Decree) (time.Time, error) {
	return ask(o, "Revoke", func() (time.Time, error) { return o.data.Revoke(ctx, n, d) })
}

// TokensRevoked implements [session.Users].
func (o *Outage) TokensRevoked(ctx context.Context, uid session.UserID, revokedAt time.Time) error {
	return o.do("TokensRevoked", func() error { return o.data.TokensRevoked(ctx, uid, revokedAt) })
}

// PendingUsers implements [session.Users].
func (o *Outage) PendingUsers(ctx context.Context, before time.Time, limit int) ([]session.User, error) {
	return ask(o, "PendingUsers", func() ([]session.User, error) { return o.data.PendingUsers(ctx, before, limit) })
}

// Enable implements [session.Users].
func (o *Outage) Enable(ctx context.Context, uid session.UserID, events ...session.Event) error {
	return o.do("Enable", func() error { return o.data.Enable(ctx, uid, events...) })
}

// Erase implements [session.Users].
func (o *Outage) Erase(ctx context.Context, uid session.UserID) error {
	return o.do("Erase", func() error { return o.data.Erase(ctx, uid) })
}

// Search implements [session.Archive].
func (o *Outage) Search(ctx context.Context, f session.Filter, after session.Cursor, limit int) (found []session.Session, next *session.Cursor, err error) {
	found, err = ask(o, "Search", func() (found []session.Session, err error) {
		found, next, err = o.data.Search(ctx, f, after, limit)
		return found, err
	})
	return found, next, err
}

// Count implements [session.Archive].
func (o *Outage) Count(ctx context.Context, f session.Filter) (int, error) {
	return ask(o, "Count", func() (int, error) { return o.data.Count(ctx, f) })
}

// ActiveByUser implements [session.Archive].
func (o *Outage) ActiveByUser(ctx context.Context, after session.Session, limit int) ([]session.Session, error) {
	return ask(o, "ActiveByUser", func() ([]session.Session, error) { return o.data.ActiveByUser(ctx, after, limit) })
}

// Purge implements [session.Archive].
func (o *Outage) Purge(ctx context.Context, now time.Time, limit int) (int, bool, error) {
	return win(o, "Purge", func() (int, bool, error) { return o.data.Purge(ctx, now, limit) })
}

// SaveCensus implements [session.Archive].
func (o *Outage) SaveCensus(ctx context.Context, c session.Census) error {
	return o.do("SaveCensus", func() error { return o.data.SaveCensus(ctx, c) })
}

// Census implements [session.Archive].
func (o *Outage) Census(ctx context.Context) (session.Census, error) {
	return ask(o, "Census", func() (session.Census, error) { return o.data.Census(ctx) })
}

// Append implements [session.Trail].
func (o *Outage) Append(ctx context.Context, events ...session.Event) error {
	return o.do("Append", func() error { return o.data.Append(ctx, events...) })
}

// UserEvents implements [session.Trail].
func (o *Outage) UserEvents(ctx context.Context, uid session.UserID, after session.EventCursor, limit int) ([]session.Event, error) {
	return ask(o, "UserEvents", func() ([]session.Event, error) { return o.data.UserEvents(ctx, uid, after, limit) })
}

// AllEvents implements [session.Trail].
func (o *Outage) AllEvents(ctx context.Context, after session.EventCursor, limit int) ([]session.Event, error) {
	return ask(o, "AllEvents", func() ([]session.Event, error) { return o.data.AllEvents(ctx, after, limit) })
}

// CreateJob implements [session.Jobs].
func (o *Outage) CreateJob(ctx context.Context, j session.MassRevocation, events ...session.Event) (session.MassRevocation, error) {
	return ask(o, "CreateJob", func() (session.MassRevocation, error) { return o.data.CreateJob(ctx, j, events...) })
}

// Job implements [session.Jobs].
func (o *Outage) Job(ctx context.Context, id string) (session.MassRevocation, error) {
	return ask(o, "Job", func() (session.MassRevocation, error) { return o.data.Job(ctx, id) })
}

// UpdateJob implements [session.Jobs].
func (o *Outage) UpdateJob(ctx context.Context, j session.MassRevocation, events ...session.Event) (session.MassRevocation, bool, error) {
	return win(o, "UpdateJob", func() (session.MassRevocation, bool, error) { return o.data.UpdateJob(ctx, j, events...) })
}

// RunningJobs implements [session.Jobs].
func (o *Outage) RunningJobs(ctx context.Context, limit int) ([]session.MassRevocation, error) {
	return ask(o, "RunningJobs", func() ([]session.MassRevocation, error) { return o.data.RunningJobs(ctx, limit) })
}

// JobEnds implements [session.Jobs].
func (o *Outage) JobEnds(ctx context.Context, id string) (int, error) {
	return ask(o, "JobEnds", func() (int, error) { return o.data.JobEnds(ctx, id) })
}

// Publish implements [session.Publisher].
func (o *Outage) Publish(ctx context.Context, n session.Notice, events ...session.Event) error {
	return o.do("Publish", func() error { return o.data.Publish(ctx, n, events...) })
}
