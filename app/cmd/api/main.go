// Command api is the example service of Switchyard.
//
//	api          serve until SIGTERM or SIGINT, then drain
//	api -health  ask the api on this machine whether it is ready: exit 0 or 1
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"switchyard/app/internal/api"
	"switchyard/app/internal/config"
	"switchyard/app/internal/health"
	"switchyard/app/internal/server"
)

// version is set by the linker: -X main.version=1.2.3.
var version = "dev"

const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // a bad flag or a bad environment variable
)

const probeTimeout = 2 * time.Second // below the image's HEALTHCHECK --timeout

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("api", flag.ContinueOnError)
	flags.SetOutput(stderr)
	probe := flags.Bool("health", false, "ask the api on this machine's $PORT whether it is ready, and exit 0 or 1")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	case flags.NArg() > 0:
		complain(stderr, fmt.Errorf("%q is not understood; want no arguments, or -health", flags.Arg(0)))
		return exitUsage
	}

	settings, err := config.Load(getenv)
	switch {
	case err != nil && *probe:
		// Docker reserves every exit code of a health check but 0 and 1.
		complain(stderr, err)
		return exitFailed
	case err != nil:
		complain(stderr, err)
		return exitUsage
	case *probe:
		err = askHealth(settings.Port)
	default:
		err = serve(settings, stdout)
	}
	if err != nil {
		complain(stderr, err)
		return exitFailed
	}
	return exitOK
}

// complain writes each line of err as a line of its own.
func complain(stderr io.Writer, err error) {
	for line := range strings.Lines(err.Error() + "\n") {
		fmt.Fprint(stderr, "api: ", line)
	}
}

func askHealth(port int) error {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	return health.Probe(ctx, port)
}

func serve(settings config.Config, stdout io.Writer) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	// From here on a signal drains. The second one finds no handler, and kills.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)

	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", settings.Port))
	if err != nil {
		return fmt.Errorf("cannot listen on port %d (%w); set PORT to a free one", settings.Port, err)
	}
	info := api.Info{Version: version, Orchestrator: settings.Orchestrator, Service: settings.Service, Host: host}
	log := newLogger(stdout, settings.LogLevel, info)
	state := &health.State{}
	service := server.Server{
		Handler: api.New(info, state, log),
		Health:  state,
		Log:     log,
		Drain:   settings.Drain,
		Grace:   server.Grace,
	}
	return service.Serve(ctx, listener)
}

// newLogger writes JSON lines that each say which replica of which version they come from.
func newLogger(stdout io.Writer, level slog.Level, info api.Info) *slog.Logger {
	handler := slog.NewJSONHandler(stdout, &slog.HandlerOptions{Level: level})
	return slog.New(handler).With(
		"version", info.Version, "orchestrator", info.Orchestrator, "service", info.Service, "host", info.Host)
}
