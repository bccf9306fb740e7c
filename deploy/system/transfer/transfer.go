package transfer

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Ends are both ends of every copy. They are safe for concurrent use.
type Ends struct {
	Origin  *origin.Client
	Pools   []storage.Pool    // in the order of the configuration
	Buckets []*storage.Bucket // in the order of Pools

	cfg config.Config
}

// Open opens the sources and the buckets. No source may be one of the services, each a host:port,
// nor a server of the configuration. Open does no I/O.
func Open(cfg config.Config, aws aws.Config, services ...string) (*Ends, error) {
	o := cfg.Origin()
	o.Services = append(o.Services, services...)
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
