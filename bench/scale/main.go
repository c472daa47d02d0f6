// Command scale works out what a million sessions, and a hundred million, ask of Firestore, of Firebase Authentication and of a fleet
// of instances, and prints docs/scale.md.
//
// It lets a day pass for a few hundred people, on the domain and the hub as they run in `vigil serve`, on a store in memory that counts
// what Firestore would charge, and on virtual time. What that day has cost is scaled by arithmetic. The people's days are drawn from a
// seed: every run prints the same.
package main

import (
	"fmt"
	"os"
	"testing"
)

func main() {
	// The virtual time of testing/synctest is for tests alone: so this is one.
	all := func(string, string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "scale", F: func(t *testing.T) {
		text, err := newReport(t).document()
		if err != nil {
			t.Fatal(err)
		}
		if !t.Failed() {
			fmt.Print(text)
			os.Exit(0) // before the verdict of a test is printed
		}
	}}}, nil, nil)
}
