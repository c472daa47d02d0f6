// Package session is the domain: what a session is, how long it lives, who may use it and what ends it. It imports the
// standard library and singleflight's module, and nothing that knows a vendor; everything outside is a port ([Store], [Users], [Archive],
// [Trail], [Jobs], [Feed], [Verifier], [Accounts], [Editor], [Meter]).
//
// A session is a sign-in: its id is computed from the verified ID token ([NewID]), so the token alone names it, and an ended
// session's document is the mark that its sign-in is spent.
//
// # A session's life
//
//	                      activity
//	                  ┌──────────────┐
//	                  ▼              │
//	Register ──▶ PhaseActive ──▶ PhaseWarned ──▶ PhaseIdle ────┐
//	                  │              │                         │ whoever finds it
//	                  │              └────────▶ PhaseExpired ──┤ writes it down
//	                  ├───────────────────────▶ PhaseExpired ──┤
//	                  │              │                         ▼
//	                  └──────────────┴─── End, Revoke ───▶ PhaseEnded
//
// [Policy.Phase] is the only judge: the stored status may lag behind time, never the other way round.
//
// # Who does what
//
// [Gate] admits requests, [Registry] holds the use cases, [Activity] stores what users do, [Inbox] applies what any instance
// decided, [Clock] tells the time that all of them go by. An end is one commit of the store with a [Notice] and the audit
// trail's [Event]; every instance, the one that committed included, acts when its inbox delivers that notice.
//
// [Policy] holds what is decided, without reading or writing: the phases above, the limit, what is suspicious about a sign-in
// (suspicion.go), whether a request comes from the session's networks (network.go). The use cases are in register.go and limit.go, in
// revoke.go, admin.go and account.go, and, in the background, in mass.go and sweep.go. What an instance remembers, so that most requests
// ask nobody, is in tokens.go, state.go and packed.go; what it asks is shared in flight.go.
package session
