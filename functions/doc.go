// Package functions has the parts of Vigil that Google calls: four functions for the functions framework, in a container on Cloud Run.
//
//	BeforeSignIn    called by Identity Platform, and answered before a sign-in is done: names the sign-in by a claim of its own, sid
//	OnRevocation    a document of sessionUsers was written: a revocation that its instance leaves undone is finished
//	OnUserDeleted   an account was deleted in Firebase: everything that is left of it ends
//	Sweep           called by Cloud Scheduler: the clean-up
//
// What a function does is the domain's to decide; this package reads requests, asks the domain and answers. An event is a hint and the
// stored documents are the truth: whatever it claims is looked up again before anything is done, so that one that is forged, repeated,
// late or out of order does no harm. A function that cannot do its work says so with a status on which its caller tries again.
//
// BeforeSignIn needs neither a store nor credentials, is open to everybody and believes nobody but Google (see token.go). The three
// others are for a service that the platform lets only known callers reach.
package functions
