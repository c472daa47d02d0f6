package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/vigilhq/vigil/cmd/internal/config"
	"github.com/vigilhq/vigil/internal/identity"
)

const (
	// opsWriteTimeout lets a profile of a minute through; the profiler refuses what would take longer than this.
	opsWriteTimeout = 90 * time.Second
	opsStopTimeout  = time.Second
)

// opsHandler serves operators: the metrics and, where they are wanted, the profiles. Nothing else in the process can add to
// it, as anything could to the default mux.
func opsHandler(metrics http.Handler, profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// startOps opens the operators' listener, unless it is switched off, and serves on it until stop is called. The address is nil
// when it is off.
func startOps(ctx context.Context, c config.Config, metrics http.Handler, log *slog.Logger) (address net.Addr, stop func(), err error) {
	if c.OpsAddr == "" {
		return nil, func() {}, nil
	}
	handler := opsHandler(metrics, c.PProf)
	listen := new(net.ListenConfig).Listen
	if c.Command == config.Dev {
		handler = identity.LoopbackHost(handler)
		listen = func(ctx context.Context, _, address string) (net.Listener, error) {
			return identity.Listen(ctx, address)
		}
	}
	listener, err := listen(ctx, "tcp", c.OpsAddr)
	if err != nil {
		return nil, nil, config.Fault{Variable: "OPS_ADDR", Text: fmt.Sprintf("%s; choose another address for the metrics, or leave it empty to do without", err)}
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: opsWriteTimeout,
		IdleTimeout: idleConnTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are not served any more", "error", err)
		}
	}()
	log.Info("metrics", "address", listener.Addr().String(), "pprof", c.PProf)
	return listener.Addr(), func() { stopOps(server) }, nil //nolint:contextcheck // what stops it comes after the end of ctx
}

// stopOps gives a scrape under way the chance to be the last.
func stopOps(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), opsStopTimeout)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // whoever is still reading gets no more
	}
}
