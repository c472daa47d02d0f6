package localgoogle

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options configures a [Server].
type Options struct {
	// ProjectID is the Firebase project that tokens are for. Required.
	ProjectID string
	// Dir is a folder for a certificate and credentials, which are written for the owner alone. Required.
	Dir string
}

const (
	certificateFile = "ca.pem"
	credentialsFile = "credentials.json"

	readHeaderTimeout = 10 * time.Second
)

// Server is a running stand-in. Use [Start]. Safe for concurrent use.
type Server struct {
	options  Options
	key      *rsa.PrivateKey // of ID tokens and of the service account
	keys     []byte          // the answer of the key endpoint
	access   string          // the access token
	proxy    net.Listener
	servers  [2]*http.Server // the proxy, and what is behind it
	serving  sync.WaitGroup
	accounts sync.Map // uid → account: those that differ from the others

	asked struct{ keys, accessTokens, lookUps, accounts, updates atomic.Int64 }
}

// Asked is how many requests have come, by what they ask for. Accounts are those that look-ups have named.
type Asked struct {
	Keys         int64 `json:"keys"`
	AccessTokens int64 `json:"accessTokens"`
	LookUps      int64 `json:"lookUps"`
	Accounts     int64 `json:"accounts"`
	Updates      int64 `json:"updates"`
}

// Start serves on a free port of 127.0.0.1, and on no other address, until [Server.Close]. Ctx is for the start alone.
func Start(ctx context.Context, options Options) (*Server, error) {
	if options.ProjectID == "" || options.Dir == "" {
		return nil, errors.New("localgoogle: a project id and a folder are required")
	}
	s := &Server{options: options}
	certificate, err := s.makeKeys()
	if err == nil {
		err = s.writeFiles(certificate)
	}
	if err == nil {
		s.proxy, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("localgoogle: %w", err)
	}
	tunnels := &tunnels{opened: make(chan net.Conn), closed: make(chan struct{}), address: s.proxy.Addr()}
	quiet := log.New(io.Discard, "", 0) // what a client breaks off is its own affair
	secure := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s.servers = [2]*http.Server{
		{Handler: tunnels, ReadHeaderTimeout: readHeaderTimeout, ErrorLog: quiet},
		{Handler: s.endpoints(), TLSConfig: secure, ReadHeaderTimeout: readHeaderTimeout, ErrorLog: quiet},
	}
	s.serving.Go(func() { _ = s.servers[0].Serve(s.proxy) })            // ends with Close alone
	s.serving.Go(func() { _ = s.servers[1].ServeTLS(tunnels, "", "") }) // HTTP/2, as Google: one connection for many requests
	return s, nil
}

// Close ends all connections.
func (s *Server) Close() {
	for _, server := range s.servers {
		_ = server.Close() // nothing is left to be done about it
	}
	s.serving.Wait()
}

// Environ points a Go program with the Admin SDK here, when it is put at the end of the program's environment. It leaves alone
// what else the environment has, an emulator's variables for instance.
func (s *Server) Environ() []string {
	return []string{
		"FIREBASE_PROJECT_ID=" + s.options.ProjectID,
		"GOOGLE_APPLICATION_CREDENTIALS=" + filepath.Join(s.options.Dir, credentialsFile),
		"HTTPS_PROXY=http://" + s.proxy.Addr().String(),
		"NO_PROXY=127.0.0.1", // of another environment it could name Google; an empty one would not count
		"SSL_CERT_FILE=" + filepath.Join(s.options.Dir, certificateFile),
	}
}

// Asked returns what has been asked since the start.
func (s *Server) Asked() Asked {
	return Asked{
		Keys: s.asked.keys.Load(), AccessTokens: s.asked.accessTokens.Load(), LookUps: s.asked.lookUps.Load(),
		Accounts: s.asked.accounts.Load(), Updates: s.asked.updates.Load(),
	}
}
