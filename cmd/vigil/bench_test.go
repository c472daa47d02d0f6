package main

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/wire"
)

// BenchmarkRevocationOnTheOtherInstance measures when the user's socket is closed on the instance that was not asked: after the
// admin's 200, where a close that was there before counts as zero, and after the admin's request. Two real processes, the
// Firestore emulator between them, all on this machine. Run it with -benchtime=200x.
func BenchmarkRevocationOnTheOtherInstance(b *testing.B) {
	w := newWorld(b)
	host := firestoretest.Start(b)
	asked, other := w.serve(host, "RATE_LIMITS=off"), w.serve(host, "RATE_LIMITS=off")
	admin := w.signIn("boss", adminPass)
	admin.register(asked)
	var delays, closes, answers []time.Duration
	for b.Loop() {
		if len(delays)%100 == 99 {
			admin = w.signIn("boss", adminPass) // recently enough
			admin.register(asked)
		}
		u := w.signIn("ana", userPass)
		u.register(other)
		tab := u.connect(other)
		sent := time.Now()
		asked.want(http.StatusOK, "", http.MethodPost, "/v1/admin/users/ana/revoke", admin.idToken, nil)
		answered := time.Now()
		tab.wantEnd("admin_revoked", wire.CloseRevoked)
		answers = append(answers, answered.Sub(sent))
		closed := time.Unix(0, tab.at.Load())
		closes = append(closes, closed.Sub(sent))
		delays = append(delays, max(closed.Sub(answered), 0))
	}
	for name, all := range map[string][]time.Duration{"after-answer": delays, "after-request": closes, "answer": answers} {
		slices.Sort(all)
		for suffix, quantile := range map[string]float64{"p50": 0.5, "p99": 0.99, "max": 1} {
			b.ReportMetric(float64(all[int(quantile*float64(len(all)-1))].Microseconds())/1000, name+"-"+suffix+"-ms")
		}
	}
}
