// Package config reads the service's settings from its environment.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Config is the environment contract: what every orchestrator sets.
type Config struct {
	Port         int
	Orchestrator string
	Service      string
	LogLevel     slog.Level
	Drain        time.Duration // how long readiness fails before the listener closes
}

// Load reads the settings through getenv (os.Getenv, usually). An empty variable counts as unset.
// The error names every bad variable, one a line.
func Load(getenv func(string) string) (Config, error) {
	port, portErr := parsePort(cmp.Or(getenv("PORT"), "8080"))
	level, levelErr := parseLevel(cmp.Or(getenv("LOG_LEVEL"), "info"))
	drain, drainErr := parseDrain(cmp.Or(getenv("SWITCHYARD_DRAIN"), "5s"))
	return Config{
		Port:         port,
		Orchestrator: cmp.Or(getenv("SWITCHYARD_ORCHESTRATOR"), "none"),
		Service:      cmp.Or(getenv("SWITCHYARD_SERVICE"), "api"),
		LogLevel:     level,
		Drain:        drain,
	}, errors.Join(portErr, levelErr, drainErr)
}

func parsePort(text string) (int, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("PORT is %q; want a number from 1 to 65535, such as 8080", text)
	}
	return int(port), nil
}

func parseLevel(text string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return 0, fmt.Errorf("LOG_LEVEL is %q; want debug, info, warn or error", text)
	}
	return level, nil
}

func parseDrain(text string) (time.Duration, error) {
	drain, err := time.ParseDuration(text)
	if err != nil || drain < 0 {
		return 0, fmt.Errorf("SWITCHYARD_DRAIN is %q; want a duration of 0s or more with its unit, such as 5s", text)
	}
	return drain, nil
}
