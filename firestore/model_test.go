package firestore

import (
	"context"
	"testing"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// TestModel leaves time alone: Firestore's cannot be made to pass.
func TestModel(t *testing.T) {
	host := firestoretest.Start(t)
	sessiontest.TestModel(t, 5, 40, true, func(t *testing.T, play func(context.Context, sessiontest.World) error) error {
		project := firestoretest.ProjectID(t)
		return play(t.Context(), sessiontest.World{Connect: func() (sessiontest.Data, session.Feed) {
			s := connect(t, host, project)
			return s, s.Feed()
		}})
	})
}
