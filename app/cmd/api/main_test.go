package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes this test binary the command itself when a test asks for it, so that what is tested
// is a process with real signals and exit codes.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_API") != "" {
		main()
	}
	os.Exit(m.Run())
}

func command(args []string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), append([]string{"RUN_AS_API=1"}, env...)...)
	return cmd
}

// finish runs the command to its end.
func finish(t *testing.T, cmd *exec.Cmd) (exit int, stderr string) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// waitReady asks as a HEALTHCHECK does, until the answer is yes.
func waitReady(t *testing.T, port string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		exit, stderr := finish(t, command([]string{"-health"}, "PORT="+port))
		if exit == exitOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never ready: %s", stderr)
		}
	}
}

func messages(t *testing.T, log []byte) (got []string) {
	t.Helper()
	for decoder := json.NewDecoder(bytes.NewReader(log)); decoder.More(); {
		var line struct{ Msg, Service, Orchestrator string }
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("the log is not JSON: %v in %s", err, log)
		}
		if line.Service != "orders" || line.Orchestrator != "swarm" {
			t.Errorf("a line does not say whose it is: %+v", line)
		}
		got = append(got, line.Msg)
	}
	return got
}

func TestASignalDrainsAndExitsZero(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			port := freePort(t)
			var log bytes.Buffer
			service := command(nil, "PORT="+port, "SWITCHYARD_DRAIN=500ms",
				"SWITCHYARD_SERVICE=orders", "SWITCHYARD_ORCHESTRATOR=swarm")
			service.Stdout = &log
			if err := service.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = service.Process.Kill() }()
			waitReady(t, port)

			response, err := http.Get("http://127.0.0.1:" + port)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if !strings.Contains(string(body), `"version":"dev","orchestrator":"swarm","service":"orders"`) {
				t.Errorf("answer: %s", body)
			}

			began := time.Now()
			if err := service.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := service.Wait(); err != nil {
				t.Errorf("want exit 0, got %v", err)
			}
			if took := time.Since(began); took < 500*time.Millisecond {
				t.Errorf("it stopped after %s, before the drain was over", took)
			}
			want := "[listening request draining closing stopped]"
			if got := fmt.Sprint(messages(t, log.Bytes())); got != want {
				t.Errorf("logged %s, want %s", got, want)
			}
		})
	}
}

func TestTheSecondSignalKills(t *testing.T) {
	port := freePort(t)
	service := command(nil, "PORT="+port, "SWITCHYARD_DRAIN=1h")
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	waitReady(t, port)
	ended := make(chan error, 1)
	go func() { ended <- service.Wait() }()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		_ = service.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err == nil {
				t.Error("want a death by signal, got exit 0")
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	_ = service.Process.Kill()
	t.Error("it outlived ten seconds of signals")
}

func TestHealthExitsOneWhenNobodyAnswers(t *testing.T) {
	exit, stderr := finish(t, command([]string{"-health"}, "PORT="+freePort(t)))
	if exit != exitFailed || !strings.HasPrefix(stderr, "api: ") {
		t.Errorf("exit %d, %q", exit, stderr)
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		env    string
		exit   int
		stderr string
	}{
		{"bad port", nil, "PORT=http", exitUsage, "api: PORT is \"http\"; want a number from 1 to 65535, such as 8080\n"},
		{"bad drain", nil, "SWITCHYARD_DRAIN=5", exitUsage,
			"api: SWITCHYARD_DRAIN is \"5\"; want a duration of 0s or more with its unit, such as 5s\n"},
		{"bad level", nil, "LOG_LEVEL=loud", exitUsage, "api: LOG_LEVEL is \"loud\"; want debug, info, warn or error\n"},
		{"argument", []string{"serve"}, "", exitUsage, "api: \"serve\" is not understood; want no arguments, or -health\n"},
		// Docker gives a health check's exit 2 no meaning.
		{"bad port for -health", []string{"-health"}, "PORT=0", exitFailed,
			"api: PORT is \"0\"; want a number from 1 to 65535, such as 8080\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			exit, stderr := finish(t, command(test.args, test.env))
			if exit != test.exit || stderr != test.stderr {
				t.Errorf("exit %d, want %d; stderr %q, want %q", exit, test.exit, stderr, test.stderr)
			}
		})
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	exit, stderr := finish(t, command(nil, "PORT="+port))
	if exit != exitFailed || !strings.Contains(stderr, "cannot listen on port "+port) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit %d, %q", exit, stderr)
	}
}
