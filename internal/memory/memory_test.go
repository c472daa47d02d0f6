package memory_test

import (
	"testing"

	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

func TestStore(t *testing.T) { sessiontest.TestStore(t, open) }

func TestFeed(t *testing.T) { sessiontest.TestFeed(t, open) }

// open returns an instance on an empty store; a second instance on it is the same store with a feed of its own.
func open(*testing.T) sessiontest.Backend {
	store := memory.Open(session.NewClock())
	var instance func(*testing.T) sessiontest.Backend
	instance = func(*testing.T) sessiontest.Backend {
		return sessiontest.Backend{
			Store: store, Users: store, Publisher: store, Archive: store, Trail: store, Jobs: store, Feed: store.Feed(),
			Mails: func(*testing.T) (subjects []string) {
				for _, mail := range store.Mails() {
					subjects = append(subjects, mail.Subject)
				}
				return subjects
			},
			Another: instance,
		}
	}
	return instance(nil)
}
