package identity

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const jsSDKFolder = "testdata/jssdk"

// TestJavaScriptSDK runs the unchanged client SDK under Node against the
// server. What it proves is in testdata/jssdk/sdk.test.mjs.
func TestJavaScriptSDK(t *testing.T) {
	node := requireNode(t)
	s := newTestServer(t)
	clock := new(testClock)
	s.now = clock.now

	// The script cannot wait for seconds to pass, so this one path, which
	// exists in this test alone, lets it skip some.
	mux := http.NewServeMux()
	mux.Handle("/", s)
	mux.HandleFunc("POST /test/advance", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("seconds"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		clock.advance(time.Duration(n) * time.Second)
		_ = json.NewEncoder(w).Encode(map[string]int64{"now": clock.now().Unix()})
	})

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	script := exec.CommandContext(ctx, node, "--test", "sdk.test.mjs")
	script.Dir = jsSDKFolder
	script.Env = append(os.Environ(), "IDENTITY_URL=http://"+serve(t, mux), "IDENTITY_PROJECT="+testProject)
	if output, err := script.CombinedOutput(); err != nil {
		t.Fatalf("the JS SDK against the identity server: %v\n%s", err, output)
	}
}

func requireNode(t *testing.T) string {
	t.Helper()
	const need = "Node.js 20 or newer and `npm ci` in internal/identity/testdata/jssdk are needed; `make test` installs them"
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(need)
	}
	version, err := exec.CommandContext(t.Context(), node, "--version").Output()
	if err != nil {
		t.Fatal(need)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < 20 {
		t.Fatal(need)
	}
	if _, err := os.Stat(filepath.Join(jsSDKFolder, "node_modules", "firebase", "package.json")); err != nil {
		t.Fatal(need)
	}
	return node
}
