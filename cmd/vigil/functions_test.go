package main

import (
	"net"
	"testing"

	"github.com/vigilhq/vigil/firestore/firestoretest"
)

// serveFunctions starts the functions on the store at firestoreHost, waits until they answer, and returns their URL. BeforeSignIn takes
// requests for that one.
func (w *world) serveFunctions(firestoreHost string, settings ...string) (address string) {
	w.Helper()
	listener, err := new(net.ListenConfig).Listen(w.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	host := listener.Addr().String()
	if err := listener.Close(); err != nil {
		w.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(host)
	launchProgram(w.TB, w, functions, nil, append(append(w.settings(firestoreHost), "PORT="+port, "SIGN_IN_URI=http://"+host), settings...)...)
	eventually(w.TB, "the functions listen", func() bool {
		conn, err := new(net.Dialer).DialContext(w.Context(), "tcp", host)
		return err == nil && conn.Close() == nil
	})
	return "http://" + host
}

// The only instance dies between the commit of a revocation and that of the tokens, and none comes back: OnRevocation alone finishes it.
func TestOnRevocationFinishesTheRevocationAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events := firestoretest.NewEvents(t)
	doomed := w.serve(events.Host(), "FEED_RESYNC=1s")
	events.Subscribe(t, w.project, "sessionUsers/{uid}", w.serveFunctions(events.Host(), "FEED_RESYNC=1s")+"/OnRevocation")
	admin, laptop := w.signIn("boss", adminPass), w.signIn("ana", userPass)
	admin.register(doomed)
	id := laptop.register(doomed)

	w.killWithinRevocation(doomed, admin)
	if err := laptop.refresh(t.Context(), true); err != nil {
		t.Fatalf("the tokens are revoked already, nothing is left to finish: %v", err)
	}
	w.intercept(nil)
	eventually(t, "the tokens are revoked", func() bool { return laptop.refresh(t.Context(), true) != nil })
	client := w.documents(events.Host())
	eventually(t, "nothing is pending", func() bool { return w.all(client, "sessionUsers")["ana"]["tokensPending"] == false })
	if s := w.all(client, "activeSessions")[id]; s["status"] != "ended" || s["endReason"] != "admin_revoked" {
		t.Errorf("%v", s)
	}
	eventually(t, "every event is acknowledged", func() bool { return len(events.Delivered()) >= 2 })
}
