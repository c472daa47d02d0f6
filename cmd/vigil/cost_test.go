package main

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/firestore"
	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// bill counts what Firestore charges for, as vigil_firestore_operations_total does.
type bill struct {
	mu  sync.Mutex
	ops map[string]int
}

func (b *bill) Operations(op string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ops[op] += n
}

// take returns the reads and writes since the last time, in the form of the handbook's table.
func (b *bill) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := fmt.Sprintf("%d | %d", b.ops["read"], b.ops["write"])
	b.ops = make(map[string]int)
	return taken
}

// till is an instance without a feed, or anything else in the background, whose operations are counted.
type till struct {
	*testing.T
	bill     bill
	accounts *sessiontest.Directory
	registry *session.Registry
	gate     *session.Gate
}

func newTill(t *testing.T) *till {
	t.Helper()
	a := &till{T: t, bill: bill{ops: make(map[string]int)}, accounts: sessiontest.NewDirectory()}
	unset := func(string) (string, bool) { return "", false }
	c, err := config.Load(t.Context(), config.Dev, unset, unset)
	if err != nil {
		t.Fatal(err)
	}
	settings, clock, inbox := c.Domain(), session.NewClock(), session.NewInbox(time.Hour)
	settings.TouchInterval = time.Millisecond // the first activity is stored at once
	inbox.Prove(time.Now())
	store, err := firestore.Open(t.Context(), firestore.Options{
		ProjectID: firestoretest.ProjectID(t), EmulatorHost: firestoretest.Start(t), Retention: c.Retention, Meter: &a.bill, Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	a.registry = session.NewRegistry(settings, session.Ports{
		Store: store, Users: store, Publisher: store, Archive: store, Trail: store, Jobs: store,
		Accounts: a.accounts, Editor: a.accounts, Clock: clock, Inbox: inbox,
		After: func(time.Duration, func()) {}, Log: slog.New(slog.DiscardHandler),
	})
	a.gate = session.NewGate(a.registry, a.accounts)
	return a
}

func (a *till) register(token string) session.Session {
	a.Helper()
	id, err := a.gate.Authenticate(a.Context(), token)
	a.must(err)
	done, err := a.registry.Register(a.Context(), id, session.SignIn{Device: session.Device{Type: "desktop", Kind: "desktop/chrome/linux"}})
	a.must(err)
	return done.Session
}

// begin begins a session of Ana's, with a sign-in in a second of its own.
func (a *till) begin() (token string) {
	a.Helper()
	nextSecond()
	token = a.accounts.SignIn("ana")
	a.register(token)
	return token
}

func (a *till) admit(token string) session.Admission {
	a.Helper()
	admitted, err := a.gate.Admit(a.Context(), token, session.Origin{})
	a.must(err)
	return admitted
}

func (a *till) must(err error) {
	a.Helper()
	if err != nil {
		a.Fatal(err)
	}
}

// What the handbook says that things cost is what they cost.
func TestCosts(t *testing.T) {
	t.Parallel()
	a := newTill(t)
	handbook, err := os.ReadFile("../../docs/operations.md")
	a.must(err)
	rows := make(map[string]string)
	for _, row := range regexp.MustCompile(`(?m)^\| (.+?) \| (\d+ \| \d+) \|$`).FindAllStringSubmatch(string(handbook), -1) {
		rows[row[1]] = row[2]
	}
	cost := func(what string) {
		t.Helper()
		got := a.bill.take()
		if want, ok := rows[what]; !ok || got != want {
			t.Errorf("%s: %s, docs/operations.md has %q", what, got, want)
		}
		delete(rows, what)
	}
	a.bill.take()

	a.begin()
	cost("the first session of a user")
	a.begin()
	a.bill.take()
	token := a.begin()
	cost("a session beside two live ones, all that the user ever had")
	s := a.register(token)
	cost("the same registration again, within ten seconds")
	caller := a.admit(token)
	a.bill.take()
	a.admit(token)
	cost("a request that is answered from memory")
	_, err = a.registry.Touch(t.Context(), caller.Session)
	a.must(err)
	cost("activity that is stored, at most once per `TOUCH_INTERVAL`")
	a.must(a.registry.EndOwn(t.Context(), caller, s.ID))
	cost("a logout")
	_, err = a.registry.Sessions(t.Context(), "ana", false)
	a.must(err)
	cost("a list of two sessions")
	_, err = a.registry.Sweep(t.Context(), session.SweepAll)
	a.must(err)
	cost("a clean-up that finds two active sessions and nothing to do")
	_, err = a.registry.RevokeUser(t.Context(), "ana", session.Actor{By: "boss"})
	a.must(err)
	cost("the revocation of a user with two live sessions")
	a.must(a.registry.FinishRevocations(t.Context()))
	cost("a look for revocations that nobody has completed")
	a.must(a.registry.WorkOnRevocations(t.Context()))
	cost("a look for mass revocations that nobody works on")
	if len(rows) > 0 {
		t.Errorf("nothing measures %s", strings.Join(slices.Sorted(maps.Keys(rows)), ", "))
	}
}
