package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const defaultTokenTTL = time.Hour

// Options configures a [Server].
type Options struct {
	// ProjectID is the Firebase project the server stands in for. Required.
	ProjectID string
	// TokenTTL is how long an id token lives, in whole seconds. Zero means one
	// hour, which is what production does.
	TokenTTL time.Duration
	// Logger hears of each request at debug level, never of a token or a
	// password. Nil means silence.
	Logger *slog.Logger
}

// Server is the identity server of one project. It is an [http.Handler] and
// safe for concurrent use.
type Server struct {
	project  string
	tokenTTL time.Duration
	log      *slog.Logger
	now      func() time.Time
	handler  http.Handler

	mu        sync.Mutex // held for the whole of a request's work
	directory *directory
}

// New returns a server without accounts.
func New(options Options) (*Server, error) {
	if options.ProjectID == "" {
		return nil, errors.New("identity: ProjectID is required")
	}
	if options.TokenTTL == 0 {
		options.TokenTTL = defaultTokenTTL
	}
	if options.TokenTTL < time.Second || options.TokenTTL%time.Second != 0 {
		return nil, fmt.Errorf("identity: TokenTTL %v is not a positive number of whole seconds", options.TokenTTL)
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		project:   options.ProjectID,
		tokenTTL:  options.TokenTTL,
		log:       options.Logger,
		now:       time.Now,
		directory: newDirectory(),
	}
	s.handler = LoopbackHost(loopbackOrigin(s.routes()))
	return s, nil
}

// ServeHTTP answers the two REST protocols. It refuses hosts and origins that
// are not loopback names.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handler.ServeHTTP(w, r)
}

// NewUser describes an account for [Server.CreateUser]. Every field is
// optional; an empty UID gets a random one.
type NewUser struct {
	UID         string
	Email       string
	Password    string
	DisplayName string
	Claims      map[string]any // custom claims, in every token of the user
}

// CreateUser adds an account, as an administrator would, and returns its uid.
func (s *Server) CreateUser(user NewUser) (string, error) {
	c := change{
		email:       unlessEmpty(user.Email),
		password:    unlessEmpty(user.Password),
		displayName: unlessEmpty(user.DisplayName),
	}
	if len(user.Claims) > 0 {
		raw, err := json.Marshal(user.Claims)
		if err != nil {
			return "", fmt.Errorf("identity: create user: %w", err)
		}
		claims, err := parseExtraClaims(string(raw))
		if err != nil {
			return "", fmt.Errorf("identity: create user: %w", err)
		}
		c.claims = &claims
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.directory.create(user.UID, c, s.now())
	if err != nil {
		return "", fmt.Errorf("identity: create user: %w", err)
	}
	return a.uid, nil
}

func (s *Server) issuer() string { return issuerPrefix + s.project }

func (s *Server) ttlSeconds() int64 { return int64(s.tokenTTL / time.Second) }

// unlessEmpty maps the protocol's empty strings, which mean "not given", to a
// [change] that leaves the field alone.
func unlessEmpty(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}
