package handlers_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestAccountChecksItsBody(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		for text, fields := range map[string][]string{
			``: {"email"}, `{}`: {"email"}, `{"email":null}`: {"email"}, `{"email":""}`: {"email"}, `{"email":" \t"}`: {"email"},
			`{"email":1}`: {"email"}, `{"email":"a@b.example","email":"c@d.example"}`: {"email"}, `{"Email":"a@b.example"}`: {"Email", "email"},
			`{"email":"a@b.example","userId":"bob"}`:                   {"userId"},
			`{"email":"` + strings.Repeat("a", 243) + `@example.com"}`: {"email"},
			`{"email":"a\u0000@b.example"}`:                            {"email"},
			`{"email":"a@b.example","password":"longer than six"}`:     {"password"},
			`["a@b.example"]`:    {"body"},
			`{"email":"nobody"}`: {"email"}, // Firebase's own word
			`{"email":"` + strings.Repeat("\u00e9", 300) + `@x.example"`: {"body"},
		} {
			w.do("PUT", "/v1/account/email", token, body(text)).faults(fields...)
		}
		for text, fields := range map[string][]string{
			``: {"password"}, `{"password":""}`: {"password"}, `{"password":12345678}`: {"password"}, `{"password":"\ud800 half a character"}`: {"password"},
			`{"password":"` + strings.Repeat("x", 4097) + `"}`: {"password"}, `{"email":"a@b.example"}`: {"email", "password"},
			`{"password":"short"}`: {"password"}, // Firebase's own word
		} {
			w.do("PUT", "/v1/account/password", token, body(text)).faults(fields...)
		}
		if w.dir.Email(ana) != "" || w.dir.Password(ana) != "" {
			t.Errorf("changed to %q, %q", w.dir.Email(ana), w.dir.Password(ana))
		}
		w.do("PUT", "/v1/account/email", token, body(`{"email":"`+strings.Repeat("a", 242)+`@example.com"}`)).want(http.StatusNoContent)
		w.do("PUT", "/v1/account/email", token, body(`{"email":" ana@example.com\n"}`)).want(http.StatusNoContent)
		if got := w.dir.Email(ana); got != "ana@example.com" {
			t.Errorf("the address is %q", got)
		}
		w.do("PUT", "/v1/account/email", w.live(bob), body(`{"email":"`+w.dir.Email(ana)+`"}`)).faults("email")
	})
}

// A password is set as it was typed, and is nowhere but in Firebase.
func TestPasswordStaysSecret(t *testing.T) {
	const secret = "  s3cr3t \\u00fc passphrase  "
	inWorld(t, func(w *world) {
		token := w.live(ana)
		refusal := w.do("PUT", "/v1/account/password", token, body(`{"password":"`+secret+`","x":1}`))
		refusal.faults("x")
		w.do("PUT", "/v1/account/password", token, body(`{"password":"`+secret+`"}`)).want(http.StatusNoContent)
		if got := w.dir.Password(ana); got != "  s3cr3t ü passphrase  " {
			t.Errorf("the password is %q", got)
		}
		w.dir.SetDown(true)
		w.do("PUT", "/v1/account/password", w.liveWhileDown(bob), body(`{"password":"`+secret+`"}`)).problem(503, session.CodeUnavailable)
		w.dir.SetDown(false)
		for _, place := range []string{w.log.String(), string(refusal.body), string(w.do("GET", "/v1/admin/events", w.live(boss)).body)} {
			if strings.Contains(place, "s3cr3t") {
				t.Errorf("the password is in %s", place)
			}
		}
	})
}

// liveWhileDown is live while the directory is down.
func (w *world) liveWhileDown(uid session.UserID) string {
	w.dir.SetDown(false)
	defer w.dir.SetDown(true)
	return w.live(uid)
}

// An old sign-in comes before a bad body, is looked up afresh, and leaves a trace.
func TestAccountNeedsARecentSignIn(t *testing.T) {
	requests := [][3]string{{"PUT", "/v1/account/email", `{`}, {"PUT", "/v1/account/password", `{"x":1}`}, {"DELETE", "/v1/account", ``}}
	inWorld(t, func(w *world) {
		token := w.live(ana)
		<-time.After(301 * time.Second)
		for _, r := range requests {
			a := w.do(r[0], r[1], token, body(r[2]))
			if p := a.problem(401, session.CodeReauthRequired); p["maxAge"] != 300.0 {
				t.Errorf("maxAge is %v", p["maxAge"])
			}
			if got, want := a.header.Get("WWW-Authenticate"), `Bearer error="insufficient_user_authentication", max_age="300"`; got != want {
				t.Errorf("challenge %q, want %q", got, want)
			}
		}
		if got := column(w.events("/v1/events", token), "type"); got != "reauth_refused reauth_refused reauth_refused session_started" {
			t.Errorf("events are %s", got)
		}
		fresh := w.live(ana)
		w.dir.Change(ana, func(a *session.Account) { a.Disabled = true })
		for _, r := range requests {
			w.do(r[0], r[1], fresh, body(r[2])).problem(401, session.CodeUserDisabled)
		}
	})
}

// A failing Firebase changes nothing and signs nobody out.
func TestAccountWithoutFirebase(t *testing.T) {
	inWorld(t, func(w *world) {
		own, other := w.live(ana), w.live(ana)
		w.dir.SetDown(true)
		w.do("PUT", "/v1/account/email", own, body(`{"email":"a@b.example"}`)).problem(503, session.CodeUnavailable)
		w.do("PUT", "/v1/account/password", own, body(`{"password":"longer than six"}`)).problem(503, session.CodeUnavailable)
		w.do("DELETE", "/v1/account", own).problem(503, session.CodeUnavailable)
		w.dir.SetDown(false)
		w.do("GET", "/v1/check", own).want(http.StatusNoContent)
		w.do("GET", "/v1/check", other).want(http.StatusNoContent)
	})
}

// picky is a directory that accepts no address.
type picky struct {
	*sessiontest.Directory
	err error
}

func (p picky) SetEmail(context.Context, session.UserID, string) error { return p.err }

// What Firebase does not accept is said of the field, in the reader's language.
func TestFirebasesRefusalNamesTheField(t *testing.T) {
	refusal := func(field, message string) error {
		return &session.Error{Op: "set e-mail", Code: session.CodeInvalidRequest, Field: field, Message: message}
	}
	for name, test := range map[string]struct {
		err      error
		language string
		want     string
	}{
		"English": {refusal("email", "is in use by another account"), "en", "is in use by another account"},
		"Spanish": {refusal("email", "is in use by another account"), "es", "ya está en uso en otra cuenta"},
		"silent":  {refusal("email", ""), "en", "is not valid"},
	} {
		inWorld(t, func(w *world) {
			a := w.do("PUT", "/v1/account/email", w.live(ana), body(`{"email":"a@b.example"}`), header("Accept-Language", test.language))
			a.faults("email")
			if got := objects(t, a.object()["errors"])[0]["message"]; got != test.want {
				t.Errorf("%s: %v, want %s", name, got, test.want)
			}
			if got := a.object()["detail"]; got == test.want {
				t.Errorf("%s: the detail is %q", name, got)
			}
		}, func(w *world) { w.editor = picky{w.dir, test.err} })
	}
	inWorld(t, func(w *world) {
		w.do("PUT", "/v1/account/email", w.live(ana), body(`{"email":"a@b.example"}`)).problem(404, session.CodeNotFound)
	}, func(w *world) { w.editor = picky{w.dir, &session.Error{Code: session.CodeNotFound}} })
}

func TestDeleteAccount(t *testing.T) {
	inWorld(t, func(w *world) {
		own, stranger := w.live(ana), w.live(bob)
		w.do("DELETE", "/v1/account", own).want(http.StatusNoContent)
		w.do("POST", "/v1/sessions", own).problem(401, session.CodeUserDisabled)
		w.do("GET", "/v1/check", stranger).want(http.StatusNoContent)
	})
}
