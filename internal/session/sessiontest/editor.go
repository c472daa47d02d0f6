package sessiontest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

// TestEditor holds an implementation of [session.Editor] to what its comments promise. Each test opens a Firebase of its own
// with the editor of its accounts, and runs in a synctest bubble.
func TestEditor(t *testing.T, open func(t *testing.T) (Firebase, session.Editor)) {
	t.Helper()
	for name, test := range map[string]func(*editorTest){
		"an address ends earlier tokens":            (*editorTest).email,
		"an address that is none is refused":        (*editorTest).badEmail,
		"an address belongs to one account":         (*editorTest).takenEmail,
		"a password ends earlier tokens":            (*editorTest).password,
		"a password that is too short is refused":   (*editorTest).weakPassword,
		"an account is disabled and enabled":        (*editorTest).disabled,
		"a claim leaves the others alone":           (*editorTest).claim,
		"claims set at the same time are all there": (*editorTest).claimsAtOnce,
		"claims have room for so much":              (*editorTest).tooManyClaims,
		"a reserved claim is refused":               (*editorTest).reservedClaim,
		"a deleted account is missing":              (*editorTest).deleted,
		"nobody is not found":                       (*editorTest).nobody,
		"a change that fails is unavailable":        (*editorTest).down,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				firebase, editor := open(t)
				test(&editorTest{verifierTest{t, firebase}, editor})
			})
		})
	}
}

type editorTest struct {
	verifierTest
	edit session.Editor
}

// fine fails the test when a change did.
func (t *editorTest) fine(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused demands an error that names the field and says something that can be shown.
func (t *editorTest) refused(what string, err error, field string) {
	t.Helper()
	t.code(what, err, session.CodeInvalidRequest)
	if e, ok := errors.AsType[*session.Error](err); !ok || e.Field != field || e.Message == "" {
		t.Errorf("%s: %v, want a fault of %q with a message", what, err, field)
	}
}

// ends demands that a change ends the tokens of earlier seconds.
func (t *editorTest) ends(change func() error) {
	t.Helper()
	before := t.verify(t.SignIn(ana))
	<-time.After(time.Second)
	t.fine(change())
	if !t.lookUp(ana).Revoked(before.IssuedAt) {
		t.Error("a token of before is not revoked")
	}
	<-time.After(time.Second)
	if later := t.verify(t.SignIn(ana)); t.lookUp(ana).Revoked(later.IssuedAt) {
		t.Error("a sign-in after the change is revoked")
	}
}

func (t *editorTest) email() {
	t.ends(func() error { return t.edit.SetEmail(t.Context(), ana, "ana@example.com") })
	t.fine(t.edit.SetEmail(t.Context(), ana, "ana@example.com"))
}

func (t *editorTest) badEmail() {
	t.SignIn(ana)
	for _, email := range []string{"", "ana", "@example.com", "ana@", "a@b@c", "a na@example.com", "ana@example.com\n", "\xff@example.com"} {
		t.refused(fmt.Sprintf("%q", email), t.edit.SetEmail(t.Context(), ana, email), "email")
	}
}

func (t *editorTest) takenEmail() {
	t.SignIn(ana)
	t.SignIn(bea)
	t.fine(t.edit.SetEmail(t.Context(), bea, "bea@example.com"))
	t.refused("bea's", t.edit.SetEmail(t.Context(), ana, "bea@example.com"), "email")
	t.fine(t.edit.SetEmail(t.Context(), bea, "other@example.com"))
	t.fine(t.edit.SetEmail(t.Context(), ana, "bea@example.com"))
}

func (t *editorTest) password() {
	t.ends(func() error { return t.edit.SetPassword(t.Context(), ana, "battery staple") })
}

func (t *editorTest) weakPassword() {
	t.SignIn(ana)
	for _, password := range []string{"", "short", "\xff\xff\xff\xff\xff\xff"} {
		err := t.edit.SetPassword(t.Context(), ana, password)
		t.refused(fmt.Sprintf("%q", password), err, "password")
		if password != "" && strings.Contains(fmt.Sprint(err), password) {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}

func (t *editorTest) disabled() {
	t.SignIn(ana)
	for _, disabled := range []bool{true, true, false, false} {
		t.fine(t.edit.SetDisabled(t.Context(), ana, disabled))
		if a := t.lookUp(ana); a.Disabled != disabled {
			t.Errorf("set to %v, the account is %+v", disabled, a)
		}
	}
}

func (t *editorTest) claim() {
	t.SignIn(ana)
	others := map[string]any{"level": float64(7), "roles": []any{"a", "<b>"}, "nested": map[string]any{"x": nil}}
	t.SetClaims(ana, others)
	with := map[string]any{"admin": true, "level": float64(7), "roles": []any{"a", "<b>"}, "nested": map[string]any{"x": nil}}
	for _, on := range []bool{false, true, true, false} {
		t.fine(t.edit.SetClaim(t.Context(), ana, "admin", on))
		want := others
		if on {
			want = with
		}
		if got := t.lookUp(ana).Claims; !reflect.DeepEqual(got, want) {
			t.Errorf("set to %v, claims are %v, want %v", on, got, want)
		}
	}
	t.SetClaims(ana, map[string]any{"admin": "no"})
	t.fine(t.edit.SetClaim(t.Context(), ana, "admin", true))
	if got := t.lookUp(ana).Claims; got["admin"] != true {
		t.Errorf("claims are %v", got)
	}
}

func (t *editorTest) claimsAtOnce() {
	t.SignIn(ana)
	names := []string{"one", "two", "three", "four", "five"}
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			if err := t.edit.SetClaim(t.Context(), ana, name, true); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	if got := t.lookUp(ana).Claims; len(got) != len(names) {
		t.Errorf("claims are %v, want all of %v", got, names)
	}
}

func (t *editorTest) tooManyClaims() {
	t.SignIn(ana)
	full := map[string]any{"pad": strings.Repeat("x", 1000-len(`{"pad":""}`))}
	t.SetClaims(ana, full)
	t.refused("one more", t.edit.SetClaim(t.Context(), ana, "admin", true), "")
	if got := t.lookUp(ana).Claims; !reflect.DeepEqual(got, full) {
		t.Errorf("claims are %v, want them as they were", got)
	}
	t.fine(t.edit.SetClaim(t.Context(), ana, "pad", false))
	t.fine(t.edit.SetClaim(t.Context(), ana, "admin", true))
}

func (t *editorTest) reservedClaim() {
	t.SignIn(ana)
	for _, claim := range []string{"", "sub", "aud", "firebase", "auth_time"} {
		t.refused(claim, t.edit.SetClaim(t.Context(), ana, claim, true), "")
	}
}

func (t *editorTest) deleted() {
	t.SignIn(ana)
	t.fine(t.edit.Delete(t.Context(), ana))
	if a := t.lookUp(ana); !a.Missing {
		t.Errorf("the account is %+v", a)
	}
	t.fine(t.edit.Delete(t.Context(), ana))
}

// changes are all that there are, each fine for an account that exists.
func (t *editorTest) changes(uid session.UserID) map[string]func() error {
	return map[string]func() error{
		"email":    func() error { return t.edit.SetEmail(t.Context(), uid, "ana@example.com") },
		"password": func() error { return t.edit.SetPassword(t.Context(), uid, "battery staple") },
		"disable":  func() error { return t.edit.SetDisabled(t.Context(), uid, true) },
		"enable":   func() error { return t.edit.SetDisabled(t.Context(), uid, false) },
		"claim":    func() error { return t.edit.SetClaim(t.Context(), uid, "admin", true) },
	}
}

func (t *editorTest) nobody() {
	for _, uid := range []session.UserID{"nobody", "", session.UserID(strings.Repeat("x", 129))} {
		for name, change := range t.changes(uid) {
			t.code(fmt.Sprintf("%s of %.10q", name, uid), change(), session.CodeNotFound)
		}
		t.fine(t.edit.Delete(t.Context(), uid))
	}
}

func (t *editorTest) down() {
	t.SignIn(ana)
	changes := t.changes(ana)
	changes["delete"] = func() error { return t.edit.Delete(t.Context(), bea) }
	for name, change := range changes {
		t.SetDown(true)
		start := time.Now()
		t.code(name+", down", change(), session.CodeUnavailable)
		if d := time.Since(start); d > answerTime {
			t.Errorf("%s, down: answer after %v", name, d)
		}
		t.SetDown(false)
		if err := change(); err != nil {
			t.Errorf("%s, up again: %v", name, err)
		}
	}
}
