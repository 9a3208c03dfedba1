package config

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestDefaults(t *testing.T) {
	got, err := Load(env(nil))
	want := Config{Port: 8080, Orchestrator: "none", Service: "api", LogLevel: slog.LevelInfo, Drain: 5 * time.Second}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestEveryVariableIsRead(t *testing.T) {
	got, err := Load(env(map[string]string{
		"PORT":                    "65535",
		"SWITCHYARD_ORCHESTRATOR": "ecs-fargate",
		"SWITCHYARD_SERVICE":      "orders",
		"LOG_LEVEL":               "debug",
		"SWITCHYARD_DRAIN":        "0s",
	}))
	want := Config{Port: 65535, Orchestrator: "ecs-fargate", Service: "orders", LogLevel: slog.LevelDebug}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestABadValueIsNamed(t *testing.T) {
	bad := map[string][]string{
		"PORT":             {"0", "65536", "-1", "http", "80 ", "80.5", "0x50"},
		"LOG_LEVEL":        {"loud", "1", "info "},
		"SWITCHYARD_DRAIN": {"5", "-1s", "soon", "5 s"},
	}
	for name, values := range bad {
		for _, value := range values {
			_, err := Load(env(map[string]string{name: value}))
			if err == nil {
				t.Errorf("%s=%q was accepted", name, value)
				continue
			}
			text := err.Error()
			if !strings.HasPrefix(text, name+` is "`+value+`"; want `) || strings.Contains(text, "\n") {
				t.Errorf("%s=%q: error is %q", name, value, text)
			}
		}
	}
}

func TestAllBadValuesAreReportedAtOnce(t *testing.T) {
	_, err := Load(env(map[string]string{"PORT": "x", "LOG_LEVEL": "x", "SWITCHYARD_DRAIN": "x"}))
	if err == nil || strings.Count(err.Error(), "want ") != 3 {
		t.Errorf("want three complaints, got %v", err)
	}
}
