package page

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/savings"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// part is a dependency, and why the page has nothing from it.
type part struct{ Name, Problem string }

// row is a line of the table of pools. A nil figure is unknown.
type row struct {
	ID, Bucket, Region string
	Open, Queued       *int64
	Oldest             time.Duration
	Copying            *float64
	HitRate            *float64 // Of all requests since the starts of the front ends, from 0 to 1.
	Link               string   // Lists the open copies.
}

// state is the data of the frame.
type state struct {
	Now     time.Time
	Version string
	Parts   []part
	Pools   []row
	// Processes describes whose metrics were added up.
	FrontEnds, Workers int
	Listed             bool // admin.metrics has processes.
	Bridge             bool // The page may ask for the depths of the queue.
	Waiting            float64
	Breakers           []string
	Requests, Dead     *queue.Depth
	Failures           []failures
	Failed             string // Lists all failed copies.
	FailuresKnown      bool
	Capped             bool
	Amounts            savings.Amounts
	Balance            savings.Balance
	Currency           string
}

// shared returns a state of the last seconds: many readers must load Temporal no more than one does.
func (p *page) shared(ctx context.Context) *state {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil || p.Now().Sub(p.last.Now) >= sharing {
		p.last = p.state(context.WithoutCancel(ctx))
	}
	return p.last
}

// state asks all dependencies at the same time.
func (p *page) state(ctx context.Context) *state {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var (
		running    sync.WaitGroup
		found      copies
		backlogs   map[string]cache.Backlog
		depths     [2]queue.Depth
		sums       *figures
		unreads    []unread
		errs       [3]error
		ids        []string
		dependency = [3]string{"Temporal", "redis", "SQS"}
	)
	for _, pool := range p.Pools {
		ids = append(ids, pool.ID())
	}
	running.Go(func() { found, errs[0] = ask(ctx, p.copies) })
	running.Go(func() {
		backlogs, errs[1] = ask(ctx, func(ctx context.Context) (map[string]cache.Backlog, error) { return p.Cache.Backlogs(ctx, ids) })
	})
	running.Go(func() {
		if p.Depths == nil {
			return
		}
		depths, errs[2] = ask(ctx, func(ctx context.Context) (d [2]queue.Depth, err error) {
			d[0], d[1], err = p.Depths(ctx)
			return d, err
		})
	})
	running.Go(func() { sums, unreads = p.figures(ctx) })
	running.Wait()

	s := &state{
		Now: p.Now(), Version: p.Version, FrontEnds: sums.frontEnds, Workers: sums.workers, Listed: len(p.Admin.Metrics) > 0, Bridge: p.Depths != nil,
		Waiting: sums.waiting, Breakers: sums.open(), Failed: p.list(failed), Currency: p.Prices.Currency, Amounts: sums.amounts,
		Balance: savings.NewBalance(p.Prices, p.S3, savings.PathNAT, sums.amounts),
	}
	for i, name := range dependency {
		if name == "SQS" && p.Depths == nil {
			continue
		}
		s.Parts = append(s.Parts, part{Name: name})
		if errs[i] != nil {
			s.Parts[len(s.Parts)-1].Problem = name + " did not answer: " + cause(errs[i])
		}
	}
	for _, u := range unreads {
		s.Parts = append(s.Parts, part{Problem: "Metrics of " + u.Process + " could not be read: " + u.Cause})
	}
	if errs[0] == nil {
		s.Failures, s.Capped, s.FailuresKnown = found.failures, found.capped, true
	}
	if errs[2] == nil && p.Depths != nil {
		s.Requests, s.Dead = &depths[0], &depths[1]
	}
	for _, pool := range p.Pools {
		s.Pools = append(s.Pools, p.row(pool, found, backlogs, sums))
	}
	return s
}

func (p *page) row(pool Pool, found copies, backlogs map[string]cache.Backlog, sums *figures) row {
	r := row{ID: pool.ID(), Bucket: pool.Pool.Bucket, Region: pool.Region, Link: p.list(running(pool.ID()))}
	if n, known := found.open[pool.ID()]; known {
		r.Open = &n
	}
	if b, known := backlogs[pool.ID()]; known {
		r.Queued, r.Oldest = &b.Tasks, b.Age
	}
	if n, known := sums.copying[pool.ID()]; known {
		r.Copying = &n
	}
	if all := sums.redirects[pool.ID()]; all > 0 {
		rate := sums.hits[pool.ID()] / all
		r.HitRate = &rate
	}
	return r
}

// Problems lists what did not answer.
func (s *state) Problems() (all []string) {
	for _, p := range s.Parts {
		if p.Problem != "" {
			all = append(all, p.Problem)
		}
	}
	return all
}

// Answered names the dependencies that answered.
func (s *state) Answered() string {
	var all []string
	for _, p := range s.Parts {
		if p.Problem == "" {
			all = append(all, p.Name)
		}
	}
	return strings.Join(all, ", ")
}

// Spent is the cost of the copies.
func (s *state) Spent() float64 { return s.Balance.Requests + s.Balance.Storage + s.Balance.Temporal }
