package firebasetest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/vigilhq/vigil/internal/tied"
)

// jsSDK is where the client SDK is installed.
const jsSDK = "../identity/testdata/jssdk"

func requireSDK(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(jsSDK, "node_modules", "firebase", "package.json")); err != nil {
		t.Fatal("`npm ci --ignore-scripts` in internal/identity/testdata/jssdk is needed; `make test-official-emulators` runs it")
	}
}

// inScript is an observation that testdata/jssdk/parity.mjs makes with the client SDK.
func inScript(name string) func(*caller) string {
	return func(c *caller) string {
		outcomes, err := c.script()
		c.must(err)
		if outcome, ok := outcomes[name]; ok {
			return outcome
		}
		return "the script has no such observation"
	}
}

// newScript returns what runs the script on the server at base, once.
func newScript(c *caller) func() (map[string]string, error) {
	return sync.OnceValues(func() (map[string]string, error) {
		script := exec.CommandContext(c, "node", "parity.mjs")
		script.Dir, script.Stderr = jsSDK, &tied.Tail{}
		script.Env = append(os.Environ(), "IDENTITY_URL="+c.base, "IDENTITY_PROJECT="+Project)
		out, err := script.Output()
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, script.Stderr)
		}
		var outcomes map[string]string
		err = json.Unmarshal(out, &outcomes)
		return outcomes, err
	})
}

var javaScript = []behaviour{
	{name: "sign up with an address that is taken", both: "auth/email-already-in-use", observe: inScript("signUpTaken")},
	{name: "sign in with a wrong password", observe: inScript("wrongPassword"),
		official: "auth/wrong-password", ours: "auth/invalid-credential", why: "[e-mail enumeration protection][enumeration], as above"},
	{name: "sign in with an unknown address", observe: inScript("unknownAddress"),
		official: "auth/user-not-found", ours: "auth/invalid-credential", why: "the same"},
	{name: "`fetchSignInMethodsForEmail`", observe: inScript("methods"), official: "password", ours: "none told", why: "the same"},
	{name: "`validatePassword` of 5 characters", observe: inScript("policy"),
		official: "auth/identitytoolkit.getpasswordpolicy-is-not-implemented-in-the-auth-emulator.", ours: "too short",
		why: "production tells its [password policy][policy], six characters by default"},
	{name: "`sendPasswordResetEmail`", observe: inScript("resetMail"), official: "done", ours: "auth/operation-not-allowed", why: "not built, as above"},
	{name: "`signInWithCredential` of Google", observe: inScript("google"), official: "done", ours: "auth/operation-not-allowed", why: "not built, as above"},
	{name: "`getIdToken(true)` after a revocation", observe: inScript("revoked"),
		official: "refreshed", ours: "auth/user-token-expired, and no longer signed in", why: revokedWhy},
	{name: "`reload()` after a revocation", both: "auth/user-token-expired", observe: inScript("revokedReload")},
	{name: "`getIdToken(true)` after the account was disabled", both: "auth/user-disabled, and no longer signed in", observe: inScript("disabled")},
	{name: "`getIdToken(true)` after the account was deleted", observe: inScript("deleted"),
		official: "auth/invalid-refresh-token, and still signed in", ours: "auth/user-token-expired, and no longer signed in",
		why: "`USER_NOT_FOUND`, as above: the SDK signs out on it"},
	{name: "`getIdToken(true)` after a password change elsewhere", observe: inScript("passwordElsewhere"),
		official: "refreshed", ours: "auth/user-token-expired, and no longer signed in", why: changedWhy},
	{name: "`getIdToken(true)` after a change of address elsewhere", observe: inScript("addressElsewhere"),
		official: "refreshed", ours: "auth/user-token-expired, and no longer signed in", why: changedWhy},
	{name: "`getIdToken(true)` after a password change on the same device", both: "refreshed", observe: inScript("passwordHere")},
	{name: "`deleteUser`", both: "signed out", observe: inScript("deleteOwn")},
	{name: "`auth_time` after `getIdToken(true)`, once another device has signed in", observe: inScript("authTimes"),
		official: "of the other device’s sign-in", ours: "of its own sign-in", why: "as above ([3608][3608])"},
	{name: "`reauthenticateWithCredential`", both: "a new auth_time", observe: inScript("reauthenticated")},
	{name: "a custom token's `sid` after `getIdToken(true)`, two devices", both: "each its own", observe: inScript("sids")},
	{name: "`linkWithCredential` of an anonymous user", both: "the same uid, password", observe: inScript("linked")},
}
