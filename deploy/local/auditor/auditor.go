package auditor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	mainQueue  = "cloud-mirror"
	deadSuffix = "_dead"
	deadQueue  = mainQueue + deadSuffix
	// A system that settles is checked again after the first pause, and then after twice the last
	// pause, up to the longest. Most settle at once, and a look costs their processes time.
	firstPause, longestPause = 50 * time.Millisecond, 500 * time.Millisecond
)

// An Auditor reads the parts of a running stack. It is safe for concurrent use.
type Auditor struct {
	stack    *stack.Stack
	temporal client.Client
	redis    *redis.Client
	journal  *Journal
	canary   *Canary
	base     map[string]Usage

	mu      sync.Mutex
	digests map[string]Copy      // By pool, key and ETag
	closed  map[string]closedRun // By run id
}

// New returns an auditor of a stack at rest: the usage of its processes is the base. The caller
// closes it.
func New(ctx context.Context, s *stack.Stack, j *Journal, c *Canary) (*Auditor, error) {
	t, err := client.DialContext(ctx, client.Options{HostPort: s.TemporalAddress(), Logger: silent{}})
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	a := &Auditor{
		stack: s, temporal: t, journal: j, canary: c, redis: redis.NewClient(&redis.Options{Addr: s.RedisAddr()}),
		digests: map[string]Copy{}, closed: map[string]closedRun{},
	}
	if a.base, _, err = a.usage(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Close closes the connections to redis and Temporal.
func (a *Auditor) Close() error {
	a.temporal.Close()
	return a.redis.Close()
}

// A Scope selects the objects and the time of an audit.
type Scope struct {
	Limits
	// Ledgers are those of the sources. Objects of other sources are not audited.
	Ledgers []*Ledger
	// Hosts are the hosts in the URLs of the sources' objects.
	Hosts []string
	// Since is the start of the scenario.
	Since time.Time
	// Patience is how long the system may take to settle.
	Patience time.Duration
}

// Audit checks the system until it is at rest or the patience ends. It returns the violations and
// the evidence of the last check.
func (a *Auditor) Audit(ctx context.Context, s Scope) ([]Violation, *Evidence, error) {
	deadline := time.Now().Add(s.Patience)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		found, e, err := a.Look(ctx, s)
		settles := err != nil
		for _, v := range found {
			settles = settles || settling([]Violation{v})
		}
		if !settles || time.Now().After(deadline) || ctx.Err() != nil {
			return found, e, err
		}
		if err == nil {
			a.sweep(ctx, e)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// Look checks the system as it is now. It returns the violations and their evidence.
func (a *Auditor) Look(ctx context.Context, s Scope) ([]Violation, *Evidence, error) {
	e, err := a.gather(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	return Check(e, s.Limits), e, nil
}

// gather looks at all parts once.
func (a *Auditor) gather(ctx context.Context, s Scope) (*Evidence, error) {
	read := a.journal.read(s.Since)
	e := &read
	e.Now, e.Base, e.Sources = time.Now(), a.base, map[string]*Source{}
	for _, l := range s.Ledgers {
		maps.Copy(e.Sources, l.Sources())
	}
	if a.canary != nil {
		e.Forbidden = a.canary.Connections()
	}
	e.Accepted = concerning(e.Accepted, s.Hosts)
	var err error
	if e.Runs, err = a.runs(ctx, s, e); err != nil {
		return nil, err
	}
	about := e.nameRuns()
	e.addPurges()
	for _, m := range a.stack.Messages(mainQueue) {
		e.Queued = append(e.Queued, parseMessage(m.Body))
	}
	for _, m := range a.stack.Messages(deadQueue) {
		dead := parseMessage(m.Body)
		dead.Reason = m.Reason
		if dead.Reason == "" && m.Receives == 0 {
			dead.Reason = "received too often" // The queue moved it, not the bridge
		}
		e.Dead = append(e.Dead, dead)
	}
	e.Queued, e.Dead = concerning(e.Queued, s.Hosts), concerning(e.Dead, s.Hosts)
	for _, m := range slices.Concat(e.Accepted, e.Queued, e.Dead) {
		if m.Handwritten {
			continue
		}
		e.Texts = append(e.Texts, Text{"a queue", m.Body + " " + m.Reason})
	}
	if err := a.buckets(ctx, e, about); err != nil {
		return nil, err
	}
	if err := a.entries(ctx, e, about); err != nil {
		return nil, err
	}
	use, texts, err := a.usage(ctx)
	if err != nil {
		return nil, err
	}
	e.Use = use
	e.Texts = append(e.Texts, texts...)
	return e, a.logs(e)
}

// concerning returns the messages about objects of the hosts.
func concerning(all []Message, hosts []string) []Message {
	var some []Message
	for _, m := range all {
		for _, host := range hosts {
			if strings.Contains(m.Body, "//"+host+"/") {
				some = append(some, m)
				break
			}
		}
	}
	return some
}

// silent drops the log messages of the Temporal client.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
