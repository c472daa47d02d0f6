package memory_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

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

// TestMailPause: the memory of a mail about a device lasts for an hour, also across one of the clock's.
func TestMailPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, n := memory.Open(session.NewClock()), 0
		create := func(after time.Duration) int {
			<-time.After(after)
			n++
			s := sessiontest.NewSession("ana", sessiontest.SignIn.Add(time.Duration(n)*time.Minute))
			_, created, err := store.Create(t.Context(), s, session.Record{Mail: &session.Mail{Subject: strconv.Itoa(n), Device: "phone"}})
			if err != nil || !created {
				t.Errorf("created %t, error %v", created, err)
			}
			latest, _ := strconv.Atoi(store.Mails()[0].Subject)
			return latest
		}
		for _, c := range []struct {
			after  time.Duration
			latest int
		}{{0, 1}, {0, 1}, {59 * time.Minute, 1}, {time.Minute, 4}, {30 * time.Minute, 4}, {time.Hour, 6}} {
			if got := create(c.after); got != c.latest {
				t.Errorf("%s later: the latest mail is %d, want %d", c.after, got, c.latest)
			}
		}
	})
}
