package config

import (
	"cmp"
	"net/netip"
	"time"
)

// Config is everything that can be configured. The doc tags make the table of settings in the README.
type Config struct {
	Log      Log      `yaml:"log" envPrefix:"LOG_"`
	Frontend Frontend `yaml:"frontend" envPrefix:"FRONTEND_"`
	Region   Region   `yaml:"region" envPrefix:"REGION_"`
	Source   Source   `yaml:"source" envPrefix:"SOURCE_"`
	Redis    Redis    `yaml:"redis" envPrefix:"REDIS_"`
	Cache    Cache    `yaml:"cache" envPrefix:"CACHE_"`
	SQS      SQS      `yaml:"sqs" envPrefix:"SQS_"`
	S3       S3       `yaml:"s3" envPrefix:"S3_"`
	Worker   Worker   `yaml:"worker" envPrefix:"WORKER_"`
	Pools    []Pool   `yaml:"pools"`
}

// Log is how the process logs, to standard error.
type Log struct {
	Level  string `yaml:"level" env:"LEVEL" doc:"debug, info, warn or error; debug logs every redirect"`
	Format string `yaml:"format" env:"FORMAT" doc:"json, or console for people"`
	Sample uint32 `yaml:"sample" env:"SAMPLE" doc:"log every so many-th redirect at level info, e.g. 1000; 0 logs none"`
}

// Frontend is what clients meet.
type Frontend struct {
	Listen              string        `yaml:"listen" env:"LISTEN" doc:"address for clients"`
	AdminListen         string        `yaml:"admin_listen" env:"ADMIN_LISTEN" doc:"address for /healthz, /readyz and /metrics"`
	MaxWait             time.Duration `yaml:"max_wait" env:"MAX_WAIT" doc:"how long a client waits for a copy before it is sent to the source"`
	MaxWaitLimit        time.Duration `yaml:"max_wait_limit" env:"MAX_WAIT_LIMIT" doc:"the most that a client may ask for with ?max_wait="`
	Chain               time.Duration `yaml:"chain" env:"CHAIN" doc:"the longest that a request is held; a client that wants to wait longer is redirected to the front end itself for the rest, for load balancers that cut requests; 0 never does that"`
	MaxWaiters          int           `yaml:"max_waiters" env:"MAX_WAITERS" doc:"clients that may wait for copies at the same time, per process; others get 503 with Retry-After"`
	MaxWaitersPerObject int           `yaml:"max_waiters_per_object" env:"MAX_WAITERS_PER_OBJECT" doc:"how many of them for one object"`
	CacheEntries        int           `yaml:"cache_entries" env:"CACHE_ENTRIES" doc:"redirects that are kept in memory, which redis keeps current; 0 keeps none"`
	CacheMemory         Size          `yaml:"cache_memory" env:"CACHE_MEMORY" doc:"memory for them, about"`
	PurgeToken          string        `yaml:"purge_token" env:"PURGE_TOKEN" secret:"true" doc:"bearer token for purges and for lists of copies; empty refuses them all"`
	WarmRate            int           `yaml:"warm_rate" env:"WARM_RATE" doc:"copies a second that are asked for on behalf of lists, per process, so that clients who wait do not stand behind them in the queue; 0 is without limit"`
}

// Region is how the region auto is found out.
type Region struct {
	IPRanges    string            `yaml:"ip_ranges" env:"IP_RANGES" doc:"AWS's list of address ranges, a file or a URL (https://ip-ranges.amazonaws.com/ip-ranges.json); with it clients may ask for the region auto, which is their own"`
	Reload      time.Duration     `yaml:"reload" env:"RELOAD" doc:"how often the list is looked at again"`
	Nearest     map[string]string `yaml:"nearest" env:"NEAREST" envSeparator:" " envKeyValSeparator:"=" doc:"for regions without a pool the one to use, e.g. us-west-1: us-west-2, or us-west-1=us-west-2 in the environment"`
	Default     string            `yaml:"default" env:"DEFAULT" doc:"region of clients whose own is not known; if empty they are sent to the source"`
	TrustedHops int               `yaml:"trusted_hops" env:"TRUSTED_HOPS" doc:"proxies before the front end whose X-Forwarded-For is believed"`
}

// Source is what may be copied.
type Source struct {
	AllowedPatterns []string       `yaml:"allowed_patterns" env:"ALLOWED_PATTERNS" envSeparator:" " doc:"**required**; regular expressions, one of which must match the source's URL from its start; write the / after the host"`
	EnsureSSL       bool           `yaml:"ensure_ssl" env:"ENSURE_SSL" doc:"only https sources, at every hop"`
	RedirectLimit   int            `yaml:"redirect_limit" env:"REDIRECT_LIMIT" doc:"redirects followed at most"`
	AllowedNetworks []netip.Prefix `yaml:"allowed_networks" env:"ALLOWED_NETWORKS" envSeparator:" " doc:"private and special-purpose networks that sources may be in, e.g. 10.0.0.0/8; others are refused when dialled"`
	Timeout         time.Duration  `yaml:"timeout" env:"TIMEOUT" doc:"for connecting, TLS and response headers, each, at each hop"`
	StallTimeout    time.Duration  `yaml:"stall_timeout" env:"STALL_TIMEOUT" doc:"how long a connection to a source may send nothing, or less than min_rate, in the middle of a copy"`
	MinRate         Size           `yaml:"min_rate" env:"MIN_RATE" doc:"bytes a second that a connection to a source must send"`
	MaxConnsPerHost int            `yaml:"max_conns_per_host" env:"MAX_CONNS_PER_HOST" doc:"connections to one source host, per process"`
}

// Redis is the cache server.
type Redis struct {
	URL     string        `yaml:"url" env:"URL" secret:"true" doc:"**required**; redis://, rediss:// or unix://, with user, password and database"`
	Timeout time.Duration `yaml:"timeout" env:"TIMEOUT" doc:"what a front end gives redis for an answer; a redis that takes longer is not asked for a while"`
}

// Cache is how long things are believed.
type Cache struct {
	TTL          time.Duration `yaml:"ttl" env:"TTL" doc:"how long a copy is believed to be there without asking the bucket again"`
	ExpiryMargin time.Duration `yaml:"expiry_margin" env:"EXPIRY_MARGIN" doc:"how long before the bucket deletes a copy clients are not sent to it any more"`
	Lease        time.Duration `yaml:"lease" env:"LEASE" doc:"how long a copy may show no progress before the next request starts it again; at most 60s"`
	NegativeTTL  time.Duration `yaml:"negative_ttl" env:"NEGATIVE_TTL" doc:"how long a permanent error, such as the source's 404, is answered from the cache"`
	RetryAfter   time.Duration `yaml:"retry_after" env:"RETRY_AFTER" doc:"how long after a copy failed for a transient reason a request starts it again; doubled with every failure in a row, with jitter"`
	RetryMax     time.Duration `yaml:"retry_max" env:"RETRY_MAX" doc:"the longest that becomes"`
}

// SQS is the copy-request queue.
type SQS struct {
	Queue             string        `yaml:"queue" env:"QUEUE" doc:"name of the queue; its dead-letter queue is the same with _dead behind it"`
	Region            string        `yaml:"region" env:"REGION" doc:"region of the queue; the AWS default chain's if empty"`
	Endpoint          string        `yaml:"endpoint" env:"ENDPOINT" doc:"base URL, if it is not AWS"`
	VisibilityTimeout time.Duration `yaml:"visibility_timeout" env:"VISIBILITY_TIMEOUT" doc:"how soon a message that a bridge lost comes back"`
	MaxReceives       int           `yaml:"max_receives" env:"MAX_RECEIVES" doc:"receives after which a message is a dead letter"`
}

// S3 is what all pools have in common.
type S3 struct {
	BucketBase   string        `yaml:"bucket_base" env:"BUCKET_BASE" doc:"buckets are named BUCKET_BASE-REGION unless a pool says otherwise"`
	LifespanDays int           `yaml:"lifespan_days" env:"LIFESPAN_DAYS" doc:"days after which the bucket deletes a copy (a lifecycle rule that setup makes); 0 keeps them"`
	PartSize     Size          `yaml:"part_size" env:"PART_SIZE" doc:"size of a part, at least 5MiB; smaller objects than that are one request, objects of more than 10,000 parts have larger ones"`
	PresignFor   time.Duration `yaml:"presign_for" env:"PRESIGN_FOR" doc:"longest validity of a redirect to a private bucket; at most 168h, and never longer than the credentials"`
}

// Worker is what copies.
type Worker struct {
	AdminListen string   `yaml:"admin_listen" env:"ADMIN_LISTEN" doc:"address for /healthz, /readyz and /metrics"`
	Copy        bool     `yaml:"copy" env:"COPY" doc:"make copies (the Temporal worker)"`
	Pools       []string `yaml:"pools" env:"POOLS" envSeparator:" " doc:"pools that this worker copies into, e.g. s3_us-west-2; all if empty. Run one in each region"`
	Concurrency int      `yaml:"concurrency" env:"CONCURRENCY" doc:"activities at the same time, per pool, besides the copies of large objects"`
	Memory      Size     `yaml:"memory" env:"MEMORY" doc:"for the parts of all copies together; a quarter is for objects of up to 8MiB, and how many larger ones are copied at the same time follows from the rest"`
	Parts       int      `yaml:"parts" env:"PARTS" doc:"parts of one copy that are read and stored at the same time"`
	SpoolDir    string   `yaml:"spool_dir" env:"SPOOL_DIR" doc:"folder for the parts of huge objects (by default those above 1.22TiB), two of each at a time; the system's folder for temporary files if empty"`
	Bridge      bool     `yaml:"bridge" env:"BRIDGE" doc:"start workflows for the messages of the queue (the SQS bridge)"`
	Receivers   int      `yaml:"receivers" env:"RECEIVERS" doc:"batches of messages that the bridge handles at the same time"`
	QueryKeys   []string `yaml:"query_keys" env:"QUERY_KEYS" envSeparator:" " secret:"true" doc:"**required by worker**; keys that keep the queries of source URLs unreadable in workflow histories, the first one seals, any opens; make one with openssl rand -base64 32"`
}

// Pool is one service in one region.
type Pool struct {
	Service   string `yaml:"service" doc:"s3"`
	Region    string `yaml:"region" doc:"**required**; e.g. us-west-2"`
	Bucket    string `yaml:"bucket" doc:"name of the bucket, if it is not BUCKET_BASE-REGION"`
	Endpoint  string `yaml:"endpoint" doc:"base URL of an S3-compatible server, if it is not AWS"`
	PathStyle bool   `yaml:"path_style" doc:"address the bucket in the path, as most S3-compatible servers want"`
	Checksum  string `yaml:"checksum" doc:"crc64nvme, which setup tries out, or md5 for a server that does not have it"`
	// The zero values are what AWS and most servers do.
	SignPayload     bool `yaml:"sign_payload" doc:"hash what is uploaded for the signature, for a server that insists on it over plain http"`
	Overwrite       bool `yaml:"overwrite" doc:"no conditional writes, for a server that refuses them; a worker that was frozen for minutes could then put an old copy over a newer one"`
	AllowUnverified bool `yaml:"allow_unverified" doc:"copy objects that a source sends with neither length nor chunking, so that nobody can tell whether they are whole; such copies are marked cloud-mirror-unverified"`
	MaxParts        int  `yaml:"max_parts" doc:"parts of all copies that are read and stored at the same time in the pool, per process"`

	PublicURL string `yaml:"public_url" doc:"base URL under which everybody can read the bucket; redirects then go there unsigned"`
}

// defaultPool is what a pool is that says nothing of it.
func defaultPool() Pool { return Pool{Service: "s3", Checksum: "crc64nvme", MaxParts: 128} }

func (p *Pool) complete() {
	d := defaultPool()
	p.Service, p.Checksum, p.MaxParts = cmp.Or(p.Service, d.Service), cmp.Or(p.Checksum, d.Checksum), cmp.Or(p.MaxParts, d.MaxParts)
}

// Default is the configuration without file and environment. What is required has no default.
func Default() Config {
	return Config{
		Log: Log{Level: "info", Format: "json"},
		Frontend: Frontend{
			Listen: ":8080", AdminListen: "127.0.0.1:8081", MaxWait: 28 * time.Second, MaxWaitLimit: 5 * time.Minute,
			MaxWaiters: 20_000, MaxWaitersPerObject: 10_000, CacheEntries: 100_000, CacheMemory: 256 << 20, WarmRate: 50,
		},
		Region: Region{Reload: time.Hour},
		Redis:  Redis{Timeout: 50 * time.Millisecond},
		Source: Source{
			EnsureSSL: true, RedirectLimit: 30, Timeout: 10 * time.Second, StallTimeout: 30 * time.Second, MinRate: 1 << 10,
			MaxConnsPerHost: 64,
		},
		Cache: Cache{
			TTL: 24 * time.Hour, ExpiryMargin: 3 * time.Hour, Lease: time.Minute,
			NegativeTTL: 30 * time.Second, RetryAfter: 10 * time.Second, RetryMax: 5 * time.Minute,
		},
		SQS: SQS{Queue: "cloud-mirror", VisibilityTimeout: 30 * time.Second, MaxReceives: 10},
		S3:  S3{LifespanDays: 30, PartSize: 8 << 20, PresignFor: time.Hour},
		Worker: Worker{
			AdminListen: "127.0.0.1:8082", Copy: true, Concurrency: 64, Memory: 1 << 30, Parts: 6, Bridge: true, Receivers: 4,
		},
	}
}
