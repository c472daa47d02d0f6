package rules

import (
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestTenants: the rules do not look at the tenant, and with the condition of docs/rules.md they do.
func TestTenants(t *testing.T) {
	t.Parallel()
	rules := read(t, "firestore.rules")
	condition := regexp.MustCompile(`request\.auth\.token\.firebase.*'my-tenant'`).FindString(read(t, "../docs/rules.md"))
	const first = "return request.auth != null"
	if condition == "" || strings.Count(rules, first) != 1 {
		t.Fatal("docs/rules.md has no condition on the tenant, or the rules no place for it")
	}
	p := open(t, rules)
	d := p.device(t, "ana", "one", time.Hour)
	wants := func(firebase map[string]any, want codes.Code) {
		t.Helper()
		token := maps.Clone(d.token)
		token["firebase"] = firebase
		if _, err := p.Doc("activeSessions/" + d.id).Get(as(t.Context(), token)); status.Code(err) != want {
			t.Errorf("%v: %v, want %s", firebase, err, want)
		}
	}
	wants(map[string]any{"tenant": "theirs"}, codes.OK)
	if err := p.load(t.Context(), strings.Replace(rules, first, first+" && "+condition, 1)); err != nil {
		t.Fatal(err)
	}
	wants(map[string]any{"tenant": "theirs"}, codes.PermissionDenied)
	wants(map[string]any{}, codes.PermissionDenied)
	wants(map[string]any{"tenant": "my-tenant"}, codes.OK)
}
