package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// checkers are the servers that check one ID token per request, and the one that checks nothing.
var checkers = []string{"vigil", "echo-json", "verify", "verify-revoked", "verify-revoked-in-process"}

// checks measures the throughput of each once, the load on the other core, with as many users as it takes for none of them to meet
// Vigil's rate limit, which is on like everything else.
//
// Throughput is requests per second that the server had its core. With the core to itself that is requests per second, and with others
// on it, it still is what it would be without them.
func (b *bench) checks(ctx context.Context, round int) error {
	rate := make(map[string]float64)
	for i := range checkers {
		name := checkers[(i+round)%len(checkers)] // none has the same neighbours' heat every time
		r, err := b.check(ctx, name)
		if err != nil {
			return err
		}
		rate[name] = r
		b.add("check: requests per second of "+name+"'s core", r)
	}
	for _, other := range checkers[1:] {
		b.add("check/"+other, rate["vigil"]/rate[other])
		if other == "echo-json" {
			continue
		}
		b.add("check: echo-json against "+other+", which is what a check that costs nothing would reach", rate["echo-json"]/rate[other])
	}
	return nil
}

// check is the throughput of one server.
func (b *bench) check(ctx context.Context, name string) (float64, error) {
	tokens := b.tokens(b.sizes.users)
	s, err := b.checker(ctx, name, tokens)
	if err != nil {
		return 0, err
	}
	defer s.stop()
	file, err := b.tokenFile(tokens)
	if err != nil {
		return 0, err
	}
	if _, err := b.load(ctx, s, file, b.sizes.warm); err != nil {
		return 0, err
	}
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	done, err := b.load(ctx, s, file, b.sizes.load)
	if err != nil {
		return 0, err
	}
	after, err := s.cpu()
	if err != nil {
		return 0, err
	}
	took := (after - before).Seconds()
	if done.Requests == 0 || took == 0 {
		return 0, s.failed("answers nothing")
	}
	b.add("check: requests per second, "+name, done.Requests/done.Seconds)
	b.add("check: part of its core that "+name+" took", took/done.Seconds)
	b.add("check: part of the other core that the load on "+name+" took", done.CPU)
	return done.Requests / took, nil
}

// loaded is what bench/load prints.
type loaded struct {
	Requests, Seconds, CPU float64
}

// load asks a server for as long as said.
func (b *bench) load(ctx context.Context, s *server, tokens string, d time.Duration) (loaded, error) {
	var stdout bytes.Buffer
	p, err := b.start(ctx, loadCore, "load", &stdout, nil, b.program("load"), "-host", s.addr, "-tokens", tokens, "-duration", d.String())
	if err != nil {
		return loaded{}, err
	}
	defer p.stop()
	if err := p.wait(ctx); err != nil {
		return loaded{}, s.failed(err.Error())
	}
	var done loaded
	if err := json.Unmarshal(stdout.Bytes(), &done); err != nil {
		return loaded{}, fmt.Errorf("%q of the load on %s: %w", &stdout, s.name, err)
	}
	return done, nil
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

// register begins a session for each token. Like any client it asks again while the server cannot tell.
func register(ctx context.Context, s *server, tokens []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, token := range tokens {
		group.Go(func() error { return s.register(ctx, token) })
	}
	return group.Wait()
}

func (s *server) register(ctx context.Context, token string) error {
	const attempts = 10
	for range attempts {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/v1/sessions", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		switch response.StatusCode {
		case http.StatusCreated, http.StatusOK:
			return nil
		case http.StatusServiceUnavailable:
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
		default:
			return s.failed("answers " + response.Status + " to a registration")
		}
	}
	return s.failed("is not available to registrations")
}
