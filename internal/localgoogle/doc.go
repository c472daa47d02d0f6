// Package localgoogle stands in for the part of Google that the unmodified Firebase Admin SDK talks to, so that `vigil serve` runs
// outside of emulator mode, with real RS256 signatures, and without Google: for load tests and benchmarks. It serves
//
//	www.googleapis.com               the keys that ID tokens are signed with
//	oauth2.googleapis.com            access tokens for its own service account
//	identitytoolkit.googleapis.com   accounts: every uid has one, which is not disabled
//
// over TLS, behind an HTTP proxy on loopback that leads nowhere else. A process is pointed at it by its environment, see
// [Server.Environ]. The certificate signs nothing but itself and its key stays in memory, so that the files let nobody pretend to
// be Google to anybody else; the tokens mean nothing to anyone who does not fetch keys from here.
package localgoogle
