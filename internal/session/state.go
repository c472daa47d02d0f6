package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// maxUsers and maxUserSessions bound what an instance remembers. What is forgotten is read again.
const (
	maxUsers        = 100_000
	maxUserSessions = 64
)

// How long a dependency may take to answer. Identity's bound keeps a request that waits for it alone below two seconds.
const (
	storeTimeout    = 4 * time.Second
	identityTimeout = 1500 * time.Millisecond
)

// states is what an instance knows about users and their sessions, kept true by notices: a notice removes what it
// contradicts, and a read that began before a notice about the same user is not kept and not shared with
// callers that came after it. Safe for concurrent use.
type states struct {
	store    Store
	users    Users
	accounts Accounts
	found    func(context.Context, Account) // told of every look-up
	meter    Meter

	flights singleflight.Group
	changes atomic.Uint64 // the last value of any state's changes: none is ever used twice
	mu      sync.Mutex
	known   map[UserID]*state
}

// state is what is known about one user.
type state struct {
	mu        sync.Mutex
	changes   uint64 // changes with all that contradicts knowledge: what was read under another value is not kept
	account   Account
	checked   time.Time // local time at which the account was asked about, zero if it was not
	doubted   uint64    // the changes that came with the last notice about the account: what was asked before is not kept
	user      User
	userKnown bool
	sessions  map[ID]Session
	missing   map[ID]time.Time // local time at which no session was found
}

func newStates(store Store, users Users, accounts Accounts, meter Meter) *states {
	return &states{store: store, users: users, accounts: accounts, meter: meter, known: make(map[UserID]*state)}
}

func (st *states) of(uid UserID) *state {
	st.mu.Lock()
	defer st.mu.Unlock()
	u, ok := st.known[uid]
	if !ok {
		for other := range st.known { // in random order
			if len(st.known) < maxUsers {
				break
			}
			delete(st.known, other)
		}
		u = &state{changes: st.changes.Add(1), sessions: make(map[ID]Session), missing: make(map[ID]time.Time)}
		st.known[uid] = u
	}
	return u
}

// Apply is the states' subscription to the [Inbox].
func (st *states) Apply(n Notice) {
	st.mu.Lock()
	u, ok := st.known[n.UserID]
	st.mu.Unlock()
	if !ok {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.changes = st.changes.Add(1)
	for id, s := range u.sessions {
		if n.Concerns(s.UserID, id, s.AuthTime) {
			delete(u.sessions, id)
		}
	}
	for _, id := range n.SessionIDs {
		delete(u.missing, id)
	}
	if n.Kind == NoticeEnded && !n.Before.IsZero() {
		u.user.RevokedAt, u.userKnown = later(u.user.RevokedAt, n.Before), false // there is more to it: who must not come back
	}
	if n.Kind == NoticeClaims || n.Reason == ReasonUserDisabled || n.Reason == ReasonUserDeleted {
		u.checked, u.doubted, u.userKnown = time.Time{}, u.changes, false
	}
}

// Begun takes in a session that has just been created here.
func (st *states) Begun(s Session) {
	u := st.of(s.UserID)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.changes = st.changes.Add(1)
	delete(u.missing, s.ID)
}

// Put replaces what is known of a session by something newer.
func (st *states) Put(s Session) {
	u := st.of(s.UserID)
	u.mu.Lock()
	defer u.mu.Unlock()
	if old, ok := u.sessions[s.ID]; ok && s.Version.After(old.Version) {
		u.sessions[s.ID] = s
	}
}

// Newer returns what is known of a session if that is newer than s, else s.
func (st *states) Newer(s Session) Session {
	u := st.of(s.UserID)
	u.mu.Lock()
	defer u.mu.Unlock()
	if known, ok := u.sessions[s.ID]; ok && known.Version.After(s.Version) {
		return known
	}
	return s
}

// User returns when the user was last revoked, from memory where it is known; fresh asks the store.
func (st *states) User(ctx context.Context, uid UserID, fresh bool) (User, error) {
	u := st.of(uid)
	return load(ctx, st, u, st.key("user", string(uid), fresh), storeTimeout,
		func() (User, bool) {
			known := u.userKnown && u.user.Gone() == "" // what is pending is about to be done
			if !fresh {
				st.meter.CacheAsked("user", known)
			}
			return u.user, known && !fresh
		},
		func(ctx context.Context) (User, error) { return st.users.User(ctx, uid) },
		func(read User) User {
			read.RevokedAt = later(read.RevokedAt, u.user.RevokedAt)
			u.user, u.userKnown = read, true
			return read
		})
}

// question is when an account was asked about.
type question struct {
	at      time.Time // local
	changes uint64    // the last of all that had contradicted knowledge by then
}

func (st *states) ask() question { return question{localNow(), st.changes.Load()} }

// lookedUp is an account as it was when it was asked about.
type lookedUp struct {
	Account
	asked question
}

// learn takes over an account unless a later question has been answered, or a notice has contradicted it meanwhile, and returns what is
// the answer to the later question. The caller holds u.mu.
func (u *state) learn(a lookedUp) Account {
	if a.asked.at.Before(u.checked) {
		return u.account
	}
	if a.asked.changes >= u.doubted {
		u.account, u.checked = a.Account, a.asked.at
	}
	return a.Account
}

// Account returns the account, asked about at most maxAge ago; zero asks Firebase. Of two answers the one to
// the later question counts.
func (st *states) Account(ctx context.Context, uid UserID, maxAge time.Duration) (Account, error) {
	u := st.of(uid)
	u.mu.Lock()
	known, checked, doubted := u.account, u.checked, u.doubted
	u.mu.Unlock()
	if known.Missing { // it may be created at any moment
		maxAge = min(maxAge, missingPause)
	}
	fresh := !checked.IsZero() && time.Since(checked) < maxAge
	if maxAge > 0 {
		st.meter.CacheAsked("account", fresh)
	}
	if fresh {
		return known, nil
	}
	answer, err := fly(ctx, st, fmt.Sprint(st.key("account", string(uid), maxAge == 0), "/", doubted), identityTimeout,
		func(ctx context.Context) (lookedUp, error) {
			asked := st.ask()
			a, err := st.accounts.Account(ctx, uid)
			if err == nil {
				st.found(ctx, a)
			}
			return lookedUp{a, asked}, err
		})
	if err != nil {
		return Account{}, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.learn(answer), nil
}

// Checked reports whether the account has been asked about at most maxAge ago.
func (st *states) Checked(uid UserID, maxAge time.Duration) bool {
	u := st.of(uid)
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.checked.IsZero() && time.Since(u.checked) < maxAge
}

// KnownAccount returns what has been looked up last of an account, and false if nothing has.
func (st *states) KnownAccount(uid UserID) (Account, bool) {
	u := st.of(uid)
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.account, !u.checked.IsZero()
}

// PutAccount keeps an account that has been looked up by other means.
func (st *states) PutAccount(a Account, asked question) {
	u := st.of(a.UserID)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.learn(lookedUp{a, asked})
}

// missingPause is how often, at most, the session of a sign-in is looked for that has none.
const missingPause = time.Second

// Session returns a session, from memory where it is known. It fails with not_found. That there is none cannot be known from
// memory, since another instance may have created it; so whoever asks again soon waits, and all who wait share one read.
func (st *states) Session(ctx context.Context, uid UserID, id ID) (Session, error) {
	u := st.of(uid)
	u.mu.Lock()
	_, known := u.sessions[id]
	since, missing := u.missing[id]
	u.mu.Unlock()
	st.meter.CacheAsked("session", known)
	if wait := missingPause - time.Since(since); missing && !known && wait > 0 {
		if err := pause(ctx, wait); err != nil {
			return Session{}, err
		}
	}
	s, err := load(ctx, st, u, st.key("session", string(id), false), storeTimeout,
		func() (Session, bool) { s, ok := u.sessions[id]; return s, ok },
		func(ctx context.Context) (Session, error) { return st.store.Session(ctx, id) },
		func(read Session) Session {
			if len(u.sessions) >= maxUserSessions {
				clear(u.sessions)
			}
			u.sessions[id] = read
			return read
		})
	u.mu.Lock()
	defer u.mu.Unlock()
	if CodeOf(err) != CodeNotFound {
		delete(u.missing, id)
		return s, err
	}
	if len(u.missing) >= maxUserSessions {
		clear(u.missing)
	}
	u.missing[id] = localNow()
	return s, err
}

// pause waits for d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return Unavailable("wait", ctx.Err())
	case <-timer.C:
		return nil
	}
}

// Reread reads a session past the memory, and leaves what it remembers as it is unless the answer is newer. Simultaneous
// callers share one read, unless a notice about the user came between them. It fails with not_found.
func (st *states) Reread(ctx context.Context, uid UserID, id ID) (Session, error) {
	u := st.of(uid)
	u.mu.Lock()
	changes := u.changes
	u.mu.Unlock()
	s, err := fly(ctx, st, fmt.Sprint("reread/", id, "/", changes), storeTimeout,
		func(ctx context.Context) (Session, error) { return st.store.Session(ctx, id) })
	if err == nil {
		st.Put(s)
	}
	return s, err
}

// Drop forgets a session.
func (st *states) Drop(s Session) {
	u := st.of(s.UserID)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.changes = st.changes.Add(1)
	delete(u.sessions, s.ID)
}

// Doubt has the sessions of a user read again.
func (st *states) Doubt(uid UserID) {
	u := st.of(uid)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.changes = st.changes.Add(1)
	clear(u.sessions)
}

// Clear forgets everything.
func (st *states) Clear() {
	st.mu.Lock()
	defer st.mu.Unlock()
	clear(st.known)
}

// key names a read that callers may share. A fresh one is shared with nobody: it has to begin after its caller asked.
func (st *states) key(kind, id string, fresh bool) string {
	if fresh {
		return kind + "/" + id + "/" + rand.Text()
	}
	return kind + "/" + id
}

// load answers from what is known, or else reads and keeps. Concurrent callers share one read, unless a notice about
// the user came between them. When a notice came during the read, the answer may be older than the
// notice, so it is read again. Known and keep run under u.mu.
func load[T any](ctx context.Context, st *states, u *state, key string, timeout time.Duration,
	known func() (T, bool), read func(context.Context) (T, error), keep func(T) T) (T, error) {
	for {
		u.mu.Lock()
		v, ok := known()
		changes := u.changes
		u.mu.Unlock()
		if ok {
			return v, nil
		}
		v, err := fly(ctx, st, fmt.Sprint(key, "/", changes), timeout, read)
		if err != nil {
			return v, err
		}
		u.mu.Lock()
		current := u.changes == changes
		if current {
			v = keep(v)
		}
		u.mu.Unlock()
		if current {
			return v, nil
		}
	}
}

// fly shares a read among the callers that name it alike. It goes on for the others when one of them gives up.
func fly[T any](ctx context.Context, st *states, key string, timeout time.Duration, read func(context.Context) (T, error)) (v T, err error) {
	flight := st.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		return read(ctx)
	})
	select {
	case <-ctx.Done():
		return v, Unavailable("wait", ctx.Err())
	case got := <-flight:
		v, _ = got.Val.(T) // the zero value of a failure may be another's
		return v, got.Err
	}
}
