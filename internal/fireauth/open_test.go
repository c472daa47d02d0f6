package fireauth

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/vigilhq/vigil/internal/session"
)

// forged has claims that are right and a signature that is not.
func forged() string { return jwt(encode(goodHeader), encode(claims(nil)), otherKey()) }

func TestOpenWithBadKey(t *testing.T) {
	bad := serviceAccount()
	bad["private_key"] = "none"
	credentials(t, bad)
	if v, err := Open(t.Context(), Options{ProjectID: testProject}); err == nil || v != nil {
		t.Errorf("opened %v, %v", v, err)
	}
}

// The variable that makes the SDK trust every token decides nothing here, and is left as it was.
func TestEnvironment(t *testing.T) {
	for name, stray := range map[string]*string{"unset": nil, "empty": new(""), "set": new("127.0.0.1:1")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				t.Setenv(emulatorVariable, "") // puts back afterwards what was there
				if stray == nil {
					_ = os.Unsetenv(emulatorVariable)
				} else {
					t.Setenv(emulatorVariable, *stray)
				}
				g := newGoogle(t)

				_, err := g.production().Verify(t.Context(), forged())
				wantCode(t, err, invalid)
				wantStray(t, stray)

				b := backend{g.emulator(), g}
				b.SignIn("ana")
				_, err = b.Verify(t.Context(), forged())
				wantCode(t, err, "")
				wantStray(t, stray)
			})
		})
	}
}

func wantStray(t *testing.T, want *string) {
	t.Helper()
	got, is := os.LookupEnv(emulatorVariable)
	if is != (want != nil) || is && got != *want {
		t.Errorf("%s is %q, %v after opening", emulatorVariable, got, is)
	}
}

func TestOpenFails(t *testing.T) {
	noCredentials := filepath.Join(t.TempDir(), "none.json")
	for name, test := range map[string]struct {
		credentials string
		options     Options
	}{
		"no project":     {noCredentials, Options{EmulatorHost: emulatorHost}},
		"no credentials": {noCredentials, Options{ProjectID: testProject}},
		"a tenant, too":  {noCredentials, Options{ProjectID: testProject, TenantID: "acme"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", test.credentials)
			if v, err := Open(t.Context(), test.options); err == nil || v != nil {
				t.Errorf("opened %v, %v", v, err)
			}
		})
	}
}

// Access tokens are fetched for as long as the process runs, which is longer than its start-up. For a person's
// credentials, as gcloud leaves them, the fetch goes by the context of the start.
func TestStartUpIsOver(t *testing.T) {
	for name, content := range map[string]object{
		"service account": serviceAccount(),
		"gcloud":          {"type": "authorized_user", "client_id": "id", "client_secret": "secret", "refresh_token": "refresh"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				credentials(t, content)
				newGoogle(t)
				ctx, cancel := context.WithCancel(t.Context())
				v, err := Open(ctx, Options{ProjectID: testProject})
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := v.Account(t.Context(), "ana"); err != nil {
					t.Error(err)
				}
				_, err = v.Verify(t.Context(), goodToken(nil))
				wantCode(t, err, "")
			})
		})
	}
}

func TestEmulatorIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&out, nil)) }
		g := newGoogle(t)
		g.production(log)
		if out.Len() != 0 {
			t.Errorf("production says %s", &out)
		}
		g.emulator(log)
		if !strings.Contains(out.String(), emulatorHost) || !strings.Contains(out.String(), "WARN") {
			t.Errorf("the emulator is announced by %q", &out)
		}
	})
}

func TestOfTenantOnEmulator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newGoogle(t).emulator(func(o *Options) { o.TenantID = "acme" })
		_, err := v.Verify(t.Context(), goodToken(nil))
		wantCode(t, err, session.CodeTokenInvalid)
	})
}
