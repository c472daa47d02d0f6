// Package firestore keeps what Vigil knows in Cloud Firestore. It is the only importer of Google's client,
// and no type of it leaves the package.
//
// # Documents
//
// activeSessions/{session id} is one session; an ended one stays until it is purged, as the mark that its sign-in is
// spent. sessionUsers/{uid} is what was decided about an account as a whole. sessionNotices/{random id} is the feed,
// securityEvents/{random id} the audit trail. Their fields are those of the contract; this package adds
//
//	activeSessions.networks           from which requests may come, in CIDR notation, IPv4 first
//	activeSessions.otherNetworks      of which the user has been told, the latest first
//	activeSessions.location.position  of the sign-in, with a radius in kilometres
//	activeSessions.writeId            random, of the create, the move or the end that wrote last: a writer whose answer was
//	                                  lost knows its own work by it
//	sessionUsers.userId               the uid, since an unusual one is hashed in the document's name
//	sessionUsers.revokeReason         of the latest revocation
//	sessionUsers.revokedBy            of the latest revocation
//	sessionNotices.alert              of a notice of kind alert
//
// and these collections:
//
//	sessionRevocations/{id}           a mass revocation, with its filter and how far it has come
//	sessionSweeps/latest              what the last clean-up has counted
//	sessionMails/{hash of a device}   when a mail was last stored about a device
//
// Mails go into the collection of [Options].MailCollection, in the shape of the extension "Trigger Email".
//
// # Indexes
//
// The composite indexes, the exemptions and the TTL policies are in rules/firestore.indexes.json. Firestore takes 500 writes a
// second to a collection that has an index over a time. So no time of sessions and events has one of its own, and a
// query of all users in the order of a time asks each of the sixteen shards.
//
// # Order and time
//
// Sessions are ordered by the time at which Firestore committed their creation, which all instances read alike.
// A session changes only on the condition that its document still has the update time that was read
// ([session.Session].Version), so whoever loses a race reads again and decides anew: lastActive
// never moves back, and the first end wins. A registration runs in a transaction that reads the
// user's document, whose lock orders it against revocations.
//
// What Firestore calls server time is the time of the request. A commit that waited behind a lock becomes visible with a
// time that has passed, so times of notices and of revocations say nothing about the order in which they become
// visible: [Feed] goes back over an overlap, and [Store.Revoke] repairs a revocation time that a late commit moved
// back. The [session.Clock] learns from the read times of answers.
//
// # Failure
//
// Google's client repeats what may be repeated until the context ends, so every call has a timeout here. Whatever keeps
// Firestore from answering is unavailable; only a document that was read as missing is not_found.
package firestore
