package functions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/vigilhq/vigil/internal/session"
)

// The names of the functions, which are also the paths that they are served at, after a slash.
const (
	BeforeSignIn  = "BeforeSignIn"
	OnRevocation  = "OnRevocation"
	OnUserDeleted = "OnUserDeleted"
	Sweep         = "Sweep"
)

// Options say what to serve.
type Options struct {
	// SignInURI is the URI that BeforeSignIn is registered under with Identity Platform, to the letter: Google's requests are for it.
	// Empty: BeforeSignIn is not served.
	SignInURI string
	// ProjectID is the Firebase project whose sign-ins these are. Required with SignInURI.
	ProjectID string
	// Unsigned has BeforeSignIn take the requests of the Auth emulator, which are not signed, and no others. Everything else about them
	// is checked all the same. Never in production.
	Unsigned bool

	// Registry is what the other three ask of the domain. Nil: they are not served.
	Registry Registry
	// TenantID is the Identity Platform tenant whose users these are: OnUserDeleted passes over an event of another one's. Empty: the
	// project's own.
	TenantID string
	// SweepAudience and SweepCaller are the audience and the service account, as an e-mail address, of the OIDC tokens that Cloud
	// Scheduler calls Sweep with. Both empty: callers are the platform's to check. On Cloud Run they have to be: it takes the signature
	// out of the token, so that nobody behind it can check it once more.
	SweepAudience, SweepCaller string

	// Log may be nil.
	Log *slog.Logger
}

// Registry is what the functions ask of the domain. [session.Registry] is one.
type Registry interface {
	// FinishRevocation completes a user's revocation once its instance has had its time to, and waits for that.
	FinishRevocation(ctx context.Context, uid session.UserID) error
	// UserDeleted ends everything that is left of an account that is gone. A repeated report does nothing.
	UserDeleted(ctx context.Context, uid session.UserID, report string) error
	// Sweep cleans up.
	Sweep(ctx context.Context, duties session.Duty) (session.SweepReport, error)
}

// Server serves the functions. Use [New].
type Server struct {
	log       *slog.Logger
	functions map[string]http.HandlerFunc

	mu      sync.Mutex
	leaving context.Context // done when the process is about to end: calls only begin before
	leave   context.CancelFunc
	running sync.WaitGroup // the calls
}

// New returns a server of the functions that the options ask for.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{log: o.Log, functions: make(map[string]http.HandlerFunc)}
	s.leaving, s.leave = context.WithCancel(context.Background())
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.SignInURI != "" {
		f := &signIn{uri: o.SignInURI, issuer: "https://securetoken.google.com/" + o.ProjectID}
		if !o.Unsigned {
			f.keys = newKeys(secureTokenKeys)
		}
		s.functions[BeforeSignIn] = s.call(BeforeSignIn, signInBudget, maxSignIn, f.serve)
	}
	if o.Registry != nil {
		s.functions[OnRevocation] = s.call(OnRevocation, 0, maxEvent, s.event((&revocation{o.Log, o.Registry}).on))
		s.functions[OnUserDeleted] = s.call(OnUserDeleted, 0, maxEvent, s.event((&deletion{o.Log, o.Registry, o.TenantID}).on))
		f := &sweep{log: o.Log, registry: o.Registry, audience: o.SweepAudience, caller: o.SweepCaller}
		if f.audience != "" {
			f.keys = newKeys(accountKeys)
		}
		s.functions[Sweep] = s.call(Sweep, 0, maxSweep, f.serve)
	}
	return s, nil
}

func (o Options) check() error {
	switch uri, err := url.Parse(o.SignInURI); {
	case o.SignInURI == "" && o.Registry == nil:
		return errors.New("functions: nothing to serve")
	case (o.SweepAudience == "") != (o.SweepCaller == ""):
		return errors.New("functions: the audience and the caller of Sweep belong together")
	case o.SignInURI == "":
		return nil
	case o.ProjectID == "":
		return errors.New("functions: BeforeSignIn needs the project")
	case err != nil || uri.Host == "" || uri.Scheme != "https" && !o.Unsigned:
		return fmt.Errorf("functions: the URI of BeforeSignIn is %q, and has to be one of https", o.SignInURI)
	default:
		return nil
	}
}

const (
	// leaveTimeout is how long calls have to end when the process is about to: less than the ten seconds that Cloud Run gives.
	leaveTimeout = 8 * time.Second
	// bodyTimeout is how long a caller has to send its request.
	bodyTimeout = 5 * time.Second
)

// served is whether functions have been registered: the framework has one registry in a process.
var served atomic.Bool

// Serve has the functions framework serve at addr, host:port, until ctx is done: each function at its name or, where the environment's
// FUNCTION_TARGET names one, that one at the root. It serves once in a process. The framework cannot be told to stop listening; so
// when ctx is done new calls are refused, those that wait for something are cut short for their callers to try again, and Serve
// returns when all have been answered.
func (s *Server) Serve(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	if served.Swap(true) {
		return errors.New("functions: this process has served already")
	}
	for name, f := range s.functions {
		functions.HTTP(name, f)
	}
	failed := make(chan error, 1)
	go func() { failed <- funcframework.StartHostPort(host, port) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		s.drain()
		return nil
	}
}

// begin notes that a call has begun, unless the process is about to end.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving.Err() != nil {
		return false
	}
	s.running.Add(1)
	return true
}

// drain refuses new calls and returns when there are none left, or when it has taken too long.
func (s *Server) drain() {
	s.mu.Lock()
	s.leave()
	s.mu.Unlock()
	over := make(chan struct{})
	go func() {
		s.running.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(leaveTimeout):
		s.log.Warn("functions end with calls under way")
	}
}
