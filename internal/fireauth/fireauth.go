// Package fireauth is Firebase Authentication as the domain sees it: who holds an ID token, what an account is like
// now, changes to it, and the end of its refresh tokens. It is the only importer of the Firebase Admin SDK.
//
// The SDK is trusted with signatures and transport, and with nothing that it leaves open:
//
//	claims      read here by their exact names, because the SDK's decoder also takes "Aud" for "aud" (see claims.go)
//	expiry      the raw exp; the SDK accepts a token for 300 seconds more
//	keys        fetched ahead of time, by one client while another goes on with the old ones (see keys.go); the SDK fetches them
//	            when they have expired, while a request waits
//	quotas      single look-ups share calls when there are many at once (see desk.go)
//	deadlines   every answer comes within two seconds; the SDK has no time limit and retries for seven (see call.go)
//	errors      sorted into the domain's codes before they are wrapped, since the SDK does not unwrap (see verify.go,
//	            edit.go); Google's own words are for logs alone
//	emulators   used because [Options] says so, never because of a variable left over in the environment
//
// What cannot be told apart from a failure of ours or of Google's is unavailable, never a reason to sign anybody out.
package fireauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	firebase "firebase.google.com/go/v4"
	"firebase.google.com/go/v4/auth"
	"golang.org/x/oauth2"
	"google.golang.org/api/option"

	"github.com/vigilhq/vigil/internal/session"
)

// Options configures a [Verifier].
type Options struct {
	// ProjectID is the Firebase project that tokens must be for. Required.
	ProjectID string
	// TenantID is the Identity Platform tenant that tokens must be of, and whose accounts are looked up. Empty: the
	// project's own accounts, and a token of any tenant is invalid.
	TenantID string
	// EmulatorHost is the host and port of an Auth emulator. Signatures are then not checked. Empty: production.
	EmulatorHost string
	// Now tells the time that tokens are judged by, for example store time. Nil: the machine's clock.
	Now func() time.Time
	// Log may be nil.
	Log *slog.Logger
	// Meter may be nil.
	Meter Meter
}

// Meter counts what Firebase Authentication is asked. It must not block, and be safe for concurrent use.
type Meter interface {
	// LookedUp notes the accounts that one call has asked about: how many there are, how many there are not, and of how many the
	// call could not tell.
	LookedUp(found, missing, failed int)
	// KeysRenewed notes an attempt to have Google's keys renewed ahead of time, and whether it has succeeded.
	KeysRenewed(ok bool)
}

// noMeter counts nothing.
type noMeter struct{}

func (noMeter) LookedUp(int, int, int) {}
func (noMeter) KeysRenewed(bool)       {}

// Verifier implements [session.Verifier], [session.Accounts] and [session.Editor]. Use [Open]. Safe for concurrent use.
type Verifier struct {
	client     client
	keyring    atomic.Pointer[keyring]                // filled ahead of time, nil before; see KeepKeys
	newKeyring func(context.Context) (keyring, error) // nil on an emulator
	want       expected
	now        func() time.Time
	desk       desk
	signatures slots // of the processors, for checking them: where there is more than one, requests that are answered from memory have the others
	lookUps    slots
	claims     slots
	probes     slots
	probe      probe
	log        *slog.Logger
	meter      Meter
	proven     atomic.Int64 // Unix nanoseconds of the latest proof that tokens can be verified, see Ready
}

var (
	_ session.Verifier = (*Verifier)(nil)
	_ session.Accounts = (*Verifier)(nil)
	_ session.Editor   = (*Verifier)(nil)
)

// client is what Google's clients of a project and of a tenant have in common.
type client interface {
	VerifyIDToken(ctx context.Context, token string) (*auth.Token, error)
	GetUsers(ctx context.Context, identifiers []auth.UserIdentifier) (*auth.GetUsersResult, error)
	RevokeRefreshTokens(ctx context.Context, uid string) error
	GetUser(ctx context.Context, uid string) (*auth.UserRecord, error)
	UpdateUser(ctx context.Context, uid string, user *auth.UserToUpdate) (*auth.UserRecord, error)
	SetCustomUserClaims(ctx context.Context, uid string, claims map[string]any) error
	DeleteUser(ctx context.Context, uid string) error
}

// Open connects to a project with the process's Google credentials, or to an emulator. It does not wait for
// either to answer, see [Verifier.Ready].
func Open(ctx context.Context, options Options) (*Verifier, error) {
	if options.ProjectID == "" {
		return nil, errors.New("fireauth: a project id is required")
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Meter == nil {
		options.Meter = noMeter{}
	}
	client, err := connect(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("fireauth: %w", err)
	}
	v := &Verifier{
		client: client,
		want: expected{
			issuer:   "https://securetoken.google.com/" + options.ProjectID,
			audience: options.ProjectID,
			tenant:   options.TenantID,
		},
		now:        options.Now,
		signatures: make(slots, max(1, runtime.GOMAXPROCS(0)/2)),
		lookUps:    make(slots, maxLookUps),
		claims:     make(slots, 1),
		probes:     make(slots, 1),
		probe:      keysAnswer,
		newKeyring: func(ctx context.Context) (keyring, error) {
			return connect(ctx, options, option.WithoutAuthentication())
		},
		log:   options.Log,
		meter: options.Meter,
	}
	v.desk.lookUp = v.Accounts
	if options.EmulatorHost != "" {
		v.newKeyring, v.probe = nil, emulatorAnswers(options.EmulatorHost)
		options.Log.WarnContext(ctx, "identity emulator in use: its tokens are unsigned", "host", options.EmulatorHost)
	}
	return v, nil
}

// tokenTimeout bounds a fetch of Google's access token: as long as the metadata server's own client waits.
const tokenTimeout = 5 * time.Second

func connect(ctx context.Context, options Options, more ...option.ClientOption) (client, error) {
	defer setEmulator(options.EmulatorHost)()
	// The SDK keeps this context for fetching its access tokens, long after the start-up it came from is over, and
	// fetches them without any time limit but that of the HTTP client in here.
	ctx = context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, &http.Client{Timeout: tokenTimeout})
	app, err := firebase.NewApp(ctx, &firebase.Config{ProjectID: options.ProjectID}, more...)
	if err != nil {
		return nil, err
	}
	project, err := app.Auth(ctx)
	if err != nil || options.TenantID == "" {
		return project, err
	}
	return project.TenantManager.AuthForTenant(options.TenantID)
}

const emulatorVariable = "FIREBASE_AUTH_EMULATOR_HOST"

// environment is held while the process's environment is another one than its owner set.
var environment sync.Mutex

// setEmulator sets the variable that alone decides, while a client of the SDK is being made, whether it trusts
// signatures: to the host, or to nothing, so that no stray variable turns the check off. It returns the undoing.
func setEmulator(host string) (undo func()) {
	environment.Lock()
	before, was := os.LookupEnv(emulatorVariable)
	replace(host, host != "")
	return func() {
		replace(before, was)
		environment.Unlock()
	}
}

// replace cannot fail: the name is a good one, and so is a value that has no NUL in it.
func replace(value string, set bool) {
	if set {
		_ = os.Setenv(emulatorVariable, value)
	} else {
		_ = os.Unsetenv(emulatorVariable)
	}
}
