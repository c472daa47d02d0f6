package session_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestModel(t *testing.T) {
	sessiontest.TestModel(t, 40, 80, false, func(t *testing.T, play func(context.Context, sessiontest.World) error) (err error) {
		synctest.Test(t, func(t *testing.T) {
			data := memory.Open(session.NewClock())
			data.Retention = sessiontest.ModelRetention
			err = play(t.Context(), sessiontest.World{
				Connect: func() (sessiontest.Data, session.Feed) { return data, data.Feed() },
				Pass:    func(d time.Duration) { <-time.After(d); synctest.Wait() },
			})
		})
		return err
	})
}
