// Package house holds the project's architecture as a test: which package may import which, and why.
//
// The product is one domain (internal/session, on the standard library), four adapters around it, each the only
// importer of its vendor's library, and cmd, which alone wires them together. Nothing keeps such a shape but a build
// that fails without it. So every package has a row in the test's table, with the packages of this module that it may
// import and the reason; and every vendor library has the one package that may import it.
//
// Test files are exempt, as is bench/: they may look at anything. A new package fails the test until it has a row,
// which is the moment to think about where it belongs.
package house
