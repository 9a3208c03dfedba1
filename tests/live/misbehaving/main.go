// A service with one mistake, which the environment names: MISTAKE, and ON, the orchestrator that it is made on.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// What callers wait for, and how much longer those of the slow one do; what one that fails under load can take, in
// requests a second; and how long requests under way have when it is told to stop.
const (
	usual  = 50 * time.Millisecond
	slow   = 10
	most   = 8
	enough = 25 * time.Second
	hasty  = 2 * time.Second
)

var (
	mistake = os.Getenv("MISTAKE")
	began   = time.Now()
	asked   atomic.Int64
	second  atomic.Int64
	within  atomic.Int64
)

func main() {
	if on := os.Getenv("ON"); on != "" && on != os.Getenv("SWITCHYARD_ORCHESTRATOR") {
		mistake = ""
	}
	port := os.Getenv("PORT")
	switch mistake {
	case "slow to start":
		time.Sleep(6 * time.Second)
	case "wrong port":
		port = "9999"
	case "exits after start":
		go func() {
			time.Sleep(100 * time.Millisecond)
			fmt.Fprintln(os.Stderr, "cannot reach the database")
			os.Exit(2)
		}()
	}
	server := &http.Server{Addr: ":" + port, Handler: http.HandlerFunc(answer)}
	if mistake == "closes kept connections early" {
		server.IdleTimeout = 50 * time.Millisecond
	}
	if mistake != "dies at SIGTERM" {
		go untilToldToStop(server)
	}
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {} // what is under way ends first, and the process with it
}

// untilToldToStop drains, as a service should.
func untilToldToStop(server *http.Server) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
	drain := enough
	if mistake == "needs longer than the drain" {
		drain = hasty
	}
	limit, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	server.Shutdown(limit)
	os.Exit(0)
}

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Orchestrator", os.Getenv("SWITCHYARD_ORCHESTRATOR"))
	if r.URL.Path == "/healthz" {
		health(w, r)
		return
	}
	wait := usual
	if long, err := time.ParseDuration(r.URL.Query().Get("for")); err == nil {
		wait = long
	}
	count := asked.Add(1)
	switch mistake {
	case "healthy before ready":
		if time.Since(began) < 10*time.Minute {
			http.Error(w, "still loading", http.StatusServiceUnavailable)
			return
		}
	case "500 after health":
		if count%5 == 0 {
			http.Error(w, "no such table", http.StatusInternalServerError)
			return
		}
	case "500 under load":
		if crowded() {
			http.Error(w, "no connection is left in the pool", http.StatusInternalServerError)
			return
		}
	case "slow":
		wait = slow * usual
	}
	time.Sleep(wait)
	host, _ := os.Hostname()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"orchestrator": os.Getenv("SWITCHYARD_ORCHESTRATOR"), "host": host})
}

// crowded says whether there were too many requests in this second.
func crowded() bool {
	now := time.Now().Unix()
	if second.Swap(now) != now {
		within.Store(0)
	}
	return within.Add(1) > most
}

func health(w http.ResponseWriter, r *http.Request) {
	if mistake == "health path 404" {
		http.NotFound(w, r)
	}
}
