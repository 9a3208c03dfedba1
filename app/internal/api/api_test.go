package api

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"switchyard/app/internal/health"
)

var info = Info{Version: "1.2.3", Orchestrator: "eks", Service: "orders", Host: "pod-1"}

func ask(handler http.Handler, method, path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(method, path, nil))
	return answer
}

func decode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatalf("%q is not JSON: %v", text, err)
	}
	return fields
}

func TestAnswers(t *testing.T) {
	ready, draining := &health.State{}, &health.State{}
	draining.Drain()
	about := map[string]any{"version": "1.2.3", "orchestrator": "eks", "service": "orders", "host": "pod-1"}

	for _, test := range []struct {
		name, method, path string
		state              *health.State
		status             int
		body               map[string]any
	}{
		{"about", "GET", "/", ready, 200, about},
		{"about while draining", "GET", "/", draining, 200, about},
		{"ready", "GET", "/healthz", ready, 200, map[string]any{"status": "ready"}},
		{"draining", "GET", "/healthz", draining, 503, map[string]any{"status": "draining"}},
		{"unknown path", "GET", "/nowhere", ready, 404, map[string]any{"error": "not found: /nowhere"}},
		{"below a known path", "POST", "/healthz/x", ready, 404, map[string]any{"error": "not found: /healthz/x"}},
		{"unknown method", "POST", "/", ready, 405, map[string]any{"error": "method not allowed: POST"}},
		{"unknown method, health", "PUT", "/healthz", ready, 405, map[string]any{"error": "method not allowed: PUT"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := ask(New(info, test.state, slog.New(slog.DiscardHandler)), test.method, test.path)
			if answer.Code != test.status {
				t.Errorf("status %d, want %d", answer.Code, test.status)
			}
			if kind := answer.Header().Get("Content-Type"); kind != "application/json" {
				t.Errorf("content type %q", kind)
			}
			if body := decode(t, answer.Body.Bytes()); !maps.Equal(body, test.body) {
				t.Errorf("body %v, want %v", body, test.body)
			}
		})
	}
}

func TestHeadIsAllowedWhereGetIs(t *testing.T) {
	answer := ask(New(info, &health.State{}, slog.New(slog.DiscardHandler)), "HEAD", "/")
	if answer.Code != http.StatusOK {
		t.Errorf("status %d", answer.Code)
	}
}

func TestEachRequestIsOneLine(t *testing.T) {
	var out bytes.Buffer
	handler := New(info, &health.State{}, slog.New(slog.NewJSONHandler(&out, nil)))
	ask(handler, "DELETE", "/line")
	line := decode(t, out.Bytes()) // two lines would not be one JSON value
	if line["method"] != "DELETE" || line["path"] != "/line" || line["status"] != 404.0 || line["level"] != "INFO" {
		t.Errorf("got %v", line)
	}
	if took, ok := line["duration_ms"].(float64); !ok || took < 0 {
		t.Errorf("duration_ms is %v", line["duration_ms"])
	}
}

func TestHealthIsLoggedOnlyAtDebug(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelInfo: 0, slog.LevelDebug: 1} {
		var out bytes.Buffer
		log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level}))
		ask(New(info, &health.State{}, log), "GET", "/healthz")
		if got := bytes.Count(out.Bytes(), []byte("\n")); got != want {
			t.Errorf("at %s: %d lines, want %d", level, got, want)
		}
	}
}
