package live_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
	"github.com/vigilhq/vigil/internal/wire"
)

var (
	ping     = wire.Request{Type: wire.TypePing}
	activity = wire.Request{Type: wire.TypeActivity}
)

// passConnected lets time go by for tabs that keep their tokens fresh.
func (w *world) passConnected(d time.Duration, tokens map[*tab]string) {
	w.Helper()
	for step := 10 * time.Minute; d > 0; d -= step {
		w.pass(min(d, step))
		for tab, token := range tokens {
			tab.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypePing, Token: w.accounts.Refresh(token)}))
		}
	}
}

func TestIdleWarningAndEndComeToTheTick(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, s := w.signIn(a, "ana")
		tabs := []*tab{w.connect(a, token), w.connect(a, token), w.connect(b, token)}
		w.pass(time.Until(policy.WarnAt(s)) - 1)
		for _, tab := range tabs {
			tab.want()
		}
		w.pass(1)
		for _, tab := range tabs {
			if f := tab.want(wire.TypeIdleWarning); f["remaining"] != 120000.0 || tab.when(f, "idleDeadline").Sub(s.IdleDeadline()).Abs() > time.Millisecond {
				t.Errorf("%v", f)
			}
		}
		w.pass(policy.IdleWarning - 1)
		for _, tab := range tabs {
			tab.open()
			tab.want() // warned once
		}
		w.pass(1)
		for _, tab := range tabs {
			tab.closed(wire.CloseIdle, wire.TypeSessionRevoked, "idle_timeout")
		}
		stored, err := w.data.Session(w.Context(), s.ID)
		if err != nil || stored.EndReason != session.ReasonIdleTimeout || !stored.EndedAt.Equal(s.IdleDeadline()) {
			t.Errorf("stored %+v, %v", stored, err)
		}
	})
}

func TestActivityAfterTheWarningTakesItBackEverywhere(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		here, there := w.connect(a, token), w.connect(b, token)
		w.pass(29 * time.Minute)
		here.want(wire.TypeIdleWarning)
		there.want(wire.TypeIdleWarning)
		late := w.open(a) // while the warning stands; opening is no activity
		late.send(wire.Request{Type: wire.TypeAuth, Token: token})
		late.want(wire.TypeReady, wire.TypeIdleWarning)
		here.send(activity)
		w.pass(0)
		for _, tab := range []*tab{here, there, late} {
			f := tab.want(wire.TypeIdleReset)
			if got := tab.when(f, "idleDeadline"); got.Sub(time.Now().Add(policy.IdleTimeout)).Abs() > time.Millisecond {
				t.Errorf("idle deadline %s", got)
			}
		}
		w.passConnected(28*time.Minute, map[*tab]string{here: token, there: token, late: token})
		w.passConnected(time.Minute, map[*tab]string{here: token, there: token, late: token})
		for _, tab := range []*tab{here, there, late} {
			tab.open()
			warnings := 0
			for _, f := range tab.take() {
				if f["type"] == string(wire.TypeIdleWarning) {
					warnings++
				}
			}
			if warnings != 1 {
				t.Errorf("%d warnings in the second idle period", warnings)
			}
		}
	})
}

func TestASocketOpenedDuringTheWarningIsWarned(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		w.pass(29 * time.Minute)
		for _, i := range []*instance{a, b} {
			tab := w.open(i)
			tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
			tab.want(wire.TypeReady, wire.TypeIdleWarning)
		}
	})
}

func TestActivityOnOneInstanceKeepsTheSocketsOfAnotherQuiet(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		here, there := w.connect(a, token), w.connect(b, token)
		for range 12 {
			w.pass(4 * time.Minute)
			here.send(activity)
		}
		here.want()
		there.want() // no warning, though nothing was said to this instance
		if n, stale := a.store.Calls("Touch"), a.store.Calls(sessiontest.StaleTouch); n > 12 || stale > 0 {
			t.Errorf("%d writes, %d of them stale", n, stale)
		}
	})
}

func TestOnlyActivityExtends(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		for range 59 {
			w.pass(30 * time.Second)
			tab.send(wire.Request{Type: wire.TypePing, Token: w.accounts.Refresh(token)})
		}
		w.pass(30 * time.Second)
		tab.take()
		tab.closed(wire.CloseIdle, "", "")
	})
}

func TestTheLifetimeEndsSocketsToo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Lifetime = 20 * time.Minute
		i := w.start()
		token, s := w.signIn(i, "ana")
		tab, offline := w.connect(i, token), w.connect(i, token)
		w.pass(time.Until(s.ExpiresAt) - 1)
		tab.open()
		i.store.SetDown(true) // nobody needs to be asked about this end
		w.pass(1)
		tab.closed(wire.CloseExpired, wire.TypeSessionRevoked, "absolute_timeout")
		offline.closed(wire.CloseExpired, wire.TypeSessionRevoked, "absolute_timeout")
	})
}

func TestRevocationReachesEverySocketEverywhere(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		one, _ := w.signIn(a, "ana")
		two, _ := w.signIn(b, "ana")
		other, _ := w.signIn(a, "ben")
		tabs := []*tab{w.connect(a, one), w.connect(b, one), w.connect(b, two)}
		bens := w.connect(b, other)
		for _, tab := range tabs {
			tab.take()
		}
		w.revoke(a, "ana")
		for _, tab := range tabs {
			tab.closed(wire.CloseRevoked, wire.TypeSessionRevoked, "admin_revoked")
		}
		bens.open()
		bens.want()
	})
}

func TestTheEndOfOneSessionIsNewsToTheOthers(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		one, first := w.signIn(a, "ana")
		kept := w.connect(b, one)
		two, second := w.signIn(a, "ana")
		w.pass(0)
		f := kept.want(wire.TypeSessionStarted)
		if view, _ := f["session"].(map[string]any); view["id"] != string(second.ID) || view["current"] != false {
			t.Errorf("%v", f)
		}
		ended := w.connect(b, two)
		w.must(a.registry.EndOwn(w.Context(), first, second.ID))
		ended.closed(wire.CloseRevoked, wire.TypeSessionRevoked, "revoked")
		if f := kept.want(wire.TypeSessionClosed); f["sessionId"] != string(second.ID) || f["reason"] != "revoked" {
			t.Errorf("%v", f)
		}
		kept.open()
	})
}

func TestReplacedSessionsSocketsMayComeBack(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, old := w.signIn(i, "ana")
		tab := w.connect(i, token)
		w.pass(time.Second)
		if _, err := i.registry.Register(w.Context(), w.accounts.Identity(w.accounts.SignIn("ana")), session.SignIn{Replaces: old.ID}); err != nil {
			t.Fatal(err)
		}
		tab.closed(wire.CloseReplaced, wire.TypeSessionRevoked, "replaced")
	})
}

// A revocation that falls between the check of a token and the socket's readiness must find the socket.
func TestARevocationDuringAuthIsNotLost(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		b.store.Before(func(op string) {
			if op == "Session" {
				b.store.Before(func(string) {})
				if _, err := a.registry.RevokeUser(w.Context(), "ana", session.ReasonAdminRevoked, "boss"); err != nil {
					t.Error(err)
				}
			}
		})
		tab := w.open(b)
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		w.pass(0)
		tab.mu.Lock()
		code := tab.code
		tab.mu.Unlock()
		if code != wire.CloseRevoked && code != wire.CloseUnauthorized {
			t.Fatalf("survived: %d, %v", code, tab.take())
		}
	})
}

// Until its session is known to be live, a socket must hear nothing of the user's.
func TestAPendingSocketHearsNoPushes(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, s := w.signIn(a, "ana")
		_, other := w.signIn(a, "ana")
		w.pass(0)
		b.store.Before(func(op string) {
			if op == "Session" { // the peer is pending
				b.store.Before(func(string) {})
				if err := b.registry.EndOwn(w.Context(), s, other.ID); err != nil {
					t.Error(err)
				}
			}
		})
		tab := w.open(b)
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		tab.want(wire.TypeReady)
	})
}

// R8, in small: sockets that open while their user is revoked. Everything is known, so that nothing but the order of
// joining and checking keeps the two apart.
func TestNoSocketSurvivesARevocationThatRacesItsAuth(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		for n := range 2000 {
			uid := session.UserID(strconv.Itoa(n))
			token, _ := w.signIn(i, uid)
			if _, err := i.gate.Admit(w.Context(), token); err != nil {
				t.Fatal(err)
			}
			tab := w.open(i)
			n := session.NewNotice(session.NoticeEnded, uid, session.ReasonAdminRevoked)
			n.Before = time.Now()
			var both sync.WaitGroup
			both.Go(func() {
				tab.peer.Receive(w.Context(), wire.Encode(wire.Request{Type: wire.TypeAuth, Token: token}))
			})
			both.Go(func() {
				for range rand.N(100) {
					runtime.Gosched()
				}
				i.inbox.Deliver(n)
			})
			both.Wait()
			tab.mu.Lock()
			code := tab.code
			tab.mu.Unlock()
			if code == 0 {
				t.Fatal("a socket survived")
			}
			tab.peer.Gone()
		}
	})
}

func TestSilenceClosesAndPongsCount(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		alive, dead := w.connect(i, token), w.connect(i, token)
		dead.mute.Store(true)
		w.pass(options.DisconnectTimeout - 1)
		dead.open()
		w.pass(1)
		dead.closed(wire.CloseSilent, "", "")
		w.pass(20 * time.Minute)
		alive.open()
		if alive.pings < 40 || alive.pings > 43 { // one each heartbeat interval
			t.Errorf("%d pings in 21 minutes", alive.pings)
		}
	})
}

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
		session.ReasonUserDeleted:   {func(w *world) { w.accounts.Delete("ana") }, wire.CloseAccountGone},
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

func TestAnUnprovenFeedClosesSocketsForAReconnection(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, s := w.signIn(i, "ana")
		tab := w.connect(i, token)
		i.stopFeed()
		w.pass(2*feedResync - 2*time.Second)
		tab.open()
		w.pass(4 * time.Second)
		tab.closed(wire.CloseUnavailable, "", "")
		stored, err := w.data.Session(w.Context(), s.ID)
		if err != nil || stored.Status != session.StatusActive {
			t.Errorf("%s, %v", stored.EndReason, err)
		}
		i.runFeed(w)
		w.connect(i, token)
	})
}

func TestActivityThatCannotBeStoredClosesSockets(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab := w.connect(i, token)
		w.pass(policy.TouchInterval)
		i.store.SetDown(true) // the feed goes on
		tab.send(activity)
		w.pass(policy.TouchInterval - time.Second)
		tab.open()
		w.pass(3 * time.Second)
		tab.closed(wire.CloseUnavailable, "", "")
	})
}

func TestAStoreOutageAtTheDeadlineEndsNobody(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		tab := w.connect(a, token)
		w.pass(20 * time.Minute)
		other := w.connect(b, token)
		other.send(activity)
		a.store.SetDown(true)
		w.pass(15 * time.Minute) // a would have warned and ended by what it knows
		tab.want()
		tab.open()
		a.store.SetDown(false)
		w.pass(5 * time.Second)
		tab.open()
	})
}

func TestSocketsPerSessionAreBounded(t *testing.T) {
	inWorld(t, func(w *world) {
		w.options.SocketsPerSession = 3
		i := w.start()
		token, _ := w.signIn(i, "ana")
		var tabs []*tab
		for range 4 {
			tabs = append(tabs, w.connect(i, token))
		}
		tabs[0].closed(wire.CloseTooMany, "", "")
		for _, tab := range tabs[1:] {
			tab.open()
		}
	})
}

func TestDrain(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tabs := []*tab{w.connect(i, token), w.connect(i, token), w.open(i)}
		i.hub.Drain(w.Context())
		for _, tab := range append(tabs, w.open(i)) {
			tab.closed(wire.CloseRestart, "", "")
		}
	})
}

func TestGonePeersLeaveNothingBehind(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		token, _ := w.signIn(i, "ana")
		tab, silent := w.connect(i, token), w.open(i)
		tab.peer.Gone()
		silent.peer.Gone()
		if n := i.hub.Sockets(); n != 0 {
			t.Errorf("%d sockets", n)
		}
		w.pass(31 * time.Minute)
		tab.want()
	})
}

// However many sessions come to their end at once, and however slow the store is, none is forgotten.
func TestAThousandDeadlinesAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		i := w.start()
		var tabs []*tab
		for n := range 1000 {
			uid := session.UserID(strconv.Itoa(n))
			token := w.accounts.SignIn(uid)
			if _, err := i.registry.Register(w.Context(), w.accounts.Identity(token), session.SignIn{}); err != nil {
				t.Fatal(err)
			}
			tabs = append(tabs, w.connect(i, token))
		}
		i.store.Before(func(op string) {
			if op == "Session" {
				<-time.After(400 * time.Millisecond) // sixteen rounds of these take longer than one may
			}
		})
		w.pass(policy.IdleTimeout + time.Minute)
		for _, tab := range tabs {
			tab.want(wire.TypeIdleWarning, wire.TypeSessionRevoked)
			tab.closed(wire.CloseIdle, "", "")
		}
	})
}

func TestAFailedLookIsRepeated(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.start(), w.start()
		token, _ := w.signIn(a, "ana")
		here, there := w.connect(a, token), w.connect(b, token)
		b.store.SetDown(true)
		w.pass(28*time.Minute + 30*time.Second)
		here.want(wire.TypeIdleWarning)
		there.want() // it cannot tell
		b.store.SetDown(false)
		w.pass(2 * time.Second)
		there.want(wire.TypeIdleWarning)

		b.store.SetDown(true)
		here.send(activity)
		here.want(wire.TypeIdleReset)
		there.want()
		b.store.SetDown(false)
		w.pass(2 * time.Second)
		there.want(wire.TypeIdleReset)
		w.passConnected(28*time.Minute, map[*tab]string{there: token})
		warned := 0
		for _, f := range there.take() {
			if f["type"] == string(wire.TypeIdleWarning) {
				warned++
			}
		}
		if warned != 1 {
			t.Errorf("%d warnings in the next idle period", warned)
		}
	})
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
		late.closed(wire.CloseUnauthorized, wire.TypeAuthExpired, "token_expired")
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
		w.accounts.Delete("ana")
		w.pass(5 * time.Minute)
		tab := w.open(i)
		tab.send(wire.Request{Type: wire.TypeAuth, Token: token})
		tab.closed(wire.CloseAccountGone, wire.TypeSessionRevoked, "user_deleted")
	})
}
