package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/vigilhq/vigil/handlers"
	"github.com/vigilhq/vigil/internal/live"
	"github.com/vigilhq/vigil/internal/mail"
	"github.com/vigilhq/vigil/internal/session"
)

// minFeedResync is how often a feed in memory is proven, and more often than a store at a distance can be.
const minFeedResync = 100 * time.Millisecond

// complete fills in what depends on other settings.
func (c *Config) complete() {
	if !c.touchIntervalSet {
		c.TouchInterval = min(c.IdleTimeout/6, (c.IdleTimeout-c.IdleWarning)/2)
	}
}

// faults lists what is wrong with settings that could be read and with their combinations.
func (c *Config) faults(unread map[string]bool) []error {
	var faults []error
	check := func(ok bool, variable, format string, args ...any) {
		if !ok && !unread[variable] {
			faults = append(faults, Fault{variable, fmt.Sprintf(format, args...)})
		}
	}
	for variable, d := range map[string]time.Duration{
		"IDLE_TIMEOUT": c.IdleTimeout, "IDLE_WARNING": c.IdleWarning, "SESSION_LIFETIME": c.SessionLifetime,
		"REAUTH_MAX_AGE": c.ReauthMaxAge, "RETENTION": c.Retention, "USER_STATE_TTL": c.UserStateTTL,
		"FEED_RESYNC": c.FeedResync, "WS_HEARTBEAT_INTERVAL": c.WSHeartbeat, "WS_DISCONNECT_TIMEOUT": c.WSDisconnect,
		"WS_TOKEN_CHECK_INTERVAL": c.WSTokenCheck, "WS_MAX_TOKEN_AGE": c.WSMaxTokenAge,
		"WS_AUTH_TIMEOUT": c.WSAuthTimeout, "WS_REAUTH_GRACE": c.WSReauthGrace,
	} {
		check(d > 0, variable, "must be positive; it cannot be switched off")
	}
	check(c.FeedResync <= 0 || c.FeedResync >= minFeedResync, "FEED_RESYNC", "%s is shorter than %s: no instance could prove so often that it is current",
		c.FeedResync, minFeedResync)
	if c.IdleTimeout > 0 && c.IdleWarning > 0 && !unread["IDLE_TIMEOUT"] {
		check(c.IdleWarning < c.IdleTimeout, "IDLE_WARNING", "%s is not shorter than IDLE_TIMEOUT, %s", c.IdleWarning, c.IdleTimeout)
		most := (c.IdleTimeout - c.IdleWarning) / 2
		check(c.TouchInterval > 0 && c.TouchInterval <= most || c.IdleWarning >= c.IdleTimeout, "TOUCH_INTERVAL",
			"%s must be positive and at most half of IDLE_TIMEOUT - IDLE_WARNING, %s", c.TouchInterval, most)
	}
	check(c.Retention >= c.SessionLifetime || unread["SESSION_LIFETIME"], "RETENTION",
		"%s is shorter than SESSION_LIFETIME, %s: a spent sign-in would be forgotten while it is still young enough to register",
		c.Retention, c.SessionLifetime)
	check(c.WSDisconnect > c.WSHeartbeat || unread["WS_HEARTBEAT_INTERVAL"], "WS_DISCONNECT_TIMEOUT",
		"%s is not longer than WS_HEARTBEAT_INTERVAL, %s", c.WSDisconnect, c.WSHeartbeat)
	check(c.SweepInterval >= 0, "SWEEP_INTERVAL", "%s is negative", c.SweepInterval)
	check(c.SuspSessions >= 0, "SUSPICIOUS_SESSIONS", "%d is negative", c.SuspSessions)
	check(c.SuspDeviceTypes >= 0, "SUSPICIOUS_DEVICE_TYPES", "%d is negative", c.SuspDeviceTypes)
	check(c.IPPolicy == "off" || c.IPPolicy == "warn" || c.IPPolicy == "strict" || c.IPPolicy == "", "IP_POLICY",
		"%q is none of off, warn, strict", c.IPPolicy)
	check(c.IPPrefixV4 >= 1 && c.IPPrefixV4 <= 32, "IP_PREFIX_V4", "%d is not from 1 to 32", c.IPPrefixV4)
	check(c.IPPrefixV6 >= 1 && c.IPPrefixV6 <= 128, "IP_PREFIX_V6", "%d is not from 1 to 128", c.IPPrefixV6)
	check(c.MaxSessions >= 0, "MAX_SESSIONS", "%d is negative", c.MaxSessions)
	check(c.SocketsPerSess > 0, "SOCKETS_PER_SESSION", "must be at least 1")
	check(c.LimitPolicy == "evict" || c.LimitPolicy == "reject", "SESSION_LIMIT_POLICY", "%q is neither evict nor reject", c.LimitPolicy)
	check(c.LogFormat == "text" || c.LogFormat == "json", "LOG_FORMAT", "%q is neither text nor json", c.LogFormat)
	check(c.GeoHeaders == "" || handlers.GeoHeaders(c.GeoHeaders).Known(), "GEO_HEADERS",
		"%q is none of google, appengine, cloudflare", c.GeoHeaders)
	check(c.GeoHeaders == "" || len(c.TrustedProxies) > 0 || unread["TRUSTED_PROXIES"], "GEO_HEADERS",
		"needs TRUSTED_PROXIES: from anybody else than a known proxy, such headers are worth nothing")
	check(c.AdminClaim != "", "ADMIN_CLAIM", "must name a claim")
	check(isAddress(c.Addr), "ADDR", "%q is not host:port", c.Addr)
	check(c.OpsAddr == "" || isAddress(c.OpsAddr), "OPS_ADDR", "%q is not host:port", c.OpsAddr)
	check(!c.PProf || c.OpsAddr != "", "PPROF", "profiles are served at OPS_ADDR, which is empty")
	check(c.ProjectID != "", "FIREBASE_PROJECT_ID", "not set, and neither GOOGLE_CLOUD_PROJECT nor the credentials name a project")
	check(c.MailCollection == "" || c.Store == "firestore", "NOTIFY_MAIL_COLLECTION", "mails are documents in Firestore, which STORE=%s has none of", c.Store)
	check(c.MailCollection == "" || isCollection(c.MailCollection), "NOTIFY_MAIL_COLLECTION", "%q is not the id of a Firestore collection", c.MailCollection)
	_, err := c.composer()
	check(err == nil, "NOTIFY_SESSIONS_URL", "%v", err)
	_, wrong := rateLimits(c.RateLimits)
	for _, fault := range wrong {
		check(false, "RATE_LIMITS", "%s", fault)
	}
	for _, origin := range c.AllowedOrigins {
		check(isOrigin(origin), "ALLOWED_ORIGINS", "%q is not an origin such as https://dashboard.example.com", origin)
	}
	if c.Command == Dev {
		const exposed = "%q is not a loopback address: vigil dev hands out tokens for any account to whoever reaches it"
		check(isAddress(c.IdentityAddr), "IDENTITY_ADDR", "%q is not host:port", c.IdentityAddr)
		check(!isAddress(c.IdentityAddr) || isLoopback(c.IdentityAddr), "IDENTITY_ADDR", exposed, c.IdentityAddr)
		check(!isAddress(c.Addr) || isLoopback(c.Addr), "ADDR", exposed, c.Addr)
		check(!isAddress(c.OpsAddr) || isLoopback(c.OpsAddr), "OPS_ADDR", "%q is not a loopback address: vigil dev is for this machine", c.OpsAddr)
		check(c.TenantID == "", "TENANT_ID", "%q: vigil dev's accounts have no tenants", c.TenantID)
		check(c.Store == "memory", "STORE", "%q: vigil dev keeps its sessions in memory", c.Store)
		return faults
	}
	c.functionFaults(check)
	check(c.Store == "firestore" || c.Store == "memory", "STORE", "%q is neither firestore nor memory", c.Store)
	const refused = "an emulator is set, whose tokens carry no signature: unset it, or set ALLOW_EMULATORS=true where nobody's data is at stake"
	for variable, host := range map[string]string{
		"FIREBASE_AUTH_EMULATOR_HOST": c.AuthEmulator, "FIRESTORE_EMULATOR_HOST": c.FirestoreEmul,
	} {
		check(host == "" || c.AllowEmulators, variable, refused)
		check(host == "" || !c.AllowEmulators || isAddress(host), variable, "%q is not host:port", host)
	}
	return faults
}

// functionFaults checks what only functions have. Its variables are faultless elsewhere.
func (c *Config) functionFaults(check func(ok bool, variable, format string, args ...any)) {
	if c.Command != Functions {
		return
	}
	const onlySignIn = "BeforeSignIn"
	check(c.Port >= 1 && c.Port <= 65535, "PORT", "%d is not from 1 to 65535", c.Port)
	check(slices.Contains([]string{"", onlySignIn, "OnRevocation", "OnUserDeleted", "Sweep"}, c.FunctionTarget), "FUNCTION_TARGET",
		"%q is none of BeforeSignIn, OnRevocation, OnUserDeleted, Sweep", c.FunctionTarget)
	uri, err := url.Parse(c.SignInURI)
	check(c.SignInURI == "" || err == nil && uri.Host != "" && (uri.Scheme == "https" || uri.Scheme == "http" && c.AuthEmulator != ""),
		"SIGN_IN_URI", "%q is not a URL of https", c.SignInURI)
	check(c.SignInURI != "" || c.FunctionTarget != onlySignIn, "SIGN_IN_URI", "BeforeSignIn needs to know the URL that it is registered under")
	check(c.SweepCaller == "" || strings.Contains(c.SweepCaller, "@"), "SWEEP_CALLER", "is not an e-mail address")
	check((c.SweepAudience == "") == (c.SweepCaller == ""), "SWEEP_CALLER", "belongs together with SWEEP_AUDIENCE: both are set, or none")
	sweeps := c.FunctionTarget == "" || c.FunctionTarget == "Sweep"
	check(!sweeps || c.onCloudRun || c.AllowEmulators || c.SweepAudience != "" || c.SweepCaller != "", "SWEEP_AUDIENCE",
		"outside of Cloud Run, which checks callers itself, Sweep needs SWEEP_AUDIENCE and SWEEP_CALLER: else anybody can have it swept")
	check(c.Store != "memory", "STORE", "functions need STORE=firestore: another process's memory cannot be reached")
}

func isAddress(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && isLoopbackHost(host)
}

func isLoopbackHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// isOrigin accepts the serialisation of an origin that browsers send (RFC 6454, section 6.2): without the port that is the scheme's own.
func isOrigin(origin string) bool {
	u, err := url.Parse(origin)
	foreign := func(r rune) bool { return r == '*' || r > unicode.MaxASCII } // browsers send names in their ASCII form, xn--
	if err != nil || u.Host == "" || strings.ContainsFunc(u.Host, foreign) || strings.HasSuffix(u.Host, ":") {
		return false
	}
	own, known := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	return known && u.Port() != own && origin == u.Scheme+"://"+strings.ToLower(u.Host)
}

// isCollection accepts what Firestore takes as the id of a collection:
// https://firebase.google.com/docs/firestore/quotas#collections_documents_and_fields.
func isCollection(id string) bool {
	const most = 1500 // bytes
	reserved := strings.HasPrefix(id, "__") && strings.HasSuffix(id, "__")
	return id != "" && len(id) <= most && utf8.ValidString(id) && id != "." && id != ".." && !reserved &&
		!strings.ContainsFunc(id, func(r rune) bool { return r == '/' || !unicode.IsPrint(r) })
}

// Domain is what the rules about sessions go by.
func (c *Config) Domain() session.Settings {
	return session.Settings{
		Policy: session.Policy{
			IdleTimeout: c.IdleTimeout, IdleWarning: c.IdleWarning, Lifetime: c.SessionLifetime,
			TouchInterval: c.TouchInterval, ReauthMaxAge: c.ReauthMaxAge, Retention: c.Retention,
			MaxSessions: c.MaxSessions, LimitPolicy: session.LimitPolicy(c.LimitPolicy),
			SuspiciousSessions: c.SuspSessions, SuspiciousDeviceTypes: c.SuspDeviceTypes,
			IPPolicy: session.IPPolicy(c.IPPolicy), IPv4: c.IPPrefixV4, IPv6: c.IPPrefixV6,
		},
		AdminClaim: c.AdminClaim, UserStateTTL: c.UserStateTTL, FeedResync: c.FeedResync,
	}
}

func (c *Config) composer() (*mail.Composer, error) {
	return mail.New(mail.Options{SessionsURL: c.SessionsURL})
}

// SignInMail is what composes mails about new sign-ins, nil where they are off.
func (c *Config) SignInMail() func(to, languages string, s session.Session) *session.Mail {
	composer, err := c.composer()
	if c.MailCollection == "" || err != nil { // which has been reported
		return nil
	}
	return composer.SignIn
}

// Sockets is what open sockets go by.
func (c *Config) Sockets() live.Options {
	return live.Options{
		HeartbeatInterval: c.WSHeartbeat, DisconnectTimeout: c.WSDisconnect, TokenCheckInterval: c.WSTokenCheck,
		MaxTokenAge: c.WSMaxTokenAge, AuthTimeout: c.WSAuthTimeout, ReauthGrace: c.WSReauthGrace,
		SocketsPerSession: c.SocketsPerSess,
	}
}

// AllowedOrigin decides about browsers' origins: those listed, and in dev any page served from this machine.
func (c *Config) AllowedOrigin(origin string) bool {
	for _, allowed := range c.AllowedOrigins {
		if origin == allowed {
			return true
		}
	}
	if c.Command != Dev || c.originsSet || !isOrigin(origin) {
		return false
	}
	u, err := url.Parse(origin)
	return err == nil && isLoopbackHost(u.Hostname())
}
