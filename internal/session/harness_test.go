package session_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

const feedResync = 15 * time.Second

var discard = slog.New(slog.DiscardHandler)

// slowAccounts is an identity service that has its first answer, and keeps it until it is let go.
type slowAccounts struct {
	*sessiontest.Directory
	asked, answer chan struct{}
	once          sync.Once
}

func (s *slowAccounts) Account(ctx context.Context, uid session.UserID) (session.Account, error) {
	found, err := s.Directory.Account(ctx, uid)
	s.once.Do(func() {
		close(s.asked)
		<-s.answer
	})
	return found, err
}

// world is what instances share: accounts and a store.
type world struct {
	*testing.T
	accounts *sessiontest.Directory
	data     *memory.Store
	settings session.Settings
	meter    session.Meter
	mail     func(to, languages string, s session.Session) *session.Mail
	editor   session.Editor // nil: the accounts themselves
}

// instance is one running service, without its edges.
type instance struct {
	store    *sessiontest.Outage
	inbox    *session.Inbox
	registry *session.Registry
	gate     *session.Gate
	stopFeed context.CancelFunc
}

// watchedEditor says before it shuts somebody out of their account.
type watchedEditor struct {
	*sessiontest.Directory
	before func()
}

func (e *watchedEditor) SetDisabled(ctx context.Context, uid session.UserID, disabled bool) error {
	e.before()
	return e.Directory.SetDisabled(ctx, uid, disabled)
}

func (e *watchedEditor) Delete(ctx context.Context, uid session.UserID) error {
	e.before()
	return e.Directory.Delete(ctx, uid)
}

// mumblingEditor changes passwords, and then cannot say that it has.
type mumblingEditor struct{ *sessiontest.Directory }

func (e mumblingEditor) SetPassword(ctx context.Context, uid session.UserID, password string) error {
	if err := e.Directory.SetPassword(ctx, uid, password); err != nil {
		return err
	}
	return session.Unavailable("set password", context.DeadlineExceeded)
}

// inWorld runs f in a bubble of its own, where time passes only when everybody waits.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(&world{
			T: t, accounts: sessiontest.NewDirectory(), data: memory.Open(session.NewClock()),
			settings: session.Settings{Policy: policy, AdminClaim: "admin", UserStateTTL: 5 * time.Minute, FeedResync: feedResync},
		})
	})
}

// start adds an instance.
func (w *world) start() *instance { return w.startOn(w.data) }

// startOn is start with a store of the instance's own making in front of the one that all share.
func (w *world) startOn(data sessiontest.Data) *instance {
	return w.startWith(data, session.NewClock())
}

// startAt is start with a clock of the test's own.
func (w *world) startAt(clock *session.Clock) *instance { return w.startWith(w.data, clock) }

func (w *world) startWith(data sessiontest.Data, clock *session.Clock) *instance {
	i := &instance{store: sessiontest.NewOutage(data), inbox: session.NewInbox(feedResync)}
	editor := w.editor
	if editor == nil {
		editor = w.accounts
	}
	i.registry = session.NewRegistry(w.settings, session.Ports{
		Store: i.store, Users: i.store, Publisher: i.store, Archive: i.store, Trail: i.store, Jobs: i.store,
		Accounts: w.accounts, Editor: editor, Clock: clock, Inbox: i.inbox,
		After: func(d time.Duration, f func()) { time.AfterFunc(d, f) }, Log: discard,
		Meter: w.meter, SignInMail: w.mail,
	})
	i.gate = session.NewGate(i.registry, w.accounts)
	i.runFeed(w)
	return i
}

func (i *instance) runFeed(w *world) {
	ctx, stop := context.WithCancel(w.Context())
	i.stopFeed = stop
	go func() { _ = w.data.Feed().Run(ctx, i.inbox) }()
	synctest.Wait()
}

// signIn signs a user in and registers the session; seconds pass first, so that every sign-in is one of its own.
func (w *world) signIn(i *instance, uid session.UserID) (token string, s session.Session) {
	w.Helper()
	w.pass(time.Second)
	token = w.accounts.SignIn(uid)
	return token, w.register(i, token)
}

func (w *world) register(i *instance, token string) session.Session {
	w.Helper()
	reg, err := w.tryRegister(i, token)
	if err != nil {
		w.Fatal(err)
	}
	return reg.Session
}

func (w *world) tryRegister(i *instance, token string) (session.Registration, error) {
	return w.tryRegisterFrom(i, token, session.SignIn{})
}

func (w *world) tryRegisterFrom(i *instance, token string, in session.SignIn) (session.Registration, error) {
	id, err := i.gate.Authenticate(w.Context(), token)
	if err != nil {
		return session.Registration{}, err
	}
	return i.registry.Register(w.Context(), id, in)
}

// signInFrom is signIn on a device of its own.
func (w *world) signInFrom(i *instance, uid session.UserID, in session.SignIn) (token string, reg session.Registration) {
	w.Helper()
	w.pass(time.Second)
	token = w.accounts.SignIn(uid)
	reg, err := w.tryRegisterFrom(i, token, in)
	if err != nil {
		w.Fatal(err)
	}
	return token, reg
}

func userNumber(n int) session.UserID { return session.UserID(fmt.Sprintf("user%05d", n)) }

// events are those of the whole audit trail of a type, oldest first.
func (w *world) events(t session.EventType) []session.Event {
	w.Helper()
	all, err := w.data.AllEvents(w.Context(), session.EventCursor{}, 1<<20)
	if err != nil {
		w.Fatal(err)
	}
	found := slices.DeleteFunc(all, func(e session.Event) bool { return e.Type != t })
	slices.Reverse(found)
	return found
}

// event is the only one of a type.
func (w *world) event(t session.EventType) session.Event {
	w.Helper()
	found := w.events(t)
	if len(found) != 1 {
		w.Fatalf("%d events %s: %+v", len(found), t, found)
	}
	return found[0]
}

// notices has every notice of a kind collected that an instance applies from now on.
func (i *instance) notices(kind session.Kind) func() []session.Notice {
	var mu sync.Mutex
	var found []session.Notice
	i.inbox.Subscribe(func(n session.Notice) {
		mu.Lock()
		defer mu.Unlock()
		if n.Kind == kind {
			found = append(found, n)
		}
	})
	return func() []session.Notice {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(found)
	}
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// admit expects the code, empty for an admission.
func (w *world) admit(i *instance, token string, want session.Code) session.Session {
	w.Helper()
	a, err := i.gate.Admit(w.Context(), token, session.Origin{})
	if got := session.CodeOf(err); got != want {
		w.Fatalf("Admit: %q (%v), want %q", got, err, want)
	}
	return a.Session
}

// stored reads a session past everything.
func (w *world) stored(id session.ID) session.Session {
	w.Helper()
	s, err := w.data.Session(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// ended expects a session to be stored as ended.
func (w *world) ended(id session.ID, reason session.Reason) session.Session {
	w.Helper()
	s := w.stored(id)
	if s.Status != session.StatusEnded || s.EndReason != reason {
		w.Fatalf("stored as %s %q, want ended %q", s.Status, s.EndReason, reason)
	}
	return s
}

func wantCode(t *testing.T, err error, want session.Code) {
	t.Helper()
	if got := session.CodeOf(err); got != want {
		t.Fatalf("code %q (%v), want %q", got, err, want)
	}
}

// as is the admission of a request that comes with the session.
func as(s session.Session) session.Admission {
	return session.Admission{Identity: session.Identity{UserID: s.UserID, SessionID: s.ID}, Session: s}
}
