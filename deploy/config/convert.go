package config

import (
	"cmp"
	"context"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
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
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/frontend/region"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// StoragePools returns the configured pools.
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
			CORS:        c.S3.CORS,
			Checksum:    storage.Checksum(p.Checksum),
			SignPayload: p.SignPayload,
			Overwrite:   p.Overwrite,
			Owners:      c.owners(p.Endpoint),

			DownloadActive: p.DownloadActive,

			HeaderTimeout: c.S3.Timeout,
		}
	}
	return pools
}

// Origin returns the allowed sources and how to reach them.
func (c *Config) Origin() origin.Config {
	return origin.Config{
		OwnNames:         c.Frontend.PublicNames,
		OwnAddrs:         c.own(),
		LoopID:           c.LoopID(),
		Allowed:          slices.Concat(c.Source.Allowed, c.UpstreamRoots()),
		EnsureSSL:        c.Source.EnsureSSL,
		RedirectLimit:    c.Source.RedirectLimit,
		AllowedNetworks:  c.Source.AllowedNetworks,
		DeniedNetworks:   c.Source.DeniedNetworks,
		Services:         c.services(),
		MaxConnsPerHost:  c.Source.MaxConnsPerHost,
		Timeout:          c.Source.Timeout,
		UserAgent:        c.Source.UserAgent,
		Authoritative4xx: c.Source.Authoritative4xx,
	}
}

// own returns the addresses of the deployment's listeners. It omits port 0, which other processes
// can't know, and [Config.namedListeners].
func (c *Config) own() (addrs []netip.AddrPort) {
	for host, port := range c.listeners() {
		if host == "" {
			addrs = append(addrs, netip.AddrPortFrom(netip.IPv6Unspecified(), port))
		} else if addr, err := netip.ParseAddr(host); err == nil {
			addrs = append(addrs, netip.AddrPortFrom(addr.WithZone(""), port))
		}
	}
	return addrs
}

// namedListeners returns the listeners whose host is a name, as host:port. The name is resolved
// when a source is dialled.
func (c *Config) namedListeners() (all []string) {
	for host, port := range c.listeners() {
		if _, err := netip.ParseAddr(host); err != nil && host != "" {
			all = append(all, net.JoinHostPort(host, strconv.Itoa(int(port))))
		}
	}
	return all
}

// listeners returns the host and port of each listener, except those with port 0.
func (c *Config) listeners() iter.Seq2[string, uint16] {
	return func(yield func(string, uint16) bool) {
		for _, listen := range []string{c.Frontend.Listen, c.Frontend.AdminListen, c.Worker.AdminListen, c.Worker.CodecListen} {
			host, service, err := net.SplitHostPort(listen)
			if err != nil {
				continue // The listener reports it.
			}
			port, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", service)
			if err != nil || port == 0 {
				continue
			}
			if !yield(host, uint16(port)) { //nolint:gosec // A port
				return
			}
		}
	}
}

// Rules returns how long cache entries are valid.
func (c *Config) Rules() cache.Rules {
	return cache.Rules{
		TTL:             c.Cache.TTL,
		ExpiryMargin:    c.Cache.ExpiryMargin,
		Lease:           c.Cache.Lease,
		NegativeTTL:     c.Cache.NegativeTTL,
		UnmirrorableTTL: c.Cache.UnmirrorableTTL,
		RetryAfter:      c.Cache.RetryAfter,
		RetryMax:        c.Cache.RetryMax,
	}
}

// CacheOptions returns the options that follow from the configuration alone.
func (c *Config) CacheOptions() cache.Options {
	return cache.Options{
		Prefix: c.Redis.Prefix, Rules: c.Rules(), Lifespan: time.Duration(c.S3.LifespanDays) * 24 * time.Hour,
	}
}

// Space returns the key space of a pool's bucket.
func (c *Config) Space(p storage.Pool) cache.Space {
	endpoint := p.Endpoint
	for _, of := range c.Pools {
		if storage.PoolID(of.Service, of.Region) == p.ID() {
			endpoint = cmp.Or(of.KeyEndpoint, endpoint)
		}
	}
	return cache.NewSpace(c.Redis.Prefix, p.ID(), endpoint, p.Bucket)
}

// FrontendGarbage is the least GOGC of a front end: the garbage in its memory, as a percentage of
// the memory in use. frontend.cache_memory includes it.
const FrontendGarbage = 60

// keptMemory returns the part of frontend.cache_memory without garbage, in bytes.
func (c *Config) keptMemory() int64 {
	return int64(c.Frontend.CacheMemory) / (100 + FrontendGarbage) * 100
}

// NearCache returns the bounds of a front end's near cache: a third of the memory of redirects. The
// answers have the rest.
func (c *Config) NearCache() cache.NearCacheOptions {
	return cache.NearCacheOptions{Entries: c.Frontend.CacheEntries, Bytes: c.keptMemory() / 3}
}

// FrontendOptions returns the options that follow from the configuration alone.
func (c *Config) FrontendOptions() frontend.Options {
	perClient := c.Frontend.MaxConnsPerClient
	if c.Region.TrustedHops > 0 {
		perClient = 0 // The peers are proxies.
	}
	return frontend.Options{
		MaxConns:          c.Frontend.MaxConns,
		MaxConnsPerClient: perClient,
		ClientTimeout:     c.Frontend.ClientTimeout,
		MaxWait:           c.Frontend.MaxWait,
		MaxWaitLimit:      c.Frontend.MaxWaitLimit,
		MirrorWait:        c.Mirror.Wait,
		Chain:             c.Frontend.Chain,
		CacheEntries:      c.Frontend.CacheEntries,
		CacheMemory:       c.keptMemory() - c.NearCache().Bytes,
		MaxLists:          c.Frontend.MaxLists,
		MinSize:           int64(c.Frontend.MinSize),
		LoopID:            c.LoopID(),
		AtLimit:           c.Frontend.AtLimit,
		ClientOf:          func(r *http.Request) netip.Addr { return region.Client(r, c.Region.TrustedHops) },
		LogSample:         c.Log.Sample,
	}
}

// FlightOptions returns the options that follow from the configuration alone.
func (c *Config) FlightOptions() flight.Options {
	return flight.Options{
		Rules:               c.Rules(),
		MaxWaiters:          c.Frontend.MaxWaiters,
		MaxWaitersPerObject: c.Frontend.MaxWaitersPerObject,
		MaxWaitersPerClient: c.Frontend.MaxWaitersPerClient,
		ColdRate:            c.Frontend.ColdRate,
		ColdBurst:           c.Frontend.ColdBurst,
		ColdRatePerHost:     c.Frontend.ColdRatePerHost,
		ColdBurstPerHost:    c.Frontend.ColdBurstPerHost,
		StatusRate:          c.Frontend.StatusRate,
		StatusBurst:         c.Frontend.StatusBurst,
		WarmRate:            c.Frontend.WarmRate,
		VerifyEvery:         c.Cache.VerifyEvery,
		AuditEvery:          c.Mirror.AuditEvery,
		Refresh:             c.S3.Refresh,
	}
}

// GateOptions returns the options that follow from the configuration alone.
func (c *Config) GateOptions() flight.GateOptions {
	return flight.GateOptions{MaxTasks: c.Frontend.MaxBacklog, MaxAge: c.Frontend.MaxBacklogAge}
}

// awsConnectTimeout bounds a connection to AWS and, separately, its TLS handshake. The SDK's
// default for a connection is 30 s.
const awsConnectTimeout = 10 * time.Second

// AWS returns the configuration that the SDK finds in its environment and files.
func (c *Config) AWS(ctx context.Context, log zerolog.Logger) (aws.Config, error) {
	return awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithLogger(logging.LoggerFunc(func(_ logging.Classification, format string, args ...any) {
			log.Debug().Str("library", "aws").Msgf(format, args...)
		})),
		// The SDK's default of 10 idle connections to a host is far below the number of copies.
		// AWS_CA_BUNDLE works only with this type of client.
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) {
			d.Timeout = awsConnectTimeout
		}).WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, max(c.Worker.Concurrency, c.Worker.Parts*c.LargeSlots())
			t.TLSHandshakeTimeout = awsConnectTimeout
			t.ResponseHeaderTimeout = queue.LongPoll + c.SQS.Timeout // S3 has its own.
		})),
	)
}

// Locator returns a locator of clients, or nil if region.ip_ranges is empty. It passes each failed
// load to report.
func (c *Config) Locator(report func(error)) (*region.Locator, error) {
	if c.Region.IPRanges == "" {
		return nil, nil //nolint:nilnil // The setting is optional
	}
	o := region.Options{
		IPRanges: c.Region.IPRanges, Reload: c.Region.Reload, Report: report, TrustedHops: c.Region.TrustedHops,
		Nearest: c.Region.Nearest, Default: c.Region.Default,
	}
	for _, p := range c.Pools {
		o.Pools = append(o.Pools, p.Region)
	}
	return region.New(o)
}

// Copiers returns a copier for each pool, in the order of the pools. They share worker.memory and
// worker.spool_limit.
func (c *Config) Copiers(source copier.Fetcher, buckets []*storage.Bucket) []*copier.Copier {
	share := float64(c.Worker.HostShare) / 100
	small, large := copier.NewSharedMemory(c.smallMemory(), share), copier.NewSharedMemory(c.largeMemory(), share)
	spool := copier.NewBudget(int64(c.Worker.SpoolLimit), share)
	copiers := make([]*copier.Copier, len(c.Pools))
	for i, p := range c.Pools {
		copiers[i] = &copier.Copier{
			Source:          source,
			Bucket:          buckets[i],
			SmallMemory:     small,
			Memory:          large,
			PartSize:        int64(c.S3.PartSize),
			Parts:           c.Worker.Parts,
			Slots:           copier.NewBudget(int64(c.Worker.Concurrency), share),
			LargeSlots:      copier.NewBudget(int64(c.LargeSlots()), share),
			MaxParts:        semaphore.NewWeighted(int64(p.MaxParts)),
			StallTimeout:    c.Source.StallTimeout,
			MinRate:         int64(c.Source.MinRate),
			MinAverageRate:  int64(c.Source.MinAverageRate),
			MaxSize:         int64(c.maxSize(p)),
			SpoolDir:        c.Worker.SpoolDir,
			Spool:           spool,
			AllowUnverified: p.AllowUnverified,
		}
	}
	return copiers
}

// maxSize returns the size limit of objects that are copied into a pool.
func (c *Config) maxSize(p Pool) Size { return cmp.Or(p.MaxSize, c.Source.MaxSize) }

// smallMemory returns the part of worker.memory for objects of one request, in bytes. It is
// separate so that they never wait for the parts of large objects.
func (c *Config) smallMemory() int64 { return int64(c.Worker.Memory) / 4 }

// largeMemory returns the rest of worker.memory, in bytes.
func (c *Config) largeMemory() int64 { return int64(c.Worker.Memory) - c.smallMemory() }

// LargeSlots returns how many large objects are copied at the same time in each pool. largeMemory
// holds one part for each. The pools that the worker copies into get equal shares, of at least 1.
func (c *Config) LargeSlots() int {
	pools := 0
	for _, p := range c.Pools {
		if c.Copies(storage.PoolID(p.Service, p.Region)) {
			pools++
		}
	}
	return max(1, int(c.largeMemory()/copier.BufferSize(int64(c.S3.PartSize)))/max(1, pools))
}

// MemoryLimit returns a worker's limit for the Go runtime, in bytes: worker.memory, a tenth of it,
// and 64 MiB for everything else.
func (c *Config) MemoryLimit() int64 { return int64(c.Worker.Memory)*11/10 + 64<<20 }

// FrontendMemoryLimit returns a front end's limit for the Go runtime, in bytes, with a number of
// connections of clients. It holds frontend.cache_memory, the memory of frontend.max_lists, that of
// the connections, and 64 MiB for everything else.
func (c *Config) FrontendMemoryLimit(conns int) int64 {
	return int64(c.Frontend.CacheMemory) + int64(c.Frontend.MaxLists)*frontend.MaxListMemory +
		int64(conns)*frontend.ConnMemory + 64<<20
}

// Copies reports whether the worker copies into the pool.
func (c *Config) Copies(pool string) bool {
	return c.Worker.Copy && (len(c.Worker.Pools) == 0 || slices.Contains(c.Worker.Pools, pool))
}

// SetWorker overrides the worker's settings with flags of the command line. A nil or empty flag
// overrides nothing.
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
