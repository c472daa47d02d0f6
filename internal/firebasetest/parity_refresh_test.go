package firebasetest

import (
	"net/http"
	"strconv"
	"time"
)

var refreshing = []behaviour{
	{name: "refresh, as a form", both: "refreshed, for 3600 s", observe: func(c *caller) string {
		a := c.refresh(c.newcomer().refreshToken)
		return a.outcome("refreshed, for " + a.text("expires_in") + " s")
	}},
	{name: "refresh, as JSON", both: "refreshed, for 3600 s", observe: func(c *caller) string {
		body := object{"grant_type": "refresh_token", "refresh_token": c.newcomer().refreshToken}
		a := c.json(http.MethodPost, secureToken+"?key=any", body, nil)
		return a.outcome("refreshed, for " + a.text("expires_in") + " s")
	}},
	{name: "refresh, as JSON in camel case", both: "refreshed, for 3600 s", observe: func(c *caller) string {
		body := object{"grantType": "refresh_token", "refreshToken": c.newcomer().refreshToken}
		a := c.json(http.MethodPost, secureToken+"?key=any", body, nil)
		return a.outcome("refreshed, for " + a.text("expires_in") + " s")
	}},
	{name: "refresh with what is no refresh token", both: "INVALID_REFRESH_TOKEN", observe: func(c *caller) string {
		return c.refresh("nonsense").outcome("refreshed")
	}},
	{name: "refresh without a refresh token", both: "MISSING_REFRESH_TOKEN", observe: func(c *caller) string {
		return c.refresh("").outcome("refreshed")
	}},
	{name: "refresh without a grant type", both: "MISSING_GRANT_TYPE", observe: func(c *caller) string {
		return c.json(http.MethodPost, secureToken+"?key=any", object{"refresh_token": c.newcomer().refreshToken}, nil).outcome("refreshed")
	}},
	{name: "refresh with another grant type", both: "INVALID_GRANT_TYPE", observe: func(c *caller) string {
		return c.json(http.MethodPost, secureToken+"?key=any", object{"grant_type": "password", "refresh_token": c.newcomer().refreshToken}, nil).outcome("refreshed")
	}},
	{name: "the refresh token after a refresh", both: "the same", observe: func(c *caller) string {
		d := c.newcomer()
		if c.done(c.refresh(d.refreshToken)).text("refresh_token") != d.refreshToken {
			return "another"
		}
		return "the same"
	}},
	{name: "`project_id` in the answer to a refresh", observe: func(c *caller) string {
		id := c.done(c.refresh(c.newcomer().refreshToken)).text("project_id")
		if _, err := strconv.Atoi(id); err == nil {
			return "a number"
		}
		return "the project's id"
	}, official: "a number", ours: "the project's id",
		why: "the [REST reference][rest] calls it the project's id and shows a number; no SDK reads it"},
	{name: "a token's life", both: "3600 s from `iat`, which is now", observe: func(c *caller) string {
		d := c.newcomer()
		c.nextSecond()
		token := c.done(c.refresh(d.refreshToken)).text("id_token")
		life := seconds(token, "exp") - seconds(token, "iat")
		if age := time.Now().Unix() - seconds(token, "iat"); seconds(token, "iat") <= seconds(d.idToken, "iat") || age < 0 || age > 30 {
			return "issued at another time"
		}
		return strconv.FormatInt(life, 10) + " s from `iat`, which is now"
	}},
	{name: "`auth_time` after a refresh, one device", both: "of the sign-in", observe: func(c *caller) string {
		d := c.newcomer()
		c.nextSecond()
		if seconds(c.done(c.refresh(d.refreshToken)).text("id_token"), "auth_time") != seconds(d.idToken, "auth_time") {
			return "of something else"
		}
		return "of the sign-in"
	}},
	{name: "`auth_time` after a refresh, once another device has signed in", observe: func(c *caller) string {
		first := c.newcomer()
		c.nextSecond()
		second := c.again(first)
		switch seconds(c.done(c.refresh(first.refreshToken)).text("id_token"), "auth_time") {
		case seconds(first.idToken, "auth_time"):
			return "of its own sign-in"
		case seconds(second.idToken, "auth_time"):
			return "of the other device's sign-in"
		default:
			return "of something else"
		}
	}, official: "of the other device's sign-in", ours: "of its own sign-in",
		why: "all tokens of a sign-in have [\"the same auth_time value\"](https://firebase.google.com/docs/reference/admin/node/firebase-admin.auth.decodedidtoken#decodedidtokenauth_time); " +
			"the emulator takes the account's latest sign-in ([3608][3608]). So two devices melt into one session there, unless tokens carry `sid`"},
	{name: "`sign_in_provider` after a refresh, once another device has signed in otherwise", both: "of its own sign-in", observe: func(c *caller) string {
		d := c.newcomer()
		c.done(c.customSignIn(customToken(d.uid, nil)))
		if provider(c.done(c.refresh(d.refreshToken)).text("id_token")) != "password" {
			return "of the other device's sign-in"
		}
		return "of its own sign-in"
	}},
	{name: "a custom token's claims after refreshes, two devices", both: "each its own", observe: func(c *caller) string {
		uid := "custom-" + newEmail()
		for range 2 {
			for _, sid := range []string{"s-1", "s-2"} {
				d := deviceOf(c.done(c.customSignIn(customToken(uid, object{"claims": object{"sid": sid}}))), "")
				again := c.done(c.refresh(c.done(c.refresh(d.refreshToken)).text("refresh_token")))
				if claimsOf(again.text("id_token"))["sid"] != sid {
					return "lost or mixed up"
				}
			}
		}
		return "each its own"
	}},
	{name: "custom claims of an account", both: "in its tokens from the next refresh on", observe: func(c *caller) string {
		d := c.newcomer()
		c.must(c.sdk.SetCustomUserClaims(c, d.uid, object{"admin": true}))
		if claimsOf(d.idToken)["admin"] != nil || claimsOf(c.done(c.refresh(d.refreshToken)).text("id_token"))["admin"] != true {
			return "not in its tokens"
		}
		return "in its tokens from the next refresh on"
	}},
	{name: "an account's claim of the same name as a custom token's", both: "the custom token's wins", observe: func(c *caller) string {
		d := c.newcomer()
		c.must(c.sdk.SetCustomUserClaims(c, d.uid, object{"sid": "account"}))
		token := c.done(c.customSignIn(customToken(d.uid, object{"claims": object{"sid": "s-1"}}))).text("idToken")
		if claimsOf(token)["sid"] != "s-1" {
			return "the account's wins"
		}
		return "the custom token's wins"
	}},
	{name: "name and picture in tokens", both: "there", observe: func(c *caller) string {
		d := c.newcomer()
		c.done(c.client("update", object{"idToken": d.idToken, "displayName": "Ana", "photoUrl": "https://example.com/a.png"}))
		claims := claimsOf(c.done(c.refresh(d.refreshToken)).text("id_token"))
		if claims["name"] != "Ana" || claims["picture"] != "https://example.com/a.png" {
			return "missing"
		}
		return "there"
	}},
}

// after is a device's refresh once something has happened to the account a second after it signed in.
func after(event func(*caller, device)) func(*caller) string {
	return func(c *caller) string {
		d := c.newcomer()
		c.nextSecond()
		event(c, d)
		return c.refresh(d.refreshToken).outcome("refreshed")
	}
}

func revoke(c *caller, d device) { c.must(c.sdk.RevokeRefreshTokens(c, d.uid)) }

func remove(c *caller, d device) { c.must(c.sdk.DeleteUser(c, d.uid)) }

func disable(disabled bool) func(*caller, device) {
	return func(c *caller, d device) {
		c.done(c.admin(":update", object{"localId": d.uid, "disableUser": disabled}))
	}
}

// change is the user's own change of something, on a device that signed in for it.
func change(what string, to func() string) func(*caller, device) {
	return func(c *caller, d device) {
		c.done(c.client("update", object{"idToken": c.again(d).idToken, what: to(), "returnSecureToken": true}))
	}
}

func newPassword() string { return otherPassword }

const revokedWhy = "[a revocation ends every refresh token][sessions]: `TOKEN_EXPIRED`, and the user signs in again. The emulator stores the time and never looks at it"

const changedWhy = "[refresh tokens expire on \"password or email address updates\"][sessions]"

var endings = []behaviour{
	{name: "refresh after `RevokeRefreshTokens`", observe: after(revoke), official: "refreshed", ours: "TOKEN_EXPIRED", why: revokedWhy},
	{name: "refresh after a revocation in the second of the sign-in", observe: func(c *caller) string {
		d := c.newcomer()
		c.done(c.admin(":update", object{"localId": d.uid, "validSince": strconv.FormatInt(seconds(d.idToken, "iat"), 10)}))
		return c.refresh(d.refreshToken).outcome("refreshed")
	}, official: "refreshed", ours: "TOKEN_EXPIRED", why: "as above; not documented is whether production compares whole seconds. Ours ends every refresh token that exists"},
	{name: "sign in and refresh after a revocation", both: "refreshed", observe: func(c *caller) string {
		d := c.newcomer()
		revoke(c, d)
		return c.refresh(c.again(d).refreshToken).outcome("refreshed")
	}},
	{name: "an ID token after `RevokeRefreshTokens`, for `VerifyIDTokenAndCheckRevoked`", both: "revoked", observe: func(c *caller) string {
		d := c.newcomer()
		c.nextSecond()
		revoke(c, d)
		return c.verify(d.idToken)
	}},
	{name: "an ID token of the second of the revocation, for the same", both: "valid", observe: func(c *caller) string {
		d := c.newcomer()
		c.done(c.admin(":update", object{"localId": d.uid, "validSince": strconv.FormatInt(seconds(d.idToken, "iat"), 10)}))
		return c.verify(d.idToken)
	}},
	{name: "refresh after the account was disabled", both: "USER_DISABLED", observe: after(disable(true))},
	{name: "refresh after it was disabled and enabled", both: "refreshed", observe: after(func(c *caller, d device) {
		disable(true)(c, d)
		disable(false)(c, d)
	})},
	{name: "an ID token after the account was disabled, for `VerifyIDTokenAndCheckRevoked`", both: "disabled", observe: func(c *caller) string {
		d := c.newcomer()
		disable(true)(c, d)
		return c.verify(d.idToken)
	}},
	{name: "refresh after the account was deleted", observe: after(remove), official: "INVALID_REFRESH_TOKEN", ours: "USER_NOT_FOUND",
		why: "the [REST reference][rest]: \"The user corresponding to the refresh token was not found. It is likely the user was deleted\""},
	{name: "an ID token after the account was deleted, for `VerifyIDTokenAndCheckRevoked`", both: "no such user", observe: func(c *caller) string {
		d := c.newcomer()
		remove(c, d)
		return c.verify(d.idToken)
	}},
	{name: "refresh after the account was deleted and its uid used anew", observe: after(func(c *caller, d device) {
		remove(c, d)
		c.done(c.admin("", object{"localId": d.uid, "email": newEmail(), "password": password}))
	}), official: "refreshed", ours: "USER_NOT_FOUND", why: "[the user is deleted][sessions]: a uid that is used anew is another user's"},
	{name: "refresh after the user changed the password elsewhere", observe: after(change("password", newPassword)),
		official: "refreshed", ours: "TOKEN_EXPIRED", why: changedWhy},
	{name: "refresh after the user changed the address elsewhere", observe: after(change("email", newEmail)),
		official: "refreshed", ours: "TOKEN_EXPIRED", why: changedWhy},
	{name: "refresh after an administrator changed the password", observe: after(func(c *caller, d device) {
		c.done(c.admin(":update", object{"localId": d.uid, "password": otherPassword}))
	}), official: "refreshed", ours: "TOKEN_EXPIRED", why: changedWhy},
	{name: "refresh after an administrator changed the address", observe: after(func(c *caller, d device) {
		c.done(c.admin(":update", object{"localId": d.uid, "email": newEmail()}))
	}), official: "refreshed", ours: "TOKEN_EXPIRED", why: changedWhy},
	{name: "refresh after the user changed the name", both: "refreshed", observe: after(change("displayName", func() string { return "Ana" }))},
	{name: "an ID token after a password change in a later second, for `VerifyIDTokenAndCheckRevoked`", both: "revoked", observe: func(c *caller) string {
		d := c.newcomer()
		c.nextSecond()
		change("password", newPassword)(c, d)
		return c.verify(d.idToken)
	}},
	{name: "sign in with the old password after a change", observe: func(c *caller) string {
		d := c.newcomer()
		change("password", newPassword)(c, d)
		return c.signIn(d.email, password).outcome("signed in")
	}, official: "INVALID_PASSWORD", ours: "INVALID_LOGIN_CREDENTIALS", why: "[e-mail enumeration protection][enumeration], as above"},
}

// validSince is what a look-up says since when the account's ID tokens count.
func validSince(c *caller, d device) int64 {
	users, _ := c.done(c.admin(":lookup", object{"localId": []string{d.uid}})).fields["users"].([]any)
	if len(users) != 1 {
		panic(impasse("not one user"))
	}
	text, _ := users[0].(object)["validSince"].(string)
	n, _ := strconv.ParseInt(text, 10, 64) // absent: 0
	return n
}
