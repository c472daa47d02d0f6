package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/internal/socket"
	"github.com/vigilhq/vigil/internal/wire"
)

func newConnect(env environment) *cobra.Command {
	var b browser
	var api, origin, deviceName string
	cmd := &cobra.Command{
		Use:   "connect",
		Short: "Hold a WebSocket from the terminal: prints frames, Enter is activity",
		Long: "Hold a WebSocket from the terminal: sign in, begin a session, print every frame, and renew the token as a dashboard would.\n" +
			"A line on standard input is activity of the user. Ends when the server closes the socket, and says how.",
		Args: noArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&api, "url", "http://127.0.0.1:8080", "base URL of the service")
	flags.StringVar(&b.identity, "identity-url", "http://127.0.0.1:9099", "the local identity server; empty: Google's")
	flags.StringVar(&b.key, "api-key", "dev", "the Firebase project's web API key")
	flags.StringVar(&b.email, "email", "", "e-mail address to sign in with")
	flags.StringVar(&b.password, "password", "", "its password")
	flags.StringVar(&origin, "origin", "http://localhost", "the page to pretend to be; it must be allowed")
	flags.StringVar(&deviceName, "device-name", "vigil connect", "name of the session")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if b.email == "" || b.password == "" {
			return config.UsageError{Err: errors.New("--email and --password are needed")}
		}
		return connect(cmd.Context(), &b, strings.TrimSuffix(api, "/"), origin, deviceName, cmd.InOrStdin(), env.stdout)
	}
	return cmd
}

func connect(ctx context.Context, b *browser, api, origin, deviceName string, stdin io.Reader, stdout io.Writer) error {
	if err := b.signIn(ctx); err != nil {
		return err
	}
	if err := b.register(ctx, api, deviceName); err != nil {
		return err
	}
	client, err := socket.Dial(ctx, "ws"+strings.TrimPrefix(api, "http")+"/v1/ws", origin)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }() // the server has closed, or is left without a word
	if err := client.Write(wire.Request{Type: wire.TypeAuth, Token: b.idToken}); err != nil {
		return err
	}
	return converse(ctx, b, client, lines(stdin), stdout)
}

// heard is what the reading goroutine passes on.
type heard struct {
	frame []byte
	err   error
}

// converse prints what the server says, and sends heartbeats and activity, until either side ends it.
func converse(ctx context.Context, b *browser, client *socket.Client, activity <-chan string, stdout io.Writer) error {
	frames := make(chan heard)
	go func() {
		for {
			frame, err := client.Read()
			select {
			case frames <- heard{frame, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	heartbeat := time.NewTicker(time.Hour) // until ready says better
	defer heartbeat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-activity:
			_, _ = fmt.Fprintf(stdout, "%s > activity\n", time.Now().Format(time.TimeOnly)) // a frame that cannot be printed ends it below
			err = client.Write(wire.Request{Type: wire.TypeActivity})
		case <-heartbeat.C:
			err = b.heartbeat(ctx, client, false)
		case h := <-frames:
			if h.err != nil {
				return farewell(h.err, stdout)
			}
			_, err = fmt.Fprintf(stdout, "%s %s\n", time.Now().Format(time.TimeOnly), h.frame)
			err = errors.Join(err, b.react(ctx, client, h.frame, heartbeat))
		}
		if err != nil {
			return err
		}
	}
}

// react does what a dashboard does on a frame: take up the heartbeat, and bring a fresh token when it is asked for.
func (b *browser) react(ctx context.Context, client *socket.Client, frame []byte, heartbeat *time.Ticker) error {
	var message struct {
		Type              wire.Type `json:"type"`
		HeartbeatInterval int64     `json:"heartbeatInterval"`
		TokenValid        bool      `json:"tokenValid"`
	}
	if err := json.Unmarshal(frame, &message); err != nil {
		return fmt.Errorf("frame of the server: %w", err)
	}
	switch {
	case message.Type == wire.TypeReady:
		heartbeat.Reset(time.Duration(message.HeartbeatInterval) * time.Millisecond)
	case message.Type == wire.TypePong && !message.TokenValid:
		return b.heartbeat(ctx, client, true)
	}
	return nil
}

// heartbeat pings with a token that lives long enough, or with a new one in any case.
func (b *browser) heartbeat(ctx context.Context, client *socket.Client, renew bool) error {
	if err := b.refresh(ctx, renew); err != nil {
		return err
	}
	return client.Write(map[string]any{"type": wire.TypePing, "token": b.idToken, "timestamp": time.Now().UnixMilli()})
}

// farewell says how the connection ended. That the server closed it is what this command waits for.
func farewell(err error, stdout io.Writer) error {
	var closed *socket.ClosedError
	if !errors.As(err, &closed) {
		return err
	}
	again := "the client may reconnect"
	if closed.Code.Terminal() {
		again = "the client must not reconnect"
	}
	_, err = fmt.Fprintf(stdout, "%s closed by the server: %d, %s\n", time.Now().Format(time.TimeOnly), closed.Code, again)
	return err
}

// lines passes lines on until the input ends.
func lines(r io.Reader) <-chan string {
	passed := make(chan string)
	go func() {
		for scanner := bufio.NewScanner(r); scanner.Scan(); {
			passed <- scanner.Text()
		}
	}()
	return passed
}
