package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cloud-mirror/cloud-mirror/frontend/conns"
)

// adminConns is the most connections to an admin listener: scrapes and probes need a few.
const adminConns = 64

// runAdmin serves /healthz, /readyz and /metrics on l until ctx ends. Its listener is separate from
// that of clients, and workers have one too. ready returns the reason why the process can't work
// now, or nil. people serves all other paths. Nil serves none.
func runAdmin(ctx context.Context, l net.Listener, registry *prometheus.Registry, ready func() error, people http.Handler) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	if people != nil {
		mux.Handle("/", people)
	}
	srv := &http.Server{
		Handler:        adminHeaders(mux),
		ReadTimeout:    5 * time.Second, // Of a body too: net/http reads it, and one route takes one.
		WriteTimeout:   30 * time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	guard := conns.New(conns.Options{Max: adminConns, Timeout: 30 * time.Second})
	// Close, not Shutdown: no caller needs the answers that are in flight.
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := guard.Serve(srv, l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve admin: %w", err)
	}
	return nil
}

// adminHeaders sets the headers that all answers share. A request with a body is the last of its
// connection, as for clients: see frontend.Server.ServeHTTP.
func adminHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
