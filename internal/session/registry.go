package session

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"time"
)

// Settings are what an operator decides.
type Settings struct {
	Policy
	AdminClaim   string        // custom claim that must be true for an admin
	UserStateTTL time.Duration // how long an account's state may be reused without asking Firebase
	FeedResync   time.Duration // period of the feed's catch-up
}

// Ports are what the domain needs from outside.
type Ports struct {
	Store     Store
	Users     Users
	Publisher Publisher
	Archive   Archive
	Trail     Trail
	Jobs      Jobs
	Accounts  Accounts
	Editor    Editor
	Clock     *Clock
	Inbox     *Inbox
	// After calls back once, on any goroutine, after the duration: [time.AfterFunc] without the timer.
	After func(time.Duration, func())
	// SignInMail composes the mail about a new sign-in, in one of the languages that the user reads; nil for none. It may be nil.
	SignInMail func(to, languages string, s Session) *Mail
	Meter      Meter // nil: [NoMeter]
	Log        *slog.Logger
}

// Registry holds the use cases: what begins, lists and ends sessions. Safe for concurrent use.
type Registry struct {
	settings   Settings
	store      Store
	users      Users
	publisher  Publisher
	archive    Archive
	trail      Trail
	jobs       Jobs
	accounts   Accounts
	editor     Editor
	signInMail func(to, languages string, s Session) *Mail
	clock      *Clock
	inbox      *Inbox
	states     *states
	activity   *Activity
	rounds     rounds
	worker     string        // names this instance where several work on one thing
	jobAsked   chan struct{} // holds one token while a mass revocation waits to be begun
	meter      Meter
	log        *slog.Logger
}

// NewRegistry returns a registry that applies the inbox's notices to what it remembers. Subscribers that act on what the
// registry says must subscribe after this call.
func NewRegistry(s Settings, p Ports) *Registry {
	if p.Meter == nil {
		p.Meter = NoMeter{}
	}
	r := &Registry{
		settings: s, store: p.Store, users: p.Users, publisher: p.Publisher, archive: p.Archive, trail: p.Trail, jobs: p.Jobs,
		accounts: p.Accounts, editor: p.Editor, signInMail: p.SignInMail, clock: p.Clock, inbox: p.Inbox,
		states:   newStates(p.Store, p.Users, p.Accounts, p.Meter),
		activity: newActivity(s.Policy, p.Store, p.Clock, p.Inbox, p.After, p.Log),
		worker:   rand.Text(), jobAsked: make(chan struct{}, 1), meter: p.Meter, log: p.Log,
	}
	r.states.found = func(ctx context.Context, a Account) {
		if err := r.endGone(ctx, a); err != nil {
			r.log.Warn("sessions of an account not ended yet", "user", a.UserID, "error", err)
		}
	}
	r.activity.stored, r.activity.gone = r.states.Put, r.states.Drop
	p.Inbox.Subscribe(r.states.Apply)
	p.Inbox.Subscribe(func(n Notice) { r.meter.NoticeApplied(n.Kind, max(r.clock.Now().Sub(n.At), 0)) })
	p.Inbox.OnGap(r.states.Clear)
	return r
}

// Settings returns what the operator decided.
func (r *Registry) Settings() Settings { return r.settings }

// Now is the present moment in store time.
func (r *Registry) Now() time.Time { return r.clock.Now() }

// Sessions lists a user's sessions as they are now, newest activity first: the live ones or, with all, also those
// that ended within the retention.
func (r *Registry) Sessions(ctx context.Context, uid UserID, all bool) ([]Session, error) {
	stored, err := r.store.UserSessions(ctx, uid, all)
	if err != nil {
		return nil, err
	}
	now := r.clock.Now()
	found := make([]Session, 0, len(stored))
	for _, s := range stored {
		s = r.settled(s, now)
		if s.Status == StatusActive || all && r.kept(s, now) {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b Session) int { return b.LastActive.Compare(a.LastActive) })
	return found, nil
}

// Session reads one session of a user as it is now. It fails with not_found, also for another user's.
func (r *Registry) Session(ctx context.Context, uid UserID, id ID) (Session, error) {
	s, err := r.find(ctx, id)
	if err == nil && s.UserID != uid {
		err = &Error{Op: "session", Code: CodeNotFound}
	}
	return r.settled(s, r.clock.Now()), err
}

// withActivity is a session just stored with the latest activity that this instance knows of.
func (r *Registry) withActivity(s Session) Session {
	s.LastActive = r.activity.Last(s)
	return s
}

// settled is a stored session as this instance sees it at now.
func (r *Registry) settled(s Session, now time.Time) Session {
	return r.settings.Settle(r.withActivity(s), now)
}

// Touch records that the user of a session is active now, see [Activity.Touch]. Unless the session is active without doubt it
// is looked at again first: another instance may know better, a session that is over stays so, and a warning is not taken
// back in vain.
func (r *Registry) Touch(ctx context.Context, s Session) (Session, error) {
	at := r.clock.Now()
	s = r.states.Newer(s)
	seen := s
	seen.LastActive = r.activity.Last(s)
	if phase, _ := r.settings.Phase(seen, at); phase != PhaseActive {
		switch current, err := r.Look(ctx, s); {
		case err == nil:
			s = current
		case CodeOf(err) != CodeUnavailable || !phase.Live():
			return s, err
		default: // the activity counts all the same
		}
	}
	return r.activity.Touch(ctx, s, at)
}

// TouchLater is [Registry.Touch] for a caller that cannot wait; [Registry.Flush] waits for it.
func (r *Registry) TouchLater(s Session) {
	r.activity.trailing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), touchTimeout)
		defer cancel()
		if _, err := r.Touch(ctx, s); err != nil {
			r.log.Debug("activity not recorded at once", "session", s.ID, "error", err)
		}
	})
}

// Look re-reads a session and, when it is past its deadline, writes down its end. It returns the live session; for one
// that is over it fails with session_ended, for one that is gone with session_required.
func (r *Registry) Look(ctx context.Context, s Session) (Session, error) {
	s, err := r.states.Reread(ctx, s.UserID, s.ID)
	if err != nil {
		return Session{}, missingIsRequired(err)
	}
	return r.judge(ctx, s)
}

// live returns the session of a sign-in if it may be used.
func (r *Registry) live(ctx context.Context, id Identity) (Session, error) {
	s, err := r.states.Session(ctx, id.UserID, id.SessionID)
	if err == nil {
		err = id.owns(s)
	}
	if err != nil {
		return Session{}, missingIsRequired(err)
	}
	if r.settled(s, r.clock.Now()).EndReason == ReasonIdleTimeout && s.Status == StatusActive {
		return r.Look(ctx, s) // another instance may have stored activity since
	}
	return r.judge(ctx, s)
}

// judge returns s, just read, with its latest activity, if it is live. What time has ended is written down as ended; that it
// cannot be written does not make it live.
func (r *Registry) judge(ctx context.Context, s Session) (Session, error) {
	over, e, err := r.passed(s)
	switch {
	case err != nil:
		return Session{}, err
	case over.Status == StatusActive:
		return over, nil
	case s.Status == StatusEnded:
		r.states.Put(s)
		return Session{}, EndedError(s)
	}
	stored, ended, err := r.end(ctx, s, e)
	switch {
	case err != nil:
		r.log.Warn("end of session not written yet", "session", s.ID, "reason", e.Reason, "error", err)
		return Session{}, EndedError(over)
	case !ended && stored.Status == StatusActive: // activity came in between
		return r.judge(ctx, stored)
	default:
		return Session{}, EndedError(stored)
	}
}

// passed returns a stored session as it is now and, where time has ended it, the end to be written. It fails with unavailable for an
// idle session while another instance may be about to store activity that an outage held up.
func (r *Registry) passed(s Session) (now Session, e End, err error) {
	now = r.settled(s, r.clock.Now())
	if now.Status == s.Status {
		return now, End{}, nil
	}
	e = End{Reason: now.EndReason, By: ActorSystem, At: now.EndedAt}
	if e.Reason == ReasonIdleTimeout {
		if !r.nothingHeldUp(s) && r.clock.Now().Before(s.ExpiresAt) {
			return now, e, &Error{Op: "judge", Code: CodeUnavailable, Message: "recovering from an outage"}
		}
		e.IfLastActive = s.LastActive
	}
	return now, e, nil
}

// nothingHeldUp reports whether all activity in s that there has been is stored, by anybody. A process with a feed knows when there was an
// outage. One without, as of a function or a command, goes by what instances take at most: they store activity within a
// touch interval, and take no more when they have not been able to for another one.
func (r *Registry) nothingHeldUp(s Session) bool {
	if _, proven := r.inbox.Age(); !proven {
		return !r.clock.Now().Before(s.IdleDeadline().Add(2 * r.settings.TouchInterval))
	}
	return r.inbox.Steady(r.settings.TouchInterval)
}

// LastActive is the latest activity of s that this instance knows of.
func (r *Registry) LastActive(s Session) time.Time { return r.activity.Last(s) }

// Stuck reports whether activity could not be stored for too long.
func (r *Registry) Stuck() bool { return r.activity.Stuck() }

// Flush stores all activity that is not stored yet.
func (r *Registry) Flush(ctx context.Context) error { return r.activity.Flush(ctx) }

func missingIsRequired(err error) error {
	if CodeOf(err) == CodeNotFound {
		return &Error{Op: "session", Code: CodeSessionRequired, Err: err}
	}
	return err
}
