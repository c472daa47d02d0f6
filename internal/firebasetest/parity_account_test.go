package firebasetest

import (
	"strings"
	"time"
)

// lookup is a client's look-up with a token.
func lookup(c *caller, idToken string) string {
	return c.client("lookup", object{"idToken": idToken}).outcome("accepted")
}

var credentials = []behaviour{
	{name: "a fresh ID token", both: "accepted", observe: func(c *caller) string { return lookup(c, c.newcomer().idToken) }},
	{name: "none", both: "MISSING_ID_TOKEN", observe: func(c *caller) string { return lookup(c, "") }},
	{name: "what is no token", both: "INVALID_ID_TOKEN", observe: func(c *caller) string { return lookup(c, "nonsense") }},
	{name: "one of before a revocation", both: "TOKEN_EXPIRED", observe: func(c *caller) string {
		d := c.newcomer()
		c.nextSecond()
		revoke(c, d)
		return lookup(c, d.idToken)
	}},
	{name: "one of before a password change", both: "TOKEN_EXPIRED", observe: func(c *caller) string {
		d := c.newcomer()
		c.nextSecond()
		change("password", newPassword)(c, d)
		return lookup(c, d.idToken)
	}},
	{name: "a disabled user's", both: "USER_DISABLED", observe: func(c *caller) string {
		d := c.newcomer()
		disable(true)(c, d)
		return lookup(c, d.idToken)
	}},
	{name: "a deleted user's", both: "USER_NOT_FOUND", observe: func(c *caller) string {
		d := c.newcomer()
		remove(c, d)
		return lookup(c, d.idToken)
	}},
	{name: "a deleted user's, whose uid is used anew without a password", observe: func(c *caller) string {
		d := c.newcomer()
		c.nextSecond()
		remove(c, d)
		c.done(c.admin("", object{"localId": d.uid}))
		return lookup(c, d.idToken)
	}, official: "accepted", ours: "TOKEN_EXPIRED", why: "a uid that is used anew is another user's: an account's tokens count from its creation on"},
	{name: "an expired one", observe: func(c *caller) string {
		past := time.Now().Unix() - 7200
		d := c.newcomer()
		c.done(c.admin(":update", object{"localId": d.uid, "validSince": "1"}))
		return lookup(c, altered(d.idToken, object{"iat": past, "exp": past + 3600}))
	}, official: "accepted", ours: "TOKEN_EXPIRED", why: "an ID token lives for an hour, as [documented][sessions]"},
	{name: "another project's", observe: func(c *caller) string {
		return lookup(c, altered(c.newcomer().idToken, object{"aud": "another", "iss": "https://securetoken.google.com/another"}))
	}, official: "accepted", ours: "INVALID_ID_TOKEN", why: "an ID token is good for the project that it was issued for"},
	{name: "one with a signature", observe: func(c *caller) string { return lookup(c, c.newcomer().idToken+"c2lnbmF0dXJl") },
		official: "accepted", ours: "INVALID_ID_TOKEN", why: "production checks the signature; ours cannot, so it takes none"},
}

var ownAccount = []behaviour{
	{name: "change the password: the answer", both: "new tokens, which are valid", observe: func(c *caller) string {
		d := c.newcomer()
		c.nextSecond()
		a := c.done(c.client("update", object{"idToken": d.idToken, "password": otherPassword, "returnSecureToken": true}))
		if a.text("idToken") == "" || a.text("refreshToken") == "" || c.verify(a.text("idToken")) != "valid" {
			return "no valid tokens"
		}
		return "new tokens, which are valid"
	}},
	{name: "change the password: `auth_time` of the new tokens", observe: func(c *caller) string { return newAuthTime(c, "password", otherPassword) },
		official: "of the sign-in before", ours: "of the change",
		why: "production: of the change, the new `validSince` ([5990][5990], reported of an address)"},
	{name: "change the address: `auth_time` of the new tokens", observe: func(c *caller) string { return newAuthTime(c, "email", newEmail()) },
		official: "of the sign-in before", ours: "of the change", why: "production: of the change, the new `validSince` ([5990][5990])"},
	{name: "change the address: `email_verified`", both: "false", observe: func(c *caller) string {
		d := c.newcomer()
		c.done(c.admin(":update", object{"localId": d.uid, "emailVerified": true}))
		if claimsOf(c.again(d).idToken)["email_verified"] != true {
			return "never true"
		}
		a := c.done(c.client("update", object{"idToken": c.again(d).idToken, "email": newEmail(), "returnSecureToken": true}))
		if claimsOf(a.text("idToken"))["email_verified"] != false {
			return "true"
		}
		return "false"
	}},
	{name: "change the address to one that is taken", both: "EMAIL_EXISTS", observe: func(c *caller) string {
		return c.client("update", object{"idToken": c.newcomer().idToken, "email": c.newcomer().email}).outcome("changed")
	}},
	{name: "change the address to what is none", both: "INVALID_EMAIL", observe: func(c *caller) string {
		return c.client("update", object{"idToken": c.newcomer().idToken, "email": "nobody"}).outcome("changed")
	}},
	{name: "change the password to a weak one", both: "WEAK_PASSWORD", observe: func(c *caller) string {
		return c.client("update", object{"idToken": c.newcomer().idToken, "password": "12345"}).outcome("changed")
	}},
	{name: "change the password, 301 s after the sign-in", observe: func(c *caller) string {
		token := signedInBefore(c.newcomer(), 301)
		return c.client("update", object{"idToken": token, "password": otherPassword}).outcome("changed")
	}, official: "changed", ours: "CREDENTIAL_TOO_OLD_LOGIN_AGAIN",
		why: "[\"security-sensitive actions … require that the user has recently signed in\"](https://firebase.google.com/docs/auth/web/manage-users#re-authenticate_a_user); " +
			"five minutes is ours: production's limit is not documented"},
	{name: "delete the account", both: "deleted, and its tokens are refused: USER_NOT_FOUND", observe: func(c *caller) string {
		d := c.newcomer()
		a := c.client("delete", object{"idToken": d.idToken})
		return a.outcome("deleted, and its tokens are refused: " + lookup(c, d.idToken))
	}},
	{name: "delete the account, 301 s after the sign-in", observe: func(c *caller) string {
		return c.client("delete", object{"idToken": signedInBefore(c.newcomer(), 301)}).outcome("deleted")
	}, official: "deleted", ours: "CREDENTIAL_TOO_OLD_LOGIN_AGAIN", why: "the same"},
	{name: "set one's own custom claims", both: "INSUFFICIENT_PERMISSION", observe: ownUpdate("customAttributes", `{"admin":true}`)},
	{name: "set one's own `disabled`", both: "OPERATION_NOT_ALLOWED", observe: ownUpdate("disableUser", false)},
	{name: "set one's own `email_verified`", observe: ownUpdate("emailVerified", true),
		official: "ignored", ours: "INSUFFICIENT_PERMISSION", why: "not documented; what a client may not set is refused, so that nobody believes it was set"},
	{name: "set one's own `validSince`", observe: ownUpdate("validSince", "1"),
		official: "ignored", ours: "INSUFFICIENT_PERMISSION", why: "the same"},
	{name: "update without saying whom", both: "INVALID_REQ_TYPE", observe: func(c *caller) string {
		return c.client("update", object{"displayName": "Ana"}).outcome("changed")
	}},
}

func newAuthTime(c *caller, what, value string) string {
	d := c.newcomer()
	c.nextSecond()
	a := c.done(c.client("update", object{"idToken": d.idToken, what: value, "returnSecureToken": true}))
	if seconds(a.text("idToken"), "auth_time") == seconds(d.idToken, "auth_time") {
		return "of the sign-in before"
	}
	return "of the change"
}

// signedInBefore is a device's token as it would be had it signed in so many seconds ago.
func signedInBefore(d device, ago int64) string {
	return altered(d.idToken, object{"auth_time": time.Now().Unix() - ago})
}

// ownUpdate is what comes of a user's update of what is an administrator's.
func ownUpdate(what string, value any) func(*caller) string {
	return func(c *caller) string {
		d := c.newcomer()
		a := c.client("update", object{"idToken": d.idToken, what: value})
		user, err := c.sdk.GetUser(c, d.uid)
		c.must(err)
		if user.EmailVerified || user.TokensValidAfterMillis < 1e6 || len(user.CustomClaims) > 0 {
			return "changed"
		}
		return a.outcome("ignored")
	}
}

var longClaims = `{"a":"` + strings.Repeat("x", 1000) + `"}`
