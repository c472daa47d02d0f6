package fireauth

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vigilhq/vigil/internal/session"
)

func TestReady(t *testing.T) {
	tests := map[string]struct {
		fault fault
		want  session.Code
	}{
		"answering": {nil, ""},
		"503":       {status(http.StatusServiceUnavailable), session.CodeUnavailable},
		"500, JSON": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			text(`{"error":"internal"}`)(w, r)
		}, session.CodeUnavailable},
		"hanging":  {hang, session.CodeUnavailable},
		"reset":    {reset, session.CodeUnavailable},
		"nonsense": {text("<html>"), session.CodeUnavailable},
	}
	for name, test := range tests {
		for mode, open := range map[string]func(*google) *Verifier{
			"production": func(g *google) *Verifier { return g.production() },
			"emulator":   func(g *google) *Verifier { return g.emulator() },
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := newGoogle(t)
					v := open(g)
					if test.fault != nil {
						g.keyFault.Store(&test.fault)
						g.userFault.Store(&test.fault)
					}
					wantCode(t, within(t, func() error { return v.Ready(t.Context()) }), test.want)
					g.keyFault.Store(nil)
					g.userFault.Store(nil)
					wantCode(t, v.Ready(t.Context()), "")
				})
			})
		}
	}
}

func TestReadyWithoutKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		v := g.production()
		f := text("{}")
		g.keyFault.Store(&f)
		wantCode(t, v.Ready(t.Context()), session.CodeUnavailable)
	})
}

// An instance that still holds the keys stays in service while the key endpoint is down.
func TestReadyByProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		v := g.production()
		if _, err := v.Verify(t.Context(), goodToken(nil)); err != nil {
			t.Fatal(err)
		}
		f := status(http.StatusServiceUnavailable)
		g.keyFault.Store(&f)
		wantCode(t, v.Ready(t.Context()), "")

		<-time.After(readyFor)
		wantCode(t, v.Ready(t.Context()), session.CodeUnavailable)

		if _, err := v.Verify(t.Context(), goodToken(nil)); err != nil {
			t.Fatalf("with keys still good: %v", err)
		}
		wantCode(t, v.Ready(t.Context()), "")

		<-time.After(readyFor)
		_, err := v.Verify(t.Context(), goodToken(object{"sub": ""}))
		wantCode(t, err, invalid)
		wantCode(t, v.Ready(t.Context()), session.CodeUnavailable)
	})
}

func TestReadyAsksOncePerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGoogle(t)
		v := g.production()
		for range 60 {
			wantCode(t, v.Ready(t.Context()), "")
			<-time.After(time.Second)
		}
		if n := g.keysAsked.Load(); n != 1 {
			t.Errorf("keys fetched %d times in a minute, want once", n)
		}
	})
}
