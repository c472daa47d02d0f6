package main

import (
	"context"
	"log/slog"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/vigilhq/vigil/internal/memory"
	"github.com/vigilhq/vigil/internal/session"
)

// storeShare is how many bytes of heap the store in memory takes for a session, with what it keeps of its beginning. In production they
// are Firestore's.
func storeShare(ctx context.Context, sessions int) (float64, error) {
	clock := session.NewClock()
	store := memory.Open(clock)
	before := liveHeap()
	if err := fill(ctx, store, clock, sessions); err != nil {
		return 0, err
	}
	share := (liveHeap() - before) / float64(sessions)
	runtime.KeepAlive(store)
	return share, nil
}

// fill begins sessions as browsers of `vigil swarm` do. All that is left of it is in the store.
func fill(ctx context.Context, store *memory.Store, clock *session.Clock, sessions int) error {
	registry := session.NewRegistry(
		session.Settings{Policy: session.Policy{IdleTimeout: 30 * time.Minute, IdleWarning: 2 * time.Minute, Lifetime: 12 * time.Hour}},
		session.Ports{
			Store: store, Users: store, Publisher: store, Archive: store, Trail: store, Jobs: store,
			Clock: clock, Inbox: session.NewInbox(time.Hour), After: func(time.Duration, func()) {}, Log: slog.New(slog.DiscardHandler),
		})
	now := time.Now()
	for i := range sessions {
		uid := session.UserID("user" + strconv.Itoa(i))
		_, err := registry.Register(ctx,
			session.Identity{UserID: uid, SessionID: session.NewID(uid, "", now), AuthTime: now, IssuedAt: now, ExpiresAt: now.Add(time.Hour)},
			session.SignIn{UserAgent: strings.Clone("Go-http-client/1.1"), Origin: session.Origin{IP: netip.MustParseAddr("127.0.1.1")}})
		if err != nil {
			return err
		}
	}
	return nil
}

// liveHeap is what is reachable, in bytes.
func liveHeap() float64 {
	for range 2 { // what pools hold survives the first
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
