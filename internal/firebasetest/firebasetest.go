// Package firebasetest runs Firebase's official emulators, through the Firebase CLI that tools/firebase pins: one for all tests of a
// binary, one of a test's own, or those of make run-emulators. They serve the repository's own firebase.json.
//
// A package that shares one says so in one place:
//
//	func TestMain(m *testing.M) { firebasetest.Main(m) }
//
// The official Auth emulator knows one project for clients, whatever the API key: [Project]. Tests that share it isolate themselves
// by users of their own.
package firebasetest

import (
	"context"
	"os"
	"sync"
	"testing"
)

// Project is the project that the emulators stand in for. The prefix demo- keeps the CLI from asking for a login, and from reaching
// any real one.
const Project = "demo-vigil"

var shared struct {
	mu        sync.Mutex
	main      bool
	emulators *Emulators
	err       error
}

// Main runs the tests of a package, stops the emulators that they shared, and exits.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is [Main] for a package that has more to do before it exits with the code.
func Run(m *testing.M) (code int) {
	shared.main = true
	code = m.Run()
	if shared.emulators != nil {
		shared.emulators.Stop()
	}
	return code
}

// Start returns the Auth emulator that all tests of the binary share, and starts it for the first of them, which takes 10 to 30
// seconds. The package needs [Main], since a test's end is not the emulator's.
func Start(tb testing.TB) *Emulators {
	tb.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.main {
		tb.Fatal("firebasetest: the package's TestMain calls neither firebasetest.Main nor Run")
	}
	if shared.emulators == nil && shared.err == nil {
		shared.emulators, shared.err = Launch(context.Background(), Options{FreePorts: true})
	}
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.emulators
}

// New starts emulators that end with the test.
func New(tb testing.TB, options Options) *Emulators {
	tb.Helper()
	e, err := Launch(tb.Context(), options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.Stop)
	return e
}
