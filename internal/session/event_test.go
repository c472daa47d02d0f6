package session

import (
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"
)

// What a user reads about an end of theirs never says which admin it was, from where, and why.
func TestEndedEventShowsAUserNoAdmin(t *testing.T) {
	s := Session{ID: "one", UserID: "ana"}
	for _, c := range []struct {
		name      string
		e         End
		actor, ip string
		details   map[string]string
	}{
		{"the user", End{Reason: ReasonLogout, By: "ana", IP: "203.0.113.7"}, "ana", "203.0.113.7", map[string]string{"reason": "logout"}},
		{"time", End{Reason: ReasonIdleTimeout, By: ActorSystem, IP: "203.0.113.7"}, ActorSystem, "", map[string]string{"reason": "idle_timeout"}},
		{"an admin", End{Reason: ReasonAdminRevoked, By: "boss", IP: "198.51.100.1"}, ActorAdmin, "", map[string]string{"reason": "admin_revoked"}},
		{"a shell", End{Reason: ReasonAdminRevoked, By: ActorCLI}, ActorAdmin, "", map[string]string{"reason": "admin_revoked"}},
		{"a mass revocation", End{Reason: ReasonAdminRevoked, By: "boss", Job: "7"}, ActorAdmin, "",
			map[string]string{"reason": "admin_revoked", "revocation": "7"}},
	} {
		got := endedEvent(s, c.e)
		if got.Actor != c.actor || got.IPAddress != c.ip || !maps.Equal(got.Details, c.details) || got.Audience != AudienceUser ||
			got.Type != EventSessionEnded || got.UserID != "ana" || got.SessionID != "one" || got.ID == "" {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestAnAdminsEventSaysWhoFromWhereAndWhy(t *testing.T) {
	got := Actor{By: "boss", IP: "198.51.100.1", Note: "stolen"}.event(EventUserRevoked, "ana", "one")
	if got.Actor != "boss" || got.IPAddress != "198.51.100.1" || got.Details["note"] != "stolen" || got.Audience != AudienceAdmin {
		t.Errorf("%+v", got)
	}
}

func TestEventsShareNoDetails(t *testing.T) {
	one := Event{}.with("a", "1")
	two := one.with("b", "2")
	if one.with("c", ""); len(one.Details) != 1 || len(two.Details) != 2 {
		t.Errorf("%v, %v", one.Details, two.Details)
	}
}

func TestOwed(t *testing.T) {
	at := time.Unix(1, 0)
	for _, c := range []struct {
		u    User
		want Reason
	}{
		{User{}, ""},
		{User{TokensPending: true}, ""},
		{User{TokensPending: true, Disabled: true}, ""},
		{User{TokensPending: true, DeletedAt: at}, ""},
		{User{TokensPending: true, DisablePending: true}, ReasonUserDisabled},
		{User{TokensPending: true, DeletePending: true}, ReasonUserDeleted},
		{User{TokensPending: true, DisablePending: true, DeletePending: true}, ReasonUserDeleted},
	} {
		if got := c.u.Gone(); got != c.want {
			t.Errorf("%+v: %q", c.u, got)
		}
	}
}

func TestClaimsDiffer(t *testing.T) {
	type claims = map[string]any
	r := &Registry{settings: Settings{AdminClaim: "admin"}}
	for _, c := range []struct {
		name           string
		token, account claims
		want           bool
	}{
		{"none", nil, nil, false},
		{"the same", claims{"admin": true, "role": "a"}, claims{"admin": true, "role": "a"}, false},
		{"a token says more than the account", claims{"sub": "ana", "email": "a@example.com"}, nil, false},
		{"one is new", claims{}, claims{"role": "a"}, true},
		{"one is another", claims{"role": "a"}, claims{"role": "b"}, true},
		{"lists are compared", claims{"roles": []any{"a", "b"}}, claims{"roles": []any{"a", "b"}}, false},
		{"lists that differ", claims{"roles": []any{"a", "b"}}, claims{"roles": []any{"b"}}, true},
		{"objects are compared", claims{"o": claims{"x": 1.0}}, claims{"o": claims{"x": 1.0}}, false},
		{"admin given", claims{}, claims{"admin": true}, true},
		{"admin taken away", claims{"admin": true}, nil, true},
		{"admin no longer true", claims{"admin": true}, claims{"admin": false}, true},
		{"what is no admin cannot be taken away", claims{"admin": "true"}, nil, false},
	} {
		if got := r.ClaimsDiffer(Identity{Claims: c.token}, Account{Claims: c.account}); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

func TestErrorsSayWhatFailedAndWhy(t *testing.T) {
	for want, err := range map[string]error{
		"unavailable":                      &Error{Code: CodeUnavailable},
		"end: not_found":                   &Error{Op: "end", Code: CodeNotFound},
		"end: not_found: Gone.: forbidden": &Error{Op: "end", Code: CodeNotFound, Message: "Gone.", Err: &Error{Code: CodeForbidden}},
	} {
		if got := err.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := CodeOf(errUnknown{}); got != CodeUnavailable {
		t.Errorf("an error that says nothing: %q", got)
	}
	if !errors.Is(&Error{Err: errUnknown{}}, errUnknown{}) {
		t.Error("the cause is lost")
	}
}

type errUnknown struct{}

func (errUnknown) Error() string { return "unknown" }

func TestErasedKeepsWhatWasDecidedAndWhoDecided(t *testing.T) {
	details := map[string]string{
		DetailReason: "admin_revoked", DetailRevocation: "job", detailNote: "seen at Ana's desk", "device": "Chrome on Windows", "filter": "{}",
	}
	for _, c := range []struct {
		audience Audience
		ip       string
		details  map[string]string
	}{
		{AudienceUser, "", map[string]string{DetailReason: "admin_revoked", DetailRevocation: "job"}},
		{AudienceAdmin, "203.0.113.7", map[string]string{
			DetailReason: "admin_revoked", DetailRevocation: "job", "device": "Chrome on Windows", "filter": "{}",
		}},
	} {
		e := Event{ID: "1", Type: EventSessionEnded, Audience: c.audience, UserID: "ana", Actor: "boss", IPAddress: "203.0.113.7", Details: details}
		want := e
		want.IPAddress, want.Details = c.ip, c.details
		for range 2 { // again changes nothing
			if e = e.Erased(); !reflect.DeepEqual(e, want) {
				t.Errorf("%s: %+v, want %+v", c.audience, e, want)
			}
		}
	}
	if e := (Event{Audience: AudienceUser}).Erased(); e.Details != nil {
		t.Errorf("%+v", e)
	}
}
