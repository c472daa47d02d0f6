package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore"
	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/wire"
)

// start begins a maintenance command against the store at firestoreHost.
func (w *world) start(firestoreHost string, args []string, settings ...string) *process {
	w.Helper()
	return launch(w.TB, w, args, append([]string{
		"FIREBASE_PROJECT_ID=" + w.project, "ALLOW_EMULATORS=true", "FIRESTORE_EMULATOR_HOST=" + firestoreHost,
		"FIREBASE_AUTH_EMULATOR_HOST=" + strings.TrimPrefix(w.identity.URL, "http://"), "LOG_LEVEL=warn", "LOG_FORMAT=text",
	}, settings...)...)
}

// command runs a maintenance command and expects its exit code.
func (w *world) command(firestoreHost string, code int, args ...string) *process {
	w.Helper()
	p := w.start(firestoreHost, args)
	if got := p.wait(); got != code {
		w.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, p.stdout.String(), p.stderr.String())
	}
	return p
}

// lines are the JSON objects that a command has printed.
func (p *process) lines() []map[string]any {
	p.Helper()
	var all []map[string]any
	for line := range strings.Lines(p.stdout.String()) {
		var each map[string]any
		if err := json.Unmarshal([]byte(line), &each); err != nil {
			p.Fatalf("%v in %s", err, line)
		}
		all = append(all, each)
	}
	return all
}

// store opens the store of the world's project, for what no API does.
func (w *world) store(firestoreHost string, retention time.Duration) *firestore.Store {
	w.Helper()
	s, err := firestore.Open(w.Context(), firestore.Options{ProjectID: w.project, EmulatorHost: firestoreHost, Retention: retention})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = s.Close() })
	return s
}

// begin stores a session that began an hour ago, edited.
func (w *world) begin(s *firestore.Store, uid, sid string, edit func(*session.Session)) session.Session {
	w.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	each := session.Session{
		ID: session.NewID(session.UserID(uid), sid, time.Time{}), UserID: session.UserID(uid), Status: session.StatusActive,
		Device: session.Device{Type: "desktop", Browser: "Chrome 142", OS: "Windows 11"}, IPAddress: "203.0.113.7", SignInProvider: "password",
		AuthTime: now.Add(-time.Hour).Truncate(time.Second), CreatedAt: now.Add(-time.Hour), LastActive: now.Add(-5*time.Minute - 30*time.Second),
		IdleTimeout: 8 * time.Hour, ExpiresAt: now.Add(11 * time.Hour),
	}
	if edit != nil {
		edit(&each)
	}
	stored, _, err := s.Create(w.Context(), each, session.Record{})
	if err != nil {
		w.Fatal(err)
	}
	return stored
}

// events are the security events of a type that are for admins.
func (w *world) events(s *firestore.Store, t session.EventType) []session.Event {
	w.Helper()
	all, err := s.AllEvents(w.Context(), session.EventCursor{}, 1000)
	if err != nil {
		w.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e session.Event) bool { return e.Type != t || e.Audience != session.AudienceAdmin })
}

// wantEvent expects exactly one event of the type about the user, by somebody at a shell, with the note.
func (w *world) wantEvent(s *firestore.Store, t session.EventType, uid session.UserID, note string) session.Event {
	w.Helper()
	found := slices.DeleteFunc(w.events(s, t), func(e session.Event) bool { return e.UserID != uid })
	if len(found) != 1 || found[0].Actor != session.ActorCLI || found[0].Details["note"] != note {
		w.Errorf("%s about %q: %+v, want one by %s with the note %q", t, uid, found, session.ActorCLI, note)
		return session.Event{}
	}
	return found[0]
}

func TestCLIRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args     []string
		settings []string
		says     []string
	}{
		"memory": {[]string{"sessions", "list"}, []string{"STORE=memory", "FIREBASE_PROJECT_ID=demo"},
			[]string{"STORE: these commands need STORE=firestore: another process's memory cannot be reached\n"}},
		"every fault at once": {[]string{"sweep", "--retention=1h"}, []string{"STORE=memory", "FIREBASE_PROJECT_ID=demo", "IDLE_TIMEOUT=soon"},
			[]string{"IDLE_TIMEOUT: ", "RETENTION: ", "STORE: these commands need STORE=firestore"}},
		"emulators without leave": {[]string{"users", "enable", "ana"},
			[]string{"FIREBASE_PROJECT_ID=demo", "FIREBASE_AUTH_EMULATOR_HOST=127.0.0.1:1", "FIRESTORE_EMULATOR_HOST=127.0.0.1:1"},
			[]string{"FIREBASE_AUTH_EMULATOR_HOST: ", "FIRESTORE_EMULATOR_HOST: "}},
		"settings before nobody to ask": {[]string{"users", "revoke", "ana"}, []string{"STORE=memory", "FIREBASE_PROJECT_ID=demo"},
			[]string{"STORE: these commands need STORE=firestore", "no terminal to ask on: --yes"}},
		"settings before nobody to ask about sessions": {[]string{"sessions", "end", "--all"},
			[]string{"FIREBASE_PROJECT_ID=demo", "FIREBASE_AUTH_EMULATOR_HOST=127.0.0.1:1"},
			[]string{"FIREBASE_AUTH_EMULATOR_HOST: ", "no terminal to ask on: --yes"}},
		"an unknown command":      {[]string{"session"}, nil, []string{`unknown command "session"`}},
		"an unknown subcommand":   {[]string{"sessions", "purge"}, nil, []string{`unknown command "purge" for "vigil sessions"`}},
		"an unknown user command": {[]string{"users", "delete", "ana"}, nil, []string{`unknown command "delete" for "vigil users"`}},
		"an unknown chore":        {[]string{"sweep", "everything"}, nil, []string{`"everything" is none of expire, purge, limit`}},
		"an unknown flag":         {[]string{"sessions", "list", "--everything"}, nil, []string{"unknown flag: --everything"}},
		"an argument of list":     {[]string{"sessions", "list", "ana"}, nil, []string{`unknown argument "ana"`}},
		"a status":                {[]string{"sessions", "list", "--status=idle"}, nil, []string{"none of active, ended, all"}},
		"an address":              {[]string{"sessions", "list", "--ip=10.0.0.0/8"}, nil, []string{"not an IP address"}},
		"a device":                {[]string{"sessions", "list", "--device-type=fridge"}, nil, []string{"none of desktop"}},
		"a country":               {[]string{"sessions", "list", "--country=Mexico"}, nil, []string{"two letters"}},
		"a moment":                {[]string{"sessions", "list", "--active-before=yesterday"}, nil, []string{"neither a moment"}},
		"a negative limit":        {[]string{"sessions", "list", "--limit=-1"}, nil, []string{"negative"}},
		"a long user":             {[]string{"sessions", "list", "--user=" + strings.Repeat("x", 129)}, nil, []string{"not a uid"}},
		"no sessions":             {[]string{"sessions", "end", "--yes"}, nil, []string{"which sessions?"}},
		"ids and a filter":        {[]string{"sessions", "end", "--yes", "x", "--user=ana"}, nil, []string{"exclude each other"}},
		"all and a filter":        {[]string{"sessions", "end", "--yes", "--all", "--user=ana"}, nil, []string{"exclude each other"}},
		"a dry run of ids":        {[]string{"sessions", "end", "--dry-run", "x"}, nil, []string{"--dry-run is for a filter"}},
		"nobody to ask":           {[]string{"sessions", "end", "--all"}, nil, []string{"no terminal to ask on: --yes"}},
		"nobody to ask, ids":      {[]string{"sessions", "end", "x"}, nil, []string{"no terminal to ask on: --yes"}},
		"nobody to ask, revoke":   {[]string{"users", "revoke", "ana"}, nil, []string{"no terminal to ask on: --yes"}},
		"nobody to ask, disable":  {[]string{"users", "disable", "ana"}, nil, []string{"no terminal to ask on: --yes"}},
		"nobody to ask, remove":   {[]string{"users", "grant-admin", "--remove", "ana"}, nil, []string{"no terminal to ask on: --yes"}},
		"nobody":                  {[]string{"users", "revoke", "--yes"}, nil, []string{"whose account?"}},
		"an empty uid":            {[]string{"users", "revoke", "--yes", ""}, nil, []string{"not a uid"}},
		"a long reason":           {[]string{"users", "enable", "ana", "--reason=" + strings.Repeat("x", 257)}, nil, []string{"--reason"}},
		"an unprintable reason":   {[]string{"sweep", "--reason=a\x1b[2Jb"}, nil, []string{"--reason"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, nil, c.args, c.settings...)
			<-p.exited
			if code := p.cmd.ProcessState.ExitCode(); code != 2 || p.stdout.String() != "" {
				t.Errorf("exit code %d\n%s%s", code, p.stdout.String(), p.stderr.String())
			}
			contains(t, p.stderr.String(), c.says...)
		})
	}
}

func TestCLIHelpHasExamplesAndOnlyWhatMatters(t *testing.T) {
	t.Parallel()
	for _, command := range []string{
		"sessions list", "sessions end", "users revoke", "users disable", "users enable", "users grant-admin", "sweep",
	} {
		p := launch(t, nil, append(strings.Fields(command), "--help"))
		<-p.exited
		contains(t, p.stdout.String(), "STORE=firestore", "vigil "+command, "Examples:\n  ", "--json", "(default warn)", "--store")
		if strings.Contains(p.stdout.String(), "--ws-") || strings.Contains(p.stdout.String(), "--addr") {
			t.Errorf("the help of %s has settings of sockets and listeners:\n%s", command, p.stdout.String())
		}
	}
	p := launch(t, nil, []string{"sessions"})
	<-p.exited
	contains(t, p.stdout.String(), "vigil sessions [command]", "end", "list")
}

func TestCLISaysWhoCannotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	w.intercept(func(*http.Request) bool { return false })
	p := w.command(host, 1, "users", "revoke", "ana", "ben", "--yes")
	contains(t, p.stderr.String(), "user ana: unavailable: Firebase Authentication cannot answer: ", "user ben: unavailable: ")
	w.intercept(nil)
	proxy := firestoretest.NewProxy(t, host)
	proxy.Cut()
	p = w.command(proxy.Host(), 1, "sessions", "list")
	contains(t, p.stderr.String(), "vigil: open: unavailable: Firestore cannot answer: ")
	if strings.Count(p.stderr.String(), "\n") != 1 {
		t.Errorf("more than one line:\n%s", p.stderr.String())
	}
}

// ASVS 7.4.2, 7.4.5 and 8.3.2, from a shell.
func TestCLIUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	p, store := w.serve(host), w.store(host, 0)
	ana, ben := w.signIn("ana", userPass), w.signIn("ben", userPass)
	ana.register(p)
	ben.register(p)
	anas, bens := ana.connect(p), ben.connect(p)

	p.want(http.StatusForbidden, "forbidden", http.MethodGet, "/v1/admin/users/ana/sessions", ben.idToken, nil)
	granted := w.command(host, 0, "users", "grant-admin", "ben", "--reason", "the first admin")
	contains(t, granted.stdout.String(), "user ben: is an admin, from the next token on\n")
	bens.want(wire.TypeClaimsChanged)
	p.want(http.StatusForbidden, "forbidden", http.MethodGet, "/v1/admin/users/ana/sessions", ben.idToken, nil)
	p.want(http.StatusOK, "", http.MethodGet, "/v1/admin/users/ana/sessions", ben.renewed(), nil)
	if e := w.wantEvent(store, session.EventClaimsChanged, "ben", "the first admin"); e.Details["admin"] != "true" {
		t.Errorf("%+v", e)
	}

	revoked := w.command(host, 0, "users", "revoke", "ana", "--yes", "--json", "--reason", "lost laptop").lines()
	if len(revoked) != 1 || revoked[0]["userId"] != "ana" || revoked[0]["ended"] != 1.0 || revoked[0]["revokedAt"] == nil {
		t.Errorf("%v", revoked)
	}
	anas.wantEnd("admin_revoked", wire.CloseRevoked)
	p.want(http.StatusUnauthorized, "token_revoked", http.MethodGet, "/v1/check", ana.idToken, nil)
	w.wantEvent(store, session.EventUserRevoked, "ana", "lost laptop")

	ana = w.signIn("ana", userPass)
	ana.register(p)
	anas = ana.connect(p)
	disabled := w.command(host, 1, "users", "disable", "nobody", "ana", "--yes")
	contains(t, disabled.stderr.String(), "user nobody: not found")
	contains(t, disabled.stdout.String(), "user ana: disabled, 1 session ended\n")
	anas.wantEnd("user_disabled", wire.CloseAccountGone)
	p.want(http.StatusUnauthorized, "user_disabled", http.MethodGet, "/v1/check", ana.idToken, nil)
	w.wantEvent(store, session.EventUserDisabled, "ana", "")
	if err := ana.browser.signIn(t.Context()); err == nil {
		t.Error("a disabled account signs in")
	}
	enabled := w.command(host, 0, "users", "enable", "ana", "--json").lines()
	if len(enabled) != 1 || enabled[0]["disabled"] != false {
		t.Errorf("%v", enabled)
	}
	w.wantEvent(store, session.EventUserEnabled, "ana", "")
	w.signIn("ana", userPass).register(p)

	removed := w.command(host, 0, "users", "grant-admin", "ben", "--remove", "--yes", "--json").lines()
	if len(removed) != 1 || removed[0]["userId"] != "ben" || removed[0]["admin"] != false {
		t.Errorf("%v", removed)
	}
	eventually(t, "the old token is no admin's", func() bool {
		return p.call(http.MethodGet, "/v1/admin/users/ana/sessions", ben.idToken, nil).text("code") == "forbidden"
	})
}

func TestCLISweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := firestoretest.Start(t)
	store, forgetful := w.store(host, 0), w.store(host, time.Millisecond)
	long := func(s *session.Session) { s.LastActive = s.CreatedAt; s.IdleTimeout = time.Minute }
	idle := w.begin(store, "ana", "idle", long)
	w.begin(store, "ben", "idle", long)
	for _, sid := range []string{"1", "2", "3"} {
		w.begin(store, "cleo", sid, func(s *session.Session) { s.ExpiresAt = s.ExpiresAt.Add(-time.Minute) })
	}
	spent := w.begin(forgetful, "dora", "spent", nil)
	if _, ended, err := forgetful.End(t.Context(), spent.ID, session.End{Reason: session.ReasonLogout, By: "dora"}, session.Record{}); err != nil || !ended {
		t.Fatalf("%v, %v", ended, err)
	}

	purged := w.command(host, 0, "sweep", "purge")
	if got := purged.stdout.String(); got != "purge  1  ended sessions older than RETENTION, deleted\n" {
		t.Errorf("%q", got)
	}
	if _, err := store.Session(t.Context(), spent.ID); session.CodeOf(err) != session.CodeNotFound {
		t.Errorf("not purged: %v", err)
	}
	if s, err := store.Session(t.Context(), idle.ID); err != nil || s.Status != session.StatusActive {
		t.Errorf("purging has expired: %+v, %v", s, err)
	}
	all := w.command(host, 0, "sweep", "--json", "--max-sessions=2", "--reason=tidy").lines()
	if len(all) != 1 || all[0]["expired"] != 2.0 || all[0]["limited"] != 1.0 || all[0]["purged"] != 0.0 {
		t.Errorf("%v", all)
	}
	if s, err := store.Session(t.Context(), idle.ID); err != nil || s.EndReason != session.ReasonIdleTimeout {
		t.Errorf("not expired: %+v, %v", s, err)
	}
	events := w.events(store, session.EventSweepRequested)
	if len(events) != 2 || cmp.Or(events[0].Details["note"], events[1].Details["note"]) != "tidy" || events[0].Actor != session.ActorCLI {
		t.Errorf("%+v", events)
	}
	again := w.command(host, 0, "sweep", "expire", "limit")
	contains(t, again.stdout.String(), "expire  0  ", "limit   0  ")
}

func TestConfirmation(t *testing.T) {
	for answer, yes := range map[string]bool{"y\n": true, "YES\n": true, "y": true, "\n": false, "": false, "no\n": false, "yesterday\n": false} {
		var asked lockedBuffer
		s := shell{maintenance: &maintenance{env: environment{stderr: &asked}, stdin: strings.NewReader(answer)}}
		if err := s.confirm(t.Context(), "End it?"); (err == nil) != yes || asked.String() != "End it? [y/N] " {
			t.Errorf("%q: %v, asked %q", answer, err, asked.String())
		}
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := shell{maintenance: &maintenance{env: environment{stderr: &lockedBuffer{}}, stdin: bufio.NewReader(reader)}}
	if s.confirm(ctx, "End it?") == nil {
		t.Error("an interrupted question is confirmed")
	}
}
