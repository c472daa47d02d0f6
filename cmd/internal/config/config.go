// Package config reads the settings of all commands: one struct, whose fields are variables and flags alike, and one validation, so that
// what runs with the same environment goes by the same rules.
package config

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/spf13/pflag"
	"golang.org/x/oauth2/google"
)

// Command is what the settings are read for. Some of them have another default in one, or another meaning.
type Command string

// The commands. Those that maintain the store from a shell go by Serve, whose store it is.
const (
	Serve     Command = "serve"
	Dev       Command = "dev"
	Functions Command = "functions"
)

// Config is every setting. The tag env names the variable, and in kebab case the flag; default holds what applies when neither is set,
// unless there is a tag of the command's name; only names the one command that has the setting.
type Config struct {
	Addr             string         `env:"ADDR" default:"127.0.0.1:8080" help:"API and WebSocket listener"`
	OpsAddr          string         `env:"OPS_ADDR" default:"127.0.0.1:9464" help:"listener of /metrics, for operators alone; empty: off"`
	PProf            bool           `env:"PPROF" default:"false" help:"serve /debug/pprof beside /metrics"`
	ProjectID        string         `env:"FIREBASE_PROJECT_ID" dev:"demo-vigil" help:"Firebase project; else from GOOGLE_CLOUD_PROJECT or the credentials"`
	TenantID         string         `env:"TENANT_ID" help:"the only tenant whose tokens are accepted; empty: only tokens without one"`
	AuthEmulator     string         `env:"FIREBASE_AUTH_EMULATOR_HOST" help:"host:port of an Auth emulator; needs ALLOW_EMULATORS"`
	FirestoreEmul    string         `env:"FIRESTORE_EMULATOR_HOST" help:"host:port of a Firestore emulator; needs ALLOW_EMULATORS"`
	AllowEmulators   bool           `env:"ALLOW_EMULATORS" default:"false" help:"accept emulators, whose tokens carry no signature"`
	IdentityAddr     string         `env:"IDENTITY_ADDR" default:"127.0.0.1:9099" help:"listener of the local identity server (dev only)"`
	Store            string         `env:"STORE" default:"firestore" dev:"memory" help:"firestore, or memory for a single instance that forgets everything"`
	IdleTimeout      time.Duration  `env:"IDLE_TIMEOUT" default:"30m" help:"a session ends after this long without user activity"`
	IdleWarning      time.Duration  `env:"IDLE_WARNING" default:"2m" help:"how long before the idle timeout a session's user is warned"`
	SessionLifetime  time.Duration  `env:"SESSION_LIFETIME" default:"12h" help:"a session ends this long after its sign-in"`
	ReauthMaxAge     time.Duration  `env:"REAUTH_MAX_AGE" default:"5m" help:"how recent a sign-in sensitive operations need"`
	MaxSessions      int            `env:"MAX_SESSIONS" default:"5" help:"live sessions per user; empty: no limit"`
	LimitPolicy      string         `env:"SESSION_LIMIT_POLICY" default:"evict" help:"beyond MAX_SESSIONS: evict the oldest, or reject the new one"`
	SuspSessions     int            `env:"SUSPICIOUS_SESSIONS" default:"3" help:"more live sessions of a user than this raise an alert; empty: never"`
	SuspDeviceTypes  int            `env:"SUSPICIOUS_DEVICE_TYPES" default:"2" help:"more types of devices at once than this raise an alert; empty: never"`
	IPPolicy         string         `env:"IP_POLICY" default:"warn" help:"when a session's network changes: off, warn (alert), or strict (the session ends)"`
	IPPrefixV4       int            `env:"IP_PREFIX_V4" default:"32" help:"bits of an IPv4 address that name a network"`
	IPPrefixV6       int            `env:"IP_PREFIX_V6" default:"64" help:"bits of an IPv6 address that name a network"`
	TrustedProxies   []netip.Prefix `env:"TRUSTED_PROXIES" help:"CIDRs whose X-Forwarded-For is believed"`
	GeoIPDB          string         `env:"GEOIP_DB" help:"file in MaxMind's format, City or Country, that says where sign-ins come from"`
	GeoHeaders       string         `env:"GEO_HEADERS" help:"a trusted proxy that says so in headers: google, appengine or cloudflare"`
	AllowedOrigins   []string       `env:"ALLOWED_ORIGINS" help:"exact origins of dashboards (dev: any loopback origin)"`
	AdminClaim       string         `env:"ADMIN_CLAIM" default:"admin" help:"custom claim that must be true for an admin"`
	Retention        time.Duration  `env:"RETENTION" default:"720h" help:"how long ended sessions are kept"`
	SweepInterval    time.Duration  `env:"SWEEP_INTERVAL" default:"1h" help:"how often what is over is cleaned up, besides at start; empty: never"`
	TouchInterval    time.Duration  `env:"TOUCH_INTERVAL" help:"at most one stored activity per session in this time; default: the smaller of IDLE_TIMEOUT/6 and half of (IDLE_TIMEOUT - IDLE_WARNING)"`
	UserStateTTL     time.Duration  `env:"USER_STATE_TTL" default:"5m" help:"how long an account's state is reused without asking Firebase"`
	FeedResync       time.Duration  `env:"FEED_RESYNC" default:"15s" help:"period of the catch-up with other instances' decisions"`
	WSHeartbeat      time.Duration  `env:"WS_HEARTBEAT_INTERVAL" default:"30s" help:"how often a socket is pinged, and its client asked to ping"`
	WSDisconnect     time.Duration  `env:"WS_DISCONNECT_TIMEOUT" default:"60s" help:"a socket from which nothing comes for this long is closed"`
	WSTokenCheck     time.Duration  `env:"WS_TOKEN_CHECK_INTERVAL" default:"5m" help:"how often accounts with open sockets are checked; at least five times in four USER_STATE_TTL"`
	WSMaxTokenAge    time.Duration  `env:"WS_MAX_TOKEN_AGE" default:"1h" help:"a token issued longer ago is expired on a socket"`
	WSAuthTimeout    time.Duration  `env:"WS_AUTH_TIMEOUT" default:"10s" help:"how long a socket may take to send its first frame"`
	WSReauthGrace    time.Duration  `env:"WS_REAUTH_GRACE" default:"10s" help:"how long a socket may take to renew an invalid token"`
	SocketsPerSess   int            `env:"SOCKETS_PER_SESSION" default:"50" help:"open sockets per session; the oldest makes room"`
	MailCollection   string         `env:"NOTIFY_MAIL_COLLECTION" help:"Firestore collection for mails about new sign-ins, which the extension Trigger Email sends; empty: off"`
	SessionsURL      string         `env:"NOTIFY_SESSIONS_URL" help:"page of a user's sessions that those mails link; https, or http on loopback"`
	RateLimits       string         `env:"RATE_LIMITS" default:"register=30/m:60,sensitive=10/m:20,api=50/s:200,handshake=50/s:500" help:"rate and burst per user, or per address where there is no user; off or empty: none"`
	LogFormat        string         `env:"LOG_FORMAT" default:"json" dev:"text" help:"text, or json in Cloud Logging's field names"`
	LogLevel         slog.Level     `env:"LOG_LEVEL" default:"info" help:"debug, info, warn or error"`
	Port             int            `only:"functions" env:"PORT" default:"8080" help:"port to serve at, on all addresses"`
	FunctionTarget   string         `only:"functions" env:"FUNCTION_TARGET" help:"the one function to serve, at /; empty: each at its name"`
	SignInURI        string         `only:"functions" env:"SIGN_IN_URI" help:"URL that BeforeSignIn is registered under, to the letter; empty: it is not served"`
	SweepAudience    string         `only:"functions" env:"SWEEP_AUDIENCE" help:"audience of the OIDC tokens that Sweep is called with; empty on Cloud Run alone, which checks callers itself"`
	SweepCaller      string         `only:"functions" env:"SWEEP_CALLER" help:"e-mail address of the service account that they are for"`
	Command          Command
	onCloudRun       bool
	touchIntervalSet bool
	originsSet       bool
}

// Flags adds a flag for every setting, and returns a function that reads those that were given.
func Flags(flags *pflag.FlagSet, command Command) func(variable string) (string, bool) {
	values := make(map[string]*pflag.Flag)
	for field := range settings(command) {
		f := &pflag.Flag{Name: FlagName(field.Tag.Get("env")), Usage: field.Tag.Get("help"),
			DefValue: defaultOf(field, command), Value: &rawValue{kind: kindOf(field.Type)}}
		if field.Type.Kind() == reflect.Bool {
			f.NoOptDefVal = "true"
		}
		flags.AddFlag(f)
		values[field.Tag.Get("env")] = f
	}
	return func(variable string) (string, bool) {
		f := values[variable]
		return f.Value.String(), f.Changed
	}
}

func defaultOf(field reflect.StructField, command Command) string {
	if value, ok := field.Tag.Lookup(string(command)); ok {
		return value
	}
	return field.Tag.Get("default")
}

// rawValue is a flag's text: flags and variables are read by the same parser afterwards, together.
type rawValue struct{ text, kind string }

func (v *rawValue) String() string        { return v.text }
func (v *rawValue) Set(text string) error { v.text = text; return nil }
func (v *rawValue) Type() string          { return v.kind }

func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Bool, t.Kind() == reflect.Int && t != reflect.TypeFor[slog.Level]():
		return t.Kind().String()
	default:
		return "text"
	}
}

// wanted says what a setting of the type has to be.
func wanted(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "a duration such as 30s, 5m or, in milliseconds, 1500"
	case reflect.TypeFor[slog.Level]():
		return "one of debug, info, warn, error"
	case reflect.TypeFor[[]netip.Prefix]():
		return "a list of CIDRs such as 10.0.0.0/8,fd00::/8"
	case reflect.TypeFor[bool]():
		return "true or false"
	default:
		return "a whole number"
	}
}

// FlagName is the flag that stands for a variable: IDLE_TIMEOUT is --idle-timeout.
func FlagName(variable string) string { return strings.ReplaceAll(strings.ToLower(variable), "_", "-") }

// ShowOnly leaves the flags of these settings alone in the help of a command. It goes on taking all the others, so that the environment of
// `vigil serve` is its, too.
func ShowOnly(flags *pflag.FlagSet, command Command, variables []string) {
	for variable := range Variables(command) {
		flags.Lookup(FlagName(variable)).Hidden = !slices.Contains(variables, variable)
	}
}

// Variables yields the names of a command's settings.
func Variables(command Command) iter.Seq[string] {
	return func(yield func(string) bool) {
		for field := range settings(command) {
			if !yield(field.Tag.Get("env")) {
				return
			}
		}
	}
}

// settings yields the fields that are settings of a command.
func settings(command Command) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		t := reflect.TypeFor[Config]()
		for i := range t.NumField() {
			field := t.Field(i)
			only, special := field.Tag.Lookup("only")
			if is := field.Tag.Get("env") != "" && (!special || only == string(command)); is && !yield(field) {
				return
			}
		}
	}
}

// Load reads the settings: a flag wins over the variable, the variable over the default; lookup tells set but empty from unset. All
// that is wrong is in the error, a [UsageError] of a [Fault] each. The credentials are asked for the project where nothing names one.
func Load(ctx context.Context, command Command, flag, lookup func(string) (string, bool)) (Config, error) {
	c := Config{Command: command}
	given := make(map[string]string)
	for field := range settings(command) {
		variable := field.Tag.Get("env")
		value, ok := flag(variable)
		if !ok {
			value, ok = lookup(variable)
		}
		switch variable {
		case "TOUCH_INTERVAL":
			c.touchIntervalSet = ok
		case "ALLOWED_ORIGINS":
			c.originsSet = ok
		}
		if !ok {
			value = defaultOf(field, command)
		}
		given[variable] = strings.TrimSpace(value)
	}
	service, _ := lookup("K_SERVICE") // https://docs.cloud.google.com/run/docs/container-contract#services-env-vars
	c.onCloudRun = service != ""
	if given["FIREBASE_PROJECT_ID"] == "" && command != Dev {
		given["FIREBASE_PROJECT_ID"] = projectOf(ctx, lookup)
	}
	err := env.ParseWithOptions(&c, env.Options{Environment: given, FuncMap: map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[time.Duration](): func(text string) (any, error) { return ParseDuration(text) },
		reflect.TypeFor[netip.Prefix]():  func(text string) (any, error) { return netip.ParsePrefix(strings.TrimSpace(text)) },
	}})
	faults := parseFaults(err, given)
	c.complete()
	faults = append(faults, c.faults(faulty(faults))...)
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if err := errors.Join(faults...); err != nil {
		return c, UsageError{err}
	}
	return c, nil
}

// projectOf returns the project that the environment or the credentials name, empty if neither does.
func projectOf(ctx context.Context, lookup func(string) (string, bool)) string {
	if project, _ := lookup("GOOGLE_CLOUD_PROJECT"); project != "" {
		return project
	}
	credentials, err := google.FindDefaultCredentials(ctx)
	if err != nil {
		return "" // there are none, or none that can be read: the missing project is what to report
	}
	return credentials.ProjectID
}

func parseFaults(err error, given map[string]string) []error {
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{err}
	}
	var faults []error
	for _, each := range all.Errors {
		var parse env.ParseError
		if !errors.As(each, &parse) {
			faults = append(faults, each)
			continue
		}
		field, _ := reflect.TypeFor[Config]().FieldByName(parse.Name)
		variable := field.Tag.Get("env")
		faults = append(faults, Fault{variable, fmt.Sprintf("%q is not %s", given[variable], wanted(field.Type))})
	}
	return faults
}

func faulty(faults []error) map[string]bool {
	variables := make(map[string]bool)
	for _, fault := range faults {
		var e Fault
		if errors.As(fault, &e) {
			variables[e.Variable] = true
		}
	}
	return variables
}

// ParseDuration reads 30s or 5m; a bare integer is milliseconds.
func ParseDuration(text string) (time.Duration, error) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		if ms > math.MaxInt64/int64(time.Millisecond) || ms < math.MinInt64/int64(time.Millisecond) {
			return 0, strconv.ErrRange
		}
		return time.Duration(ms) * time.Millisecond, nil
	}
	return time.ParseDuration(text)
}
