package transfer

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Ends are both ends of every copy. They are safe for concurrent use.
type Ends struct {
	Origin  *origin.Client
	Pools   []storage.Pool    // In the order of the configuration
	Buckets []*storage.Bucket // In the order of Pools

	cfg config.Config
}

// Options are what the configuration does not say. The zero value has none.
type Options struct {
	// Services are servers that no source may be, each a host:port, besides those of the configuration.
	Services []string
	// OnRequest and OnFetched observe the requests to sources: see [origin.Config].
	OnRequest func(operation string, took time.Duration, status int, err error)
	OnFetched func(bytes int)
	// Trace makes the spans of the requests to sources: see [origin.Config].
	Trace func(ctx context.Context, operation, host string, start time.Time, status int)
}

// Open opens the sources and the buckets. It does no I/O.
func Open(cfg config.Config, aws aws.Config, with Options) (*Ends, error) {
	o := cfg.Origin()
	o.Services = append(o.Services, with.Services...)
	o.OnRequest, o.OnFetched, o.Trace = with.OnRequest, with.OnFetched, with.Trace
	source, err := origin.New(o)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	e := &Ends{Origin: source, Pools: cfg.StoragePools(), cfg: cfg}
	for _, p := range e.Pools {
		e.Buckets = append(e.Buckets, storage.Open(aws, p))
	}
	return e, nil
}

// Copiers returns a copier for each pool, in the order of Pools. They share worker.memory, so call
// it once in a process.
func (e *Ends) Copiers() []*copier.Copier { return e.cfg.Copiers(e.Origin, e.Buckets) }
