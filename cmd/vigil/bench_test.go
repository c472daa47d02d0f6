package main

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/wire"
)

// BenchmarkRevocationOnTheOtherInstance measures how long after the admin's 200 the user's socket is closed on the instance that
// was not asked. Two real processes, the Firestore emulator between them, all on this machine. A close that was there
// before the answer counts as zero. Run it with -benchtime=200x.
func BenchmarkRevocationOnTheOtherInstance(b *testing.B) {
	w := newWorld(b)
	host := firestoretest.Start(b)
	asked, other := w.serve(host), w.serve(host)
	admin := w.signIn("boss", adminPass)
	admin.register(asked)
	var delays, answers []time.Duration
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
		delays = append(delays, max(time.Unix(0, tab.at.Load()).Sub(answered), 0))
	}
	slices.Sort(delays)
	slices.Sort(answers)
	report := func(sorted []time.Duration, quantile float64, unit string) {
		b.ReportMetric(float64(sorted[int(quantile*float64(len(sorted)-1))].Microseconds())/1000, unit)
	}
	report(delays, 0.5, "p50-ms")
	report(delays, 0.99, "p99-ms")
	report(delays, 1, "max-ms")
	report(answers, 0.5, "answer-p50-ms")
}
