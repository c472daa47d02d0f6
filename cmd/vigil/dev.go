package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/cmd/internal/wiring"
	"github.com/vigilhq/vigil/internal/geoip"
	"github.com/vigilhq/vigil/internal/identity"
	"github.com/vigilhq/vigil/internal/metrics"
	"github.com/vigilhq/vigil/internal/session"
)

// The seeded users. Their passwords are no secrets: the server answers to this machine only.
const (
	anaEmail, anaPassword     = "ana@example.com", "ana-password"
	adminEmail, adminPassword = "admin@example.com", "admin-password"
)

func newDev(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine: identity server, store and service in one process",
		Long: "Run everything on this machine: a local identity server that speaks Firebase Authentication's protocols, a store in memory\n" +
			"and the service, with two users to sign in as. Nothing else is needed, and nothing survives. Every flag is also a variable,\n" +
			"--idle-timeout is IDLE_TIMEOUT. Durations are 30s or 5m; a bare number is milliseconds.",
		Args: noArgs,
	}
	flag := config.Flags(cmd.Flags(), config.Dev)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := config.Load(cmd.Context(), config.Dev, flag, env.lookup)
		places, unusable := wiring.OpenPlaces(c)
		if err := errors.Join(err, unusable); err != nil {
			return err
		}
		defer func() { _ = places.Close() }() // it is only read from
		log, flush := wiring.NewServerLogger(c, env.stderr)
		defer flush()
		return dev(cmd.Context(), c, places, log, env.stdout)
	}
	return cmd
}

func dev(ctx context.Context, c config.Config, places *geoip.Database, log *slog.Logger, stdout io.Writer) error {
	accounts, err := identity.New(identity.Options{ProjectID: c.ProjectID, Logger: log})
	if err != nil {
		return err
	}
	users := []identity.NewUser{
		{UID: "ana", Email: anaEmail, Password: anaPassword, DisplayName: "Ana"},
		{UID: "admin", Email: adminEmail, Password: adminPassword, DisplayName: "Admin", Claims: map[string]any{c.AdminClaim: true}},
	}
	for _, user := range users {
		if _, err := accounts.CreateUser(user); err != nil {
			return fmt.Errorf("seed %s: %w", user.Email, err)
		}
	}
	identityListener, err := identity.Listen(ctx, c.IdentityAddr)
	if err != nil {
		return config.Fault{Variable: "IDENTITY_ADDR", Text: err.Error()}
	}
	identityServer := &http.Server{Handler: accounts, ReadHeaderTimeout: readHeaderTimeout}
	go func() { _ = identityServer.Serve(identityListener) }() // ends with Close
	defer func() { _ = identityServer.Close() }()              // nothing is lost with it

	clock, m := session.NewClock(), metrics.New()
	opsAddr, stopOps, err := startOps(ctx, c, m.Handler(), log)
	if err != nil {
		return err
	}
	defer stopOps()
	quiet := slog.New(slog.DiscardHandler) // that tokens are unsigned is what this command is for
	auth, err := wiring.OpenAuth(ctx, c, identityListener.Addr().String(), clock, m, quiet)
	if err != nil {
		return err
	}
	listener, err := identity.Listen(ctx, c.Addr)
	if err != nil {
		return config.Fault{Variable: "ADDR", Text: err.Error()}
	}
	i := newInstance(c, log, wiring.Parts{Clock: clock, Auth: auth, Metrics: m, Backend: wiring.Memory(c, clock), Places: places})
	i.hosts = identity.LoopbackAuthority
	if err := introduce(stdout, c, listener.Addr(), identityListener.Addr(), opsAddr); err != nil {
		return errors.Join(err, listener.Close())
	}
	return i.run(ctx, listener)
}

// introduce prints what a newcomer can do now. The address of the metrics is nil when they are off.
func introduce(w io.Writer, c config.Config, api, identityAddr, opsAddr net.Addr) error {
	metricsURL := ""
	if opsAddr != nil {
		metricsURL = "http://" + opsAddr.String() + "/metrics"
	}
	return introduction.Execute(w, map[string]any{
		"Metrics": metricsURL,
		"API":     "http://" + api.String(), "Socket": "ws://" + api.String() + "/v1/ws", "Identity": "http://" + identityAddr.String(),
		"Project": c.ProjectID, "IdleTimeout": c.IdleTimeout, "IdleWarning": c.IdleWarning, "Patient": c.IdleTimeout > time.Minute,
		"Ana": anaEmail, "AnaPassword": anaPassword, "Admin": adminEmail, "AdminPassword": adminPassword,
	})
}

var introduction = template.Must(template.New("introduction").Parse(`
Vigil is running. Everything is on this machine, and nothing survives a restart.

  API        {{.API}}/v1
  WebSocket  {{.Socket}}
  Identity   {{.Identity}}   (connectAuthEmulator, project {{.Project}})
{{- if .Metrics}}
  Metrics    {{.Metrics}}{{end}}

  user       {{.Ana}}     password  {{.AnaPassword}}
  admin      {{.Admin}}   password  {{.AdminPassword}}

Paste these commands into another terminal, in this folder. First sign in, as a browser would: the ID token is all that a client
ever holds.

  signin() { curl -s '{{.Identity}}/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=dev' -H 'Content-Type: application/json' -d '{"email":"'$1'","password":"'$2'","returnSecureToken":true}' | sed -n 's/.*"idToken": *"\([^"]*\)".*/\1/p'; }
  TOKEN=$(signin {{.Ana}} {{.AnaPassword}})

Begin a session, list all sessions of the user, and check a request as a back end would:

  curl -s -X POST {{.API}}/v1/sessions -H "Authorization: Bearer $TOKEN" -d '{"deviceName":"my terminal"}'; echo
  curl -s {{.API}}/v1/sessions -H "Authorization: Bearer $TOKEN"; echo
  curl -si {{.API}}/v1/check -H "Authorization: Bearer $TOKEN"; echo

Hold a socket, as an open dashboard does. This signs in by itself and prints what it hears; Enter is activity of the user:

  go run ./cmd/vigil connect --email {{.Ana}} --password {{.AnaPassword}} --url {{.API}} --identity-url {{.Identity}}

Without activity for {{.IdleTimeout}} a session ends (close code 4503), with a warning {{.IdleWarning}} before.
{{- if .Patient}} To see that in seconds, start again with
IDLE_TIMEOUT=6s IDLE_WARNING=3s.{{else}} Sessions that short end while you read: after a
401, sign in and begin a session again.{{end}}

Then, from a third terminal, throw the user out: every socket says why and closes (4502), every token is refused.

  signin() { curl -s '{{.Identity}}/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=dev' -H 'Content-Type: application/json' -d '{"email":"'$1'","password":"'$2'","returnSecureToken":true}' | sed -n 's/.*"idToken": *"\([^"]*\)".*/\1/p'; }
  ADMIN=$(signin {{.Admin}} {{.AdminPassword}})
  curl -s -X POST {{.API}}/v1/sessions -H "Authorization: Bearer $ADMIN"; echo
  curl -s -X POST {{.API}}/v1/admin/users/ana/revoke -H "Authorization: Bearer $ADMIN" -d '{"reason":"lost laptop"}'; echo

Back in the terminal that has TOKEN, where connect has ended, see that it is worth nothing any more:

  curl -si {{.API}}/v1/check -H "Authorization: Bearer $TOKEN"; echo

Ctrl-C stops everything.

`))
