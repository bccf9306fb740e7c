package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
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
	FrontEnd             string // Host and port
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
type phase struct{ Hits, Cold load.Samples }

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
func (t phaseTask) requestHits(ctx context.Context) load.Samples {
	c := load.NewClient(hitsAddress, hitConnections, hitPatience)
	var r load.Recorder
	load.Schedule{Every: t.HitsEvery, Number: t.hits(), Workers: hitConnections}.Run(ctx, func(i int, due time.Time) {
		object := 0
		if i%fromRedis == 0 {
			object = t.FirstHit + i/fromRedis
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.FrontEnd+client.Path(t.Sources.hit(object)), nil)
		if err != nil {
			r.Fail("invalid request")
			return
		}
		req.Close = i%hitsPerConnection == 0
		r.Request(c, req, due, hitPatience)
	})
	return r.Samples()
}

// requestCold requests new objects, each on a new connection.
func (t phaseTask) requestCold(ctx context.Context) load.Samples {
	c := load.NewClient(coldAddress, 0, coldPatience)
	c.Transport.(*http.Transport).DisableKeepAlives = true
	var r load.Recorder
	load.Schedule{Every: t.ColdEvery, Number: t.cold(), Workers: t.cold()}.Run(ctx, func(i int, due time.Time) {
		target := "http://" + t.FrontEnd + client.Path(t.Sources.cold(t.FirstCold+i)) + "?max_wait=" + coldWait.String()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			r.Fail("invalid request")
			return
		}
		r.Request(c, req, due, coldPatience)
	})
	return r.Samples()
}

func (p phase) String() string { return fmt.Sprintf("hits %s; cold %s", p.Hits, p.Cold) }
