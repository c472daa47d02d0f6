package main

import (
	crand "crypto/rand"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"time"
)

// deed is a way to visit a service, and to leave it.
type deed struct {
	name string
	do   func(g *guest)
}

const logout = "/v1/logout"

// deeds are all of them.
var deeds = []deed{
	{"sign out", func(g *guest) {
		s := g.begin(2, `{"deviceName":"soak"}`)
		g.use(s)
		g.call(http.MethodPost, logout, s.token, "")
		g.gone(s, nil)
	}},
	{"go away without a word", func(g *guest) {
		g.use(g.begin(2, ""))
	}},
	{"end another session", func(g *guest) {
		there, here := g.begin(2, ""), g.begin(1, "")
		g.call(http.MethodDelete, "/v1/sessions/"+there.id, here.token, "")
		g.gone(there, nil)
		g.call(http.MethodDelete, "/v1/sessions?scope=all", here.token, "")
		g.gone(here, nil)
	}},
	{"sign in again", func(g *guest) {
		before := g.begin(2, "")
		after := g.begin(0, `{"replaces":"`+before.id+`"}`)
		g.gone(before, nil)
		g.call(http.MethodPost, logout, after.token, "")
	}},
	{"sit there", func(g *guest) {
		g.gone(g.begin(2, ""), nil)
	}},
	{"never stop", func(g *guest) {
		s := g.begin(2, "")
		g.gone(s, func() { _, _ = g.try(http.MethodPost, "/v1/sessions/current/activity", s.token, "") }) // until it is refused
	}},
	{"renew tokens", func(g *guest) {
		const lives = 4 // as long as the session: a slow machine has no token expire
		sid := crand.Text()
		s := &stay{token: g.token(sid, lives*g.pace)}
		g.call(http.MethodPost, "/v1/sessions", s.token, "")
		g.open(s, s.token)
		for range 2 {
			s.token = g.token(sid, lives*g.pace)
			g.use(s)
		}
		g.call(http.MethodPost, logout, s.token, "")
		g.gone(s, nil)
	}},
	{"let a token expire", func(g *guest) {
		sid := crand.Text()
		s := &stay{token: g.token(sid, time.Hour)}
		g.call(http.MethodPost, "/v1/sessions", s.token, "")
		g.open(s, g.token(sid, 2*g.pace))
		g.gone(s, func() { _, _ = g.try(http.MethodPost, "/v1/sessions/current/activity", s.token, "") }) // so that it is not idle
	}},
	{"open a socket and say nothing", func(g *guest) {
		if client := g.dial(); client != nil {
			_, _ = client.Read() // until it is closed
		}
	}},
	{"fall silent", func(g *guest) {
		s := g.begin(0, "")
		client := g.dial()
		g.greet(client, s.token)
		g.wait(2 * g.pace) // nobody answers the server's pings
		for g.err == nil {
			if _, err := client.Read(); err != nil {
				return
			}
		}
	}},
	{"have too many sessions", func(g *guest) {
		first := g.begin(2, "")
		for range 3 {
			g.begin(1, "")
		}
		g.gone(first, nil)
	}},
	{"have too many sockets", func(g *guest) {
		s := g.begin(5, "")
		g.gone(&stay{closed: s.closed[:min(2, len(s.closed))]}, nil)
		g.call(http.MethodPost, logout, s.token, `{"allSessions":true}`)
		g.gone(s, nil)
	}},
	{"change the network", func(g *guest) {
		s := g.begin(1, "")
		g.from = netip.AddrFrom4([4]byte{127, 0, 2, byte(1 + rand.N(100))})
		g.open(s, s.token)
		g.use(s)
		g.call(http.MethodPost, logout, s.token, "")
		g.gone(s, nil)
	}},
	{"have other rights", func(g *guest) {
		s := g.begin(1, "")
		g.google.SetClaims(g.uid, map[string]any{"tier": crand.Text()})
		g.use(s)
		g.google.SetClaims(g.uid, nil)
		g.call(http.MethodPost, logout, s.token, "")
	}},
	{"have a session ended", func(g *guest) {
		s := g.begin(2, "")
		g.admin(func(token string) { g.call(http.MethodDelete, "/v1/admin/sessions/"+s.id, token, "") })
		g.gone(s, nil)
	}},
	{"be revoked", func(g *guest) {
		s := g.begin(2, "")
		g.admin(func(token string) {
			g.call(http.MethodPost, "/v1/admin/users/"+g.uid+"/revoke", token, `{"reason":"soak"}`)
		})
		g.gone(s, nil)
		nextSecond() // a sign-in of this one is as revoked
	}},
	{"be disabled", func(g *guest) {
		g.admin(func(token string) { // a visit that was over too early has left it so
			g.call(http.MethodPost, "/v1/admin/users/"+g.uid+"/enable", token, "")
		})
		s := g.begin(2, "")
		g.admin(func(token string) {
			g.call(http.MethodPost, "/v1/admin/users/"+g.uid+"/disable", token, "")
			g.gone(s, nil)
			g.call(http.MethodPost, "/v1/admin/users/"+g.uid+"/enable", token, "")
		})
		nextSecond()
	}},
	{"be in a mass revocation", func(g *guest) {
		s := g.begin(2, "")
		g.admin(func(token string) {
			g.call(http.MethodPost, "/v1/admin/revocations", token, `{"filter":{"userId":"`+g.uid+`"}}`)
		})
		g.gone(s, nil)
	}},
	{"look after the service", func(g *guest) {
		g.admin(func(token string) {
			for _, path := range []string{"/sessions?status=all", "/events", "/stats", "/users/" + g.uid + "/sessions"} {
				g.call(http.MethodGet, "/v1/admin"+path, token, "")
			}
			g.call(http.MethodPost, "/v1/admin/sweep", token, "")
		})
	}},
	{"try doors", func(g *guest) {
		for range 3 {
			g.refused(refusal{http.StatusUnauthorized, "token_invalid"}, http.MethodGet, "/v1/check", crand.Text()+"."+crand.Text()+"."+crand.Text(), "")
			g.refused(refusal{http.StatusUnauthorized, "token_expired"}, http.MethodGet, "/v1/check", g.token(crand.Text(), -time.Minute), "")
			g.refused(refusal{http.StatusUnauthorized, "session_required"}, http.MethodGet, "/v1/check", g.token(crand.Text(), time.Hour), "")
			g.refused(refusal{http.StatusNotFound, "not_found"}, http.MethodGet, "/v1/"+crand.Text(), "", "")
			g.refused(refusal{http.StatusBadRequest, "invalid_request"}, http.MethodPost, "/v1/sessions", g.token(crand.Text(), time.Hour), `{"`+crand.Text()+`":1}`)
		}
	}},
}
