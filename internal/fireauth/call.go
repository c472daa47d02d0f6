package fireauth

import (
	"context"
	"time"
)

const (
	// callTimeout keeps an answer within two seconds, whatever happens to the network.
	callTimeout = 1500 * time.Millisecond
	// maxLookUps is how many calls to the account service may be under way at once: at 50 ms each, more than
	// Google's 500 a second for one service account, https://firebase.google.com/docs/auth/limits.
	maxLookUps = 64
)

// slots bounds how many calls are under way.
type slots chan struct{}

// call runs f and gives it up after [callTimeout]. The SDK obeys its context while it talks to the account service,
// but not while it fetches an access token, one caller after the other. So a call that is given up may go on for a
// while; it keeps its slot until it is over, and no more than that many can pile up.
func call[T any](ctx context.Context, s slots, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	select {
	case s <- struct{}{}:
		go func() {
			defer func() { <-s }()
			value, err := f(ctx)
			done <- result{value, err}
		}()
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}
