package firebasetest

import (
	"strings"
	"time"
)

var signingIn = []behaviour{
	{name: "sign up with a password", both: "signed in by password, address not verified", observe: func(c *caller) string {
		d := c.newcomer()
		if claims := claimsOf(d.idToken); claims["email"] != d.email || claims["email_verified"] != false {
			return "another address"
		}
		return "signed in by " + provider(d.idToken) + ", address not verified"
	}},
	{name: "sign up with an address that is taken, in capitals", both: "EMAIL_EXISTS", observe: func(c *caller) string {
		return c.client("signUp", object{"email": strings.ToUpper(c.newcomer().email), "password": password}).outcome("signed in")
	}},
	{name: "sign up with what is no address", both: "INVALID_EMAIL", observe: func(c *caller) string {
		return c.client("signUp", object{"email": "nobody", "password": password}).outcome("signed in")
	}},
	{name: "sign up without an address", both: "MISSING_EMAIL", observe: func(c *caller) string {
		return c.client("signUp", object{"password": password}).outcome("signed in")
	}},
	{name: "sign up with an address and no password", both: "MISSING_PASSWORD", observe: func(c *caller) string {
		return c.client("signUp", object{"email": newEmail()}).outcome("signed in")
	}},
	{name: "sign up with a password of 5 characters", both: "WEAK_PASSWORD", observe: func(c *caller) string {
		return c.client("signUp", object{"email": newEmail(), "password": "12345"}).outcome("signed in")
	}},
	{name: "sign up with a password of 4,097 characters", observe: func(c *caller) string {
		return c.client("signUp", object{"email": newEmail(), "password": strings.Repeat("x", 4097)}).outcome("signed in")
	}, official: "signed in", ours: "PASSWORD_DOES_NOT_MEET_REQUIREMENTS",
		why: "4,096 characters are the most that a [password policy][policy] allows"},
	{name: "sign up with a uid of one's choice", both: "UNEXPECTED_PARAMETER", observe: func(c *caller) string {
		return c.client("signUp", object{"localId": "mine", "email": newEmail(), "password": password}).outcome("signed in")
	}},
	{name: "sign in with the password, the address in capitals", both: "signed in by password", observe: func(c *caller) string {
		a := c.signIn(strings.ToUpper(c.newcomer().email), password)
		return a.outcome("signed in by " + provider(a.text("idToken")))
	}},
	{name: "sign in with a wrong password", observe: func(c *caller) string {
		return c.signIn(c.newcomer().email, otherPassword).outcome("signed in")
	}, official: "INVALID_PASSWORD", ours: "INVALID_LOGIN_CREDENTIALS",
		why: "[e-mail enumeration protection][enumeration], on by default in projects made since 15 September 2023, gives one answer for both; the emulator has it off"},
	{name: "sign in with an unknown address", observe: func(c *caller) string {
		return c.signIn(newEmail(), password).outcome("signed in")
	}, official: "EMAIL_NOT_FOUND", ours: "INVALID_LOGIN_CREDENTIALS", why: "the same"},
	{name: "sign in to a disabled account", both: "USER_DISABLED", observe: func(c *caller) string {
		d := c.newcomer()
		c.done(c.admin(":update", object{"localId": d.uid, "disableUser": true}))
		return c.signIn(d.email, password).outcome("signed in")
	}},
	{name: "sign in to a disabled account with a wrong password", observe: func(c *caller) string {
		d := c.newcomer()
		c.done(c.admin(":update", object{"localId": d.uid, "disableUser": true}))
		return c.signIn(d.email, otherPassword).outcome("signed in")
	}, official: "USER_DISABLED", ours: "INVALID_LOGIN_CREDENTIALS",
		why: "whoever has no password learns nothing about the account; what production says is not documented"},
	{name: "sign in anonymously", both: "signed in by anonymous, no address", observe: func(c *caller) string {
		token := c.done(c.client("signUp", object{"returnSecureToken": true})).text("idToken")
		if claimsOf(token)["email"] != nil {
			return "an address"
		}
		return "signed in by " + provider(token) + ", no address"
	}},
	{name: "add a password to an anonymous account", both: "the same uid, signed in by password", observe: func(c *caller) string {
		before := c.done(c.client("signUp", object{"returnSecureToken": true}))
		after := c.done(c.client("signUp", object{"idToken": before.text("idToken"), "email": newEmail(), "password": password}))
		uid := "another uid"
		if after.text("localId") == before.text("localId") {
			uid = "the same uid"
		}
		return uid + ", signed in by " + provider(after.text("idToken"))
	}},
	{name: "two sign-ins of one user, their refresh tokens", observe: func(c *caller) string {
		d := c.newcomer()
		if first, second := c.again(d), c.again(d); first.refreshToken == second.refreshToken {
			return "the same"
		}
		return "different"
	}, official: "the same", ours: "different",
		why: "[each sign-in is exchanged for tokens of its own][sessions]; the emulator's are the uid and the provider in base64"},
	{name: "ask how an address signs in, with a URL to go on to", observe: func(c *caller) string {
		known := c.done(c.client("createAuthUri", object{"identifier": c.newcomer().email, "continueUri": "http://localhost/"}))
		if known.fields["registered"] == true {
			return "known"
		}
		return "not told"
	}, official: "known", ours: "not told", why: "[e-mail enumeration protection][enumeration] tells nobody"},
	{name: "ask how an address signs in, without such a URL", observe: func(c *caller) string {
		return c.client("createAuthUri", object{"identifier": newEmail()}).outcome("not told")
	}, official: "MISSING_CONTINUE_URI", ours: "not told",
		why: "no SDK leaves it out, and nothing is done with it here"},
	{name: "sign in with Google", observe: func(c *caller) string {
		body := "id_token=" + `{"sub":"1","email":"` + newEmail() + `","email_verified":true}` + "&providerId=google.com"
		return c.client("signInWithIdp", object{"postBody": body, "requestUri": "http://localhost", "returnSecureToken": true}).outcome("signed in")
	}, official: "signed in", ours: "OPERATION_NOT_ALLOWED", why: "not built: a session does not depend on the provider"},
	{name: "ask for a password reset by mail", observe: func(c *caller) string {
		return c.client("sendOobCode", object{"requestType": "PASSWORD_RESET", "email": c.newcomer().email}).outcome("link printed")
	}, official: "link printed", ours: "OPERATION_NOT_ALLOWED", why: "not built: the word is that of a project where the method is switched off ([REST reference][rest])"},
	{name: "ask for a sign-in link by mail", observe: func(c *caller) string {
		return c.client("sendOobCode", object{"requestType": "EMAIL_SIGNIN", "email": newEmail(), "continueUrl": "http://localhost/"}).outcome("link printed")
	}, official: "link printed", ours: "OPERATION_NOT_ALLOWED", why: "the same"},
	{name: "ask for a code by text message", observe: func(c *caller) string {
		return c.client("sendVerificationCode", object{"phoneNumber": "+15555550100", "recaptchaToken": "any"}).outcome("code printed")
	}, official: "code printed", ours: "OPERATION_NOT_ALLOWED", why: "the same"},
	{name: "sign in to a tenant", observe: func(c *caller) string {
		return c.client("signUp", object{"email": newEmail(), "password": password, "tenantId": "acme"}).outcome("signed in")
	}, official: "signed in", ours: "UNSUPPORTED_TENANT_OPERATION",
		why: "not built: the word is Google's for what cannot be done with tenants"},
}

var customTokens = []behaviour{
	{name: "sign in as a new user", both: "a new user, signed in by custom", observe: func(c *caller) string {
		a := c.done(c.customSignIn(customToken("custom-"+newEmail(), nil)))
		if a.fields["isNewUser"] != true {
			return "not a new user"
		}
		return "a new user, signed in by " + provider(a.text("idToken"))
	}},
	{name: "sign in as a user who exists", both: "the same user, signed in by custom", observe: func(c *caller) string {
		d := c.newcomer()
		a := c.done(c.customSignIn(customToken(d.uid, nil)))
		if a.fields["isNewUser"] == true || claimsOf(a.text("idToken"))["email"] != d.email {
			return "another user"
		}
		return "the same user, signed in by " + provider(a.text("idToken"))
	}},
	{name: "sign in as a disabled user", both: "USER_DISABLED", observe: func(c *caller) string {
		d := c.newcomer()
		c.done(c.admin(":update", object{"localId": d.uid, "disableUser": true}))
		return c.customSignIn(customToken(d.uid, nil)).outcome("signed in")
	}},
	{name: "a token that the Admin SDK mints", both: "signed in by custom", observe: func(c *caller) string {
		token, err := c.sdk.CustomTokenWithClaims(c, "custom-"+newEmail(), object{"sid": "s-1"})
		c.must(err)
		a := c.customSignIn(token)
		return a.outcome("signed in by " + provider(a.text("idToken")))
	}},
	{name: "what is no token", both: "INVALID_CUSTOM_TOKEN", observe: func(c *caller) string {
		return c.customSignIn("nonsense").outcome("signed in")
	}},
	{name: "no custom token at all", both: "MISSING_CUSTOM_TOKEN", observe: func(c *caller) string {
		return c.client("signInWithCustomToken", object{}).outcome("signed in")
	}},
	{name: "an ID token in its place", both: "INVALID_CUSTOM_TOKEN", observe: func(c *caller) string {
		return c.customSignIn(c.newcomer().idToken).outcome("signed in")
	}},
	{name: "a custom token without a uid", both: "MISSING_IDENTIFIER", observe: func(c *caller) string {
		return c.customSignIn(customToken("", nil)).outcome("signed in")
	}},
	{name: "a custom token with a uid of 129 characters", observe: func(c *caller) string {
		return c.customSignIn(customToken(strings.Repeat("x", 129), nil)).outcome("signed in")
	}, official: "signed in", ours: "INVALID_LOCAL_ID", why: "[a uid has at most 128 characters][custom]"},
	{name: "a custom token that sets a reserved claim", both: "FORBIDDEN_CLAIM", observe: func(c *caller) string {
		return c.customSignIn(customToken("custom-"+newEmail(), object{"claims": object{"sub": "another"}})).outcome("signed in")
	}},
	{name: "an expired custom token", observe: func(c *caller) string {
		past := time.Now().Unix() - 7200
		return c.customSignIn(customToken("custom-"+newEmail(), object{"iat": past, "exp": past + 3600})).outcome("signed in")
	}, official: "signed in", ours: "INVALID_CUSTOM_TOKEN", why: "the [REST reference][rest] names expiry as a cause of `INVALID_CUSTOM_TOKEN`"},
	{name: "another project's custom token", observe: func(c *caller) string {
		iss := "firebase-adminsdk@another.iam.gserviceaccount.com"
		return c.customSignIn(customToken("custom-"+newEmail(), object{"iss": iss, "sub": iss})).outcome("signed in")
	}, official: "signed in", ours: "CREDENTIAL_MISMATCH", why: "the [REST reference][rest]: \"The custom token corresponds to a different Firebase project\""},
	{name: "a custom token with a signature", observe: func(c *caller) string {
		unsigned := customToken("custom-"+newEmail(), nil)
		_, payload, _ := strings.Cut(unsigned, ".")
		return c.customSignIn("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9." + payload + "c2lnbmF0dXJl").outcome("signed in")
	}, official: "signed in", ours: "INVALID_CUSTOM_TOKEN", why: "production checks the signature; ours cannot, so it takes none"},
	{name: "bare JSON in place of a custom token", observe: func(c *caller) string {
		return c.customSignIn(`{"uid":"custom-json"}`).outcome("signed in")
	}, official: "signed in", ours: "INVALID_CUSTOM_TOKEN", why: "the emulator's own convenience"},
}
