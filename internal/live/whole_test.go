package live_test

import (
	"context"
	"testing"
	"time"

	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// wholes holds callers to what a store relies on: a session that claims to be as last read is all of it.
type wholes struct {
	*sessiontest.Outage
	t *testing.T
}

func (s wholes) Touch(ctx context.Context, known session.Session, at time.Time, n *session.Notice) (session.Session, error) {
	if !known.Version.IsZero() && known.CreatedAt.IsZero() {
		s.t.Errorf("touched with a part of a session: %+v", known)
	}
	return s.Outage.Touch(ctx, known, at, n)
}
