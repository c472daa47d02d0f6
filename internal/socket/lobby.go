package socket

import (
	"sync"

	"github.com/vigilhq/vigil/internal/session"
)

// Sockets that may be waiting for authentication at once.
const (
	maxWaiting         = 10_000
	maxWaitingByHolder = 100
)

// lobby counts the sockets that have not authenticated yet: all of them, and those of one [session.Origin.Holder].
// Safe for concurrent use.
type lobby struct {
	max, maxByHolder int

	mu       sync.Mutex
	waiting  int
	byHolder map[string]int
}

func newLobby() lobby {
	return lobby{max: maxWaiting, maxByHolder: maxWaitingByHolder, byHolder: make(map[string]int)}
}

// enter takes a place if there is one. Leave gives it back; more than once is as good as once.
func (l *lobby) enter(from session.Origin) (leave func(), ok bool) {
	holder := from.Holder()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting >= l.max || l.byHolder[holder] >= l.maxByHolder {
		return nil, false
	}
	l.waiting++
	l.byHolder[holder]++
	return sync.OnceFunc(func() { l.leave(holder) }), true
}

func (l *lobby) leave(holder string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if l.byHolder[holder]--; l.byHolder[holder] == 0 {
		delete(l.byHolder, holder)
	}
}
