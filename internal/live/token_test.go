package live_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestTokenRenewal(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.IdleTimeout, w.settings.TouchInterval = 10*time.Hour, time.Minute
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		lapsing := w.connect(i, token)
		w.pass(50 * time.Minute)
		tab.send(wire.Request{Type: wire.TypePing, Token: w.accounts.Refresh(token), Timestamp: []byte(`"t1"`)})
		if f := tab.want(wire.TypePong); f["tokenValid"] != true || f["timestamp"] != "t1" || f["error"] != nil {
			t.Errorf("%v", f)
		}
		w.pass(10 * time.Minute) // the first token expires
		lapsing.send(ping)
		if f := lapsing.want(wire.TypePong); f["tokenValid"] != false || f["error"] != "token_expired" {
			t.Errorf("%v", f)
		}
		w.pass(options.ReauthGrace)
		lapsing.closed(wire.CloseTokenExpired, wire.TypeAuthExpired, "token_expired")
		tab.open()
		tab.send(ping)
		if f := tab.want(wire.TypePong); f["tokenValid"] != true {
			t.Errorf("%v", f)
		}
	})
}

func TestABadTokenInAPingStartsTheGraceAndAGoodOneEndsIt(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		tab := w.connect(i, token)
		tab.send(wire.Request{Type: wire.TypePing, Token: "not.a.token"})
		if f := tab.want(wire.TypePong); f["tokenValid"] != false || f["error"] != "token_invalid" {
			t.Errorf("%v", f)
		}
		w.pass(time.Second)
		tab.send(activity) // a peer without a valid token speaks for nobody
		if got := i.registry.LastActive(s); !got.Equal(s.LastActive) {
			t.Error("its activity counted")
		}
		w.pass(options.ReauthGrace - 2*time.Second)
		tab.send(wire.Request{Type: wire.TypePing, Token: token})
		if f := tab.want(wire.TypePong); f["tokenValid"] != true {
			t.Errorf("%v", f)
		}
		w.pass(options.ReauthGrace)
		tab.open()
		tab.send(wire.Request{Type: wire.TypePing, Token: "not.a.token"})
		tab.want(wire.TypePong)
		w.pass(options.ReauthGrace)
		tab.closed(wire.CloseTokenExpired, wire.TypeAuthExpired, "token_invalid")
	})
}

func TestTheGraceIsExactHoweverRareTheHeartbeat(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.HeartbeatInterval, w.options.DisconnectTimeout = 10*time.Minute, 20*time.Minute
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		tab.send(wire.Request{Type: wire.TypePing, Token: "not.a.token"})
		tab.take()
		w.pass(options.ReauthGrace - 1)
		tab.open()
		w.pass(1)
		tab.closed(wire.CloseTokenExpired, wire.TypeAuthExpired, "token_invalid")
	})
}

func TestATokenMayBeTooOldForASocket(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.MaxTokenAge = 10 * time.Minute
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		w.pass(10*time.Minute + options.ReauthGrace - 1)
		tab.open()
		w.pass(time.Microsecond) // store time has no more digits
		tab.closed(wire.CloseTokenExpired, wire.TypeAuthExpired, "token_expired")
	})
}

func TestTokensOfOthersInAPing(t *testing.T) {
	for name, c := range map[string]struct {
		token  func(*world, *instance, string) string
		code   wire.CloseCode
		last   wire.Type
		reason string
	}{
		"another user": {func(w *world, i *instance, _ string) string {
			token, _ := w.signIn(i, "ben")
			return token
		}, 4501, wire.TypeAuthExpired, "token_invalid"},
		"another user, whose account is disabled": {func(w *world, i *instance, _ string) string {
			token, _ := w.signIn(i, "ben")
			_, err := i.registry.DisableUser(w.Context(), "ben", session.Actor{By: "boss"})
			w.must(err)
			return token
		}, 4501, wire.TypeAuthExpired, "token_invalid"},
		"another sign-in": {func(w *world, _ *instance, _ string) string {
			w.pass(time.Second)
			return w.accounts.SignIn("ana")
		}, 4006, "", ""},
		"revoked in Firebase": {func(w *world, _ *instance, token string) string {
			old := w.accounts.Refresh(token)
			w.pass(2 * time.Minute)
			w.must(w.accounts.RevokeTokens(w.Context(), "ana"))
			w.pass(200 * time.Second) // the account's known state is over
			return old
		}, 4502, wire.TypeSessionRevoked, "tokens_revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				token, _ := w.signIn(i, "ana")
				tab := w.connect(i, token)
				strange := c.token(w, i, token)
				tab.send(wire.Request{Type: wire.TypePing, Token: strange})
				tab.closed(c.code, c.last, c.reason)
			})
		})
	}
}

func TestAnIdentityOutageLeavesSocketsAloneWithinItsBound(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		w.accounts.SetDown(true)
		tab.send(wire.Request{Type: wire.TypePing, Token: w.accounts.Refresh(token)})
		if f := tab.want(wire.TypePong); f["tokenValid"] != true || f["error"] != "unavailable" {
			t.Errorf("%v", f)
		}
		w.pass(5*time.Minute - time.Second) // several account checks fail
		tab.open()
		w.pass(5 * time.Second) // what is known is too old now
		tab.closed(wire.CloseUnavailable, "", "")
		w.accounts.SetDown(false)
		w.connect(i, token)
	})
}

func TestAccountChecksReachSilentSockets(t *testing.T) {
	for reason, c := range map[session.Reason]struct {
		change func(*world)
		code   wire.CloseCode
	}{
		session.ReasonUserDisabled: {func(w *world) {
			w.accounts.Change("ana", func(a *session.Account) { a.Disabled = true })
		}, wire.CloseAccountGone},
		session.ReasonUserDeleted:   {func(w *world) { w.accounts.Remove("ana") }, wire.CloseAccountGone},
		session.ReasonTokensRevoked: {func(w *world) { w.must(w.accounts.RevokeTokens(w.Context(), "ana")) }, wire.CloseRevoked},
	} {
		t.Run(string(reason), func(t *testing.T) {
			inWorld(t, func(w *world) {
				i := w.start()
				token, _ := w.signIn(i, "ana")
				other, _ := w.signIn(i, "ben")
				tab, bens := w.connect(i, token), w.connect(i, other)
				w.pass(time.Minute)
				c.change(w)
				w.pass(options.TokenCheckInterval)
				tab.closed(c.code, wire.TypeSessionRevoked, string(reason))
				bens.open()
			})
		})
	}
}

func TestATooOldTokenIsNeitherAcceptedNorRenewedWith(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.MaxTokenAge = 10 * time.Minute
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		w.pass(10 * time.Minute)
		late := w.open(i)
		late.send(wire.Request{Type: wire.TypeAuth, Token: token})
		late.closed(wire.CloseTokenExpired, wire.TypeAuthExpired, "token_expired")
		for range 3 {
			w.pass(3 * time.Second)
			tab.send(wire.Request{Type: wire.TypePing, Token: token})
			if f := tab.want(wire.TypePong); f["tokenValid"] != false || f["error"] != "token_expired" {
				t.Errorf("%v", f)
			}
		}
		w.pass(2 * time.Second)
		tab.closed(wire.CloseTokenExpired, wire.TypeAuthExpired, "token_expired")
	})
}

// slowVerifier takes its time.
type slowVerifier struct {
	session.Verifier
	delay time.Duration
}

func (v slowVerifier) Verify(ctx context.Context, token string) (session.Identity, error) {
	<-time.After(v.delay)
	return v.Verifier.Verify(ctx, token)
}

func TestAuthInTimeIsInTimeHoweverLongItsVerificationTakes(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		log, deadlines := slog.New(slog.DiscardHandler), live.NewDeadlines()
		go deadlines.Run(w.Context())
		gate := session.NewGate(i.registry, slowVerifier{w.accounts, 1200 * time.Millisecond})
		slow := *i
		slow.hub = live.NewHub(w.options, gate, i.registry, i.inbox, deadlines, log)
		tab := w.open(&slow)
		w.pass(options.AuthTimeout - time.Second)
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		tab.want(wire.TypeReady)
	})
}

func TestADeletedUserHearsOfTheDeletion(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		w.accounts.Remove("ana")
		w.pass(5 * time.Minute)
		tab := w.open(i)
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		tab.closed(wire.CloseAccountGone, wire.TypeSessionRevoked, "user_deleted")
	})
}

func TestASocketOpenedOnOldKnowledgeClosesWithIt(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		w.pass(6 * time.Second)
		w.accounts.SetDown(true)
		w.pass(4 * time.Minute)
		tab := w.connect(i, token)
		w.pass(53 * time.Second)
		tab.open()
		w.pass(3 * time.Second)
		tab.closed(wire.CloseUnavailable, "", "")
	})
}
