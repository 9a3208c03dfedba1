// Package server runs an HTTP handler from its first connection to its last.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"switchyard/app/internal/health"
)

// Grace is how long requests in flight may take once the listener has closed. With the default drain
// (5 s) it stays below the 30 s that ECS and Kubernetes wait by default before they kill.
const Grace = 20 * time.Second

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 15 * time.Second // below Grace: a request in flight ends before it is cut off
	// Above the 60 s after which an AWS load balancer drops an idle connection: were it ours to close
	// first, the balancer could send a request into a closing connection and answer 502.
	idleTimeout = 75 * time.Second

	// Headers are kept in memory until they are complete; with Go's own limit, 1 MiB, a few dozen unfinished requests
	// fill a small replica.
	maxHeaderBytes = 16 << 10
)

// Server serves Handler and, when told to stop, drains first: readiness fails while requests are still
// taken, so that load balancers look elsewhere before connections are refused.
type Server struct {
	Handler http.Handler
	Health  *health.State
	Log     *slog.Logger
	Drain   time.Duration // between readiness failing and the listener closing
	Grace   time.Duration // between the listener closing and requests in flight being cut off
}

// Serve answers on listener until ctx ends, then drains. It returns nil when every request was
// answered, and an error when serving failed or requests outlasted Grace.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.closeWhenDraining(s.Handler),
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	s.Log.Info("listening", "address", listener.Addr().String())

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return s.shutdown(server)
	}
}

func (s *Server) shutdown(server *http.Server) error {
	s.Health.Drain()
	s.Log.Info("draining", "drain", s.Drain.String())
	time.Sleep(s.Drain)

	s.Log.Info("closing", "grace", s.Grace.String())
	ctx, cancel := context.WithTimeout(context.Background(), s.Grace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close()
		return fmt.Errorf("requests still in flight after %s were cut off", s.Grace)
	}
	s.Log.Info("stopped")
	return nil
}

// closeWhenDraining ends each kept-alive connection with the answer it is giving. Server's own
// SetKeepAlivesEnabled(false) would also close the idle ones, under the next request's feet.
func (s *Server) closeWhenDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Health.Draining() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
