package firebasetest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"firebase.google.com/go/v4/auth"
	"google.golang.org/api/iterator"
)

var administration = []behaviour{
	{name: "look up 100 users at once", both: "100 found, 0 missing", observe: func(c *caller) string {
		return c.found(c.created(100))
	}},
	{name: "look up two users, one of whom does not exist", both: "1 found, 1 missing", observe: func(c *caller) string {
		return c.found(append(c.created(1), "nobody"))
	}},
	{name: "look up only users who do not exist", both: "0 found, 2 missing", observe: func(c *caller) string {
		return c.found([]string{"nobody", "nobody-else"})
	}},
	{name: "a look-up's `passwordHash`", observe: func(c *caller) string {
		d := c.newcomer()
		users, _ := c.done(c.admin(":lookup", object{"localId": []string{d.uid}})).fields["users"].([]any)
		hash, _ := users[0].(object)["passwordHash"].(string)
		if strings.Contains(hash, password) {
			return "has the password in it"
		}
		return "redacted"
	}, official: "has the password in it", ours: "redacted", why: "production shows `UkVEQUNURUQ=` to callers without the permission for hashes"},
	{name: "list all users, in pages of 2", both: "everybody once", observe: func(c *caller) string {
		mine := make(map[string]int)
		for _, uid := range c.created(5) {
			mine[uid] = 0
		}
		users := c.sdk.Users(c, "")
		pager := iterator.NewPager(users, 2, "")
		for token := "more"; token != ""; {
			var page []*auth.ExportedUserRecord
			var err error
			token, err = pager.NextPage(&page)
			c.must(err)
			for _, user := range page {
				if _, ok := mine[user.UID]; ok {
					mine[user.UID]++
				}
			}
		}
		for _, n := range mine {
			if n != 1 {
				return fmt.Sprintf("somebody %d times", n)
			}
		}
		return "everybody once"
	}},
	{name: "list users, in pages of 1,001", observe: func(c *caller) string {
		return c.get(toolkit + "/v1/projects/" + Project + "/accounts:batchGet?maxResults=1001").outcome("a page")
	}, official: "a page", ours: "INVALID_PAGE_SELECTION", why: "a page has at most 1,000 users; no SDK asks for more"},
	{name: "query users", observe: func(c *caller) string {
		return c.admin(":query", object{}).outcome("answered")
	}, official: "answered", ours: "OPERATION_NOT_ALLOWED", why: "not built: no Admin SDK has it"},
	{name: "create a user with a uid that is taken", both: "DUPLICATE_LOCAL_ID", observe: func(c *caller) string {
		return c.admin("", object{"localId": c.newcomer().uid}).outcome("created")
	}},
	{name: "create a user with an address that is taken", both: "EMAIL_EXISTS", observe: func(c *caller) string {
		return c.admin("", object{"email": c.newcomer().email}).outcome("created")
	}},
	{name: "create a user with a phone number that is taken", both: "PHONE_NUMBER_EXISTS", observe: func(c *caller) string {
		_ = c.admin("", object{"phoneNumber": "+15555550111"}) // of whichever run is the first
		return c.admin("", object{"phoneNumber": "+15555550111"}).outcome("created")
	}},
	{name: "create a user with what is no phone number", both: "INVALID_PHONE_NUMBER", observe: func(c *caller) string {
		return c.admin("", object{"phoneNumber": "555"}).outcome("created")
	}},
	{name: "update a user who does not exist", both: "USER_NOT_FOUND", observe: func(c *caller) string {
		return c.admin(":update", object{"localId": "nobody", "displayName": "Ana"}).outcome("changed")
	}},
	{name: "update nobody in particular", both: "MISSING_LOCAL_ID", observe: func(c *caller) string {
		return c.admin(":update", object{"displayName": "Ana"}).outcome("changed")
	}},
	{name: "set custom claims of more than 1,000 characters", both: "CLAIMS_TOO_LARGE", observe: setClaims(longClaims)},
	{name: "set a reserved claim", both: "FORBIDDEN_CLAIM", observe: setClaims(`{"auth_time":1}`)},
	{name: "set custom claims to a list", both: "INVALID_CLAIMS", observe: setClaims(`[1]`)},
	{name: "set custom claims to what is no JSON", both: "INVALID_CLAIMS", observe: setClaims(`{`)},
	{name: "take custom claims away", both: "changed", observe: setClaims(`{}`)},
	{name: "delete a user who does not exist", both: "USER_NOT_FOUND", observe: func(c *caller) string {
		return c.admin(":delete", object{"localId": "nobody"}).outcome("deleted")
	}},
	{name: "delete many: one who exists, one who does not", both: "2 deleted, 0 failed", observe: func(c *caller) string {
		result, err := c.sdk.DeleteUsers(c, append(c.created(1), "nobody"))
		c.must(err)
		return fmt.Sprintf("%d deleted, %d failed", result.SuccessCount, result.FailureCount)
	}},
	{name: "delete many without force, one who is not disabled", both: "NOT_DISABLED", observe: func(c *caller) string {
		a := c.done(c.admin(":batchDelete", object{"localIds": c.created(1)}))
		failures, _ := a.fields["errors"].([]any)
		if len(failures) != 1 {
			return "deleted"
		}
		message, _ := failures[0].(object)["message"].(string)
		word, _, _ := strings.Cut(message, " : ")
		return word
	}},
	{name: "import users", observe: func(c *caller) string {
		return c.admin(":batchCreate", object{"users": []object{{"localId": "imported"}}}).outcome("imported")
	}, official: "imported", ours: "OPERATION_NOT_ALLOWED", why: "not built"},
	{name: "make a session cookie", observe: func(c *caller) string {
		return c.json(http.MethodPost, toolkit+"/v1/projects/"+Project+":createSessionCookie", object{"idToken": c.newcomer().idToken}, owner).outcome("made")
	}, official: "made", ours: "404 NOT_FOUND", why: "not built: Vigil takes ID tokens alone"},
	{name: "`validSince` of a sign-up by password", both: "the second of its first token", observe: func(c *caller) string {
		d := c.newcomer()
		return stamp(validSince(c, d), d.idToken)
	}},
	{name: "`validSince` of an anonymous sign-up", observe: func(c *caller) string {
		d := deviceOf(c.done(c.client("signUp", object{"returnSecureToken": true})), "")
		return stamp(validSince(c, d), d.idToken)
	}, official: "none", ours: "the second of its first token", why: "not documented; a uid that is used anew must not bring its tokens back"},
	{name: "`validSince` of a password change", both: "the second of its token", observe: func(c *caller) string {
		d := c.newcomer()
		c.nextSecond()
		a := c.done(c.client("update", object{"idToken": d.idToken, "password": otherPassword, "returnSecureToken": true}))
		return strings.Replace(stamp(validSince(c, d), a.text("idToken")), "first ", "", 1)
	}},
	{name: "`validSince` of `RevokeRefreshTokens`", both: "the caller's time", observe: func(c *caller) string {
		d := c.newcomer()
		c.done(c.admin(":update", object{"localId": d.uid, "validSince": "1234567890"}))
		return map[bool]string{true: "the caller's time", false: "another"}[validSince(c, d) == 1234567890]
	}},
}

var requests = []behaviour{
	{name: "a client without an API key", both: "403 PERMISSION_DENIED", observe: func(c *caller) string {
		return c.json(http.MethodPost, toolkit+"/v1/accounts:signUp", object{}, nil).outcome("answered")
	}},
	{name: "a client with any API key", both: "answered", observe: func(c *caller) string {
		return c.json(http.MethodPost, toolkit+"/v1/accounts:signUp?key=whatever", object{}, nil).outcome("answered")
	}},
	{name: "a refresh without an API key", both: "403 PERMISSION_DENIED", observe: func(c *caller) string {
		return c.json(http.MethodPost, secureToken, object{"grant_type": "refresh_token", "refresh_token": "any"}, nil).outcome("answered")
	}},
	{name: "an administrator without a credential", both: "403 PERMISSION_DENIED", observe: func(c *caller) string {
		return c.json(http.MethodPost, toolkit+"/v1/projects/"+Project+"/accounts:lookup", object{"localId": []string{"x"}}, nil).outcome("answered")
	}},
	{name: "a list of users without a credential", both: "403 PERMISSION_DENIED", observe: func(c *caller) string {
		return c.call(http.MethodGet, toolkit+"/v1/projects/"+Project+"/accounts:batchGet", "", "", nil).outcome("answered")
	}},
	{name: "an administrator with an API key alone", both: "INSUFFICIENT_PERMISSION", observe: func(c *caller) string {
		return c.json(http.MethodPost, toolkit+"/v1/projects/"+Project+"/accounts:lookup?key=any", object{"localId": []string{"x"}}, nil).outcome("answered")
	}},
	{name: "an administrator with another credential", both: "401 UNAUTHENTICATED", observe: func(c *caller) string {
		return c.json(http.MethodPost, toolkit+"/v1/projects/"+Project+"/accounts:lookup", object{"localId": []string{"x"}},
			map[string]string{"Authorization": "Bearer somebody"}).outcome("answered")
	}},
	{name: "an administrator of another project", observe: func(c *caller) string {
		return c.json(http.MethodPost, toolkit+"/v1/projects/another/accounts:lookup", object{"localId": []string{"x"}}, owner).outcome("answered")
	}, official: "answered", ours: "PROJECT_NOT_FOUND", why: "the emulator makes every project that is named; ours stands in for one, and a wrong name is a mistake"},
	{name: "what is no JSON", both: "400 INVALID_ARGUMENT", observe: func(c *caller) string {
		a := c.call(http.MethodPost, toolkit+"/v1/accounts:signUp?key=any", "application/json", "{", nil)
		return strconv.Itoa(a.code) + " " + a.word
	}},
	{name: "an unknown field", both: "answered", observe: func(c *caller) string {
		return c.client("signUp", object{"somethingElse": true}).outcome("answered")
	}},
	{name: "an unknown path", both: "404 NOT_FOUND", observe: func(c *caller) string {
		return strings.Replace(c.client("nothing", object{}).outcome("answered"), "Not Found", "NOT_FOUND", 1)
	}},
	{name: "a request for another host", observe: func(c *caller) string {
		return c.call(http.MethodGet, "/", "", "", map[string]string{"Host": "rebound.example.com"}).outcome("answered")
	}, official: "answered", ours: "421 Misdirected Request", why: "whoever reaches an emulator can be anybody: a web page that rebinds its own name to 127.0.0.1 is kept out"},
	{name: "a request from another origin", observe: func(c *caller) string {
		return c.call(http.MethodGet, "/", "", "", map[string]string{"Origin": "https://evil.example.com"}).outcome("answered")
	}, official: "answered", ours: "403 PERMISSION_DENIED", why: "the same"},
	{name: "the project's configuration, where blocking functions are registered", observe: func(c *caller) string {
		return c.get(toolkit + "/v2/projects/" + Project + "/config").outcome("answered")
	}, official: "answered", ours: "404 NOT_FOUND", why: "not built: without blocking functions a `sid` comes from a custom token"},
	{name: "the emulator's own configuration", observe: func(c *caller) string {
		return c.get("/emulator/v1/projects/" + Project + "/config").outcome("answered")
	}, official: "answered", ours: "404 NOT_FOUND", why: "not built, as are its lists of mails and codes, since there are none"},
}

// created makes users as an administrator and returns their uids.
func (c *caller) created(n int) (uids []string) {
	for range n {
		uids = append(uids, c.done(c.admin("", object{"displayName": "Somebody"})).text("localId"))
	}
	return uids
}

func (c *caller) found(uids []string) string {
	ids := make([]auth.UserIdentifier, len(uids))
	for i, uid := range uids {
		ids[i] = auth.UIDIdentifier{UID: uid}
	}
	result, err := c.sdk.GetUsers(c, ids)
	c.must(err)
	return fmt.Sprintf("%d found, %d missing", len(result.Users), len(result.NotFound))
}

func setClaims(raw string) func(*caller) string {
	return func(c *caller) string {
		return c.admin(":update", object{"localId": c.newcomer().uid, "customAttributes": raw}).outcome("changed")
	}
}

func stamp(validSince int64, idToken string) string {
	switch validSince {
	case 0:
		return "none"
	case seconds(idToken, "iat"), seconds(idToken, "iat") - 1: // a second may begin between the two
		return "the second of its first token"
	default:
		return "another time"
	}
}
