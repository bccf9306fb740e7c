package system

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/calls"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/tracing"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/transfer"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/worker"
)

// newSealer returns the sealer of queries, which front ends and workers require.
func newSealer(cfg config.Config) (*seal.Sealer, error) {
	sealer, err := seal.New(cfg.Source.QueryKeys)
	if err != nil {
		return nil, fmt.Errorf("source.query_keys: %w", err)
	}
	return sealer, nil
}

// parts holds the parts that front end, worker and set-up share.
type parts struct {
	*transfer.Ends
	cfg      config.Config
	log      zerolog.Logger
	registry *prometheus.Registry
	cache    *cache.Redis
	queue    *queue.Queue
	breakers *flight.Breakers
	calls    *calls.Calls
}

// open opens the parts of cfg. It does no I/O except for the AWS SDK's search for its
// configuration. redisTimeout bounds each step of a call to redis and adds a circuit breaker. 0 is
// the cache's default timeout, without a breaker. The operations are those that the process counts.
//
// open also makes log the logger of the redis library, for the whole process.
func open(
	ctx context.Context, cfg config.Config, redisTimeout time.Duration, operations calls.Operations, traces *tracing.Tracing,
	log zerolog.Logger,
) (*parts, error) {
	redis.SetLogger(redisLogger{log})
	aws, err := cfg.AWS(ctx, log)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	s := &parts{cfg: cfg, log: log, registry: newRegistry()}
	s.calls = calls.New(s.registry, operations)
	aws.APIOptions = append(aws.APIOptions, s.calls.AWS(), traces.AWS())
	s.breakers = flight.NewBreakers(s.registry, log)
	services, err := worker.Addresses()
	if err != nil {
		services = nil // worker.Dial reports the error, and a front end does not dial.
	}
	sqs, err := queue.Address(ctx, aws, cfg.SQS.Region, cfg.SQS.Endpoint)
	if err != nil {
		return nil, err
	}
	if sqs != "" {
		services = append(services, sqs)
	}
	if receiver := traces.Address(); receiver != "" {
		services = append(services, receiver)
	}
	if s.Ends, err = transfer.Open(cfg, aws, transfer.Options{
		Services: services, OnRequest: s.calls.OnRequest, OnFetched: s.calls.OnFetched, Trace: traces.Source,
	}); err != nil {
		return nil, err
	}
	o := cfg.CacheOptions()
	o.Timeout, o.Undecodable, o.Unreplicated = redisTimeout, undecodable(s.registry), unreplicated(s.registry)
	o.OnCommand = s.calls.OnCommand
	if redisTimeout > 0 {
		o.OnBreaker = s.breakers.Changed("redis")
	}
	if s.cache, err = cache.Open(cfg.Redis.URL, o); err != nil {
		return nil, fmt.Errorf("redis.url: %w", err)
	}
	registerRedisPool(s.registry, s.cache.Pool)
	s.queue = queue.Open(aws, cfg.SQS.Region, cfg.SQS.Endpoint, cfg.SQS.Queue, cfg.SQS.Timeout)
	return s, nil
}

// ids returns the ids of all pools.
func (s *parts) ids() (ids []string) {
	for _, p := range s.Pools {
		ids = append(ids, p.ID())
	}
	return ids
}

// close releases the connections to redis.
func (s *parts) close() error { return s.cache.Close() }

// redisLogger demotes the redis library's messages to debug: the watcher reports once that redis is
// down.
type redisLogger struct{ log zerolog.Logger }

func (l redisLogger) Printf(_ context.Context, format string, args ...any) {
	l.log.Debug().Str("library", "redis").Msgf(format, args...)
}
