package session

import (
	"context"
	"time"

	"golang.org/x/sync/singleflight"
)

// Gate admits requests: it tells from an ID token alone who asks, and whether the session that the sign-in is may still be
// used. Known tokens, accounts and sessions are answered from memory, but only while the
// feed is proven current; otherwise the answer is unavailable. Safe for concurrent use.
type Gate struct {
	registry *Registry
	verifier Verifier
	tokens   *tokens
	flights  singleflight.Group
}

// Admission is a request that has passed the gate.
type Admission struct {
	Identity Identity
	Session  Session
	Origin   Origin
}

// Actor is who came in, with a note for the audit trail.
func (a Admission) Actor(note string) Actor {
	return Actor{By: string(a.Identity.UserID), IP: a.Origin.Address(), Note: note, Session: a.Session.ID}
}

// NewGate returns a gate to the registry's sessions.
func NewGate(r *Registry, v Verifier) *Gate {
	return &Gate{registry: r, verifier: v, tokens: newTokens(maxTokens)}
}

// Authenticate tells whose token this is. It fails with token_missing, token_invalid, token_expired, user_disabled,
// token_revoked or unavailable. Of a token that is good in itself it tells so even then.
func (g *Gate) Authenticate(ctx context.Context, token string) (Identity, error) {
	id, err := g.Verify(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	_, err = g.standing(ctx, id, g.registry.settings.UserStateTTL)
	return id, err
}

// Claims returns all that a token says. It must have passed the gate.
func (g *Gate) Claims(token string) map[string]any { return g.verifier.Claims(token) }

// Admit lets a token pass whose session is live and, as the IP policy has it, used from where it may be. Beyond
// [Gate.Authenticate]'s errors it fails with session_required, session_ended and ip_changed; even then the admission
// tells the identity.
func (g *Gate) Admit(ctx context.Context, token string, from Origin) (Admission, error) {
	id, err := g.Verify(ctx, token)
	if err != nil {
		return Admission{}, err
	}
	return g.Enter(ctx, id, from)
}

// Enter is [Gate.Admit] for the holder of a token that [Gate.Verify] has just accepted. Who is known to be welcome enters at the
// price of a glance; for all others it is found out one by one what there is to ask or to say.
func (g *Gate) Enter(ctx context.Context, id Identity, from Origin) (a Admission, err error) {
	if g.glance(&id, &from, &a.Session) {
		a.Identity, a.Origin = id, from
		return a, nil
	}
	if _, err := g.standing(ctx, id, g.registry.settings.UserStateTTL); err != nil {
		return Admission{}, err
	}
	s, err := g.registry.live(ctx, id)
	if err == nil {
		s, err = g.registry.judgeOrigin(ctx, s, from)
	}
	return Admission{Identity: id, Session: s, Origin: from}, err
}

// glance writes the session of a sign-in into s, and reports whether all that lets it pass is in memory: nothing is to be asked, written
// or said. It looks at the same things as the rest of [Gate.Enter], all of one moment.
func (g *Gate) glance(id *Identity, from *Origin, s *Session) bool {
	r := g.registry
	now, local := r.clock.read()
	if !r.inbox.currentAt(local) || !r.states.Known(id, local, r.settings.UserStateTTL, s) {
		return false
	}
	s.LastActive = r.activity.last(s.ID, s.LastActive)
	if phase, _ := r.settings.phase(s, now); !phase.Live() || !r.settings.atHome(&s.Networks, from.IP) {
		return false
	}
	for _, cache := range [...]string{"account", "user", "session"} {
		r.meter.CacheAsked(cache, true)
	}
	return true
}

// RequireRecent asks for a sign-in at most window ago, in whole seconds, and looks up afresh that neither account nor
// sign-in has been revoked. It fails with reauth_required and with what [Gate.Authenticate] fails.
func (g *Gate) RequireRecent(ctx context.Context, id Identity, window time.Duration) error {
	if _, err := g.standing(ctx, id, 0); err != nil {
		return err
	}
	return g.recent(id, window)
}

// RequireAdmin asks for the admin claim in the token and, looked up afresh, on the account. It fails with
// forbidden and with what [Gate.Authenticate] fails.
func (g *Gate) RequireAdmin(ctx context.Context, id Identity) error {
	claim := g.registry.settings.AdminClaim
	if admin, _ := id.Claims[claim].(bool); !admin {
		return &Error{Op: "admin", Code: CodeForbidden}
	}
	account, err := g.standing(ctx, id, 0)
	if err != nil {
		return err
	}
	if admin, _ := account.Claims[claim].(bool); !admin {
		return &Error{Op: "admin", Code: CodeForbidden}
	}
	return nil
}

// RequireRecentAdmin is [Gate.RequireAdmin] and then [Gate.RequireRecent] with the policy's window, at
// the price of one look-up. A refusal is in the audit trail.
func (g *Gate) RequireRecentAdmin(ctx context.Context, caller Admission) error {
	err := g.RequireAdmin(ctx, caller.Identity)
	if err == nil {
		err = g.recent(caller.Identity, g.registry.settings.ReauthMaxAge)
	}
	g.noteRefusal(ctx, caller, err)
	return err
}

// RequireSensitive is [Gate.RequireRecent] with the policy's window, for what a user does to their own account. A refusal is in
// the audit trail.
func (g *Gate) RequireSensitive(ctx context.Context, caller Admission) error {
	err := g.RequireRecent(ctx, caller.Identity, g.registry.settings.ReauthMaxAge)
	g.noteRefusal(ctx, caller, err)
	return err
}

func (g *Gate) noteRefusal(ctx context.Context, caller Admission, err error) {
	who, ip := string(caller.Identity.UserID), caller.Origin.Address()
	switch CodeOf(err) { //nolint:exhaustive // the others refuse nothing that was asked for
	case CodeReauthRequired:
		g.registry.note(ctx, newEvent(EventReauthRefused, AudienceUser, caller.Identity.UserID, caller.Session.ID, who, ip))
	case CodeForbidden:
		g.registry.note(ctx, newEvent(EventAdminRefused, AudienceAdmin, caller.Identity.UserID, caller.Session.ID, who, ip))
	}
}

func (g *Gate) recent(id Identity, window time.Duration) error {
	if !Recent(id.AuthTime, g.registry.clock.Now(), window) {
		return &Error{Op: "recent", Code: CodeReauthRequired, MaxAge: window}
	}
	return nil
}

// Verify checks the token itself, once for as long as it lives, and says nothing about the account or the session. It fails
// with token_missing, token_invalid, token_expired or unavailable.
func (g *Gate) Verify(ctx context.Context, token string) (Identity, error) {
	if token == "" {
		return Identity{}, &Error{Op: "verify", Code: CodeTokenMissing}
	}
	if !wellFormed(token) {
		return Identity{}, &Error{Op: "verify", Code: CodeTokenInvalid}
	}
	key := keyOf(token)
	id, ok := g.tokens.Get(key, g.registry.clock.Now())
	g.registry.meter.CacheAsked("token", ok)
	if ok {
		return id, nil
	}
	return g.verify(ctx, token, key)
}

// verify has a token verified that is not known, once for all who come with it at the same time.
func (g *Gate) verify(ctx context.Context, token string, key tokenKey) (Identity, error) {
	flight := g.flights.DoChan(string(key[:]), func() (any, error) {
		if id, ok := g.tokens.Get(key, g.registry.clock.Now()); ok { // another flight has landed since
			return id, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), identityTimeout)
		defer cancel()
		id, err := g.verifier.Verify(ctx, token)
		if err == nil {
			id.Claims = g.registry.worthwhile(id.Claims)
			g.tokens.Put(key, id, g.registry.clock.Now())
		}
		return id, err
	})
	select {
	case <-ctx.Done():
		return Identity{}, Unavailable("verify", ctx.Err())
	case got := <-flight:
		if CodeOf(got.Err) == CodeTokenExpired {
			g.registry.meter.TokenExpired()
		}
		id, _ := got.Val.(Identity) // the zero value of a failure may be another's
		return id, got.Err
	}
}

// standing checks that the account may sign in and that the sign-in has not been revoked, from what has been
// looked up at most maxAge ago; zero asks Firebase and the store. It returns the account.
func (g *Gate) standing(ctx context.Context, id Identity, maxAge time.Duration) (Account, error) {
	r := g.registry
	if !r.inbox.Current() {
		return Account{}, &Error{Op: "standing", Code: CodeUnavailable}
	}
	account, err := r.states.Account(ctx, id.UserID, maxAge)
	if err != nil {
		return Account{}, err
	}
	if reason := account.Gone(); reason != "" {
		return Account{}, &Error{Op: "standing", Code: CodeUserDisabled, Reason: reason}
	}
	user, err := r.states.User(ctx, id.UserID, maxAge == 0)
	if err != nil {
		return Account{}, err
	}
	if reason := user.Gone(); reason != "" {
		return Account{}, &Error{Op: "standing", Code: CodeUserDisabled, Reason: reason}
	}
	if user.Revoked(id.AuthTime) {
		return Account{}, &Error{Op: "standing", Code: CodeTokenRevoked}
	}
	if account.Revoked(id.IssuedAt) {
		r.EndIfRevoked(ctx, id, account)
		return Account{}, &Error{Op: "standing", Code: CodeTokenRevoked}
	}
	return account, nil
}
