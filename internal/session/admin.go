package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
)

// event is what admins read about what an actor does to a user, or to all.
func (a Actor) event(t EventType, uid UserID, id ID) Event {
	return newEvent(t, AudienceAdmin, uid, id, a.By, a.IP).with(detailNote, a.Note)
}

// AdminEnd ends any session on behalf of an admin. One that is over already stays as it is. It fails with not_found.
func (r *Registry) AdminEnd(ctx context.Context, actor Actor, id ID) error {
	s, err := r.find(ctx, id)
	if err != nil {
		return err
	}
	_, err = r.endLive(ctx, s, End{Reason: ReasonAdminRevoked, By: actor.By},
		actor.event(EventSessionEnded, s.UserID, id).with(DetailReason, string(ReasonAdminRevoked)))
	return err
}

// RevokeUser ends everything a user has: every sign-in up to now, in Vigil at once and on every instance, and then the
// refresh tokens in Firebase. It fails with not_found for an account that exists neither in Firebase nor here, and with unavailable
// when not all of it could be done; what has begun is completed by any instance.
func (r *Registry) RevokeUser(ctx context.Context, uid UserID, actor Actor) (Revocation, error) {
	if err := r.exists(ctx, uid); err != nil {
		return Revocation{}, err
	}
	return r.revoke(ctx, uid, ReasonAdminRevoked, Decree{By: actor.By, Events: []Event{actor.event(EventUserRevoked, uid, "")}})
}

// DisableUser disables an account in Firebase and revokes it, like [Registry.RevokeUser].
func (r *Registry) DisableUser(ctx context.Context, uid UserID, actor Actor) (Revocation, error) {
	if err := r.exists(ctx, uid); err != nil {
		return Revocation{}, err
	}
	return r.revoke(ctx, uid, ReasonUserDisabled, Decree{
		By: actor.By, Disable: true, Events: []Event{actor.event(EventUserDisabled, uid, "")},
	})
}

// EnableUser lets an account sign in again; what has ended stays so. It fails with not_found and with unavailable.
func (r *Registry) EnableUser(ctx context.Context, uid UserID, actor Actor) error {
	account, err := r.states.Account(ctx, uid, 0)
	if err != nil {
		return err
	}
	if account.Missing {
		return &Error{Op: "enable", Code: CodeNotFound}
	}
	if err := r.users.Enable(ctx, uid, actor.event(EventUserEnabled, uid, "")); err != nil {
		return err
	}
	if err := r.editor.SetDisabled(ctx, uid, false); err != nil {
		return err
	}
	return r.tellAccountChanged(ctx, uid)
}

// SetAdmin gives an account the admin claim, or takes it away. It fails with not_found and with unavailable.
func (r *Registry) SetAdmin(ctx context.Context, uid UserID, actor Actor, on bool) error {
	claim := r.settings.AdminClaim
	if err := r.editor.SetClaim(ctx, uid, claim, on); err != nil {
		return err
	}
	return r.tellAccountChanged(ctx, uid, actor.event(EventClaimsChanged, uid, "").with(claim, strconv.FormatBool(on)))
}

// tellAccountChanged has every instance look an account up anew.
func (r *Registry) tellAccountChanged(ctx context.Context, uid UserID, events ...Event) error {
	n := NewNotice(NoticeClaims, uid, "")
	n.At = r.clock.Now()
	r.inbox.Deliver(n)
	return r.publisher.Publish(ctx, n, events...)
}

// exists fails with not_found for an account that exists neither in Firebase nor here.
func (r *Registry) exists(ctx context.Context, uid UserID) error {
	account, err := r.states.Account(ctx, uid, 0)
	if err != nil || !account.Missing {
		return err
	}
	known, err := r.store.RecentSessions(ctx, uid, 1)
	if err == nil && len(known) == 0 {
		err = &Error{Op: "find user", Code: CodeNotFound}
	}
	return err
}

const (
	// searchBatch is how many sessions are asked for at a time, and searchScan about how many are looked at for one page.
	searchBatch = 500
	searchScan  = 2000
)

// Search lists the sessions of all users that pass the filter as they are now, at most size of them, and where to go on: nil
// after the last. A page may be short although more follow.
func (r *Registry) Search(ctx context.Context, f Filter, after Cursor, size int) (page []Session, next *Cursor, err error) {
	for scanned, ask := 0, size; scanned < searchScan; ask *= 2 { // usually all pass, and the first is enough
		ask = min(ask, searchBatch, searchScan-scanned)
		batch, rest, err := r.archive.Search(ctx, f.stored(), after, ask)
		if err != nil {
			return nil, nil, err
		}
		now := r.clock.Now()
		for _, s := range batch {
			after = f.CursorOf(s)
			if s = r.settled(s, now); !r.kept(s, now) || !f.Passes(s) {
				continue
			}
			if page = append(page, s); len(page) == size {
				return page, &after, nil
			}
		}
		if rest == nil {
			return page, nil, nil
		}
		after = *rest
		scanned += looked(len(batch), ask)
	}
	return page, &after, nil
}

// looked is about how many sessions the store has looked at to find some although more follow.
func looked(found, asked int) int {
	if found < asked {
		return SearchReads
	}
	return found
}

// stored is what to ask a store for to find all that pass f as they are now: time may have ended what is stored as active.
func (f Filter) stored() Filter {
	if f.Status == StatusEnded {
		f.Status = ""
	}
	return f
}

// kept reports whether a settled session is one to be shown: live, or ended within the retention.
func (r *Registry) kept(s Session, now time.Time) bool {
	return s.Status == StatusActive || now.Sub(s.EndedAt) <= r.settings.Retention
}

// UserEvents lists a user's own security events, newest first, at most size of them, and where to go on: nil after the last.
func (r *Registry) UserEvents(ctx context.Context, uid UserID, after EventCursor, size int) ([]Event, *EventCursor, error) {
	events, err := r.trail.UserEvents(ctx, uid, after, size+1)
	return pageOf(events, size, err)
}

// AllEvents lists everybody's security events, as [Registry.UserEvents] does.
func (r *Registry) AllEvents(ctx context.Context, after EventCursor, size int) ([]Event, *EventCursor, error) {
	events, err := r.trail.AllEvents(ctx, after, size+1)
	return pageOf(events, size, err)
}

func pageOf(events []Event, size int, err error) ([]Event, *EventCursor, error) {
	if err != nil || len(events) <= size {
		return events, nil, err
	}
	last := events[size-1]
	return events[:size], &EventCursor{At: last.At, ID: last.ID}, nil
}

// Census returns what the last clean-up of any instance has counted.
func (r *Registry) Census(ctx context.Context) (Census, error) { return r.archive.Census(ctx) }

// NoteLimits puts the limits that this instance goes by into the audit trail, once a day for each set of them.
func (r *Registry) NoteLimits(ctx context.Context) {
	p := r.settings.Policy
	limits := map[string]string{
		"idleTimeout": p.IdleTimeout.String(), "idleWarning": p.IdleWarning.String(), "sessionLifetime": p.Lifetime.String(),
		"reauthMaxAge": p.ReauthMaxAge.String(), "retention": p.Retention.String(),
		"maxSessions": strconv.Itoa(p.MaxSessions), "sessionLimitPolicy": string(p.LimitPolicy), "ipPolicy": string(p.IPPolicy),
		"suspiciousSessions": strconv.Itoa(p.SuspiciousSessions), "suspiciousDeviceTypes": strconv.Itoa(p.SuspiciousDeviceTypes),
	}
	e := newEvent(EventLimitsConfigured, AudienceAdmin, "", "", ActorSystem, "")
	e.Details = limits
	text, _ := json.Marshal(limits) // sorted, and texts cannot fail
	sum := sha256.Sum256(text)
	e.ID = "limits-" + r.clock.Now().Format(time.DateOnly) + "-" + hex.EncodeToString(sum[:8])
	r.note(ctx, e)
}
