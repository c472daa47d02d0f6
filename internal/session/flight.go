package session

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// key names a read that callers may share. A fresh one is shared with nobody: it has to begin after its caller asked.
func (st *states) key(kind, id string, fresh bool) string {
	if fresh {
		return kind + "/" + id + "/" + rand.Text()
	}
	return kind + "/" + id
}

// load answers from what is known, or else reads and keeps. Concurrent callers share one read, unless a notice about
// the user came between them. When a notice came during the read, the answer may be older than the
// notice, so it is read again. Known and keep run under u.mu.
func load[T any](ctx context.Context, st *states, u *state, key string, timeout time.Duration,
	known func() (T, bool), read func(context.Context) (T, error), keep func(T) T) (T, error) {
	for {
		u.mu.Lock()
		v, ok := known()
		changes := u.changes
		u.mu.Unlock()
		if ok {
			return v, nil
		}
		v, err := fly(ctx, st, fmt.Sprint(key, "/", changes), timeout, func(ctx context.Context) (T, error) {
			u.mu.Lock()
			v, ok := known() // another flight has landed since
			u.mu.Unlock()
			if ok {
				return v, nil
			}
			v, err := read(ctx)
			u.mu.Lock()
			defer u.mu.Unlock()
			if err == nil && u.changes == changes {
				v = keep(v)
			}
			return v, err
		})
		if err != nil {
			return v, err
		}
		u.mu.Lock()
		current := u.changes == changes
		u.mu.Unlock()
		if current {
			return v, nil
		}
	}
}

// fly shares a read among the callers that name it alike. It goes on for the others when one of them gives up.
func fly[T any](ctx context.Context, st *states, key string, timeout time.Duration, read func(context.Context) (T, error)) (v T, err error) {
	flight := st.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		return read(ctx)
	})
	select {
	case <-ctx.Done():
		return v, Unavailable("wait", ctx.Err())
	case got := <-flight:
		v, _ = got.Val.(T) // the zero value of a failure may be another's
		return v, got.Err
	}
}

// pause waits for d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return Unavailable("wait", ctx.Err())
	case <-timer.C:
		return nil
	}
}
