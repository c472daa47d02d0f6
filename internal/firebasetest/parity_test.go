package firebasetest

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	firebase "firebase.google.com/go/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/vigilhq/vigil/internal/identity"
)

var update = flag.Bool("update", false, "write docs/parity.md anew")

// A behaviour is something that is observed on both identity servers, in a few words.
type behaviour struct {
	name    string
	observe func(*caller) string
	both    string // on both servers; else each its own:

	official, ours string
	why            string // ours is not the official one: what production does, and where that is known from
}

// Groups of behaviours, in the order of the document.
var groups = []struct {
	title      string
	behaviours []behaviour
}{
	{"Signing in", signingIn},
	{"Custom tokens", customTokens},
	{"Tokens and their refresh", refreshing},
	{"What ends a sign-in", endings},
	{"ID tokens as a credential", credentials},
	{"A user's own account", ownAccount},
	{"Administration", administration},
	{"Requests", requests},
	{"The client SDK for JavaScript", javaScript},
}

// TestParity holds both servers to the table, and the table to both: an unknown difference fails, and so does an unknown agreement.
func TestParity(t *testing.T) {
	requireSDK(t)
	accounts, err := identity.New(identity.Options{ProjectID: Project})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(accounts)
	t.Cleanup(server.Close)
	official := observe(t, "http://"+Start(t).AuthHost())
	ours := observe(t, server.URL)

	for _, group := range groups {
		for _, b := range group.behaviours {
			t.Run(group.title+"/"+b.name, func(t *testing.T) {
				if (b.both != "") != (b.why == "") {
					t.Error("a row says what both do, or why they differ")
				}
				if b.both != "" {
					b.official, b.ours = b.both, b.both
				} else if b.official == b.ours {
					t.Errorf("the row gives a reason for a difference, and none: %q", b.ours)
				}
				if got := official[group.title+b.name]; got != b.official {
					t.Errorf("the official emulator: %q, want %q", got, b.official)
				}
				if got := ours[group.title+b.name]; got != b.ours {
					t.Errorf("internal/identity: %q, want %q", got, b.ours)
				}
			})
		}
	}
}

// observe makes every observation on the server at base, all at once: many wait for a second to pass.
func observe(t *testing.T, base string) map[string]string {
	t.Helper()
	t.Setenv("FIREBASE_AUTH_EMULATOR_HOST", strings.TrimPrefix(base, "http://"))
	app, err := firebase.NewApp(t.Context(), &firebase.Config{ProjectID: Project})
	if err != nil {
		t.Fatal(err)
	}
	sdk, err := app.Auth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := &caller{Context: ctx, base: base, sdk: sdk}
	c.script = newScript(c)
	var mu sync.Mutex
	seen := make(map[string]string)
	var running sync.WaitGroup
	for _, group := range groups {
		for _, b := range group.behaviours {
			running.Go(func() {
				outcome, name := attempt(b, c), group.title+b.name
				mu.Lock()
				defer mu.Unlock()
				if _, taken := seen[name]; taken {
					outcome = "two rows have this name"
				}
				seen[name] = outcome
			})
		}
	}
	running.Wait()
	return seen
}

func attempt(b behaviour, c *caller) (outcome string) {
	defer func() {
		if problem, ok := recover().(impasse); ok {
			outcome = "cannot tell: " + string(problem)
		}
	}()
	return b.observe(c)
}

// TestParityDocument holds docs/parity.md to the table.
func TestParityDocument(t *testing.T) {
	const path = "../../docs/parity.md"
	want := document(pinned(t))
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil { //nolint:gosec // a document
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/parity.md is not what the table says; `go test ./internal/firebasetest -run TestParityDocument -update` writes it (-want +got):\n%s", diff)
	}
}

// pinned is the version of the Firebase CLI.
func pinned(t *testing.T) string {
	t.Helper()
	var manifest struct{ Dependencies map[string]string }
	text, err := os.ReadFile("../../" + cliFolder + "/package.json")
	if err == nil {
		err = json.Unmarshal(text, &manifest)
	}
	if err != nil {
		t.Fatal(err)
	}
	return manifest.Dependencies["firebase-tools"]
}

func document(version string) []byte {
	var differing, agreeing bytes.Buffer
	total, different := 0, 0
	for _, group := range groups {
		var differ, agree bytes.Buffer
		for _, b := range group.behaviours {
			total++
			if b.both != "" {
				fmt.Fprintf(&agree, "| %s | %s |\n", b.name, b.both)
				continue
			}
			different++
			fmt.Fprintf(&differ, "| %s | %s | %s | %s |\n", b.name, b.official, b.ours, b.why)
		}
		section(&differing, group.title, "| | official emulator | Vigil's | why |\n|---|---|---|---|\n", &differ)
		section(&agreeing, group.title, "| | both |\n|---|---|\n", &agree)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, parityIntroduction, version, total, different)
	out.WriteString("\n## Where they differ\n")
	_, _ = differing.WriteTo(&out)
	out.WriteString("\n## Where they agree\n")
	_, _ = agreeing.WriteTo(&out)
	return out.Bytes()
}

func section(to *bytes.Buffer, title, head string, rows *bytes.Buffer) {
	if rows.Len() > 0 {
		fmt.Fprintf(to, "\n### %s\n\n%s%s", title, head, rows)
	}
}

const parityIntroduction = "<!-- Written by `go test ./internal/firebasetest -run TestParityDocument -update` from the tables in internal/firebasetest. -->\n" + `
# Parity with the official Auth emulator

` + "`vigil dev` and Vigil's tests sign in through `internal/identity`. One suite (`internal/firebasetest.TestParity`) asks it and the official\n" +
	"Auth emulator (Firebase CLI %s) the same %d questions, over HTTP, through the Admin SDK for Go and through the client SDK for\n" +
	"JavaScript. They differ in %d. An outcome is what a caller sees: a word like `TOKEN_EXPIRED` is Google's, with code 400 where none stands\n" +
	"before it. A difference that is not listed here fails the suite, and so does an agreement that is listed as a difference.\n" + `
Neither is Firebase. What production does is taken from [Manage User Sessions][sessions], the [REST reference][rest],
[custom tokens][custom], [e-mail enumeration protection][enumeration], [password policies][policy] and issues of the Firebase CLI, and has not
been tried here against a live project.

[sessions]: https://firebase.google.com/docs/auth/admin/manage-sessions
[rest]: https://firebase.google.com/docs/reference/rest/auth
[custom]: https://firebase.google.com/docs/auth/admin/create-custom-tokens
[enumeration]: https://cloud.google.com/identity-platform/docs/admin/email-enumeration-protection
[policy]: https://firebase.google.com/docs/auth/web/password-auth#enforce_password_policy
[5990]: https://github.com/firebase/firebase-tools/issues/5990
[3608]: https://github.com/firebase/firebase-tools/issues/3608
`
