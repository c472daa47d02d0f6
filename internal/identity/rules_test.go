package identity

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs a test against a server whose time is the bubble's: waiting
// takes none.
func inBubble(t *testing.T, f func(t *testing.T, w wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, wire{t, newTestServer(t)})
	})
}

func pass(d time.Duration) { <-time.After(d) }

func TestRefreshKeepsAuthTimeOfItsOwnSignIn(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		phone := w.signUpAna()
		pass(time.Minute)
		laptop := w.signInAna()
		pass(time.Minute)
		for name, device := range map[string]answer{"phone": phone, "laptop": laptop} {
			before := claimsOf(t, device.text("idToken"))
			refreshed := w.must(w.refresh(device.text("refreshToken")))
			after := claimsOf(t, refreshed.text("id_token"))
			if got, want := seconds(t, after, "auth_time"), seconds(t, before, "auth_time"); got != want {
				t.Errorf("%s: auth_time = %d after a refresh, want %d", name, got, want)
			}
			if iat := seconds(t, after, "iat"); iat != time.Now().Unix() || seconds(t, after, "exp") != iat+3600 {
				t.Errorf("%s: iat = %d, exp = %v at %d", name, iat, after["exp"], time.Now().Unix())
			}
			if refreshed.text("refresh_token") != device.text("refreshToken") {
				t.Errorf("%s: the refresh token changed", name)
			}
		}
		if phone.text("refreshToken") == laptop.text("refreshToken") {
			t.Error("two sign-ins share a refresh token")
		}
	})
}

func TestSigningInAgainGivesANewAuthTime(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		first := claimsOf(t, w.signUpAna().text("idToken"))
		pass(time.Minute)
		again := claimsOf(t, w.signInAna().text("idToken"))
		if got := seconds(t, again, "auth_time") - seconds(t, first, "auth_time"); got != 60 {
			t.Errorf("auth_time moved by %d s, want 60", got)
		}
		if first["sub"] != again["sub"] {
			t.Error("the uid changed")
		}
	})
}

func TestRevocationEndsWhatExistsAndNothingLater(t *testing.T) {
	for name, wait := range map[string]time.Duration{"same second": 0, "a second later": time.Second} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w wire) {
				old := w.signUpAna()
				pass(wait)
				w.must(w.admin(":update", object{"localId": old.text("localId"), "validSince": time.Now().Unix()}))
				fresh := w.signInAna()

				w.wantWord(w.refresh(old.text("refreshToken")), tokenExpired)
				w.must(w.refresh(fresh.text("refreshToken")))
				w.must(w.client("lookup", object{"idToken": fresh.text("idToken")}))
				// Id tokens are compared in whole seconds, as the Admin SDK does.
				if lookup := w.client("lookup", object{"idToken": old.text("idToken")}); wait > 0 {
					w.wantWord(lookup, tokenExpired)
				} else {
					w.must(lookup)
				}
			})
		})
	}
}

func TestRevocationStampedInThePastSparesLaterSignIns(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		old := w.signUpAna()
		stamp := time.Now().Unix()
		pass(2 * time.Second)
		later := w.signInAna()
		w.must(w.admin(":update", object{"localId": old.text("localId"), "validSince": stamp}))
		w.wantWord(w.refresh(old.text("refreshToken")), tokenExpired)
		w.must(w.refresh(later.text("refreshToken")))
	})
}

func TestRevocationStampedInTheFutureHoldsUntilThen(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		uid := w.signUpAna().text("localId")
		w.must(w.admin(":update", object{"localId": uid, "validSince": time.Now().Add(time.Minute).Unix()}))
		early := w.signInAna()
		w.wantWord(w.client("lookup", object{"idToken": early.text("idToken")}), tokenExpired)
		w.wantWord(w.refresh(early.text("refreshToken")), tokenExpired)
		pass(time.Minute)
		w.must(w.refresh(w.signInAna().text("refreshToken")))
	})
}

var newCredentials = map[string]object{
	"password": {"password": "battery staple"},
	"email":    {"email": "new@example.com"},
}

func TestNewCredentialsOfAUserEndEveryOtherSignIn(t *testing.T) {
	for name, update := range newCredentials {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w wire) {
				here, elsewhere := w.signUpAna(), w.signInAna()
				pass(time.Minute)
				updated := w.must(w.client("update", with(update, "idToken", here.text("idToken"))))

				claims := claimsOf(t, updated.text("idToken"))
				now := time.Now().Unix()
				if seconds(t, claims, "auth_time") != now || seconds(t, claims, "iat") != now {
					t.Errorf("claims = %v, want a sign-in of this second, %d", claims, now)
				}
				w.must(w.client("lookup", object{"idToken": updated.text("idToken")}))
				w.must(w.refresh(updated.text("refreshToken")))
				for _, ended := range []answer{here, elsewhere} {
					w.wantWord(w.refresh(ended.text("refreshToken")), tokenExpired)
					w.wantWord(w.client("lookup", object{"idToken": ended.text("idToken")}), tokenExpired)
				}
			})
		})
	}
}

func TestNewPasswordEndsOtherSignInsOfItsOwnSecond(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		here, elsewhere := w.signUpAna(), w.signInAna()
		updated := w.must(w.client("update", object{"idToken": here.text("idToken"), "password": "battery staple"}))
		for _, ended := range []answer{here, elsewhere} {
			w.wantWord(w.refresh(ended.text("refreshToken")), tokenExpired)
		}
		w.must(w.refresh(updated.text("refreshToken")))
	})
}

func TestNewCredentialsByAnAdministratorEndEverySignIn(t *testing.T) {
	for name, update := range newCredentials {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w wire) {
				ana := w.signUpAna()
				pass(time.Second)
				updated := w.must(w.admin(":update", with(update, "localId", ana.text("localId"))))
				if updated.text("idToken") != "" {
					t.Error("an administrator got a user's token")
				}
				w.wantWord(w.refresh(ana.text("refreshToken")), tokenExpired)
				w.wantWord(w.client("lookup", object{"idToken": ana.text("idToken")}), tokenExpired)
			})
		})
	}
}

func TestTheSameAddressIsNoNewCredential(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		ana := w.signUpAna()
		pass(time.Hour - time.Second)
		updated := w.must(w.client("update", object{"idToken": ana.text("idToken"), "email": "ANA@example.com"}))
		if updated.text("idToken") != "" {
			t.Error("the address did not change, and yet there is a new sign-in")
		}
		w.must(w.refresh(ana.text("refreshToken")))
	})
}

func TestPasswordSignUpIsValidFromItsOwnSecond(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		pass(300 * time.Millisecond) // a stamp of whole seconds lies in the past
		ana := w.signUpAna()
		w.must(w.client("lookup", object{"idToken": ana.text("idToken")}))
		w.must(w.refresh(ana.text("refreshToken")))
		user := w.must(w.admin(":lookup", object{"localId": []string{ana.text("localId")}}))
		info, _ := user.fields["users"].([]any)[0].(object)
		iat := seconds(t, claimsOf(t, ana.text("idToken")), "iat")
		if info["validSince"] != strconv.FormatInt(iat, 10) {
			t.Errorf("validSince = %v, iat = %d, want the same second", info["validSince"], iat)
		}
	})
}

func TestSensitiveChangesWantARecentSignIn(t *testing.T) {
	for name, attempt := range map[string]func(w wire, idToken string) answer{
		"password": func(w wire, idToken string) answer {
			return w.client("update", object{"idToken": idToken, "password": "battery staple"})
		},
		"email": func(w wire, idToken string) answer {
			return w.client("update", object{"idToken": idToken, "email": "new@example.com"})
		},
		"delete": func(w wire, idToken string) answer {
			return w.client("delete", object{"idToken": idToken})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w wire) {
				ana := w.signUpAna()
				pass(recentLogin + time.Second)
				// A refreshed token is young; the sign-in behind it is not.
				refreshed := w.must(w.refresh(ana.text("refreshToken")))
				w.wantWord(attempt(w, refreshed.text("id_token")), credentialTooOld)
				w.must(w.client("update", object{"idToken": refreshed.text("id_token"), "displayName": "Ana"}))
				w.must(attempt(w, w.signInAna().text("idToken")))
			})
		})
	}
}

func TestExpiredTokenIsNoCredential(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		ana := w.signUpAna()
		lookup := func() answer { return w.client("lookup", object{"idToken": ana.text("idToken")}) }
		pass(time.Hour - time.Second)
		w.must(lookup())
		pass(time.Second)
		w.wantWord(lookup(), tokenExpired)
		w.must(w.refresh(ana.text("refreshToken")))
	})
}

func TestTokenTTLIsAnOption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Options{ProjectID: testProject, TokenTTL: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		w := wire{t, s}
		ana := w.signUpAna()
		if ana.text("expiresIn") != "5" {
			t.Errorf("expiresIn = %q, want 5", ana.text("expiresIn"))
		}
		pass(5 * time.Second)
		w.wantWord(w.client("lookup", object{"idToken": ana.text("idToken")}), tokenExpired)
	})
}

func TestDisabledAccountComesBackWhenEnabled(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		ana := w.signUpAna()
		setDisabled := func(disabled bool) {
			w.must(w.admin(":update", object{"localId": ana.text("localId"), "disableUser": disabled}))
		}
		setDisabled(true)
		w.wantWord(w.refresh(ana.text("refreshToken")), userDisabled)
		w.wantWord(w.client("lookup", object{"idToken": ana.text("idToken")}), userDisabled)
		w.wantWord(w.client("update", object{"idToken": ana.text("idToken"), "displayName": "Ana"}), userDisabled)
		w.wantWord(w.client("signInWithPassword", object{"email": anaEmail, "password": anaPassword}), userDisabled)
		w.wantWord(w.client("signInWithCustomToken",
			object{"token": mintCustomToken(t, object{"uid": ana.text("localId")})}), userDisabled)
		setDisabled(false)
		w.must(w.refresh(ana.text("refreshToken")))
	})
}

func TestDeletedAccountStaysDeletedWhenItsUIDIsUsedAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		ana := w.signUpAna()
		uid := ana.text("localId")
		w.must(w.admin(":delete", object{"localId": uid}))
		w.wantWord(w.refresh(ana.text("refreshToken")), userNotFound)
		w.wantWord(w.client("lookup", object{"idToken": ana.text("idToken")}), userNotFound)

		pass(time.Second)
		w.must(w.admin("", object{"localId": uid}))
		w.wantWord(w.refresh(ana.text("refreshToken")), userNotFound)
		w.wantWord(w.client("lookup", object{"idToken": ana.text("idToken")}), tokenExpired)
		anew := w.must(w.client("signInWithCustomToken", object{"token": mintCustomToken(t, object{"uid": uid})}))
		w.must(w.refresh(anew.text("refreshToken")))
	})
}

func TestDeveloperClaimsBelongToTheirSignIn(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		signIn := func(claims object) answer {
			return w.must(w.client("signInWithCustomToken",
				object{"token": mintCustomToken(t, object{"uid": "ana", "claims": claims})}))
		}
		one, two := signIn(object{"sid": "s-1"}), signIn(object{"sid": "s-2"})
		w.must(w.admin(":update", object{"localId": "ana", "customAttributes": `{"admin":true,"sid":"account"}`}))
		pass(time.Minute)
		for sid, device := range map[string]answer{"s-1": one, "s-2": two} {
			claims := claimsOf(t, w.must(w.refresh(device.text("refreshToken"))).text("id_token"))
			if claims["sid"] != sid || claims["admin"] != true {
				t.Errorf("claims = %v, want sid %s and the account's admin", claims, sid)
			}
		}
	})
}

func TestExpiredCustomTokenSignsNobodyIn(t *testing.T) {
	inBubble(t, func(t *testing.T, w wire) {
		token := mintCustomToken(t, object{"uid": "ana"})
		pass(time.Hour)
		w.wantWord(w.client("signInWithCustomToken", object{"token": token}), invalidCustomToken)
	})
}
