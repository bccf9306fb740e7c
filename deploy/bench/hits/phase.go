package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

const (
	hitsAddress = "127.0.0.2"
	// hitPatience is how long a hit may take before it has failed. It is beyond every bound.
	hitPatience    = 5 * time.Second
	hitConnections = 64
	// fromRedis is how many hits there are for one that reads redis.
	fromRedis = 4
	frontEnd  = "front end"
)

// phaseTask is the work of the client's process: a phase.
type phaseTask struct {
	FrontEnd string // Host and port
	Source   string // Base URL
	Every    time.Duration
	Length   time.Duration
	First    int // First object that no earlier phase has requested
	// Processes has the front end.
	Processes process.Group
}

func (t phaseTask) hits() int { return int(t.Length / t.Every) }

// newHits is the number of hits that read redis.
func (t phaseTask) newHits() int { return t.hits()/fromRedis + 1 }

// phase is the result of a phase.
type phase struct {
	Hits   load.Samples
	Length time.Duration
	Idle   float64 // Part of all processors
	// FrontEnd is the CPU time of the front end, in processors.
	FrontEnd float64
}

// hitURL is the URL of an object that has a copy from the start.
func hitURL(source string, i int) string { return fmt.Sprintf("%s/hit/%d/object.bin", source, i) }

// serveHits is the main function of the client's process. It writes the phase to standard output.
func serveHits(ctx context.Context, text string) error {
	var t phaseTask
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	before, err := t.Processes.Read()
	if err != nil {
		return err
	}
	p := phase{Hits: t.request(ctx), Length: t.Length}
	c, err := t.Processes.Since(before)
	if err != nil {
		return err
	}
	p.Idle, p.FrontEnd = c.Idle, c.CPU[frontEnd].Seconds()/c.Wall.Seconds()
	return json.NewEncoder(os.Stdout).Encode(p)
}

// request requests copies that exist.
func (t phaseTask) request(ctx context.Context) load.Samples {
	c := load.NewClient(hitsAddress, hitConnections, hitPatience)
	var r load.Recorder
	load.Schedule{Every: t.Every, Number: t.hits(), Workers: hitConnections}.Run(ctx, func(i int, due time.Time) {
		object := 0
		if i%fromRedis == 0 {
			object = t.First + i/fromRedis
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.FrontEnd+client.Path(hitURL(t.Source, object)), nil)
		if err != nil {
			r.Fail("invalid request")
			return
		}
		r.Request(c, req, due, hitPatience)
	})
	return r.Samples()
}

// phase lets the client run.
func (s *system) phase(ctx context.Context, length time.Duration) (p phase, err error) {
	t := s.task(length)
	t.FrontEnd, t.Source, t.First = s.frontEnd(), s.sources.URL, s.nextHit
	t.Processes = process.Group{frontEnd: s.frontEndPID()}
	s.nextHit += t.newHits()
	return p, process.RunSelf(ctx, runHits, t, &p)
}
