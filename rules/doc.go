// Package rules holds Vigil's side of a Firestore database: security rules, indexes, and their tests.
//
//   - firestore.rules is what a database needs in which clients read nothing but Vigil's own collections, and the block that
//     every other application copies into its own rules. docs/rules.md says how.
//   - example.rules is such an application's file.
//   - firestore.indexes.json has what the queries of package firestore need.
//
// The tests run the rules on the Firestore emulator. Every request that is allowed has others beside it that differ in one
// thing and are denied; every boolean expression of the files has to come out true as well as false; and whatever is changed
// in a condition has to turn a request of the table.
package rules
