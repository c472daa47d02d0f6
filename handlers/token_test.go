package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func TestToken(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.signIn(ana)
		answer := w.do("GET", "/v1/token", token).want(http.StatusOK).object()
		keys(t, answer, "userId", "issuedAt", "expiresAt", "authTime", "signInProvider", "claims", "recentAuth", "reauthMaxAge")
		at := float64(w.dir.Identity(token).AuthTime.Unix())
		for name, want := range map[string]any{"userId": "ana", "issuedAt": at, "expiresAt": at + 3600, "authTime": at,
			"signInProvider": "password", "recentAuth": true, "reauthMaxAge": 300.0} {
			if answer[name] != want {
				t.Errorf("%s is %v, want %v", name, answer[name], want)
			}
		}
		if claims, ok := answer["claims"].(map[string]any); !ok || len(claims) != 0 {
			t.Errorf("claims are %v", answer["claims"])
		}
		<-time.After(300 * time.Second)
		if w.do("GET", "/v1/token", token).object()["recentAuth"] != true {
			t.Error("a sign-in of 300 s is not recent")
		}
		<-time.After(time.Second)
		if w.do("GET", "/v1/token", token).object()["recentAuth"] != false {
			t.Error("a sign-in of 301 s is recent")
		}
		claims, _ := w.do("GET", "/v1/token", w.signIn(boss)).object()["claims"].(map[string]any)
		if claims["admin"] != true {
			t.Errorf("an admin's claims are %v", claims)
		}
	})
}

func TestAuthorization(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		set := func(values ...string) edit {
			return func(r *http.Request) { r.Header["Authorization"] = values }
		}
		for name, test := range map[string]struct {
			edit edit
			code session.Code
		}{
			"upper-case scheme":  {set("BEARER " + token), ""},
			"more space":         {set("bearer   " + token + " "), ""},
			"none":               {set(), session.CodeTokenMissing},
			"empty":              {set(""), session.CodeTokenMissing},
			"no token":           {set("Bearer "), session.CodeTokenMissing},
			"another scheme":     {set("Basic " + token), session.CodeTokenInvalid},
			"no scheme":          {set(token), session.CodeTokenInvalid},
			"scheme run in":      {set("Bearer" + token), session.CodeTokenInvalid},
			"two tokens":         {set("Bearer " + token + " " + token), session.CodeTokenInvalid},
			"four dots":          {set("Bearer " + token + ".x.y"), session.CodeTokenInvalid},
			"a megabyte of dots": {set("Bearer " + strings.Repeat(".", 1<<20)), session.CodeTokenInvalid},
			"repeated":           {set("Bearer "+token, "Bearer "+token), session.CodeInvalidRequest},
			"repeated, one bad":  {set("Bearer "+token, ""), session.CodeInvalidRequest},
			"joined":             {set("Bearer " + token + ", Bearer " + token), session.CodeInvalidRequest},
		} {
			a := w.do("GET", "/v1/check", "", test.edit)
			switch test.code {
			case "":
				a.want(http.StatusNoContent)
			case session.CodeInvalidRequest:
				a.faults("Authorization")
			default:
				a.problem(http.StatusUnauthorized, test.code)
			}
			if t.Failed() {
				t.Fatal(name)
			}
		}
		w.do("GET", "/v1/check?access_token="+token, "").problem(401, session.CodeTokenMissing)
	})
}

func TestCheck(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		<-time.After(100 * time.Second)
		a := w.do("GET", "/v1/check", token).want(http.StatusNoContent)
		for name, want := range map[string]string{"X-Vigil-User": "ana", "X-Vigil-Session": w.id(token), "X-Vigil-Auth-Time": "946684801"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		w.do("GET", "/v1/check?maxAge=100", token).want(http.StatusNoContent)
		a = w.do("GET", "/v1/check?maxAge=99", token)
		if p := a.problem(401, session.CodeReauthRequired); p["maxAge"] != 99.0 {
			t.Errorf("maxAge is %v", p["maxAge"])
		}
		if got := a.header.Get("X-Vigil-User"); got != "" {
			t.Errorf("a refusal names %q", got)
		}
		w.do("GET", "/v1/check?maxAge=0", token).problem(401, session.CodeReauthRequired)
		for _, value := range []string{"", "-1", "+1", "1.5", "1e3", "0x10", "abc", "2147483648", "9223372037", "99999999999999999999", "1_000", "%20"} {
			w.do("GET", "/v1/check?maxAge="+value, token).faults("maxAge")
		}
		w.do("GET", "/v1/check?maxAge=300&maxAge=999", token).faults("maxAge")
		w.do("GET", "/v1/check?maxage=300", token).faults("maxage")
		w.do("GET", "/v1/check?activity=1&maxAge=x&y=z", token).faults("activity", "maxAge", "y")
		w.do("GET", "/v1/check?activity=%zz", token).faults("query")
	})
}

// Recent operations look up afresh: a revocation that is not known yet counts.
func TestCheckRecentIsFresh(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		<-time.After(time.Minute)
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
		w.dir.Change(ana, func(a *session.Account) { a.Disabled = true })
		w.do("GET", "/v1/check", token).want(http.StatusNoContent) // within USER_STATE_TTL
		w.do("GET", "/v1/check?maxAge=300", token).problem(401, session.CodeUserDisabled)
		w.do("GET", "/v1/check", token).problem(401, session.CodeUserDisabled)
	})
}

func TestCheckActivity(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		idle := func() time.Time {
			s, err := w.store.Store.Session(t.Context(), session.ID(w.id(token)))
			if err != nil {
				t.Fatal(err)
			}
			return s.LastActive
		}
		before := idle()
		<-time.After(10 * time.Minute)
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
		w.do("GET", "/v1/check?activity=false", token).want(http.StatusNoContent)
		synctest.Wait()
		if !idle().Equal(before) {
			t.Error("a check alone is activity")
		}
		w.do("GET", "/v1/check?activity=true", token).want(http.StatusNoContent)
		synctest.Wait()
		if got, want := idle(), before.Add(10*time.Minute); !got.Equal(want) {
			t.Errorf("last active %v, want %v", got, want)
		}
		for _, mode := range []int32{hangs, fails} {
			w.store.mode.Store(mode)
			<-time.After(10 * time.Minute) // it is due to be stored at once
			began := time.Now()
			w.do("GET", "/v1/check?activity=true", token).want(http.StatusNoContent)
			if took := time.Since(began); took != 0 {
				t.Errorf("the check waited %v for the store", took)
			}
		}
		active := time.Now()
		<-time.After(10 * time.Second)
		w.store.mode.Store(works)
		<-time.After(10 * time.Minute) // the registry retries, and stores the trailing activity
		if got := idle(); !got.Equal(active) {
			t.Errorf("last active %v, want %v: an activity is lost", got, active)
		}
	})
}

func TestUserHeader(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live("a/b%é \t~")
		if got, want := w.do("GET", "/v1/check", token).want(204).header.Get("X-Vigil-User"), "a/b%25%C3%A9%20%09~"; got != want {
			t.Errorf("X-Vigil-User is %q, want %q", got, want)
		}
	})
}
