package sessiontest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// Firebase is a Firebase Authentication under test: the two ports, and what happens behind them to its accounts.
// [Directory] has most of it.
type Firebase interface {
	session.Verifier
	session.Accounts
	// SignIn returns an ID token of a new sign-in, without sid, and creates the account where it does not exist.
	SignIn(uid session.UserID) string
	// Refresh returns a new ID token of a sign-in that still stands.
	Refresh(token string) string
	SetClaims(uid session.UserID, claims map[string]any)
	SetDisabled(uid session.UserID, disabled bool)
	Delete(uid session.UserID)
	// SetDown takes away what an implementation depends on, or gives it back.
	SetDown(down bool)
}

// SIDs is a [Firebase] whose tokens can carry a sid claim.
type SIDs interface {
	SignInAs(uid session.UserID, sid string) string
}

// TestVerifier holds an implementation of [session.Verifier] and [session.Accounts] to what their comments promise.
// Each test has a Firebase of its own and runs in a synctest bubble, where hours take no time.
func TestVerifier(t *testing.T, newFirebase func(t *testing.T) Firebase) {
	t.Helper()
	for name, test := range map[string]func(*verifierTest){
		"a token names its holder":                        (*verifierTest).holder,
		"a token carries the claims of its time":          (*verifierTest).tokenClaims,
		"a refresh keeps session and sign-in":             (*verifierTest).refresh,
		"a sign-in is a session":                          (*verifierTest).signIns,
		"a sid names the session":                         (*verifierTest).sid,
		"no token is invalid":                             (*verifierTest).noToken,
		"a token expires with its exp":                    (*verifierTest).expiry,
		"an account is as it is now":                      (*verifierTest).account,
		"a missing account is no error":                   (*verifierTest).missing,
		"a revocation ends the tokens of earlier seconds": (*verifierTest).revocation,
		"a batch answers for everybody asked for":         (*verifierTest).batch,
		"a look-up that fails is unavailable":             (*verifierTest).down,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(&verifierTest{t, newFirebase(t)}) })
		})
	}
}

type verifierTest struct {
	*testing.T
	Firebase
}

const ana, bea = session.UserID("ana"), session.UserID("bea")

// answerTime is how soon an answer must come, also when it is that there is none.
const answerTime = 2 * time.Second

func (t *verifierTest) verify(token string) session.Identity {
	t.Helper()
	id, err := t.Verify(t.Context(), token)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return id
}

func (t *verifierTest) lookUp(uid session.UserID) session.Account {
	t.Helper()
	account, err := t.Account(t.Context(), uid)
	if err != nil {
		t.Fatalf("look up %s: %v", uid, err)
	}
	if account.UserID != uid {
		t.Errorf("asked for %q, got %q", uid, account.UserID)
	}
	return account
}

// code demands an error that says what it is: CodeOf alone would take any for unavailable.
func (t *verifierTest) code(what string, err error, want session.Code) {
	t.Helper()
	if e, ok := errors.AsType[*session.Error](err); !ok || e.Code != want {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func (t *verifierTest) holder() {
	before := time.Now().Truncate(time.Second)
	id := t.verify(t.SignIn(ana))
	if id.UserID != ana || id.SignInProvider == "" {
		t.Errorf("holder is %q by %q, want %q by some provider", id.UserID, id.SignInProvider, ana)
	}
	if id.AuthTime.Before(before) || id.AuthTime.After(time.Now()) || id.AuthTime.Nanosecond() != 0 {
		t.Errorf("auth time is %v, want this second", id.AuthTime)
	}
	if !id.IssuedAt.Equal(id.AuthTime) || !id.ExpiresAt.After(time.Now()) {
		t.Errorf("issued at %v, expires at %v, want the sign-in and later than now", id.IssuedAt, id.ExpiresAt)
	}
	if want := session.NewID(ana, "", id.AuthTime); id.SessionID != want {
		t.Errorf("session id is %s, want %s", id.SessionID, want)
	}
}

func (t *verifierTest) tokenClaims() {
	t.SignIn(ana)
	t.SetClaims(ana, map[string]any{"admin": true})
	token := t.SignIn(ana)
	t.SetClaims(ana, nil)
	if claims := t.verify(token).Claims; claims["admin"] != true {
		t.Errorf("claims are %v, want those of the sign-in", claims)
	}
	if claims := t.Claims(token); claims["admin"] != true {
		t.Errorf("read again, claims are %v", claims)
	}
}

func (t *verifierTest) refresh() {
	token := t.SignIn(ana)
	first := t.verify(token)
	<-time.After(10 * time.Minute)
	second := t.verify(t.Refresh(token))
	if second.SessionID != first.SessionID || !second.AuthTime.Equal(first.AuthTime) {
		t.Errorf("a refresh moved the session from %v to %v", first, second)
	}
	if d := second.IssuedAt.Sub(first.IssuedAt); d != 10*time.Minute {
		t.Errorf("refreshed after 10 minutes, issued %v later", d)
	}
	if !second.ExpiresAt.After(first.ExpiresAt) {
		t.Error("a refresh did not prolong the token")
	}
}

func (t *verifierTest) signIns() {
	sessions := map[session.ID]bool{t.verify(t.SignIn(ana)).SessionID: true, t.verify(t.SignIn(bea)).SessionID: true}
	<-time.After(time.Second)
	sessions[t.verify(t.SignIn(ana)).SessionID] = true
	if len(sessions) != 3 {
		t.Errorf("two accounts, and another second, made %d sessions, want 3", len(sessions))
	}
	sessions[t.verify(t.SignIn(ana)).SessionID] = true
	if len(sessions) != 3 {
		t.Error("two sign-ins of one second without sid are two sessions, want one")
	}
}

func (t *verifierTest) sid() {
	signer, ok := t.Firebase.(SIDs)
	if !ok {
		return // its tokens carry none
	}
	token := signer.SignInAs(ana, "phone")
	phone := t.verify(token)
	if want := session.NewID(ana, "phone", phone.AuthTime); phone.SessionID != want {
		t.Errorf("session id is %s, want that of the sid, %s", phone.SessionID, want)
	}
	if laptop := t.verify(signer.SignInAs(ana, "laptop")); laptop.SessionID == phone.SessionID {
		t.Error("two sids of one second are one session")
	}
	<-time.After(time.Minute)
	if again := t.verify(t.Refresh(token)); again.SessionID != phone.SessionID {
		t.Error("the sid did not survive a refresh")
	}
}

func (t *verifierTest) noToken() {
	for _, token := range []string{"", ".", "..", "...", "ana", "a.b.c", "\x00", "Bearer " + t.SignIn(ana)} {
		_, err := t.Verify(t.Context(), token)
		t.code(fmt.Sprintf("verify %.20q", token), err, session.CodeTokenInvalid)
	}
}

func (t *verifierTest) expiry() {
	token := t.SignIn(ana)
	<-time.After(time.Until(t.verify(token).ExpiresAt) - time.Nanosecond)
	t.verify(token)
	<-time.After(time.Nanosecond)
	_, err := t.Verify(t.Context(), token)
	t.code("verify at exp", err, session.CodeTokenExpired)
}

func (t *verifierTest) account() {
	t.SignIn(ana)
	if a := t.lookUp(ana); a.Missing || a.Disabled || len(a.Claims) != 0 {
		t.Errorf("a new account is %+v", a)
	}
	t.SetClaims(ana, map[string]any{"admin": true})
	if a := t.lookUp(ana); !reflect.DeepEqual(a.Claims, map[string]any{"admin": true}) {
		t.Errorf("claims are %v, want what was set", a.Claims)
	}
	token := t.SignIn(ana)
	t.SetDisabled(ana, true)
	if a := t.lookUp(ana); !a.Disabled || a.Missing {
		t.Errorf("a disabled account is %+v", a)
	}
	if _, err := t.Verify(t.Context(), token); err != nil {
		t.code("verify a disabled holder", err, session.CodeUserDisabled)
	}
	t.SetDisabled(ana, false)
	if a := t.lookUp(ana); a.Disabled {
		t.Errorf("an enabled account is %+v", a)
	}
}

func (t *verifierTest) missing() {
	if a := t.lookUp(ana); !a.Missing || a.Disabled {
		t.Errorf("an account that never was is %+v", a)
	}
	if err := t.RevokeTokens(t.Context(), ana); err != nil {
		t.Errorf("revoking the tokens of nobody: %v", err)
	}
	token := t.SignIn(ana)
	t.Delete(ana)
	if a := t.lookUp(ana); !a.Missing {
		t.Errorf("a deleted account is %+v", a)
	}
	if _, err := t.Verify(t.Context(), token); err != nil {
		t.code("verify a deleted holder", err, session.CodeUserDisabled)
	}
}

func (t *verifierTest) revocation() {
	token := t.SignIn(ana)
	earlier := t.verify(token)
	if t.lookUp(ana).Revoked(earlier.IssuedAt) {
		t.Error("a sign-in is revoked from the start")
	}
	<-time.After(time.Second)
	same := t.verify(t.SignIn(ana))
	if err := t.RevokeTokens(t.Context(), ana); err != nil {
		t.Fatal(err)
	}
	account := t.lookUp(ana)
	if !account.Revoked(earlier.IssuedAt) {
		t.Error("a token of the second before the revocation is valid")
	}
	if account.Revoked(same.IssuedAt) {
		t.Error("a token of the very second of the revocation is revoked")
	}
	if _, err := t.Verify(t.Context(), token); err != nil {
		t.code("verify a revoked token", err, session.CodeTokenRevoked)
	}
	<-time.After(time.Second)
	later := t.verify(t.SignIn(ana))
	if t.lookUp(ana).Revoked(later.IssuedAt) {
		t.Error("a sign-in after the revocation is revoked")
	}
}

func (t *verifierTest) batch() {
	uids := make([]session.UserID, session.MaxAccounts)
	for i := range uids {
		uids[i] = session.UserID(fmt.Sprintf("user%02d", i))
		if i%2 == 0 {
			t.SignIn(uids[i])
		}
	}
	t.SetDisabled(uids[0], true)
	accounts, err := t.Accounts(t.Context(), uids)
	if err != nil {
		t.Fatal(err)
	}
	if len(accounts) != len(uids) {
		t.Errorf("asked for %d accounts, got %d", len(uids), len(accounts))
	}
	for i, uid := range uids {
		a, ok := accounts[uid]
		if !ok || a.UserID != uid || a.Missing != (i%2 == 1) || a.Disabled != (i == 0) {
			t.Errorf("%s: %+v, %v", uid, a, ok)
		}
	}
	if none, err := t.Accounts(t.Context(), nil); err != nil || len(none) != 0 {
		t.Errorf("asked for nobody, got %v, %v", none, err)
	}
}

func (t *verifierTest) down() {
	token := t.SignIn(ana)
	t.verify(token)
	for _, call := range []struct {
		name string
		make func() error
	}{
		{"verify", func() error { _, err := t.Verify(t.Context(), token); return err }},
		{"account", func() error { _, err := t.Account(t.Context(), ana); return err }},
		{"accounts", func() error { _, err := t.Accounts(t.Context(), []session.UserID{ana, bea}); return err }},
		{"revoke tokens", func() error { return t.RevokeTokens(t.Context(), ana) }},
	} {
		t.SetDown(true)
		<-time.After(time.Nanosecond) // no cache is good for longer than the instant in which it was filled
		start := time.Now()
		t.code(call.name+", down", call.make(), session.CodeUnavailable)
		if d := time.Since(start); d > answerTime {
			t.Errorf("%s, down: answer after %v", call.name, d)
		}
		t.SetDown(false)
		if err := call.make(); err != nil {
			t.Errorf("%s, up again: %v", call.name, err)
		}
	}
}
