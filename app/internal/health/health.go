// Package health holds the service's readiness, and asks another process for its own.
package health

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
)

// Path is where the service answers for its readiness.
const Path = "/healthz"

// State is the readiness of this process: ready until Drain. Its zero value is ready to use.
type State struct{ draining atomic.Bool }

// Drain makes the service unready, for good.
func (s *State) Drain() { s.draining.Store(true) }

// Draining reports whether Drain has been called.
func (s *State) Draining() bool { return s.draining.Load() }

// Probe asks the service on this machine's port for its readiness; nil means ready. It is the image's
// health check: a scratch image has no shell and no curl.
func Probe(ctx context.Context, port int) error {
	url := fmt.Sprintf("http://127.0.0.1:%d%s", port, Path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return nil
}
