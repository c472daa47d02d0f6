package handlers

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPatience(t *testing.T) {
	type key struct{}
	begin := func(ctx context.Context) *patience {
		return &patience{parent: context.WithValue(ctx, key{}, "value"), until: time.Now().Add(time.Minute)}
	}
	over := func(t *testing.T, ctx context.Context, want error) {
		t.Helper()
		select {
		case <-ctx.Done():
		default:
			t.Error("not over")
		}
		if !errors.Is(ctx.Err(), want) {
			t.Errorf("over for %v, want %v", ctx.Err(), want)
		}
	}
	for name, test := range map[string]func(t *testing.T){
		"it has its deadline, and whoever waits on it": func(t *testing.T) {
			p := begin(t.Context())
			waiting, cancel := context.WithTimeout(p, time.Hour)
			defer cancel()
			if until, ok := p.Deadline(); !ok || !until.Equal(p.until) || p.Value(key{}) != "value" || p.Err() != nil {
				t.Errorf("until %s, value %v, %v", until, p.Value(key{}), p.Err())
			}
			<-time.After(time.Minute)
			synctest.Wait()
			over(t, p, context.DeadlineExceeded)
			over(t, waiting, context.DeadlineExceeded)
			p.end()
		},
		"it ends with its parent": func(t *testing.T) {
			parent, cancel := context.WithCancel(t.Context())
			p := begin(parent)
			cancel()
			over(t, p, context.Canceled)
			p.end()
		},
		"it is over afterwards": func(t *testing.T) {
			p := begin(t.Context())
			p.end()
			over(t, p, context.Canceled)
			p = begin(t.Context())
			done := p.Done()
			p.end()
			<-done
			over(t, p, context.Canceled)
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}
