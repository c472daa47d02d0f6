package main

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/vigilhq/vigil/firestore"
	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

func TestCLIEndsNamedSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	p, store := w.serve(host), w.store(host, 0)
	laptop, phone := w.signIn("ana", userPass), w.signIn("ana", userPass)
	id := laptop.register(p)
	phone.register(p)
	ended, other := laptop.connect(p), phone.connect(p)
	nobodys := strings.Repeat("0", 64)

	ends := w.command(host, 1, "sessions", "end", "no-id", nobodys, id, "--yes", "--reason=stolen")
	contains(t, ends.stderr.String(), "session no-id: not found", "session "+nobodys+": not found")
	if got := ends.stdout.String(); got != "session "+id+" is over\n" {
		t.Errorf("%q", got)
	}
	ended.wantEnd("admin_revoked", wire.CloseRevoked)
	other.stillOpen()
	p.want(http.StatusUnauthorized, "session_ended", http.MethodGet, "/v1/check", laptop.idToken, nil)
	if e := w.wantEvent(store, session.EventSessionEnded, "ana", "stolen"); string(e.SessionID) != id {
		t.Errorf("%+v", e)
	}
	again := w.command(host, 0, "sessions", "end", id, "--yes", "--json").lines()
	if len(again) != 1 || again[0]["id"] != id || again[0]["status"] != "ended" {
		t.Errorf("%v", again)
	}
}

func TestCLIEndsSessionsByAFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	p, store := w.serve(host), w.store(host, 0)
	laptop, phone, ben := w.signIn("ana", userPass), w.signIn("ana", userPass), w.signIn("ben", userPass)
	for _, u := range []*user{laptop, phone, ben} {
		u.register(p)
	}
	tabs, bens := []*tab{laptop.connect(p), phone.connect(p)}, ben.connect(p)

	dry := w.command(host, 0, "sessions", "end", "--user=ana", "--dry-run")
	contains(t, dry.stdout.String(), "2 sessions would end.\nUSER ", "ana ", "ana ")
	if previewed := w.command(host, 0, "sessions", "end", "--all", "--dry-run", "--json").lines(); len(previewed) != 1 ||
		previewed[0]["matched"] != 3.0 || len(previewed[0]["sample"].([]any)) != 3 {
		t.Errorf("%v", previewed)
	}
	refused := w.command(host, 2, "sessions", "end", "--user=ana")
	contains(t, refused.stderr.String(), "--yes")
	for _, tab := range tabs {
		tab.stillOpen()
	}

	ends := w.command(host, 0, "sessions", "end", "--user=ana", "--yes", "--json", "--reason=leak")
	report := ends.lines()
	if len(report) != 1 || report[0]["state"] != "done" || report[0]["matched"] != 2.0 || report[0]["ended"] != 2.0 {
		t.Fatalf("%v", report)
	}
	id, _ := report[0]["id"].(string)
	contains(t, ends.stderr.String(), "revocation "+id+", sessions ended: 0 of 2\n")
	for _, tab := range tabs {
		tab.wantEnd("admin_revoked", wire.CloseRevoked)
	}
	bens.stillOpen()
	if e := w.wantEvent(store, session.EventMassRevocation, "ana", "leak"); e.Details["revocation"] != id {
		t.Errorf("%+v", e)
	}
	w.wantEvent(store, session.EventMassRevoked, "ana", "leak")
	rest := w.command(host, 0, "sessions", "end", "--all", "--yes")
	contains(t, rest.stdout.String(), "Revocation ", " is done: 1 matched, 1 ended.\n")
	bens.wantEnd("admin_revoked", wire.CloseRevoked)
}

// crowd stores many sessions and returns the store.
func (w *world) crowd(host string, n int) *firestore.Store {
	w.Helper()
	store := w.store(host, 0)
	var storing sync.WaitGroup
	for k := range 20 {
		storing.Go(func() {
			for i := k; i < n; i += 20 {
				w.begin(store, fmt.Sprintf("user-%d", i/3), fmt.Sprint(i), nil)
			}
		})
	}
	storing.Wait()
	if w.Failed() {
		w.FailNow()
	}
	return store
}

// revocation is the only mass revocation that is neither done nor failed.
func (w *world) revocation(store *firestore.Store) (session.MassRevocation, bool) {
	running, err := store.RunningJobs(w.Context(), 2)
	return append(running, session.MassRevocation{})[0], err == nil && len(running) == 1
}

// begun waits until a mass revocation has ended at least some sessions, and returns its id.
func (w *world) begun(store *firestore.Store, least int) string {
	w.Helper()
	id := ""
	eventually(w.TB, "the revocation has begun", func() bool {
		j, ok := w.revocation(store)
		if !ok {
			return false
		}
		id = j.ID
		ends, err := store.JobEnds(w.Context(), id)
		return err == nil && ends >= least
	})
	return id
}

// The shell dies in the middle of a mass revocation, and an instance of the service goes on with it.
func TestCLIKilledInTheMiddleOfAMassRevocation(t *testing.T) {
	t.Parallel()
	const crowd = 600
	w := newWorld(t)
	host := firestoretest.Start(t)
	store := w.crowd(host, crowd)
	proxy := firestoretest.NewProxy(t, host)
	doomed := w.start(proxy.Host(), []string{"sessions", "end", "--all", "--yes", "--reason=leak"})
	id := w.begun(store, 50)
	proxy.Pause()
	doomed.signal(syscall.SIGKILL)
	doomed.wait()
	proxy.Cut()
	left, err := store.JobEnds(t.Context(), id)
	if err != nil || left >= crowd {
		t.Fatalf("all %d are over before the kill, nothing is left to finish: %v", left, err)
	}
	later := w.begin(store, "ana", "later", func(s *session.Session) { s.CreatedAt = time.Now() })

	w.serve(host, "FEED_RESYNC=1s")
	dead, err := store.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var j session.MassRevocation
	read := func() session.MassRevocation {
		if j, err = store.Job(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return j
	}
	<-time.After(time.Until(dead.LeaseUntil)) // of the dead, which nobody shortens
	eventually(t, "the instance takes over", func() bool { return read().Owner != dead.Owner })
	eventually(t, "the instance finishes", func() bool { return read().State == session.JobDone })
	ends, err := store.JobEnds(t.Context(), id)
	if err != nil || ends != crowd || j.Ended != crowd || j.State != session.JobDone || j.Matched != crowd {
		t.Errorf("%d ends, %+v, %v", ends, j, err)
	}
	if rest, err := store.Count(t.Context(), session.Filter{Status: session.StatusActive}); err != nil || rest != 1 {
		t.Errorf("%d sessions are left, %v", rest, err)
	}
	if s, err := store.Session(t.Context(), later.ID); err != nil || s.Status != session.StatusActive {
		t.Errorf("a later session: %+v, %v", s, err)
	}
}

func TestCLIInterruptedSaysWhoGoesOn(t *testing.T) {
	t.Parallel()
	const crowd = 600
	w := newWorld(t)
	host := firestoretest.Start(t)
	store := w.crowd(host, crowd)
	proxy := firestoretest.NewProxy(t, host)
	p := w.start(proxy.Host(), []string{"sessions", "end", "--all", "--yes", "--json"})
	id := w.begun(store, 1)
	proxy.Pause()
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	contains(t, p.stderr.String(), "revocation "+id+": interrupted; running instances go on with it, GET /v1/admin/revocations/"+id)
	if report := p.lines(); len(report) != 1 || report[0]["id"] != id || report[0]["state"] != "running" {
		t.Errorf("%v", report)
	}
}

// At a terminal: what would end is shown, a question asked, and a bar drawn.
func TestCLIAsksAtATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	store := w.crowd(host, 12)
	count := func() int {
		n, err := store.Count(t.Context(), session.Filter{Status: session.StatusActive})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	screen, code := w.terminal(host, "n\n", "sessions", "end", "--all")
	contains(t, screen, "USER ", "… and 2 more", "End 12 sessions? [y/N]", "not confirmed: nothing was done")
	if code != 1 || count() != 12 {
		t.Errorf("exit code %d, %d sessions left", code, count())
	}
	screen, code = w.terminal(host, "y\n", "sessions", "end", "--all")
	contains(t, screen, "End 12 sessions? [y/N]", "sessions ended", "0/12", "is done: 12 matched, 12 ended.")
	if code != 0 || count() != 0 {
		t.Errorf("exit code %d, %d sessions left", code, count())
	}
	if screen, code = w.terminal(host, "\x03", "users", "revoke", "ana"); code != 1 || !strings.Contains(screen, "nothing was done") {
		t.Errorf("exit code %d after Ctrl-C\n%s", code, screen)
	}
}

// terminal runs a command at a terminal, types when it asks, and returns what is to be seen, with the exit code.
func (w *world) terminal(host, typed string, args ...string) (screen string, code int) {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), program, args...)
	cmd.Env = []string{
		"HOME=" + w.TempDir(), "TERM=xterm", "FIREBASE_PROJECT_ID=" + w.project, "ALLOW_EMULATORS=true", "FIRESTORE_EMULATOR_HOST=" + host,
		"FIREBASE_AUTH_EMULATOR_HOST=" + strings.TrimPrefix(w.identity.URL, "http://"),
	}
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 200})
	if err != nil {
		w.Fatal(err)
	}
	defer terminal.Close()
	w.Cleanup(func() { _ = cmd.Process.Kill() })
	var seen lockedBuffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&seen, terminal) // ends with the process, as an error
	}()
	eventually(w.TB, "it asks", func() bool { return strings.Contains(seen.String(), "[y/N]") })
	if _, err := terminal.WriteString(typed); err != nil {
		w.Fatal(err)
	}
	<-read
	_ = cmd.Wait() // its state tells
	return seen.String(), cmd.ProcessState.ExitCode()
}
