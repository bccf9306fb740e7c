package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// maxLease bounds how long a lost worker goes unnoticed.
const maxLease = time.Minute

// maxPresign is AWS's limit, see
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
const maxPresign = 7 * 24 * time.Hour

// maxVerify is longer than any sensible cache.ttl, from which on nothing is verified.
const maxVerify = 7 * 24 * time.Hour

// maxObject is the largest object of S3 in parts, in bytes.
const maxObject = storage.MaxParts * storage.MaxPartSize

// validate returns the first mistake, with its key. A setting that only one subcommand requires is
// checked by that subcommand.
func (c *Config) validate() error {
	for _, check := range []func() error{
		c.validateLog, c.validateTimes, c.validateNumbers, c.validateAtLimit, c.validateSource, c.validateMirror,
		c.validateServers, c.validatePools, c.validateWorker, c.validateAdmin, c.validateRegion, c.validatePrices,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func wrong(key, format string, args ...any) error {
	return fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...))
}

func (c *Config) validateLog() error {
	if _, err := zerolog.ParseLevel(c.Log.Level); err != nil || c.Log.Level == "" {
		return wrong("log.level", "%q is not debug, info, warn or error", c.Log.Level)
	}
	if c.Log.Format != "json" && c.Log.Format != "console" {
		return wrong("log.format", "%q is not json or console", c.Log.Format)
	}
	return nil
}

func (c *Config) validateTimes() error {
	for _, t := range []struct {
		key      string
		value    time.Duration
		min, max time.Duration
	}{
		{"frontend.drain", c.Frontend.Drain, 0, 10 * time.Minute},
		{"frontend.client_timeout", c.Frontend.ClientTimeout, time.Second, time.Hour},
		{"frontend.max_wait", c.Frontend.MaxWait, 0, c.Frontend.MaxWaitLimit},
		{"frontend.max_wait_limit", c.Frontend.MaxWaitLimit, 0, time.Hour},
		{"frontend.chain", c.Frontend.Chain, 0, time.Hour},
		{"mirror.wait", c.Mirror.Wait, time.Millisecond, c.maxMirrorWait()},
		{"region.reload", c.Region.Reload, time.Second, 7 * 24 * time.Hour},
		{"redis.timeout", c.Redis.Timeout, time.Millisecond, 10 * time.Second},
		{"source.timeout", c.Source.Timeout, time.Millisecond, time.Minute},
		{"source.stall_timeout", c.Source.StallTimeout, time.Second, time.Hour},
		{"cache.ttl", c.Cache.TTL, time.Second, 365 * 24 * time.Hour},
		{"cache.expiry_margin", c.Cache.ExpiryMargin, time.Second, 365 * 24 * time.Hour},
		{"cache.lease", c.Cache.Lease, time.Second, maxLease},
		{"cache.negative_ttl", c.Cache.NegativeTTL, time.Second, 24 * time.Hour},
		{"cache.unmirrorable_ttl", c.Cache.UnmirrorableTTL, time.Second, 7 * 24 * time.Hour},
		{"cache.retry_after", c.Cache.RetryAfter, time.Second, time.Hour},
		{"cache.retry_max", c.Cache.RetryMax, c.Cache.RetryAfter, time.Hour},
		{"sqs.visibility_timeout", c.SQS.VisibilityTimeout, 5 * time.Second, 12 * time.Hour},
		{"sqs.timeout", c.SQS.Timeout, 100 * time.Millisecond, time.Minute},
		{"s3.timeout", c.S3.Timeout, time.Second, 10 * time.Minute},
		{"worker.check_every", c.Worker.CheckEvery, time.Second, 10 * time.Minute},
		{"s3.presign_for", c.S3.PresignFor, time.Second, maxPresign},
	} {
		if t.value < t.min || t.value > t.max {
			return wrong(t.key, "%s is not between %s and %s", t.value, t.min, t.max)
		}
	}
	for _, t := range []struct {
		key        string
		value, max time.Duration
	}{
		{"frontend.max_backlog_age", c.Frontend.MaxBacklogAge, 24 * time.Hour},
		{"cache.verify_every", c.Cache.VerifyEvery, maxVerify},
	} {
		if t.value != 0 && (t.value < time.Second || t.value > t.max) {
			return wrong(t.key, "%s is neither 0 nor between %s and %s", t.value, time.Second, t.max)
		}
	}
	if life := time.Duration(c.S3.LifespanDays) * 24 * time.Hour; life > 0 && c.Cache.ExpiryMargin >= life {
		return wrong("cache.expiry_margin", "%s is not less than s3.lifespan_days, %d", c.Cache.ExpiryMargin, c.S3.LifespanDays)
	}
	return nil
}

func (c *Config) validateNumbers() error {
	for _, n := range []struct {
		key             string
		value, min, max int64
	}{
		{"frontend.max_waiters", int64(c.Frontend.MaxWaiters), 1, 10_000_000},
		{"frontend.max_waiters_per_object", int64(c.Frontend.MaxWaitersPerObject), 1, int64(c.Frontend.MaxWaiters)},
		{"frontend.max_waiters_per_client", int64(c.Frontend.MaxWaitersPerClient), 0, int64(c.Frontend.MaxWaiters)},
		{"frontend.cold_rate", int64(c.Frontend.ColdRate), 0, 1_000_000},
		{"frontend.cold_burst", int64(c.Frontend.ColdBurst), 1, 1_000_000},
		{"frontend.cold_rate_per_host", int64(c.Frontend.ColdRatePerHost), 0, 1_000_000},
		{"frontend.cold_burst_per_host", int64(c.Frontend.ColdBurstPerHost), 1, 1_000_000},
		{"frontend.status_rate", int64(c.Frontend.StatusRate), 0, 1_000_000},
		{"frontend.status_burst", int64(c.Frontend.StatusBurst), 1, 1_000_000},
		{"frontend.max_backlog", int64(c.Frontend.MaxBacklog), 0, 1_000_000_000},
		{"frontend.cache_entries", int64(c.Frontend.CacheEntries), 0, 1 << 30},
		{"frontend.cache_memory", int64(c.Frontend.CacheMemory), 0, 1 << 40},
		{"frontend.warm_rate", int64(c.Frontend.WarmRate), 0, 1_000_000},
		{"frontend.max_conns", int64(c.Frontend.MaxConns), 0, 10_000_000},
		{"frontend.max_conns_per_client", int64(c.Frontend.MaxConnsPerClient), 0, 10_000_000},
		{"frontend.max_lists", int64(c.Frontend.MaxLists), 0, 1_000_000},
		{"frontend.min_size", int64(c.Frontend.MinSize), 0, maxObject},
		{"mirror.min_size", int64(c.Mirror.MinSize), 0, maxObject},
		{"mirror.audit_every", int64(c.Mirror.AuditEvery), 0, 1_000_000_000},
		{"region.trusted_hops", int64(c.Region.TrustedHops), 0, 100},
		{"source.redirect_limit", int64(c.Source.RedirectLimit), 0, 100},
		{"source.max_conns_per_host", int64(c.Source.MaxConnsPerHost), 1, 10_000},
		{"sqs.max_receives", int64(c.SQS.MaxReceives), 1, 1000},
		{"s3.lifespan_days", int64(c.S3.LifespanDays), 0, 36_500},
		{"s3.part_size", int64(c.S3.PartSize), storage.MinPartSize, 5 << 30},
		{"source.min_rate", int64(c.Source.MinRate), 1, 1 << 30},
		{"source.min_average_rate", int64(c.Source.MinAverageRate), 0, 1 << 30},
		{"source.max_size", int64(c.Source.MaxSize), 1, maxObject},
		{"worker.host_share", int64(c.Worker.HostShare), 1, 100},
		{"worker.parts", int64(c.Worker.Parts), 1, 1000},
		{"worker.concurrency", int64(c.Worker.Concurrency), 1, 10_000},
		{"worker.receivers", int64(c.Worker.Receivers), 1, 1000},
		{"worker.intake", int64(c.Worker.Intake), 10, 10_000},
	} {
		if n.value < n.min || n.value > n.max {
			return wrong(n.key, "%d is not between %d and %d", n.value, n.min, n.max)
		}
	}
	// Each waiting request has a connection, and hits need further connections.
	if f := &c.Frontend; f.MaxConns != 0 && f.MaxConns <= f.MaxWaiters {
		return wrong("frontend.max_conns", "%d is neither 0 nor greater than frontend.max_waiters, %d", f.MaxConns, f.MaxWaiters)
	}
	return nil
}

func (c *Config) validateAtLimit() error {
	if a := c.Frontend.AtLimit; a != frontend.AtLimitSource && a != frontend.AtLimitRefuse {
		return wrong("frontend.at_limit", "%q is not source or refuse", a)
	}
	return nil
}

func (c *Config) validateSource() error {
	if len(c.Source.Allowed)+len(c.Mirror.Upstreams) == 0 {
		return wrong("source.allowed", "is empty, and so is mirror.upstreams: no source is allowed")
	}
	for _, entry := range c.Source.Allowed {
		if _, err := origin.ParseAllowed(entry); err != nil {
			return wrong("source.allowed", "%v", err)
		}
	}
	for _, host := range c.Source.Authoritative4xx {
		for _, scheme := range []string{"http://", "https://"} {
			// Responses are matched by the host of the canonical URL.
			if u, err := origin.Canonical(scheme + host); err != nil || u != scheme+host+"/" {
				return wrong("source.authoritative_4xx", "%q is not a host in lower case, without its default port", host)
			}
		}
	}
	for _, name := range c.Frontend.PublicNames {
		if _, err := origin.CanonicalName(name); err != nil {
			return wrong("frontend.public_names", "%v", err)
		}
	}
	if !regexp.MustCompile(`^[A-Za-z0-9._-]{0,100}$`).MatchString(c.Frontend.LoopID) {
		return wrong("frontend.loop_id", "%q has other characters than letters, digits, '.', '_' and '-', or more than 100", c.Frontend.LoopID)
	}
	if !regexp.MustCompile(`^[!-~]([ -~]*[!-~])?$`).MatchString(c.Source.UserAgent) {
		return wrong("source.user_agent", "is not printable ASCII")
	}
	return nil
}

func (c *Config) validateServers() error {
	if c.Redis.URL == "" {
		return wrong("redis.url", "is not set")
	}
	if !regexp.MustCompile(`^[A-Za-z0-9._-]{1,16}$`).MatchString(c.Redis.Prefix) {
		return wrong("redis.prefix", "%q is not 1 to 16 letters, digits, '.', '_' and '-'", c.Redis.Prefix)
	}
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html,
	// minus _dead.
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,75}$`).MatchString(c.SQS.Queue) {
		return wrong("sqs.queue", "%q is not the name of a standard queue, with at most 75 characters", c.SQS.Queue)
	}
	return validateURL("sqs.endpoint", c.SQS.Endpoint)
}

func (c *Config) validatePools() error {
	if len(c.Pools) == 0 {
		return wrong("pools", "is empty")
	}
	if err := validateOwner("s3.bucket_owner", c.S3.BucketOwner, ""); err != nil {
		return err
	}
	// A pool id joins service and region with an underscore, so neither may contain one.
	namePattern := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	bucketPattern := regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	seen, buckets := map[string]bool{}, map[string]bool{}
	for i := range c.Pools {
		p := &c.Pools[i]
		key := fmt.Sprintf("pools[%d].", i)
		p.complete()
		if p.Bucket == "" && c.S3.BucketBase != "" {
			p.Bucket = c.S3.BucketBase + "-" + p.Region
		}
		switch id := storage.PoolID(p.Service, p.Region); {
		case p.Service != "s3":
			return wrong(key+"service", "%q is not s3", p.Service)
		case !namePattern.MatchString(p.Region) || p.Region == "all" || p.Region == "auto":
			return wrong(key+"region", "%q is not the name of a region", p.Region)
		case p.Checksum != string(storage.ChecksumCRC64NVME) && p.Checksum != string(storage.ChecksumMD5):
			return wrong(key+"checksum", "%q is not crc64nvme or md5", p.Checksum)
		case p.MaxSize < 0 || int64(p.MaxSize) > maxObject:
			return wrong(key+"max_size", "%d is not between 1 and %d", p.MaxSize, maxObject)
		case p.MaxParts < 1 || p.MaxParts > 100_000:
			return wrong(key+"max_parts", "%d is not between 1 and 100000", p.MaxParts)
		case p.Bucket == "":
			return wrong(key+"bucket", "is not set, and neither is s3.bucket_base")
		case !bucketPattern.MatchString(p.Bucket):
			return wrong(key+"bucket", "%q is not a bucket's name", p.Bucket)
		case seen[id]:
			return wrong(key+"region", "%s is configured twice", id)
		case buckets[p.Endpoint+"/"+p.Bucket]:
			// Keys contain no region: a purge in one pool would delete the other's copy.
			return wrong(key+"bucket", "%q is already the bucket of another pool", p.Bucket)
		default:
			seen[id], buckets[p.Endpoint+"/"+p.Bucket] = true, true
		}
		if p.BucketOwner != anyOwner {
			if err := validateOwner(key+"bucket_owner", p.BucketOwner, ", or any"); err != nil {
				return err
			}
		}
		if err := validateURL(key+"endpoint", p.Endpoint); err != nil {
			return err
		}
		if err := validateURL(key+"key_endpoint", p.KeyEndpoint); err != nil {
			return err
		}
		if err := validateURL(key+"public_url", p.PublicURL); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) validateWorker() error {
	small, largest := copier.NewMemory(c.smallMemory()).MaxBuffer(), copier.NewMemory(c.largeMemory()).MaxBuffer()
	if small < copier.Small || largest < int64(c.S3.PartSize) {
		return wrong("worker.memory", "%d bytes are too few: a quarter must hold four objects of %d bytes, and the rest four parts of s3.part_size, %d",
			c.Worker.Memory, copier.Small, c.S3.PartSize)
	}
	for _, p := range c.Pools {
		// Parts that are too large for memory are kept in the spool.
		if size := copier.LargestPart(int64(c.maxSize(p)), int64(c.S3.PartSize)); size > largest && size > int64(c.Worker.SpoolLimit) {
			return wrong("worker.spool_limit", "%d bytes don't hold a part of an object of max_size, %d bytes", c.Worker.SpoolLimit, size)
		}
	}
	for _, id := range c.Worker.Pools {
		if !slices.ContainsFunc(c.Pools, func(p Pool) bool { return storage.PoolID(p.Service, p.Region) == id }) {
			return wrong("worker.pools", "%q is not the id of a configured pool, such as s3_us-west-2", id)
		}
	}
	if !c.Worker.Copy && !c.Worker.Bridge {
		return wrong("worker.bridge", "is off, and so is worker.copy: the worker has nothing to do")
	}
	return c.validateCodec()
}

func (c *Config) validateCodec() error {
	w := &c.Worker
	switch {
	case w.CodecListen != "" && len(w.PayloadKeys) == 0:
		return wrong("worker.codec_listen", "is set, and worker.payload_keys is not: there is nothing to decode")
	case w.CodecListen != "" && w.CodecTokensFile == "":
		return wrong("worker.codec_listen", "is set, and worker.codec_tokens_file is not: no client could use it")
	case w.CodecOrigin != "":
		if u, err := url.Parse(w.CodecOrigin); err != nil || u.Scheme+"://"+u.Host != w.CodecOrigin || u.Host == "" ||
			u.Scheme != "http" && u.Scheme != "https" {
			return wrong("worker.codec_origin", "%q is not an origin such as https://temporal.example.com", w.CodecOrigin)
		}
	}
	return nil
}

func (c *Config) validateRegion() error {
	if _, err := c.Locator(nil); err != nil {
		return wrong("region", "%v", err)
	}
	return nil
}

func validateURL(key, s string) error {
	if s == "" {
		return nil
	}
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return wrong(key, "is not a URL that begins with http:// or https://")
	}
	return nil
}
