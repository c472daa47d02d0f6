package main

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vigilhq/vigil/cmd/internal/config"
)

// settingTests has a test of every setting's effect on the running program.
var settingTests = rows(policyTests, socketTests, surroundingsTests)

func rows(tables ...map[string]func(*testing.T, *fleet)) map[string]func(*testing.T, *fleet) {
	all := make(map[string]func(*testing.T, *fleet))
	for _, table := range tables {
		maps.Copy(all, table)
	}
	return all
}

// TestContractSettings has a row for every row of the contract's table of settings.
func TestContractSettings(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	for variable := range config.Variables(config.Serve) {
		test, ok := settingTests[variable]
		if !ok {
			t.Errorf("%s has no test", variable)
			continue
		}
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			test(t, f)
		})
	}
}

// defaults are those that the contract gives. What it gives none of is unset.
var defaults = map[string]string{
	"ADDR": "127.0.0.1:8080", "OPS_ADDR": "127.0.0.1:9464", "IDENTITY_ADDR": "127.0.0.1:9099", "STORE": "firestore",
	"IDLE_TIMEOUT": "30m", "IDLE_WARNING": "2m", "SESSION_LIFETIME": "12h", "REAUTH_MAX_AGE": "5m", "MAX_SESSIONS": "5",
	"SESSION_LIMIT_POLICY": "evict", "SUSPICIOUS_SESSIONS": "3", "SUSPICIOUS_DEVICE_TYPES": "2", "IP_POLICY": "warn",
	"IP_PREFIX_V4": "32", "IP_PREFIX_V6": "64", "ADMIN_CLAIM": "admin", "SWEEP_INTERVAL": "1h", "RETENTION": "720h",
	"USER_STATE_TTL": "5m", "FEED_RESYNC": "15s", "WS_HEARTBEAT_INTERVAL": "30s", "WS_DISCONNECT_TIMEOUT": "60s",
	"WS_TOKEN_CHECK_INTERVAL": "5m", "WS_MAX_TOKEN_AGE": "1h", "WS_AUTH_TIMEOUT": "10s", "WS_REAUTH_GRACE": "10s",
	"SOCKETS_PER_SESSION": "50", "RATE_LIMITS": "register=30/m:60,sensitive=10/m:20,api=50/s:200,handshake=50/s:500",
	"LOG_FORMAT": "json", "LOG_LEVEL": "info",
}

// devDefaults are the contract's for `vigil dev`.
var devDefaults = map[string]string{"FIREBASE_PROJECT_ID": "demo-vigil", "STORE": "memory", "LOG_FORMAT": "text"}

// TestContractDefaults reads the defaults as an operator does.
func TestContractDefaults(t *testing.T) {
	t.Parallel()
	for command, special := range map[string]map[string]string{"serve": nil, "dev": devDefaults} {
		want := maps.Clone(defaults)
		maps.Copy(want, special)
		help := launch(t, &world{TB: t}, []string{command, "--help"})
		if code := help.wait(); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		for variable := range config.Variables(config.Serve) {
			line := ""
			for each := range strings.Lines(help.stdout.String()) {
				if strings.HasPrefix(strings.TrimSpace(each), "--"+config.FlagName(variable)+" ") {
					line = strings.TrimSpace(each)
				}
			}
			_, said, given := strings.Cut(line, " (default ")
			said = strings.TrimSuffix(said, ")")
			if line == "" || given != (want[variable] != "") || said != want[variable] {
				t.Errorf("%s: %s: the default is %q, want %q: %s", command, variable, said, want[variable], line)
			}
		}
	}
}

// nonsense is what no setting means. Any text is a tenant, a project or a file's name; a file has to be there.
var nonsense = map[string]string{
	"ADDR": "127.0.0.1:99999", "OPS_ADDR": "9464", "PPROF": "maybe", "FIREBASE_AUTH_EMULATOR_HOST": "http://127.0.0.1:9099",
	"FIRESTORE_EMULATOR_HOST": "emulator", "ALLOW_EMULATORS": "perhaps", "STORE": "redis", "IDLE_TIMEOUT": "soon", "IDLE_WARNING": "0",
	"SESSION_LIFETIME": "1d", "REAUTH_MAX_AGE": "-5m", "MAX_SESSIONS": "-1", "SESSION_LIMIT_POLICY": "ignore", "SUSPICIOUS_SESSIONS": "few",
	"SUSPICIOUS_DEVICE_TYPES": "-2", "IP_POLICY": "strange", "IP_PREFIX_V4": "33", "IP_PREFIX_V6": "129", "TRUSTED_PROXIES": "everybody",
	"GEO_HEADERS": "akamai", "ALLOWED_ORIGINS": "https://ok.example.com,*", "ADMIN_CLAIM": "", "RETENTION": "ever", "SWEEP_INTERVAL": "-1h",
	"TOUCH_INTERVAL": "often", "USER_STATE_TTL": "0", "FEED_RESYNC": "", "WS_HEARTBEAT_INTERVAL": "never", "WS_DISCONNECT_TIMEOUT": "0s",
	"WS_TOKEN_CHECK_INTERVAL": "x", "WS_MAX_TOKEN_AGE": "-1", "WS_AUTH_TIMEOUT": "1 s", "WS_REAUTH_GRACE": "", "SOCKETS_PER_SESSION": "0",
	"NOTIFY_MAIL_COLLECTION": "a/b", "NOTIFY_SESSIONS_URL": "javascript:alert(1)", "RATE_LIMITS": "api=lots", "LOG_FORMAT": "xml", "LOG_LEVEL": "loud",
}

// TestContractFaults has every setting refused at once, as variable and as flag.
func TestContractFaults(t *testing.T) {
	t.Parallel()
	var variables, flags []string
	for _, variable := range slices.Sorted(maps.Keys(nonsense)) {
		variables = append(variables, variable+"="+nonsense[variable])
		flags = append(flags, "--"+config.FlagName(variable)+"="+nonsense[variable])
	}
	for how, p := range map[string]*process{
		"variables": launch(t, &world{TB: t}, []string{"serve"}, append([]string{"FIREBASE_PROJECT_ID=demo"}, variables...)...),
		"flags":     launch(t, &world{TB: t}, append([]string{"serve"}, flags...), "FIREBASE_PROJECT_ID=demo"),
	} {
		if code := p.wait(); code != 2 || p.stdout.String() != "" {
			t.Errorf("%s: exit code %d\n%s", how, code, p.stdout.String())
		}
		for variable := range config.Variables(config.Serve) {
			_, is := nonsense[variable]
			if got := strings.Contains("\n"+strings.TrimPrefix(p.stderr.String(), "vigil: "), "\n"+variable+": "); got != is {
				t.Errorf("%s: that %s is wrong is said: %t, want %t\n%s", how, variable, got, is, p.stderr.String())
			}
		}
	}
	for args, c := range map[string]struct {
		settings []string
		says     string
	}{
		"serve":                              {nil, "FIREBASE_PROJECT_ID: "},
		"serve --firebase-project-id=demo":   {[]string{"GEOIP_DB=/nowhere.mmdb"}, "GEOIP_DB: "},
		"dev --identity-addr=9099":           {nil, "IDENTITY_ADDR: "},
		"dev --identity-addr=192.0.2.1:9099": {nil, "IDENTITY_ADDR: "},
		"dev --tenant-id=customers":          {nil, "TENANT_ID: "},
		"serve --touch-interval=14m1s":       {[]string{"FIREBASE_PROJECT_ID=demo"}, "TOUCH_INTERVAL: "},
		"serve --retention=11h":              {[]string{"FIREBASE_PROJECT_ID=demo"}, "RETENTION: "},
		"serve --allow-emulators --firestore-emulator-host=http://127.0.0.1:8081": {
			[]string{"FIREBASE_PROJECT_ID=demo"}, "FIRESTORE_EMULATOR_HOST: ",
		},
		"serve --allow-emulators --firebase-auth-emulator-host=localhost": {
			[]string{"FIREBASE_PROJECT_ID=demo"}, "FIREBASE_AUTH_EMULATOR_HOST: ",
		},
		"serve --geo-headers=google":           {[]string{"FIREBASE_PROJECT_ID=demo"}, "GEO_HEADERS: "},
		"serve --notify-mail-collection=mails": {[]string{"FIREBASE_PROJECT_ID=demo", "STORE=memory"}, "NOTIFY_MAIL_COLLECTION: "},
	} {
		p := launch(t, &world{TB: t}, strings.Fields(args), append([]string{"GOOGLE_APPLICATION_CREDENTIALS=none"}, c.settings...)...)
		if code := p.wait(); code != 2 || !strings.HasPrefix(p.stderr.String(), "vigil: "+c.says) {
			t.Errorf("%s: exit code %d, want 2 and %s\n%s", args, code, c.says, p.stderr.String())
		}
	}
}

// commands are the contract's. What they do has tests of its own, which are named here.
var commands = map[string]string{
	"serve":             "TestRevocationReachesTheOtherInstance",
	"dev":               "TestTheIntroductionsCommandsWalkThroughTheMainJob",
	"connect":           "TestIdlenessInSeconds",
	"sessions list":     "TestCLIListsSessions",
	"sessions end":      "TestCLIEndsNamedSessions",
	"users revoke":      "TestCLIUsers",
	"users disable":     "TestCLIUsers",
	"users enable":      "TestCLIUsers",
	"users grant-admin": "TestCLIUsers",
	"sweep":             "TestCLISweep",
	"sweep expire":      "TestCLISweep",
	"sweep purge":       "TestCLISweep",
	"sweep limit":       "TestCLISweep",
}

// TestContractCommands makes sure that every command is there, has help, and refuses flags that it does not know.
func TestContractCommands(t *testing.T) {
	t.Parallel()
	nothing := func(string) (string, bool) { return "", false }
	for command := range commands {
		var out bytes.Buffer
		words := strings.Fields(command)
		if err := run(t.Context(), append(words, "--help"), nothing, &out, &out); err != nil || !strings.Contains(out.String(), "vigil "+words[0]) {
			t.Errorf("%s: %v\n%s", command, err, out.String())
		}
		err := run(t.Context(), append(words, "--no-such-flag"), nothing, &out, &out)
		if err == nil || config.ExitCode(err) != 2 || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
			t.Errorf("%s: exit code %d, %v", command, config.ExitCode(err), err)
		}
	}
	for _, args := range [][]string{{"sessions", "list"}, {"sessions", "end", "x", "--yes"}, {"users", "revoke", "x", "--yes"}, {"users", "enable", "x"}, {"sweep"}} {
		var out bytes.Buffer
		err := run(t.Context(), append(args, "--store=memory", "--firebase-project-id=demo"), nothing, &out, &out)
		if err == nil || config.ExitCode(err) != 2 || !strings.Contains(err.Error(), "STORE=firestore") {
			t.Errorf("%v in memory: exit code %d, %v", args, config.ExitCode(err), err)
		}
	}
}

// code is that of a request without a body.
func (p *process) code(method, path, token string, edits ...func(*http.Request)) string {
	p.Helper()
	return p.call(method, path, token, nil, edits...).text("code")
}
