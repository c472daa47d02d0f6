package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// crowd are users who have signed in, each from an address of their own. Their tokens are as long as Firebase's and say as much.
type crowd struct {
	*sessiontest.Directory
	*memory.Store
	tokens []string
	from   []session.Origin // of the token
	slow   func()           // comes between an answer and whoever has asked for it
	// How often tokens have been verified, accounts looked up, sessions and users read.
	verified, lookedUp, sessions, users atomic.Int64
}

// tokenTail makes a directory's tokens as long as Firebase's.
const tokenTail = "_"

func lengthen(token string) string { return token + strings.Repeat(tokenTail, 1000-len(token)) }

// short is the directory's own form of the nth token.
func (c *crowd) short(n int) string { return strings.TrimRight(c.tokens[n], tokenTail) }

// newCrowd signs in so many users, who get so many tokens each, of one session.
func newCrowd(tb testing.TB, users, tokens int) *crowd {
	tb.Helper()
	c := &crowd{Directory: sessiontest.NewDirectory(), Store: memory.Open(session.NewClock()), slow: func() {}}
	registry, _, _ := c.open()
	for n := range users {
		token := c.SignIn(session.UserID(fmt.Sprintf("crowd%023d", n)))
		from := session.Origin{IP: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})}
		in := session.SignIn{
			Device:    session.Device{Type: "desktop", Browser: "Chrome 142", OS: "Windows 11", Kind: "desktop/Chrome/Windows"},
			UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
			Origin:    from,
		}
		if _, err := registry.Register(tb.Context(), c.Identity(token), in); err != nil {
			tb.Fatal(err)
		}
		for range tokens {
			c.tokens, c.from = append(c.tokens, lengthen(token)), append(c.from, from)
			token = c.Refresh(token)
		}
	}
	return c
}

// open starts an instance that knows nobody yet.
func (c *crowd) open() (*session.Registry, *session.Gate, *session.Inbox) {
	inbox := session.NewInbox(1000 * time.Hour)
	inbox.Prove(time.Now())
	settings := session.Settings{Policy: policy, AdminClaim: "admin", UserStateTTL: 1000 * time.Hour, FeedResync: time.Hour}
	settings.IPPolicy, settings.IPv4, settings.IPv6 = session.IPWarn, 32, 64
	registry := session.NewRegistry(settings, session.Ports{
		Store: c, Users: c, Publisher: c, Archive: c, Trail: c, Jobs: c, Accounts: c, Editor: c,
		Clock: session.NewClock(), Inbox: inbox, After: func(d time.Duration, f func()) { time.AfterFunc(d, f) }, Log: discard,
	})
	return registry, session.NewGate(registry, c), inbox
}

// admit lets the nth token in.
func (c *crowd) admit(tb testing.TB, gate *session.Gate, n int) session.Admission {
	n %= len(c.tokens)
	a, err := gate.Admit(tb.Context(), c.tokens[n], c.from[n])
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// Verify implements [session.Verifier]. The claims are decoded for every token, as a verifier does.
func (c *crowd) Verify(ctx context.Context, token string) (session.Identity, error) {
	c.verified.Add(1)
	id, err := c.Directory.Verify(ctx, strings.TrimRight(token, tokenTail))
	if err == nil {
		claims := fmt.Sprintf(`{"iss":"https://securetoken.google.com/my-project","aud":"my-project","auth_time":%d,"user_id":%q,"sub":%q,`+
			`"iat":%d,"exp":%d,"email":"%s@example.com","email_verified":true,"name":"Ana García","firebase":{"identities":{"email":`+
			`["%s@example.com"]},"sign_in_provider":"password"}}`, id.AuthTime.Unix(), id.UserID, id.UserID, id.IssuedAt.Unix(),
			id.ExpiresAt.Unix(), id.UserID, id.UserID)
		err = json.Unmarshal([]byte(claims), &id.Claims)
		id.UserID, id.SessionID = session.UserID(id.Claims["sub"].(string)), session.ID(strings.Clone(string(id.SessionID)))
	}
	c.slow()
	return id, err
}

// Account implements [session.Accounts].
func (c *crowd) Account(ctx context.Context, uid session.UserID) (session.Account, error) {
	c.lookedUp.Add(1)
	a, err := c.Directory.Account(ctx, uid)
	c.slow()
	a.UserID = session.UserID(strings.Clone(string(a.UserID)))
	return a, err
}

// Session implements [session.Store]. Every answer is decoded anew, as a store's is.
func (c *crowd) Session(ctx context.Context, id session.ID) (s session.Session, err error) {
	c.sessions.Add(1)
	stored, err := c.Store.Session(ctx, id)
	c.slow()
	if err != nil {
		return s, err
	}
	data, err := json.Marshal(stored)
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	return s, err
}

// User implements [session.Users].
func (c *crowd) User(ctx context.Context, uid session.UserID) (session.User, error) {
	c.users.Add(1)
	u, err := c.Store.User(ctx, uid)
	c.slow()
	return u, err
}
