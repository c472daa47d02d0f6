package firebasetest

import (
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestBoth(t *testing.T) {
	e := New(t, Options{Firestore: true, FreePorts: true})
	if !answers(t.Context(), e.AuthHost()) || !answers(t.Context(), e.FirestoreHost()) {
		t.Fatal("no answer")
	}
	t.Log(e.java, e.Output())
	e.Stop()
	if answers(t.Context(), e.AuthHost()) || answers(t.Context(), e.FirestoreHost()) {
		t.Fatal("answer")
	}
}
