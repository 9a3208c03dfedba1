package health

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func port(listener net.Listener) int { return listener.Addr().(*net.TCPAddr).Port }

func TestProbeTakesTheServicesWord(t *testing.T) {
	status := http.StatusOK
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != Path {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	}))
	defer service.Close()

	if err := Probe(t.Context(), port(service.Listener)); err != nil {
		t.Errorf("ready service: %v", err)
	}
	status = http.StatusServiceUnavailable
	if err := Probe(t.Context(), port(service.Listener)); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("draining service: want an error that says 503, got %v", err)
	}
}

func TestProbeFailsWhenNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := Probe(t.Context(), port(listener)); err == nil {
		t.Error("want an error")
	}
}

func TestProbeGivesUpOnASilentService(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := Probe(ctx, port(listener)); err == nil {
		t.Error("want an error")
	}
}
