package config

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/region"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// StoragePools are the configured pools.
func (c *Config) StoragePools() []storage.Pool {
	pools := make([]storage.Pool, len(c.Pools))
	for i, p := range c.Pools {
		pools[i] = storage.Pool{
			Service:     p.Service,
			Region:      p.Region,
			Bucket:      p.Bucket,
			Endpoint:    p.Endpoint,
			PathStyle:   p.PathStyle,
			PublicURL:   p.PublicURL,
			PresignFor:  c.S3.PresignFor,
			Lifespan:    time.Duration(c.S3.LifespanDays) * 24 * time.Hour,
			Checksum:    storage.Checksum(p.Checksum),
			SignPayload: p.SignPayload,
			Overwrite:   p.Overwrite,
		}
	}
	return pools
}

// Origin is how sources are reached, and which.
func (c *Config) Origin() origin.Config {
	return origin.Config{
		AllowedPatterns: c.Source.AllowedPatterns,
		EnsureSSL:       c.Source.EnsureSSL,
		RedirectLimit:   c.Source.RedirectLimit,
		AllowedNetworks: c.Source.AllowedNetworks,
		MaxConnsPerHost: c.Source.MaxConnsPerHost,
		Timeout:         c.Source.Timeout,
	}
}

// Rules is how long entries of the cache are true.
func (c *Config) Rules() cache.Rules {
	return cache.Rules{
		TTL:          c.Cache.TTL,
		ExpiryMargin: c.Cache.ExpiryMargin,
		Lease:        c.Cache.Lease,
		NegativeTTL:  c.Cache.NegativeTTL,
		RetryAfter:   c.Cache.RetryAfter,
		RetryMax:     c.Cache.RetryMax,
	}
}

// NearCache is what a front end keeps of redis: a quarter of its memory for redirects, the rest of which is theirs.
func (c *Config) NearCache() cache.NearCacheOptions {
	return cache.NearCacheOptions{Entries: c.Frontend.CacheEntries, Bytes: int64(c.Frontend.CacheMemory) / 4}
}

// FrontendOptions returns the options that follow from the configuration alone.
func (c *Config) FrontendOptions() frontend.Options {
	return frontend.Options{
		MaxWait:      c.Frontend.MaxWait,
		MaxWaitLimit: c.Frontend.MaxWaitLimit,
		Chain:        c.Frontend.Chain,
		CacheEntries: c.Frontend.CacheEntries,
		CacheMemory:  int64(c.Frontend.CacheMemory) - c.NearCache().Bytes,
		PurgeToken:   c.Frontend.PurgeToken,
		LogSample:    c.Log.Sample,
	}
}

// FlightOptions returns the options that follow from the configuration alone.
func (c *Config) FlightOptions() flight.Options {
	return flight.Options{
		Rules:               c.Rules(),
		MaxWaiters:          c.Frontend.MaxWaiters,
		MaxWaitersPerObject: c.Frontend.MaxWaitersPerObject,
		WarmRate:            c.Frontend.WarmRate,
	}
}

// AWS is what the SDK finds in its own environment and files.
func (c *Config) AWS(ctx context.Context, log zerolog.Logger) (aws.Config, error) {
	return awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithLogger(logging.LoggerFunc(func(_ logging.Classification, format string, args ...any) {
			log.Debug().Str("library", "aws").Msgf(format, args...)
		})),
		// The SDK keeps 10 idle connections to a host, far fewer than there are copies; a client of another type would not
		// go with AWS_CA_BUNDLE.
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, max(c.Worker.Concurrency, c.Worker.Parts*c.LargeSlots())
		})),
	)
}

// Locator finds the region that a client calls from; nil if nothing says how. report is told of lists that can't be had.
func (c *Config) Locator(report func(error)) (*region.Locator, error) {
	if c.Region.IPRanges == "" {
		return nil, nil //nolint:nilnil // no locator is no mistake
	}
	o := region.Options{
		Source: c.Region.IPRanges, Interval: c.Region.Reload, Report: report, TrustedHops: c.Region.TrustedHops,
		Nearest: c.Region.Nearest, Default: c.Region.Default,
	}
	for _, p := range c.Pools {
		o.Pools = append(o.Pools, p.Region)
	}
	return region.New(o)
}

// Copiers are those of all pools, in their order. They share the memory.
func (c *Config) Copiers(source copier.Fetcher, buckets []*storage.Bucket) []*copier.Copier {
	small, large := copier.NewMemory(c.SmallMemory()), copier.NewMemory(c.LargeMemory())
	copiers := make([]*copier.Copier, len(c.Pools))
	for i, p := range c.Pools {
		copiers[i] = &copier.Copier{
			Source:          source,
			Bucket:          buckets[i],
			SmallMemory:     small,
			Memory:          large,
			PartSize:        int64(c.S3.PartSize),
			Parts:           c.Worker.Parts,
			Limit:           semaphore.NewWeighted(int64(p.MaxParts)),
			StallTimeout:    c.Source.StallTimeout,
			MinRate:         int64(c.Source.MinRate),
			SpoolDir:        c.Worker.SpoolDir,
			AllowUnverified: p.AllowUnverified,
		}
	}
	return copiers
}

// SmallMemory is what of worker.memory is for objects that are one request: they never wait for the parts of large ones.
func (c *Config) SmallMemory() int64 { return int64(c.Worker.Memory) / 4 }

// LargeMemory is the rest.
func (c *Config) LargeMemory() int64 { return int64(c.Worker.Memory) - c.SmallMemory() }

// LargeSlots is how many large objects are copied at the same time in each of the pools that are copied into: as many as
// there is memory for a part of.
func (c *Config) LargeSlots() int {
	pools := 0
	for _, p := range c.Pools {
		if c.Copies(storage.PoolID(p.Service, p.Region)) {
			pools++
		}
	}
	return max(1, int(c.LargeMemory()/copier.BufferSize(int64(c.S3.PartSize)))/max(1, pools))
}

// MemoryLimit is what the Go runtime is told to keep to, in bytes: the parts, and something for everything else.
func (c *Config) MemoryLimit() int64 { return int64(c.Worker.Memory)*11/10 + 64<<20 }

// FrontendMemoryLimit is the same of a front end. What a redirect is reckoned to cost has room for garbage in it.
func (c *Config) FrontendMemoryLimit() int64 { return int64(c.Frontend.CacheMemory) + 64<<20 }

// Copies tells whether the worker copies into the pool.
func (c *Config) Copies(pool string) bool {
	return c.Worker.Copy && (len(c.Worker.Pools) == 0 || slices.Contains(c.Worker.Pools, pool))
}

// SetWorker overrides what the worker does with what the command line says; nil or empty leaves it.
func (c *Config) SetWorker(pools []string, copies, bridge *bool) error {
	if len(pools) > 0 {
		c.Worker.Pools = pools
	}
	if copies != nil {
		c.Worker.Copy = *copies
	}
	if bridge != nil {
		c.Worker.Bridge = *bridge
	}
	return c.validateWorker()
}
