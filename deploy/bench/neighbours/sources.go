package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

const (
	crawlSize  = 8 << 20 // Bytes
	crawlRate  = 1200    // Bytes a second on each connection
	crawlEvery = 100 * time.Millisecond
)

// sources are the base URLs of the sources: one of the well-behaved clients, one of the attacker.
type sources struct{ Clients, Attackers string }

// hit is the URL of an object that has a copy from the start.
func (s sources) hit(i int) string { return fmt.Sprintf("%s/small/hit/%d/object.bin", s.Clients, i) }

// cold is the URL of an object without a copy.
func (s sources) cold(i int) string { return fmt.Sprintf("%s/small/cold/%d/object.bin", s.Clients, i) }

// sourceProcess is the process of the sources.
type sourceProcess struct {
	*process.Server
	sources
}

func startSources(ctx context.Context) (*sourceProcess, error) {
	clients, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", net.JoinHostPort(attackerAddress, "0")) //nolint:noctx // It does not block
	if err != nil {
		return nil, fmt.Errorf("this system has no address %s: %w", attackerAddress, err)
	}
	attackers := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	// It listens on clients before it listens on attackers.
	server, err := process.StartSelf(ctx, attackers, runSources, clients, attackers)
	if err != nil {
		return nil, err
	}
	return &sourceProcess{Server: server, sources: sources{Clients: "http://" + clients, Attackers: "http://" + attackers}}, nil
}

// serveSources is the main function of the sources' process.
func serveSources(clients, attackers string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /small/", load.ServeSmall)
	mux.HandleFunc("GET /crawl/", serveCrawling)
	first, err := net.Listen("tcp", clients) //nolint:noctx // It does not block
	if err != nil {
		return err
	}
	second, err := net.Listen("tcp", attackers) //nolint:noctx // It does not block
	if err != nil {
		return errors.Join(err, first.Close())
	}
	server := http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	return process.UntilOrphaned(func() error { return server.Serve(first) }, func() error { return server.Serve(second) })
}

// serveCrawling sends an object that takes hours.
func serveCrawling(w http.ResponseWriter, r *http.Request) {
	load.DescribeObject(w, crawlSize)
	if r.Method != http.MethodGet {
		return
	}
	tick := time.NewTicker(crawlEvery)
	defer tick.Stop()
	chunk := make([]byte, crawlRate*crawlEvery/time.Second)
	flush := http.NewResponseController(w).Flush
	for sent := 0; sent+len(chunk) <= crawlSize; sent += len(chunk) {
		if _, err := w.Write(chunk); err != nil || flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}
