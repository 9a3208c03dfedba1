package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/app/internal/api"
	"switchyard/app/internal/health"
)

// running is a Server on a real listener, with one path more: /slow answers once release is closed.
type running struct {
	url      string
	stop     context.CancelFunc // what SIGTERM does
	arrived  chan struct{}      // gets a value when a request has reached /slow
	release  chan struct{}
	finished chan error
}

func start(t *testing.T, drain, grace time.Duration) running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	run := running{
		url:      "http://" + listener.Addr().String(),
		stop:     stop,
		arrived:  make(chan struct{}, 1),
		release:  make(chan struct{}),
		finished: make(chan error, 1),
	}
	state, log := &health.State{}, slog.New(slog.DiscardHandler)
	mux := http.NewServeMux()
	mux.Handle("/", api.New(api.Info{}, state, log))
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		run.arrived <- struct{}{}
		<-run.release
		_, _ = io.WriteString(w, "finished")
	})
	server := &Server{Handler: mux, Health: state, Log: log, Drain: drain, Grace: grace}
	go func() { run.finished <- server.Serve(ctx, listener) }()
	return run
}

// wait returns what Serve returned.
func (r running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.finished:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("Serve does not return")
		return nil
	}
}

type answer struct {
	status int
	body   string
	closes bool // the server said that it will close the connection
	err    error
}

func get(client *http.Client, url string) answer {
	response, err := client.Get(url)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, string(body), response.Close, err}
}

// getSlow sends a request to /slow and returns once it is in flight.
func (r running) getSlow(client *http.Client) <-chan answer {
	slow := make(chan answer, 1)
	go func() { slow <- get(client, r.url+"/slow") }()
	<-r.arrived
	return slow
}

func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// eventually fails the test unless met becomes true within a few seconds.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

func TestStopFailsReadinessThenRefusesThenFinishesRequestsInFlight(t *testing.T) {
	// Long enough for what is asked during the drain, on a busy machine too.
	run := start(t, time.Second, 10*time.Second)
	client := newClient(t)

	if got := get(client, run.url+health.Path); got.status != 200 || got.closes {
		t.Fatalf("before the stop: %+v", got)
	}
	slow := run.getSlow(client)
	run.stop()

	eventually(t, "readiness fails", func() bool { return get(client, run.url+health.Path).status == 503 })
	if got := get(client, run.url+"/"); got.status != 200 || !got.closes {
		t.Errorf("a request during the drain: %+v; want 200 and the connection closed", got)
	}
	eventually(t, "new connections are refused", func() bool { return get(client, run.url+"/").err != nil })
	select {
	case got := <-slow:
		t.Fatalf("the slow request ended before it was released: %+v", got)
	case err := <-run.finished:
		t.Fatalf("Serve returned with a request in flight: %v", err)
	default:
	}

	close(run.release)
	if got := <-slow; got.status != 200 || got.body != "finished" {
		t.Errorf("the request in flight: %+v", got)
	}
	if err := run.wait(t); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestAnIdleConnectionOutlivesTheStartOfTheDrain(t *testing.T) {
	run := start(t, time.Second, 10*time.Second)
	connection, err := net.Dial("tcp", strings.TrimPrefix(run.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	exchange := func() string {
		_, _ = io.WriteString(connection, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		buffer := make([]byte, 1024)
		n, _ := connection.Read(buffer)
		return string(buffer[:n])
	}
	if got := exchange(); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Fatalf("before the stop: %q", got)
	}
	run.stop()
	client := newClient(t)
	eventually(t, "readiness fails", func() bool { return get(client, run.url+health.Path).status == 503 })
	if got := exchange(); !strings.HasPrefix(got, "HTTP/1.1 503") {
		t.Errorf("the same connection during the drain: %q", got)
	}
	if err := run.wait(t); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestARequestThatOutlastsGraceIsCutOff(t *testing.T) {
	run := start(t, 0, 50*time.Millisecond)
	defer close(run.release)
	slow := run.getSlow(newClient(t))
	run.stop()
	if err := run.wait(t); err == nil || !strings.Contains(err.Error(), "50ms") {
		t.Errorf("Serve: %v; want an error that names the grace", err)
	}
	if got := <-slow; got.err == nil {
		t.Errorf("the request was answered: %+v", got)
	}
}

func TestServeFailsWithItsListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	server := &Server{Handler: http.NotFoundHandler(), Health: &health.State{}, Log: slog.New(slog.DiscardHandler)}
	if err := server.Serve(t.Context(), listener); err == nil {
		t.Error("want an error")
	}
}

func TestHeadersThatWouldFillTheMemoryAreRefused(t *testing.T) {
	run := start(t, 0, time.Second)
	defer run.stop()
	for size, want := range map[int]int{8 << 10: http.StatusOK, 64 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, run.url+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Long", strings.Repeat("x", size))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("a header of %d bytes: %d, want %d", size, response.StatusCode, want)
		}
	}
}
