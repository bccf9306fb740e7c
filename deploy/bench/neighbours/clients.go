package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
)

// The addresses of the well-behaved clients.
const (
	hitsAddress = "127.0.0.2"
	coldAddress = "127.0.0.3"
)

const (
	// hitPatience is how long a hit may take before it has failed.
	hitPatience    = 2 * time.Second
	hitConnections = 16
	// hitsPerConnection bounds the requests of a connection.
	hitsPerConnection = 50
	// fromRedis is how many hits there are for one that reads redis.
	fromRedis = 4

	// coldWait is the client's max_wait. It is far beyond the bound of a cold request.
	coldWait     = 10 * time.Second
	coldPatience = coldWait + 2*time.Second
)

// phaseTask is the work of the clients' process: a phase.
type phaseTask struct {
	FrontEnd             string // host and port
	Sources              sources
	HitsEvery, ColdEvery time.Duration
	Length               time.Duration
	// FirstHit and FirstCold are the first objects that no earlier phase has requested.
	FirstHit, FirstCold int
}

// hits and cold are the numbers of requests.
func (t phaseTask) hits() int { return int(t.Length / t.HitsEvery) }
func (t phaseTask) cold() int { return int(t.Length / t.ColdEvery) }

// newHits is the number of hits that read redis.
func (t phaseTask) newHits() int { return t.hits()/fromRedis + 1 }

// phase is the result of a phase.
type phase struct{ Hits, Cold samples }

// samples are the latencies of one client's requests.
type samples struct {
	Took   []float64 // of successful requests, in milliseconds
	Failed map[string]int
}

// runPhase is the main function of the clients' process. It writes the phase to standard output.
func runPhase(ctx context.Context, text string) error {
	var t phaseTask
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	var p phase
	var both sync.WaitGroup
	both.Go(func() { p.Hits = t.requestHits(ctx) })
	both.Go(func() { p.Cold = t.requestCold(ctx) })
	both.Wait()
	return json.NewEncoder(os.Stdout).Encode(p)
}

// requestHits requests copies that exist.
func (t phaseTask) requestHits(ctx context.Context) samples {
	c := newClient(hitsAddress, hitPatience)
	c.Transport.(*http.Transport).MaxIdleConnsPerHost = hitConnections
	var r recorder
	schedule{every: t.HitsEvery, number: t.hits(), workers: hitConnections}.run(ctx, func(i int, due time.Time) {
		object := 0
		if i%fromRedis == 0 {
			object = t.FirstHit + i/fromRedis
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.FrontEnd+client.Path(t.Sources.hit(object)), nil)
		if err != nil {
			r.count("invalid request")
			return
		}
		req.Close = i%hitsPerConnection == 0
		r.request(c, req, due, hitPatience)
	})
	return r.samples()
}

// requestCold requests new objects, each on a new connection.
func (t phaseTask) requestCold(ctx context.Context) samples {
	c := newClient(coldAddress, coldPatience)
	c.Transport.(*http.Transport).DisableKeepAlives = true
	var r recorder
	schedule{every: t.ColdEvery, number: t.cold(), workers: t.cold()}.run(ctx, func(i int, due time.Time) {
		target := "http://" + t.FrontEnd + client.Path(t.Sources.cold(t.FirstCold+i)) + "?max_wait=" + coldWait.String()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			r.count("invalid request")
			return
		}
		r.request(c, req, due, coldPatience)
	})
	return r.samples()
}

// recorder records the samples of concurrent requests. Its tally counts the failures.
type recorder struct {
	tally
	took []float64 // of successful requests, in milliseconds
}

func (r *recorder) samples() samples { return samples{Took: r.took, Failed: r.counts} }

// request sends a request and records its latency since it was due. A request that is too late to
// succeed is not sent.
func (r *recorder) request(c *http.Client, req *http.Request, due time.Time, patience time.Duration) {
	if time.Since(due) > patience {
		r.count("too late to send")
		return
	}
	resp, err := c.Do(req)
	took := time.Since(due)
	if err != nil {
		r.count(ifTimeout(err, "time-out", "connection error"))
		return
	}
	defer resp.Body.Close()
	drain(resp)
	switch {
	case client.IsCopy(resp):
		r.mu.Lock()
		defer r.mu.Unlock()
		r.took = append(r.took, took.Seconds()*1000)
	case resp.StatusCode == http.StatusFound:
		r.count("redirect to the source")
	default:
		r.count(resp.Status)
	}
}

// newClient returns a client that connects from a loopback address.
func newClient(from string, patience time.Duration) *http.Client {
	c := client.New(&http.Transport{DialContext: dialFrom(from), DisableCompression: true})
	c.Timeout = patience
	return c
}

func dialFrom(address string) func(ctx context.Context, network, to string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 10 * time.Second}
	return d.DialContext
}

// drain reads the body, so that the connection can be used again.
func drain(resp *http.Response) { _, _ = io.Copy(io.Discard, resp.Body) }

func (p phase) String() string { return fmt.Sprintf("hits %s; cold %s", p.Hits, p.Cold) }

func (s samples) String() string {
	text := fmt.Sprintf("p50 %s, p99 %s, %d succeeded", milliseconds(s.quantile(.5)), milliseconds(s.quantile(.99)), len(s.Took))
	if len(s.Failed) > 0 {
		text += ", " + describeCounts(s.Failed)
	}
	return text
}
