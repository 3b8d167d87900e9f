package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/net/netutil"
)

// Bounds of what whoever can reach the address may ask for.
const (
	mostScrapes  = 4   // at once
	mostClients  = 128 // who are connected: each takes a file descriptor, and memory
	headerTime   = 5 * time.Second
	scrapeTime   = 30 * time.Second
	mostHeaders  = 16 << 10
	lastRequests = 2 * time.Second // for those under way at the end
)

// listen takes the address, so that one that is taken is known before anything
// begins; nil where there is none.
func (s *server) listen() (net.Listener, error) {
	if s.cfg.Metrics.Listen == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", s.cfg.Metrics.Listen)
	if err != nil {
		return nil, s.cfg.place(refused("listen", " %s: %w", s.cfg.Metrics.Listen, errors.Unwrap(err)))
	}
	return l, nil
}

// serveHTTP serves metrics and health until ctx ends.
func (s *server) serveHTTP(ctx context.Context, l net.Listener) error {
	if l == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.InstrumentMetricHandler(s.metrics, promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{
		MaxRequestsInFlight: mostScrapes, Timeout: scrapeTime, EnableOpenMetrics: true,
	})))
	mux.HandleFunc("GET /healthz", answer(s.health.alive))
	mux.HandleFunc("GET /readyz", answer(s.health.readiness))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "ipctrace serve: /metrics /healthz /readyz\n")
	})
	h := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: scrapeTime, // of bodies too, which nobody needs, and which may never come
		WriteTimeout: scrapeTime + headerTime, IdleTimeout: time.Minute, MaxHeaderBytes: mostHeaders,
		ErrorLog: slog.NewLogLogger(s.logger().Handler(), slog.LevelDebug), // strangers' bad handshakes are no news
	}
	defer context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.Background(), lastRequests)
		defer cancel()
		_ = h.Shutdown(last)
		_ = h.Close()
	})()
	err := web.Serve(netutil.LimitListener(l, mostClients), h, &web.FlagConfig{WebConfigFile: &s.cfg.Metrics.WebConfig}, s.logger())
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve metrics: %w", err)
}

// logger is for libraries that want one.
func (s *server) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(s.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// answer says whether something holds, and if not, why.
func answer(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, err)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}
