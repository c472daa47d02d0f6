package handlers_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
)

// The ways in which a store fails.
const (
	works int32 = iota
	fails
	hangs
)

// store is the store in memory, which can be made to fail.
type store struct {
	*memory.Store
	mode atomic.Int32
}

func (s *store) answers(ctx context.Context) error {
	switch s.mode.Load() {
	case fails:
		return session.Unavailable("store", errors.New("secret-host:443 refused"))
	case hangs:
		<-ctx.Done()
		return session.Unavailable("store", ctx.Err())
	default:
		return nil
	}
}

func (s *store) Create(ctx context.Context, n session.Session, rec session.Record) (session.Session, bool, error) {
	if err := s.answers(ctx); err != nil {
		return session.Session{}, false, err
	}
	return s.Store.Create(ctx, n, rec)
}

func (s *store) Session(ctx context.Context, id session.ID) (session.Session, error) {
	if err := s.answers(ctx); err != nil {
		return session.Session{}, err
	}
	return s.Store.Session(ctx, id)
}

func (s *store) UserSessions(ctx context.Context, uid session.UserID, all bool) ([]session.Session, error) {
	if err := s.answers(ctx); err != nil {
		return nil, err
	}
	return s.Store.UserSessions(ctx, uid, all)
}

func (s *store) Touch(ctx context.Context, n session.Session, at time.Time, notice *session.Notice) (session.Session, error) {
	if err := s.answers(ctx); err != nil {
		return session.Session{}, err
	}
	return s.Store.Touch(ctx, n, at, notice)
}

func (s *store) End(ctx context.Context, id session.ID, e session.End, rec session.Record) (session.Session, bool, error) {
	if err := s.answers(ctx); err != nil {
		return session.Session{}, false, err
	}
	return s.Store.End(ctx, id, e, rec)
}

func (s *store) User(ctx context.Context, uid session.UserID) (session.User, error) {
	if err := s.answers(ctx); err != nil {
		return session.User{}, err
	}
	return s.Store.User(ctx, uid)
}

func (s *store) Revoke(ctx context.Context, n session.Notice, d session.Decree) (time.Time, error) {
	if err := s.answers(ctx); err != nil {
		return time.Time{}, err
	}
	return s.Store.Revoke(ctx, n, d)
}

func (s *store) Search(ctx context.Context, f session.Filter, after session.Cursor, limit int) ([]session.Session, *session.Cursor, error) {
	if err := s.answers(ctx); err != nil {
		return nil, nil, err
	}
	return s.Store.Search(ctx, f, after, limit)
}

func (s *store) UserEvents(ctx context.Context, uid session.UserID, after session.EventCursor, limit int) ([]session.Event, error) {
	if err := s.answers(ctx); err != nil {
		return nil, err
	}
	return s.Store.UserEvents(ctx, uid, after, limit)
}

func (s *store) AllEvents(ctx context.Context, after session.EventCursor, limit int) ([]session.Event, error) {
	if err := s.answers(ctx); err != nil {
		return nil, err
	}
	return s.Store.AllEvents(ctx, after, limit)
}

func (s *store) Census(ctx context.Context) (session.Census, error) {
	if err := s.answers(ctx); err != nil {
		return session.Census{}, err
	}
	return s.Store.Census(ctx)
}

func (s *store) Job(ctx context.Context, id string) (session.MassRevocation, error) {
	if err := s.answers(ctx); err != nil {
		return session.MassRevocation{}, err
	}
	if id == "" || strings.ContainsAny(id, "/._") { // no name of a document
		return session.MassRevocation{}, session.Unavailable("job", errors.New("odd id"))
	}
	return s.Store.Job(ctx, id)
}

func (s *store) Append(ctx context.Context, events ...session.Event) error {
	if err := s.answers(ctx); err != nil {
		return err
	}
	return s.Store.Append(ctx, events...)
}
