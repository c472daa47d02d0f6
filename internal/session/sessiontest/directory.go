package sessiontest

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// TokenLifetime is how long a [Directory]'s tokens live, as Firebase's do.
const TokenLifetime = time.Hour

// Directory is a Firebase Authentication in memory for tests of what stands above it: it implements
// [session.Verifier], [session.Accounts] and [session.Editor] and tells time by package time, so that it runs in synctest
// bubbles. Safe for concurrent use.
type Directory struct {
	mu        sync.Mutex
	tokens    map[string]session.Identity
	accounts  map[session.UserID]session.Account
	emails    map[session.UserID]string // those that were set
	passwords map[session.UserID]string // those that were set
	down      bool
	lookUps   int
}

// NewDirectory returns a directory without accounts.
func NewDirectory() *Directory {
	return &Directory{
		tokens: make(map[string]session.Identity), accounts: make(map[session.UserID]session.Account),
		emails: make(map[session.UserID]string), passwords: make(map[session.UserID]string),
	}
}

// SignIn returns an ID token of a new sign-in, and creates the account where it does not exist. Like Firebase it names the
// sign-in by the second.
func (d *Directory) SignIn(uid session.UserID) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.accounts[uid]; !ok {
		d.accounts[uid] = session.Account{UserID: uid}
	}
	return d.issue(uid, thisSecond())
}

// Refresh returns a new ID token of the same sign-in.
func (d *Directory) Refresh(token string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.tokens[token]
	return d.issue(old.UserID, old.AuthTime)
}

func (d *Directory) issue(uid session.UserID, authTime time.Time) string {
	now := thisSecond()
	token := "test." + rand.Text() + ".token"
	d.tokens[token] = session.Identity{
		UserID: uid, SessionID: session.NewID(uid, "", authTime), AuthTime: authTime,
		IssuedAt: now, ExpiresAt: now.Add(TokenLifetime), SignInProvider: "password",
		Claims: maps.Clone(d.accounts[uid].Claims),
	}
	return token
}

// Issue returns a token that says exactly this.
func (d *Directory) Issue(id session.Identity) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	token := "test." + rand.Text() + ".token"
	d.tokens[token] = id
	return token
}

// Identity returns the holder of a token that the directory has issued.
func (d *Directory) Identity(token string) session.Identity {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tokens[token]
}

// Change changes an account, for example its claims; tokens issued before keep what they say.
func (d *Directory) Change(uid session.UserID, change func(*session.Account)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.accounts[uid]
	a.UserID = uid
	change(&a)
	d.accounts[uid] = a
}

// Remove deletes an account, also while the directory is down.
func (d *Directory) Remove(uid session.UserID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(uid)
}

func (d *Directory) remove(uid session.UserID) {
	delete(d.accounts, uid)
	delete(d.emails, uid)
	delete(d.passwords, uid)
}

// SetDown makes every call fail with unavailable, or answer again.
func (d *Directory) SetDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
}

// LookUps counts the accounts that have been asked about, batched or one by one, as calls.
func (d *Directory) LookUps() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lookUps
}

var errDown = errors.New("the directory is down")

// Verify implements [session.Verifier].
func (d *Directory) Verify(_ context.Context, token string) (session.Identity, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, ok := d.tokens[token]
	switch {
	case d.down:
		return session.Identity{}, session.Unavailable("verify", errDown)
	case !ok:
		return session.Identity{}, &session.Error{Op: "verify", Code: session.CodeTokenInvalid}
	case !time.Now().Before(id.ExpiresAt):
		return session.Identity{}, &session.Error{Op: "verify", Code: session.CodeTokenExpired}
	default:
		return id, nil
	}
}

// Claims implements [session.Verifier].
func (d *Directory) Claims(token string) map[string]any { return d.Identity(token).Claims }

// Account implements [session.Accounts].
func (d *Directory) Account(ctx context.Context, uid session.UserID) (session.Account, error) {
	found, err := d.Accounts(ctx, []session.UserID{uid})
	return found[uid], err
}

// Accounts implements [session.Accounts].
func (d *Directory) Accounts(_ context.Context, uids []session.UserID) (map[session.UserID]session.Account, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, session.Unavailable("look up", errDown)
	}
	d.lookUps++
	found := make(map[session.UserID]session.Account, len(uids))
	for _, uid := range uids {
		a, ok := d.accounts[uid]
		a.UserID, a.Missing = uid, !ok
		found[uid] = a
	}
	return found, nil
}

// RevokeTokens implements [session.Accounts].
func (d *Directory) RevokeTokens(_ context.Context, uid session.UserID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return session.Unavailable("revoke tokens", errDown)
	}
	if a, ok := d.accounts[uid]; ok {
		a.TokensValidAfter = thisSecond()
		d.accounts[uid] = a
	}
	return nil
}
