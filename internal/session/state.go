package session

import (
	"context"
	"fmt"
	"slices"
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
	mu      sync.RWMutex
	known   map[UserID]*state
}

// state is what is known about one user.
type state struct {
	mu        sync.Mutex
	born      uint64 // the first value of changes
	changes   uint64 // changes with all that contradicts knowledge: what was read under another value is not kept
	account   Account
	checked   time.Time // local time at which the account was asked about, zero if it was not
	doubted   uint64    // the changes that came with the last notice about the account: what was asked before is not kept
	user      *User     // nil if nothing has been said about it
	userKnown bool
	sessions  []*packed
	missing   map[ID]time.Time // local time at which no session was found
}

func newStates(store Store, users Users, accounts Accounts, meter Meter) *states {
	return &states{store: store, users: users, accounts: accounts, meter: meter, known: make(map[UserID]*state)}
}

// peek returns what is known about a user, nil if nothing is.
func (st *states) peek(uid UserID) *state {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.known[uid]
}

func (st *states) of(uid UserID) *state {
	if u := st.peek(uid); u != nil {
		return u
	}
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
		born := st.changes.Add(1)
		u = &state{born: born, changes: born}
		st.known[uid] = u
	}
	return u
}

// said is what has been said about the user. The caller holds u.mu.
func (u *state) said() User {
	if u.user == nil {
		return User{}
	}
	return *u.user
}

// say keeps what is said about the user: of most users nothing is. The caller holds u.mu.
func (u *state) say(about User) {
	if u.user = &about; about == (User{ID: about.ID}) {
		u.user = nil
	}
}

// Apply is the states' subscription to the [Inbox].
func (st *states) Apply(n Notice) {
	u := st.peek(n.UserID)
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.changes = st.changes.Add(1)
	u.sessions = slices.DeleteFunc(u.sessions, func(p *packed) bool { return n.Concerns(n.UserID, p.id, fromMicro(p.authTime)) })
	for _, id := range n.SessionIDs {
		delete(u.missing, id)
	}
	if n.Kind == NoticeEnded && !n.Before.IsZero() {
		about := u.said()
		about.RevokedAt = later(about.RevokedAt, n.Before)
		u.say(about)
		u.userKnown = false // there is more to it: who must not come back
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
	if i, ok := u.find(s.ID); ok && s.Version.After(u.sessions[i].version) {
		u.sessions[i] = pack(s)
	}
}

// Newer returns what is known of a session if that is newer than s, else s.
func (st *states) Newer(s Session) Session {
	u := st.of(s.UserID)
	u.mu.Lock()
	defer u.mu.Unlock()
	if i, ok := u.find(s.ID); ok && u.sessions[i].version.After(s.Version) {
		u.sessions[i].unpack(s.UserID, &s)
	}
	return s
}

// Known writes the session of a sign-in into s, and reports whether all that there is to know about account and sign-in is in memory, and
// lets it pass at now, a local time. Otherwise there is something to ask, or to say.
func (st *states) Known(id *Identity, now time.Time, maxAge time.Duration, s *Session) bool {
	u := st.peek(id.UserID)
	if u == nil {
		return false
	}
	u.mu.Lock()
	passes := u.userKnown && (u.user == nil || u.user.Gone() == "" && !u.user.Revoked(id.AuthTime)) &&
		u.fresh(now, maxAge) && u.account.Gone() == "" && !u.account.Revoked(id.IssuedAt)
	var known *packed
	if i, ok := u.find(id.SessionID); ok {
		known = u.sessions[i]
	}
	u.mu.Unlock()
	if !passes || known == nil {
		return false
	}
	known.unpack(id.UserID, s)
	return true
}

// User returns when the user was last revoked, from memory where it is known; fresh asks the store.
func (st *states) User(ctx context.Context, uid UserID, fresh bool) (User, error) {
	u := st.of(uid)
	known := func() (User, bool) {
		about := u.said()
		return about, !fresh && u.userKnown && about.Gone() == "" // what is pending is about to be done
	}
	if !fresh {
		u.mu.Lock()
		_, ok := known()
		u.mu.Unlock()
		st.meter.CacheAsked("user", ok)
	}
	return load(ctx, st, u, st.key("user", string(uid), fresh), storeTimeout, known,
		func(ctx context.Context) (User, error) { return st.users.User(ctx, uid) },
		func(read User) User {
			read.RevokedAt = later(read.RevokedAt, u.said().RevokedAt)
			u.say(read)
			u.userKnown = true
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
	known, fresh, doubted := u.account, u.fresh(localNow(), maxAge), u.doubted
	u.mu.Unlock()
	if maxAge > 0 {
		st.meter.CacheAsked("account", fresh)
	}
	if fresh {
		return known, nil
	}
	return fly(ctx, st, fmt.Sprint(st.key("account", string(uid), maxAge == 0), "/", u.born, "/", doubted), identityTimeout,
		func(ctx context.Context) (Account, error) {
			u.mu.Lock()
			known, fresh := u.account, u.fresh(localNow(), maxAge) // another flight has landed since
			u.mu.Unlock()
			if fresh {
				return known, nil
			}
			asked := st.ask()
			a, err := st.accounts.Account(ctx, uid)
			if err != nil {
				return Account{}, err
			}
			a.UserID = uid // one copy of the text is enough
			st.found(ctx, a)
			u.mu.Lock()
			defer u.mu.Unlock()
			return u.learn(lookedUp{a, asked}), nil
		})
}

// fresh reports whether the account has been asked about at most maxAge before now, a local time. The caller holds u.mu.
func (u *state) fresh(now time.Time, maxAge time.Duration) bool {
	if u.account.Missing { // it may be created at any moment
		maxAge = min(maxAge, missingPause)
	}
	return !u.checked.IsZero() && now.Sub(u.checked) < maxAge
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

// Session returns a user's session, from memory where it is known. It fails with not_found. That there is none cannot be known from
// memory, since another instance may have created it; so whoever asks again soon waits, and all who wait share one read.
func (st *states) Session(ctx context.Context, uid UserID, id ID) (Session, error) {
	u := st.of(uid)
	u.mu.Lock()
	_, known := u.find(id)
	since, missing := u.missing[id]
	u.mu.Unlock()
	st.meter.CacheAsked("session", known)
	if wait := missingPause - time.Since(since); missing && !known && wait > 0 {
		if err := pause(ctx, wait); err != nil {
			return Session{}, err
		}
	}
	s, err := load(ctx, st, u, st.key("session", string(id), false), storeTimeout,
		func() (s Session, ok bool) {
			i, ok := u.find(id)
			if ok {
				u.sessions[i].unpack(uid, &s)
			}
			return s, ok
		},
		func(ctx context.Context) (Session, error) { return st.store.Session(ctx, id) },
		func(read Session) Session {
			if read.UserID == uid { // as it should be
				read.UserID, read.ID = uid, id // one copy of the texts is enough
				u.remember(read)
			}
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
	if u.missing == nil {
		u.missing = make(map[ID]time.Time)
	}
	u.missing[id] = localNow()
	return s, err
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
	u.sessions = slices.DeleteFunc(u.sessions, func(p *packed) bool { return p.id == s.ID })
}

// Doubt has the sessions of a user read again.
func (st *states) Doubt(uid UserID) {
	u := st.of(uid)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.changes = st.changes.Add(1)
	u.sessions = nil
}

// Clear forgets everything.
func (st *states) Clear() {
	st.mu.Lock()
	defer st.mu.Unlock()
	clear(st.known)
}
