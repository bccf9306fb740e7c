package config

import (
	"net/netip"
	"time"
)

// Config is everything that can be configured. The doc tags make the table of settings in the README.
type Config struct {
	Log      Log      `yaml:"log" envPrefix:"LOG_"`
	Frontend Frontend `yaml:"frontend" envPrefix:"FRONTEND_"`
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
}

// Frontend is what clients meet.
type Frontend struct {
	Listen       string        `yaml:"listen" env:"LISTEN" doc:"address for clients"`
	AdminListen  string        `yaml:"admin_listen" env:"ADMIN_LISTEN" doc:"address for /healthz, /readyz and /metrics"`
	MaxWait      time.Duration `yaml:"max_wait" env:"MAX_WAIT" doc:"how long a client waits for a copy before it is sent to the source"`
	MaxWaitLimit time.Duration `yaml:"max_wait_limit" env:"MAX_WAIT_LIMIT" doc:"the most that a client may ask for with ?max_wait="`
	PurgeToken   string        `yaml:"purge_token" env:"PURGE_TOKEN" secret:"true" doc:"bearer token for purges; empty refuses them all"`
}

// Source is what may be copied.
type Source struct {
	AllowedPatterns []string       `yaml:"allowed_patterns" env:"ALLOWED_PATTERNS" envSeparator:" " doc:"**required**; regular expressions, one of which must match the source's URL from its start; write the / after the host"`
	EnsureSSL       bool           `yaml:"ensure_ssl" env:"ENSURE_SSL" doc:"only https sources, at every hop"`
	RedirectLimit   int            `yaml:"redirect_limit" env:"REDIRECT_LIMIT" doc:"redirects followed at most"`
	AllowedNetworks []netip.Prefix `yaml:"allowed_networks" env:"ALLOWED_NETWORKS" envSeparator:" " doc:"private and special-purpose networks that sources may be in, e.g. 10.0.0.0/8; others are refused when dialled"`
	Timeout         time.Duration  `yaml:"timeout" env:"TIMEOUT" doc:"for connecting, TLS and response headers, each, at each hop"`
	StallTimeout    time.Duration  `yaml:"stall_timeout" env:"STALL_TIMEOUT" doc:"how long a source may send nothing in the middle of a copy"`
	MaxConnsPerHost int            `yaml:"max_conns_per_host" env:"MAX_CONNS_PER_HOST" doc:"connections to one source host, per process"`
}

// Redis is the cache server.
type Redis struct {
	URL string `yaml:"url" env:"URL" secret:"true" doc:"**required**; redis://, rediss:// or unix://, with user, password and database"`
}

// Cache is how long things are believed.
type Cache struct {
	TTL          time.Duration `yaml:"ttl" env:"TTL" doc:"how long a copy is believed to be there without asking the bucket again"`
	ExpiryMargin time.Duration `yaml:"expiry_margin" env:"EXPIRY_MARGIN" doc:"how long before the bucket deletes a copy clients are not sent to it any more"`
	Lease        time.Duration `yaml:"lease" env:"LEASE" doc:"how long a copy may show no progress before the next request starts it again; at most 60s"`
	NegativeTTL  time.Duration `yaml:"negative_ttl" env:"NEGATIVE_TTL" doc:"how long a permanent error, such as the source's 404, is answered from the cache"`
	RetryAfter   time.Duration `yaml:"retry_after" env:"RETRY_AFTER" doc:"how long after a copy failed for a transient reason a request starts it again"`
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
	PartSize     Size          `yaml:"part_size" env:"PART_SIZE" doc:"size of an uploaded part; at least 5MiB"`
	PresignFor   time.Duration `yaml:"presign_for" env:"PRESIGN_FOR" doc:"longest validity of a redirect to a private bucket; at most 168h, and never longer than the credentials"`
}

// Worker is what copies.
type Worker struct {
	AdminListen string   `yaml:"admin_listen" env:"ADMIN_LISTEN" doc:"address for /healthz, /readyz and /metrics"`
	Copy        bool     `yaml:"copy" env:"COPY" doc:"make copies (the Temporal worker)"`
	Pools       []string `yaml:"pools" env:"POOLS" envSeparator:" " doc:"pools that this worker copies into, e.g. s3_us-west-2; all if empty. Run one in each region"`
	Concurrency int      `yaml:"concurrency" env:"CONCURRENCY" doc:"activities at the same time, per pool"`
	Memory      Size     `yaml:"memory" env:"MEMORY" doc:"for the parts of all copies together; a copy of a large object takes five parts"`
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
	PublicURL string `yaml:"public_url" doc:"base URL under which everybody can read the bucket; redirects then go there unsigned"`
}

// Default is the configuration without file and environment. What is required has no default.
func Default() Config {
	return Config{
		Log:      Log{Level: "info", Format: "json"},
		Frontend: Frontend{Listen: ":8080", AdminListen: "127.0.0.1:8081", MaxWait: 28 * time.Second, MaxWaitLimit: 5 * time.Minute},
		Source: Source{
			EnsureSSL: true, RedirectLimit: 30, Timeout: 10 * time.Second, StallTimeout: 30 * time.Second, MaxConnsPerHost: 64,
		},
		Cache: Cache{
			TTL: 24 * time.Hour, ExpiryMargin: 3 * time.Hour, Lease: time.Minute,
			NegativeTTL: 30 * time.Second, RetryAfter: 10 * time.Second,
		},
		SQS: SQS{Queue: "cloud-mirror", VisibilityTimeout: 30 * time.Second, MaxReceives: 10},
		S3:  S3{LifespanDays: 30, PartSize: 32 << 20, PresignFor: time.Hour},
		Worker: Worker{
			AdminListen: "127.0.0.1:8082", Copy: true, Concurrency: 64, Memory: 1 << 30, Bridge: true, Receivers: 4,
		},
	}
}
