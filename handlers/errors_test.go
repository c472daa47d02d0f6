package handlers_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/session"
)

func reject(w *world) {
	w.settings.MaxSessions, w.settings.LimitPolicy = 1, session.LimitReject
}

func panics(w *world) {
	w.options.Socket = func(http.ResponseWriter, *http.Request, session.Origin) error { panic("oh") }
}

// strict ends sessions that move to another network.
func strict(w *world) { w.settings.IPPolicy = session.IPStrict }

// Every code that the document knows is the answer to some request.
func TestContractErrors(t *testing.T) {
	tests := []struct {
		code      session.Code
		status    int
		challenge string
		request   func(*world) answer
		change    func(*world)
	}{
		{"token_missing", 401, `Bearer error="invalid_token"`, func(w *world) answer { return w.do("GET", "/v1/token", "") }, nil},
		{"token_invalid", 401, `Bearer error="invalid_token"`, func(w *world) answer { return w.do("GET", "/v1/token", "a.b.c") }, nil},
		{"token_expired", 401, `Bearer error="invalid_token"`, func(w *world) answer {
			token := w.live(ana)
			<-time.After(time.Hour)
			return w.do("GET", "/v1/check", token)
		}, nil},
		{"user_disabled", 401, `Bearer error="invalid_token"`, func(w *world) answer {
			token := w.signIn(ana)
			w.dir.Remove(ana)
			return w.do("GET", "/v1/token", token)
		}, nil},
		{"token_revoked", 401, `Bearer error="invalid_token"`, func(w *world) answer {
			token, admin := w.live(ana), w.live(boss)
			w.do("POST", "/v1/admin/users/ana/revoke", admin).want(200)
			return w.do("POST", "/v1/sessions", token)
		}, nil},
		{"session_required", 401, `Bearer error="invalid_token"`, func(w *world) answer { return w.do("GET", "/v1/check", w.signIn(ana)) }, nil},
		{"session_ended", 401, `Bearer error="invalid_token"`, func(w *world) answer {
			token := w.live(ana)
			w.do("POST", "/v1/logout", token)
			return w.do("GET", "/v1/check", token)
		}, nil},
		{"reauth_required", 401, `Bearer error="insufficient_user_authentication", max_age="0"`, func(w *world) answer {
			token := w.live(ana)
			w.do("POST", "/v1/logout", token)
			return w.do("POST", "/v1/sessions", token)
		}, nil},
		{"reauth_required", 401, `Bearer error="insufficient_user_authentication", max_age="0"`, func(w *world) answer {
			token := w.signIn(ana)
			<-time.After(12 * time.Hour)
			return w.do("POST", "/v1/sessions", w.dir.Refresh(token))
		}, nil},
		{"reauth_required", 401, `Bearer error="insufficient_user_authentication", max_age="300"`, func(w *world) answer {
			admin := w.live(boss)
			<-time.After(301 * time.Second)
			return w.do("POST", "/v1/admin/users/ana/revoke", admin)
		}, nil},
		{"ip_changed", 401, `Bearer error="invalid_token"`, func(w *world) answer {
			return w.do("GET", "/v1/sessions", w.live(ana), from("198.51.100.7:5"))
		}, strict},
		{"forbidden", 403, "", func(w *world) answer { return w.do("GET", "/v1/admin/users/ana/sessions", w.live(ana)) }, nil},
		{"invalid_request", 400, "", func(w *world) answer { return w.do("POST", "/v1/sessions", w.signIn(ana), body(`[]`)) }, nil},
		{"not_found", 404, "", func(w *world) answer { return w.do("GET", "/v1/nothing", "") }, nil},
		{"method_not_allowed", 405, "", func(w *world) answer { return w.do("PATCH", "/v1/sessions", "") }, nil},
		{"misdirected", 421, "", func(w *world) answer {
			a := w.do("GET", "/healthz", "", func(r *http.Request) { r.Host = "rebound.example.com" }, header("Origin", origin))
			if a.header.Get("Access-Control-Allow-Origin") != "" {
				w.t.Error("a page may read what another host answers")
			}
			if detail := a.object()["detail"]; detail != "This server answers to loopback host names only: localhost, 127.0.0.1 or [::1]." {
				w.t.Errorf("detail %q", detail)
			}
			w.do("GET", "/healthz", "", func(r *http.Request) { r.Host = "localhost" }).want(http.StatusOK)
			return a
		}, func(w *world) { w.options.HostAllowed = func(host string) bool { return host == "localhost" } }},
		{"session_limit", 409, "", func(w *world) answer {
			w.live(ana)
			return w.do("POST", "/v1/sessions", w.signIn(ana))
		}, reject},
		{"too_large", 413, "", func(w *world) answer {
			return w.do("POST", "/v1/sessions", w.signIn(ana), body(`{"deviceName":"`+strings.Repeat("x", 64<<10)+`"}`))
		}, nil},
		{"rate_limited", 429, "", func(w *world) answer {
			w.do("GET", "/v1/token", "").problem(401, session.CodeTokenMissing)
			return w.do("GET", "/v1/token", "")
		}, func(w *world) { w.options.Limits.API = handlers.Limit{PerSecond: 1, Burst: 1} }},
		{"internal", 500, "", func(w *world) answer { return w.do("GET", "/v1/ws", "") }, panics},
		{"unavailable", 503, "", func(w *world) answer {
			w.store.mode.Store(fails)
			return w.do("POST", "/v1/sessions", w.signIn(ana))
		}, nil},
	}
	var produced []any
	for _, test := range tests {
		t.Run(string(test.code), func(t *testing.T) {
			if test.change == nil {
				test.change = func(*world) {}
			}
			inWorld(t, func(w *world) {
				a := test.request(w)
				p := a.problem(test.status, test.code)
				produced = append(produced, p["code"])
				if got := a.header.Get("WWW-Authenticate"); got != test.challenge {
					t.Errorf("challenge %q, want %q", got, test.challenge)
				}
				want := []string{"type", "title", "status", "detail", "code", "requestId"}
				switch test.code {
				case session.CodeSessionEnded, session.CodeIPChanged:
					want = append(want, "reason", "endedAt")
				case session.CodeUserDisabled:
					want = append(want, "reason")
				case session.CodeInvalidRequest:
					want = append(want, "errors")
				case session.CodeReauthRequired:
					want = append(want, "maxAge")
					if _, ok := p["reason"]; ok {
						want = append(want, "reason")
					}
				default:
				}
				keys(t, p, want...)
			}, test.change)
		})
	}
	var described struct {
		Components struct {
			Schemas struct{ Code struct{ Enum []any } }
		}
	}
	if err := json.Unmarshal(handlers.OpenAPI(), &described); err != nil {
		t.Fatal(err)
	}
	codes := described.Components.Schemas.Code.Enum
	for _, code := range codes {
		if !slices.Contains(produced, code) {
			t.Errorf("no request produces %s", code)
		}
	}
	if len(codes) < 18 {
		t.Errorf("the document knows %v only", codes)
	}
}

// Of several errors that apply, the first of the contract's table is the answer.
func TestOrder(t *testing.T) {
	tests := []struct {
		name    string
		code    session.Code
		request func(*world) answer
	}{
		{"a bad token before a bad body", session.CodeTokenInvalid, func(w *world) answer {
			return w.do("POST", "/v1/sessions", "a.b.c", body(`{`))
		}},
		{"an expired token before a disabled account", session.CodeTokenExpired, func(w *world) answer {
			token := w.live(ana)
			w.dir.Remove(ana)
			<-time.After(time.Hour)
			return w.do("GET", "/v1/check", token)
		}},
		{"a disabled account before a revoked sign-in", session.CodeUserDisabled, func(w *world) answer {
			token, admin := w.live(ana), w.live(boss)
			w.dir.Change(ana, func(a *session.Account) { a.Disabled = true })
			w.do("POST", "/v1/admin/users/ana/revoke", admin).want(200)
			return w.do("GET", "/v1/check", token)
		}},
		{"a revoked sign-in before an ended session", session.CodeTokenRevoked, func(w *world) answer {
			token, admin := w.live(ana), w.live(boss)
			w.do("POST", "/v1/logout", token).want(204)
			w.do("POST", "/v1/admin/users/ana/revoke", admin).want(200)
			return w.do("GET", "/v1/check", token)
		}},
		{"a revoked sign-in before a spent one", session.CodeTokenRevoked, func(w *world) answer {
			token, admin := w.live(ana), w.live(boss)
			w.do("POST", "/v1/logout", token).want(204)
			w.do("POST", "/v1/admin/users/ana/revoke", admin).want(200)
			return w.do("POST", "/v1/sessions", token)
		}},
		{"no session before not an admin", session.CodeSessionRequired, func(w *world) answer {
			return w.do("GET", "/v1/admin/users/ana/sessions", w.signIn(ana))
		}},
		{"an ended session before not an admin", session.CodeSessionEnded, func(w *world) answer {
			token := w.live(ana)
			w.do("POST", "/v1/logout", token).want(204)
			return w.do("POST", "/v1/admin/users/ana/revoke", token)
		}},
		{"another network before not an admin", session.CodeIPChanged, func(w *world) answer {
			return w.do("POST", "/v1/admin/sweep", w.live(ana), from("198.51.100.7:5"))
		}},
		{"an ended session before another network", session.CodeSessionEnded, func(w *world) answer {
			token := w.live(ana)
			w.do("POST", "/v1/logout", token).want(204)
			return w.do("GET", "/v1/events", token, from("198.51.100.7:5"))
		}},
		{"an old sign-in before a bad address", session.CodeReauthRequired, func(w *world) answer {
			token := w.live(ana)
			<-time.After(10 * time.Minute)
			return w.do("PUT", "/v1/account/email", token, body(`{"email":1}`))
		}},
		{"not an admin before an old sign-in", session.CodeForbidden, func(w *world) answer {
			token := w.live(ana)
			<-time.After(10 * time.Minute)
			return w.do("POST", "/v1/admin/users/ana/revoke", token)
		}},
		{"not an admin before a bad body and a bad query", session.CodeForbidden, func(w *world) answer {
			return w.do("POST", "/v1/admin/users/ana/revoke?x=y", w.live(ana), body(`{`))
		}},
		{"an old sign-in before a bad body", session.CodeReauthRequired, func(w *world) answer {
			token := w.live(boss)
			<-time.After(10 * time.Minute)
			return w.do("POST", "/v1/admin/users/ana/revoke", token, body(`{`))
		}},
		{"an old sign-in before the own session and an unknown one", session.CodeReauthRequired, func(w *world) answer {
			token := w.live(boss)
			<-time.After(10 * time.Minute)
			w.do("DELETE", "/v1/admin/sessions/nothing", token).problem(401, session.CodeReauthRequired)
			return w.do("DELETE", "/v1/admin/sessions/"+w.id(token), token)
		}},
		{"an old sign-in before a bad query", session.CodeReauthRequired, func(w *world) answer {
			token := w.live(ana)
			<-time.After(time.Minute)
			return w.do("GET", "/v1/check?maxAge=5&activity=maybe", token)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				status := http.StatusUnauthorized
				if test.code == session.CodeForbidden {
					status = http.StatusForbidden
				}
				test.request(w).problem(status, test.code)
			}, strict)
		})
	}
}

// A store that fails is never a reason to sign anybody out, and what it says stays here.
func TestStoreDown(t *testing.T) {
	for name, mode := range map[string]int32{"fails": fails, "hangs": hangs} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				token, admin := w.live(ana), w.live(boss)
				w.do("GET", "/v1/check", token).want(http.StatusNoContent)
				w.do("GET", "/v1/admin/users/ana/sessions", admin).want(http.StatusOK)
				w.store.mode.Store(mode)
				for _, request := range [][2]string{
					{"GET", "/v1/sessions"}, {"DELETE", "/v1/sessions?scope=all"}, {"DELETE", "/v1/sessions/" + w.id(token)},
					{"POST", "/v1/logout"}, {"POST", "/v1/sessions"}, {"GET", "/v1/check?maxAge=300"},
				} {
					a := w.do(request[0], request[1], token)
					a.problem(503, session.CodeUnavailable)
					if strings.Contains(string(a.body), "secret") {
						t.Errorf("the cause is shown: %s", a.body)
					}
					if line := w.log.last(t); line["level"] != "WARN" || line["error"] == nil || line["status"] != 503.0 {
						t.Errorf("logged %v", line)
					}
				}
				for _, request := range [][2]string{
					{"POST", "/v1/admin/users/ana/revoke"}, {"DELETE", "/v1/admin/sessions/" + w.id(token)}, {"GET", "/v1/admin/users/ana/sessions"},
					{"GET", "/v1/admin/sessions"}, {"GET", "/v1/admin/events"}, {"GET", "/v1/events"}, {"GET", "/v1/admin/stats"},
					{"GET", "/v1/admin/revocations/X"}, {"POST", "/v1/admin/sweep"}, {"PUT", "/v1/account/email"}, {"DELETE", "/v1/account"},
				} {
					w.do(request[0], request[1], admin).problem(503, session.CodeUnavailable)
				}
				w.do("GET", "/v1/sessions/current", token).want(http.StatusOK) // from what is known
				w.store.mode.Store(works)
				w.do("GET", "/v1/sessions", token).want(http.StatusOK)
				w.do("GET", "/v1/sessions", admin).want(http.StatusOK)
			})
		})
	}
}

func TestIdentityDown(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		w.dir.SetDown(true)
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
		w.do("GET", "/v1/check?maxAge=300", token).problem(503, session.CodeUnavailable)
		w.do("POST", "/v1/sessions", w.signIn(bob)).problem(503, session.CodeUnavailable)
		w.dir.SetDown(false)
		w.do("GET", "/v1/check?maxAge=300", token).want(http.StatusNoContent)
	})
}

func TestFeedUnproven(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		<-time.After(31 * time.Second)
		w.do("GET", "/v1/check", token).problem(503, session.CodeUnavailable)
		w.inbox.Prove(time.Now())
		w.do("GET", "/v1/check", token).want(http.StatusNoContent)
	}, func(w *world) {
		w.inbox = session.NewInbox(15 * time.Second)
		w.inbox.Prove(time.Now())
	})
}

func TestRequestTimeout(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		w.store.mode.Store(hangs)
		began := time.Now()
		w.do("GET", "/v1/sessions", token).problem(503, session.CodeUnavailable)
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("the answer took %v, want 3s", took)
		}
		<-time.After(time.Minute) // what nobody waits for any more ends by itself
	}, func(w *world) { w.options.RequestTimeout = 3 * time.Second })
}

// That a client does not wait is no reason to wake anybody.
func TestClientGone(t *testing.T) {
	inWorld(t, func(w *world) {
		token := w.live(ana)
		w.do("GET", "/v1/sessions", token, func(r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			cancel()
			*r = *r.WithContext(ctx)
		}).problem(503, session.CodeUnavailable)
		if line := w.log.last(t); line["level"] != "INFO" || line["code"] != "unavailable" {
			t.Errorf("logged %v", line)
		}
	})
}
