// Package identity is a local identity server: it speaks the Google Identity
// Toolkit and Secure Token REST protocols closely enough that the unchanged
// Firebase Admin SDK (FIREBASE_AUTH_EMULATOR_HOST) and the unchanged Firebase
// JS SDK (connectAuthEmulator) work against it. `vigil dev` embeds it, and the
// tests sign in through it.
//
// Accounts, sign-ins and passwords live in memory and end with the process.
//
// # Stricter than the official emulator, and why
//
// The official emulator never ends anything: after RevokeRefreshTokens a
// refresh still succeeds, and a refreshed token carries the auth_time of the
// user's latest sign-in on any device. A session companion tested against that
// is tested against nothing. So this server does what production does:
//
//	revoked, new password, new e-mail   refresh and older id tokens: TOKEN_EXPIRED
//	disabled                            USER_DISABLED, until enabled again
//	deleted                             USER_NOT_FOUND, also when the uid is used anew
//
// And further:
//
//   - auth_time, the provider and a custom token's developer claims belong to
//     one sign-in: they survive its refreshes and touch no other device.
//   - A client's password or e-mail change is a new sign-in. It wants a sign-in
//     of the last five minutes, and it ends every other one.
//   - An id token that has expired or was revoked is no credential, and an
//     expired custom token signs nobody in.
//   - An unknown address and a wrong password are one error, as in projects
//     with e-mail enumeration protection, today's default.
//
// docs/parity.md has every difference, from a suite that asks both servers the
// same (internal/firebasetest).
//
// Revocation is compared as the Admin SDK compares it: an id token dies when
// its iat, in whole seconds, is before validSince. Refresh tokens are compared
// exactly: every one that exists when the account is revoked ends, also those
// of the same second.
//
// # Not a production service
//
// Id tokens are unsigned, as the SDKs demand in emulator mode: whoever can
// reach the server can be anybody. [Listen] therefore binds loopback only, and
// every request must name a loopback host ([LoopbackHost]) and, from a
// browser, come from a loopback origin, so that no web page can reach in.
// Federated and phone sign-in, e-mail links, second factors and tenants answer
// with Google's own refusals.
package identity
