package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// checkers are the servers that check one ID token per request, and the one that checks nothing.
var checkers = []string{"vigil", "echo-json", "verify", "verify-revoked"}

// checks measures the throughput of each once, the load on the other core, with as many users as it takes for none of them to meet
// Vigil's rate limit, which is on like everything else.
func (b *bench) checks(ctx context.Context, round int) error {
	rate := make(map[string]float64)
	for i := range checkers {
		name := checkers[(i+round)%len(checkers)] // none has the same neighbours' heat every time
		r, err := b.check(ctx, name)
		if err != nil {
			return err
		}
		rate[name] = r
		b.add("requests/s "+name, r)
	}
	b.add("check/echo", rate["vigil"]/rate["echo-json"])
	b.add("check/verify", rate["vigil"]/rate["verify"])
	b.add("check/verify-revoked", rate["vigil"]/rate["verify-revoked"])
	return nil
}

// check is the throughput of one server, in requests per second.
func (b *bench) check(ctx context.Context, name string) (float64, error) {
	tokens := b.tokens("user", b.sizes.users)
	s, err := b.checker(ctx, name, tokens)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	file := filepath.Join(b.dir, "tokens")
	if err := os.WriteFile(file, []byte(strings.Join(tokens, "\n")), 0o600); err != nil {
		return 0, err
	}
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	var answer struct {
		Requests     int64
		Seconds, CPU float64
	}
	var stdout bytes.Buffer
	load, err := b.start(ctx, loadCore, "load", &stdout, nil, b.program("load"), "-host", s.addr, "-tokens", file,
		"-connections", "32", "-warm", b.sizes.warm.String(), "-duration", b.sizes.load.String())
	if err != nil {
		return 0, err
	}
	defer load.stop()
	if err := load.wait(ctx); err != nil {
		return 0, s.failed(err.Error())
	}
	after, err := s.cpu()
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil || answer.Requests == 0 {
		return 0, fmt.Errorf("load against %s: %q (%w)", name, &stdout, err)
	}
	b.add("core taken by the load on "+name, answer.CPU)
	b.add("core taken by "+name, (after-before).Seconds()/(b.sizes.warm+b.sizes.load).Seconds())
	return float64(answer.Requests) / answer.Seconds, nil
}

// checker starts a server that knows the tokens' users.
func (b *bench) checker(ctx context.Context, name string, tokens []string) (*server, error) {
	if name != "vigil" {
		return b.baseline(ctx, name)
	}
	s, err := b.vigil(ctx)
	if err != nil {
		return nil, err
	}
	if err := register(ctx, s, tokens); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// register begins a session for each token.
func register(ctx context.Context, s *server, tokens []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, token := range tokens {
		group.Go(func() error { return s.ask(ctx, http.MethodPost, "/v1/sessions", token, "{}", http.StatusCreated, nil) })
	}
	return group.Wait()
}

// ask sends a request to Vigil's API, wants a status, and decodes the answer unless it is to go to nil.
func (s *server) ask(ctx context.Context, method, path, token, body string, want int, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != want {
		return s.failed(fmt.Sprintf("answers %s to %s %s", response.Status, method, path))
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
