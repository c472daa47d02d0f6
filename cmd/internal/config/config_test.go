package config

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/vigilhq/vigil/handlers"
)

// load reads the settings from a command line and an environment.
func load(t *testing.T, command Command, args []string, variables map[string]string) (Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flag := Flags(flags, command)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "none") // so that nobody's own name a project
	return Load(t.Context(), command, flag, func(name string) (string, bool) { v, ok := variables[name]; return v, ok })
}

func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		command   Command
		args      []string
		variables map[string]string
		check     func(Config) bool
	}{
		"defaults": {check: func(c Config) bool {
			return c.Addr == "127.0.0.1:8080" && c.IdleTimeout == 30*time.Minute && c.TouchInterval == 5*time.Minute &&
				c.MaxSessions == 5 && c.Store == "firestore" && c.LogFormat == "json" && len(c.AllowedOrigins) == 0
		}},
		"defaults of dev": {command: Dev, check: func(c Config) bool {
			return c.Store == "memory" && c.LogFormat == "text" && c.ProjectID == "demo-vigil"
		}},
		"a variable": {variables: map[string]string{"IDLE_TIMEOUT": "6s", "IDLE_WARNING": "3000"}, check: func(c Config) bool {
			return c.IdleTimeout == 6*time.Second && c.IdleWarning == 3*time.Second && c.TouchInterval == time.Second
		}},
		"a flag wins over its variable": {
			args: []string{"--idle-timeout=10m", "--allow-emulators"}, variables: map[string]string{"IDLE_TIMEOUT": "6s"},
			check: func(c Config) bool { return c.IdleTimeout == 10*time.Minute && c.AllowEmulators },
		},
		"half the time to the warning bounds the touch interval": {
			variables: map[string]string{"IDLE_TIMEOUT": "10m", "IDLE_WARNING": "8m"},
			check:     func(c Config) bool { return c.TouchInterval == time.Minute },
		},
		"set but empty is off": {
			variables: map[string]string{"MAX_SESSIONS": "", "TENANT_ID": "", "ALLOWED_ORIGINS": "", "FIRESTORE_EMULATOR_HOST": ""},
			check:     func(c Config) bool { return c.MaxSessions == 0 },
		},
		"lists": {
			variables: map[string]string{"TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8", "ALLOWED_ORIGINS": "https://a.example.com,http://localhost:3000"},
			check:     func(c Config) bool { return len(c.TrustedProxies) == 2 && len(c.AllowedOrigins) == 2 },
		},
		"metrics": {check: func(c Config) bool { return c.OpsAddr == "127.0.0.1:9464" && !c.PProf }},
		"no metrics": {
			variables: map[string]string{"OPS_ADDR": ""},
			check:     func(c Config) bool { return c.OpsAddr == "" },
		},
		"default limits": {check: func(c Config) bool {
			limits, wrong := rateLimits(c.RateLimits)
			return wrong == nil && limits == handlers.Limits{
				Register: handlers.Limit{PerSecond: 0.5, Burst: 60}, Sensitive: handlers.Limit{PerSecond: 1.0 / 6, Burst: 20},
				API: handlers.Limit{PerSecond: 50, Burst: 200}, Handshake: handlers.Limit{PerSecond: 50, Burst: 500},
			}
		}},
		"limits": {variables: map[string]string{"RATE_LIMITS": " sensitive=1/h:1 , api=5/m:9"}, check: func(c Config) bool {
			limits, wrong := rateLimits(c.RateLimits)
			return wrong == nil && limits.Sensitive == handlers.Limit{PerSecond: 1.0 / 3600, Burst: 1} &&
				limits.API == handlers.Limit{PerSecond: 5.0 / 60, Burst: 9} && limits.Register == handlers.Limit{PerSecond: 0.5, Burst: 60}
		}},
		"no limits": {variables: map[string]string{"RATE_LIMITS": "off"}, check: func(c Config) bool {
			limits, wrong := rateLimits(c.RateLimits)
			return wrong == nil && limits == handlers.Limits{}
		}},
		"empty limits": {command: Dev, variables: map[string]string{"RATE_LIMITS": ""}, check: func(c Config) bool {
			limits, wrong := rateLimits(c.RateLimits)
			return wrong == nil && limits == handlers.Limits{}
		}},
		"project": {
			variables: map[string]string{"GOOGLE_CLOUD_PROJECT": "from-google"},
			check:     func(c Config) bool { return c.ProjectID == "from-google" },
		},
		"mail": {
			variables: map[string]string{"NOTIFY_MAIL_COLLECTION": "mail", "NOTIFY_SESSIONS_URL": "http://localhost:3000/sessions"},
			check: func(c Config) bool {
				return c.MailCollection == "mail" && c.SessionsURL == "http://localhost:3000/sessions"
			},
		},
		"no mail": {
			variables: map[string]string{"NOTIFY_MAIL_COLLECTION": "", "NOTIFY_SESSIONS_URL": ""},
			check:     func(c Config) bool { return c.MailCollection == "" && c.SessionsURL == "" },
		},
		"places": {
			variables: map[string]string{"GEOIP_DB": "/data/GeoLite2-City.mmdb", "GEO_HEADERS": "cloudflare", "TRUSTED_PROXIES": "10.0.0.0/8"},
			check:     func(c Config) bool { return c.GeoIPDB == "/data/GeoLite2-City.mmdb" && c.GeoHeaders == "cloudflare" },
		},
		"no places": {variables: map[string]string{"GEOIP_DB": "", "GEO_HEADERS": ""}, check: func(c Config) bool { return c.GeoIPDB == "" }},
		"emulators with leave": {
			variables: map[string]string{"FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099", "ALLOW_EMULATORS": "true"},
			check:     func(c Config) bool { return c.AuthEmulator == "127.0.0.1:9099" },
		},
		"functions": {
			command: Functions, variables: map[string]string{"SIGN_IN_URI": "https://sign-in.example.com", "K_SERVICE": "functions"},
			check: func(c Config) bool { return c.Port == 8080 && c.FunctionTarget == "" && c.Store == "firestore" },
		},
		"functions elsewhere, whose Sweep checks its caller": {
			command: Functions, variables: map[string]string{"SWEEP_AUDIENCE": "https://functions.example.com", "SWEEP_CALLER": "a@b.iam.gserviceaccount.com"},
			check: func(c Config) bool { return c.SweepAudience != "" },
		},
		"functions elsewhere, without Sweep": {
			command: Functions, variables: map[string]string{"FUNCTION_TARGET": "OnRevocation"},
			check: func(c Config) bool { return c.FunctionTarget == "OnRevocation" },
		},
		"functions elsewhere, on emulators": {
			command: Functions, variables: map[string]string{"ALLOW_EMULATORS": "true"}, check: func(c Config) bool { return c.AllowEmulators },
		},
		"what only functions have is not read by others": {
			variables: map[string]string{"PORT": "http", "FUNCTION_TARGET": "x", "SIGN_IN_URI": "x", "SWEEP_CALLER": "x"},
			check:     func(c Config) bool { return c.Port == 0 && c.FunctionTarget == "" },
		},
		"dev needs no leave for its own": {
			command: Dev, variables: map[string]string{"FIREBASE_AUTH_EMULATOR_HOST": "127.0.0.1:9099"},
			check: func(Config) bool { return true },
		},
	} {
		t.Run(name, func(t *testing.T) {
			if c.variables == nil {
				c.variables = make(map[string]string)
			}
			if _, ok := c.variables["GOOGLE_CLOUD_PROJECT"]; !ok {
				c.variables["GOOGLE_CLOUD_PROJECT"] = "demo"
			}
			got, err := load(t, c.command, c.args, c.variables)
			if err != nil || !c.check(got) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestFaultsOfSettings(t *testing.T) {
	for name, c := range map[string]struct {
		command   Command
		variables map[string]string
		faults    []string // the variables at fault, sorted
	}{
		"a period without its unit": {variables: map[string]string{"FEED_RESYNC": "15"}, faults: []string{"FEED_RESYNC"}},
		"durations": {variables: map[string]string{"IDLE_TIMEOUT": "", "FEED_RESYNC": "-1s", "WS_AUTH_TIMEOUT": "0"},
			faults: []string{"FEED_RESYNC", "IDLE_TIMEOUT", "WS_AUTH_TIMEOUT"}},
		"not a duration":                  {variables: map[string]string{"IDLE_TIMEOUT": "5 minutes"}, faults: []string{"IDLE_TIMEOUT"}},
		"warning longer than the timeout": {variables: map[string]string{"IDLE_TIMEOUT": "1m"}, faults: []string{"IDLE_WARNING"}},
		"touch interval too long":         {variables: map[string]string{"TOUCH_INTERVAL": "14m1s"}, faults: []string{"TOUCH_INTERVAL"}},
		"retention shorter than lifetime": {variables: map[string]string{"RETENTION": "11h"}, faults: []string{"RETENTION"}},
		"silence before the heartbeat":    {variables: map[string]string{"WS_DISCONNECT_TIMEOUT": "30s"}, faults: []string{"WS_DISCONNECT_TIMEOUT"}},
		"emulators without leave": {
			variables: map[string]string{"FIREBASE_AUTH_EMULATOR_HOST": "x:1", "FIRESTORE_EMULATOR_HOST": "x:2", "ALLOW_EMULATORS": "false"},
			faults:    []string{"FIREBASE_AUTH_EMULATOR_HOST", "FIRESTORE_EMULATOR_HOST"},
		},
		"words": {
			variables: map[string]string{"STORE": "redis", "SESSION_LIMIT_POLICY": "x", "LOG_FORMAT": "xml", "LOG_LEVEL": "loud", "ALLOW_EMULATORS": "perhaps", "MAX_SESSIONS": "many"},
			faults:    []string{"ALLOW_EMULATORS", "LOG_FORMAT", "LOG_LEVEL", "MAX_SESSIONS", "SESSION_LIMIT_POLICY", "STORE"},
		},
		"addresses": {
			variables: map[string]string{"ADDR": "8080", "TRUSTED_PROXIES": "10.0.0.1", "ALLOWED_ORIGINS": "*", "ADMIN_CLAIM": "", "SOCKETS_PER_SESSION": "0"},
			faults:    []string{"ADDR", "ADMIN_CLAIM", "ALLOWED_ORIGINS", "SOCKETS_PER_SESSION", "TRUSTED_PROXIES"},
		},
		"mail into a document": {
			variables: map[string]string{"NOTIFY_MAIL_COLLECTION": "a/b", "NOTIFY_SESSIONS_URL": "http://app.example.com"},
			faults:    []string{"NOTIFY_MAIL_COLLECTION", "NOTIFY_SESSIONS_URL"},
		},
		"mail into a reserved collection": {variables: map[string]string{"NOTIFY_MAIL_COLLECTION": "__mail__"}, faults: []string{"NOTIFY_MAIL_COLLECTION"}},
		"mail that links no page":         {variables: map[string]string{"NOTIFY_SESSIONS_URL": "sessions"}, faults: []string{"NOTIFY_SESSIONS_URL"}},
		"metrics":                         {variables: map[string]string{"OPS_ADDR": "9464", "PPROF": "maybe"}, faults: []string{"OPS_ADDR", "PPROF"}},
		"profiles without listener":       {variables: map[string]string{"OPS_ADDR": "", "PPROF": "true"}, faults: []string{"PPROF"}},
		"headers of anybody":              {variables: map[string]string{"GEO_HEADERS": "google"}, faults: []string{"GEO_HEADERS"}},
		"headers of an unheard one":       {variables: map[string]string{"GEO_HEADERS": "Google", "TRUSTED_PROXIES": "10.0.0.0/8"}, faults: []string{"GEO_HEADERS"}},
		"headers of a misspelt one":       {variables: map[string]string{"GEO_HEADERS": "google", "TRUSTED_PROXIES": "10"}, faults: []string{"TRUSTED_PROXIES"}},
		"dev": {command: Dev, variables: map[string]string{"STORE": "firestore", "IDENTITY_ADDR": "here", "FIREBASE_PROJECT_ID": "", "TENANT_ID": "t"},
			faults: []string{"FIREBASE_PROJECT_ID", "IDENTITY_ADDR", "STORE", "TENANT_ID"}},
		"dev open to the network":         {command: Dev, variables: map[string]string{"ADDR": ":8080", "IDENTITY_ADDR": "0.0.0.0:9099", "OPS_ADDR": ":9464"}, faults: []string{"ADDR", "IDENTITY_ADDR", "OPS_ADDR"}},
		"more milliseconds than time has": {variables: map[string]string{"RETENTION": "18446744073709552"}, faults: []string{"RETENTION"}},
		"limits": {variables: map[string]string{"RATE_LIMITS": "api=50/s,login=1/s:1,register=0/m:1,sensitive=1/d:5,handshake=1/s:0,handshake=1/s:1,off"},
			faults: []string{"RATE_LIMITS", "RATE_LIMITS", "RATE_LIMITS", "RATE_LIMITS", "RATE_LIMITS", "RATE_LIMITS", "RATE_LIMITS"}},
		"no project":                   {variables: map[string]string{"GOOGLE_CLOUD_PROJECT": ""}, faults: []string{"FIREBASE_PROJECT_ID"}},
		"a clean-up open to anybody":   {command: Functions, variables: map[string]string{"K_SERVICE": ""}, faults: []string{"SWEEP_AUDIENCE"}},
		"that and nothing else served": {command: Functions, variables: map[string]string{"FUNCTION_TARGET": "Sweep"}, faults: []string{"SWEEP_AUDIENCE"}},
		"a caller that is no address":  {command: Functions, variables: map[string]string{"SWEEP_AUDIENCE": "x", "SWEEP_CALLER": "x"}, faults: []string{"SWEEP_CALLER"}},
		"an audience without a caller": {command: Functions, variables: map[string]string{"SWEEP_AUDIENCE": "x"}, faults: []string{"SWEEP_CALLER"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, ok := c.variables["GOOGLE_CLOUD_PROJECT"]; !ok {
				c.variables["GOOGLE_CLOUD_PROJECT"] = "demo"
			}
			_, err := load(t, c.command, nil, c.variables)
			if err == nil || ExitCode(err) != 2 {
				t.Fatalf("accepted, or exit code %d: %v", ExitCode(err), err)
			}
			var got []string
			for line := range strings.Lines(err.Error()) {
				variable, _, _ := strings.Cut(line, ":")
				got = append(got, variable)
			}
			if strings.Join(got, " ") != strings.Join(c.faults, " ") {
				t.Errorf("faults of %v, want %v:\n%v", got, c.faults, err)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	dev, listed := Config{Command: Dev}, Config{Command: Dev, originsSet: true, AllowedOrigins: []string{"https://dashboard.example.com"}}
	for origin, want := range map[string][2]bool{
		"http://localhost:3000": {true, false}, "http://127.0.0.1": {true, false}, "http://[::1]:3000": {true, false},
		"https://dashboard.example.com": {false, true}, "https://dashboard.example.com.evil.example": {false, false},
		"http://localhost.evil.example": {false, false}, "null": {false, false}, "": {false, false}, "http://localhost/": {false, false},
	} {
		if got := [2]bool{dev.AllowedOrigin(origin), listed.AllowedOrigin(origin)}; got != want {
			t.Errorf("%q: %v, want %v", origin, got, want)
		}
	}
}

// What no browser sends would let nobody in, and nobody would know why.
func TestAnOriginIsWrittenAsBrowsersDo(t *testing.T) {
	for origin, want := range map[string]bool{
		"https://a.example.com": true, "https://a.example.com:8443": true, "http://a.example.com:443": true, "http://[::1]": true,
		"https://a.example.com:443": false, "http://localhost:80": false, "https://a.example.com:": false, "http://[::1]:": false,
		"https://*.example.com": false, "https://A.example.com": false,
		"https://xn--mnchen-3ya.example": true, "https://münchen.example": false,
	} {
		if isOrigin(origin) != want {
			t.Errorf("%q: %t", origin, !want)
		}
	}
}
