package config

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend"
)

// Config holds all settings. The doc tags make the table of settings for operators.
type Config struct {
	Log      Log      `yaml:"log" envPrefix:"LOG_"`
	Frontend Frontend `yaml:"frontend" envPrefix:"FRONTEND_"`
	Region   Region   `yaml:"region" envPrefix:"REGION_"`
	Mirror   Mirror   `yaml:"mirror" envPrefix:"MIRROR_"`
	Source   Source   `yaml:"source" envPrefix:"SOURCE_"`
	Redis    Redis    `yaml:"redis" envPrefix:"REDIS_"`
	Cache    Cache    `yaml:"cache" envPrefix:"CACHE_"`
	SQS      SQS      `yaml:"sqs" envPrefix:"SQS_"`
	S3       S3       `yaml:"s3" envPrefix:"S3_"`
	Worker   Worker   `yaml:"worker" envPrefix:"WORKER_"`
	Admin    Admin    `yaml:"admin" envPrefix:"ADMIN_"`
	Prices   Prices   `yaml:"prices" envPrefix:"PRICES_"`
	Pools    []Pool   `yaml:"pools"`
}

// Log configures the log, which goes to standard error.
type Log struct {
	Level  string `yaml:"level" env:"LEVEL" doc:"debug, info, warn or error; debug logs every redirect"`
	Format string `yaml:"format" env:"FORMAT" doc:"json, or console for people"`
	Sample uint32 `yaml:"sample" env:"SAMPLE" doc:"log every Nth redirect at level info, e.g. 1000; 0 logs none"`
}

// Frontend configures the front end.
type Frontend struct {
	Listen              string           `yaml:"listen" env:"LISTEN" doc:"address for clients"`
	AdminListen         string           `yaml:"admin_listen" env:"ADMIN_LISTEN" doc:"address for /healthz, /readyz and /metrics"`
	PublicNames         []string         `yaml:"public_names" env:"PUBLIC_NAMES" envSeparator:" " doc:"hosts that lead to the front ends, e.g. mirror.example.com or mirror.example.com:8443. A source there, or a hop of its redirects, is refused. Without a port, all ports are. The addresses of listen and admin_listen are refused by themselves"`
	LoopID              string           `yaml:"loop_id" env:"LOOP_ID" doc:"name of this deployment in the CDN-Loop of requests to sources (RFC 8586). A request that comes back with it is answered 508. If empty, it is derived from the names of the queue and of all buckets: front ends and workers must list the same. Deployments that share these names need a loop_id each"`
	MaxWait             time.Duration    `yaml:"max_wait" env:"MAX_WAIT" doc:"how long a client waits for a copy before it is redirected to the source"`
	MaxWaitLimit        time.Duration    `yaml:"max_wait_limit" env:"MAX_WAIT_LIMIT" doc:"upper limit of a client's ?max_wait="`
	Chain               time.Duration    `yaml:"chain" env:"CHAIN" doc:"how long one request is held at most, for load balancers that cut long requests. A client that waits longer is redirected to the front end again for the remainder; 0 disables this"`
	MaxWaiters          int              `yaml:"max_waiters" env:"MAX_WAITERS" doc:"maximum requests waiting for copies, per process"`
	MaxWaitersPerObject int              `yaml:"max_waiters_per_object" env:"MAX_WAITERS_PER_OBJECT" doc:"maximum requests waiting for one object"`
	MaxWaitersPerClient int              `yaml:"max_waiters_per_client" env:"MAX_WAITERS_PER_CLIENT" doc:"maximum requests of one client waiting for copies, per process; 0 is a fifth of max_waiters. A client is an IPv4 address or an IPv6 /64: set region.trusted_hops behind a proxy"`
	ColdRate            int              `yaml:"cold_rate" env:"COLD_RATE" doc:"maximum copies requested per second for one client, per process; 0 is no limit. A copy that redis has forgotten counts as a new one, and so does raising the priority of a list's copy. Requests for other copies that exist, or are being made, are never limited"`
	ColdBurst           int              `yaml:"cold_burst" env:"COLD_BURST" doc:"copies that one client may request at once, before cold_rate applies"`
	ColdRatePerHost     int              `yaml:"cold_rate_per_host" env:"COLD_RATE_PER_HOST" doc:"maximum copies requested per second from one source host, for all clients, per process; 0 is no limit"`
	ColdBurstPerHost    int              `yaml:"cold_burst_per_host" env:"COLD_BURST_PER_HOST" doc:"copies from one source host that may be requested at once, before cold_rate_per_host applies"`
	MaxBacklog          int              `yaml:"max_backlog" env:"MAX_BACKLOG" doc:"maximum tasks of a pool that wait in Temporal, and messages that wait in a bridge; beyond it, front ends request no new copies into the pool; 0 is no limit. Lists of copies stop at half of it"`
	MaxBacklogAge       time.Duration    `yaml:"max_backlog_age" env:"MAX_BACKLOG_AGE" doc:"maximum age of the oldest of these tasks and messages, since the message was sent, except those of lists and of large objects, which have a queue of their own; 0 is no limit"`
	AtLimit             frontend.AtLimit `yaml:"at_limit" env:"AT_LIMIT" doc:"what a request gets at one of these limits: source, a redirect to the original URL at once; or refuse, 429 at a limit of one client and 503 at any other, with Retry-After"`
	MaxConns            int              `yaml:"max_conns" env:"MAX_CONNS" doc:"maximum connections of clients, per process; a new one takes the place of the longest idle one, and is refused if none is idle. Lowered if the limit of open files is less; must be greater than max_waiters; 0 is no limit"`
	MaxConnsPerClient   int              `yaml:"max_conns_per_client" env:"MAX_CONNS_PER_CLIENT" doc:"maximum connections of one IPv4 address or IPv6 /64; 0 is no limit, and so is region.trusted_hops above 0, since the connections are then those of proxies"`
	Drain               time.Duration    `yaml:"drain" env:"DRAIN" doc:"how long a front end that is told to stop serves clients while it is not ready; choose a time in which every load balancer notices. A second signal ends it at once"`
	ClientTimeout       time.Duration    `yaml:"client_timeout" env:"CLIENT_TIMEOUT" doc:"how long a client may vanish, or read nothing of its answer, before its connection is closed"`
	CacheEntries        int              `yaml:"cache_entries" env:"CACHE_ENTRIES" doc:"redirects held in memory, which redis keeps current; 0 holds none"`
	CacheMemory         Size             `yaml:"cache_memory" env:"CACHE_MEMORY" doc:"approximate memory for these redirects, with garbage; one takes about 1.2 KiB, and more if its URL has more than 100 bytes"`
	TokensFile          string           `yaml:"tokens_file" env:"TOKENS_FILE" doc:"file of bearer tokens, for purges, lists of copies and details of a status: a line for each token (see [Tokens](#tokens)). It is read at the start, and again within seconds of a change. Without a file all tokens are refused"`
	StatusRate          int              `yaml:"status_rate" env:"STATUS_RATE" doc:"maximum HEADs of the bucket per second for one client of /v1/status, per process; others get 429 with Retry-After. Only objects that redis does not know cost one. A token with the scope status is not limited; 0 is no limit"`
	StatusBurst         int              `yaml:"status_burst" env:"STATUS_BURST" doc:"such HEADs that one client may cause at once, before status_rate applies"`
	WarmRate            int              `yaml:"warm_rate" env:"WARM_RATE" doc:"maximum copies requested for lists per second, per process, so that waiting clients do not queue behind them; 0 is no limit"`
	MaxLists            int              `yaml:"max_lists" env:"MAX_LISTS" doc:"maximum lists of copies served at the same time, per process; others get 503 with Retry-After. A list takes up to 20MiB; 0 is no limit"`
	MinSize             Size             `yaml:"min_size" env:"MIN_SIZE" doc:"size of the smallest object that /v1/redirect and lists copy; clients of a smaller one are redirected to the source. 0 copies every object"`
}

// Region configures how a front end resolves the region auto.
type Region struct {
	IPRanges    string            `yaml:"ip_ranges" env:"IP_RANGES" doc:"AWS's list of address ranges: a file, which must exist at the start, or a URL (https://ip-ranges.amazonaws.com/ip-ranges.json). With a list, clients can request the region auto, which is their own"`
	Reload      time.Duration     `yaml:"reload" env:"RELOAD" doc:"how often the list is reloaded"`
	Nearest     map[string]string `yaml:"nearest" env:"NEAREST" envSeparator:" " envKeyValSeparator:"=" doc:"the region to use for each region without a pool, e.g. us-west-1: us-west-2, or us-west-1=us-west-2 in the environment"`
	Default     string            `yaml:"default" env:"DEFAULT" doc:"region of clients whose own region is unknown or has no pool; if empty, they are redirected to the source"`
	TrustedHops int               `yaml:"trusted_hops" env:"TRUSTED_HOPS" doc:"number of proxies in front of the front end whose X-Forwarded-For is trusted, for the region auto and for limits per client"`
}

// Source configures the sources that may be copied, and how to reach them.
type Source struct {
	Allowed          []string       `yaml:"allowed" env:"ALLOWED" envSeparator:" " doc:"**required** without mirror.upstreams; the sources, e.g. https://artifacts.example.com/ or https://*.example.com:8443/builds/. One of them must allow a URL, and each hop of its redirects. URLs below an upstream are allowed without one. See [Which sources are allowed](#which-sources-are-allowed)"`
	EnsureSSL        bool           `yaml:"ensure_ssl" env:"ENSURE_SSL" doc:"allow only https sources, at every hop"`
	RedirectLimit    int            `yaml:"redirect_limit" env:"REDIRECT_LIMIT" doc:"maximum redirects followed"`
	AllowedNetworks  []netip.Prefix `yaml:"allowed_networks" env:"ALLOWED_NETWORKS" envSeparator:" " doc:"private and special-purpose networks that sources may be in, e.g. 10.0.0.0/8; others are refused at dial time. The metadata services of clouds stay refused, unless their address is listed by itself"`
	DeniedNetworks   []netip.Prefix `yaml:"denied_networks" env:"DENIED_NETWORKS" envSeparator:" " doc:"networks that sources must not be in; they win over allowed_networks. Metadata services, the own listeners, redis, SQS and Temporal are refused by themselves"`
	Timeout          time.Duration  `yaml:"timeout" env:"TIMEOUT" doc:"timeout for connecting, for TLS and for response headers, each, at each hop"`
	StallTimeout     time.Duration  `yaml:"stall_timeout" env:"STALL_TIMEOUT" doc:"how long a connection to a source may send nothing, or less than min_rate, during a copy"`
	MinRate          Size           `yaml:"min_rate" env:"MIN_RATE" doc:"bytes per second that a connection to a source must send"`
	MinAverageRate   Size           `yaml:"min_average_rate" env:"MIN_AVERAGE_RATE" doc:"bytes per second that a copy must have received on average once it has read from the source for a minute; waiting does not count. A slower copy ends while a copy from another host waits for what it may hold, and its clients are redirected to the source; 0 disables this"`
	MaxSize          Size           `yaml:"max_size" env:"MAX_SIZE" doc:"largest object that is copied; clients of a larger one are redirected to the source"`
	MaxConnsPerHost  int            `yaml:"max_conns_per_host" env:"MAX_CONNS_PER_HOST" doc:"maximum connections to one source host for large objects, and as many again for first requests and small objects, per process. The first number adapts to hosts that refuse parallel requests"`
	UserAgent        string         `yaml:"user_agent" env:"USER_AGENT" doc:"User-Agent of requests to sources"`
	QueryKeys        []string       `yaml:"query_keys" env:"QUERY_KEYS" envSeparator:" " secret:"true" doc:"**required** by front ends and workers; keys that seal the queries of source URLs in messages and workflow histories. The first key seals, each key opens. Generate one with openssl rand -base64 32"`
	Authoritative4xx []string       `yaml:"authoritative_4xx" env:"AUTHORITATIVE_4XX" envSeparator:" " doc:"hosts, e.g. example.com or example.com:8080, whose every 4xx is passed on to clients, except 401 and 407. Of other hosts, only 404 and 410 are; at any other 4xx, clients are redirected to the source, which may accept them"`
}

// Redis configures the connection to redis.
type Redis struct {
	URL     string        `yaml:"url" env:"URL" secret:"true" doc:"**required**; redis://, rediss:// or unix://, with user, password and database. With master_name it names sentinels, and redis+cluster:// or rediss+cluster:// names a cluster: see REDIS.md"`
	Timeout time.Duration `yaml:"timeout" env:"TIMEOUT" doc:"front ends' timeout for redis; exceeding it opens the circuit breaker, of that master in a cluster"`
	Prefix  string        `yaml:"prefix" env:"PREFIX" doc:"start of all keys and channels in redis: 1 to 16 letters, digits, '.', '_' and '-'. Give each deployment on one redis its own, and all processes of a deployment the same"`
}

// Cache configures how long entries are trusted.
type Cache struct {
	TTL             time.Duration `yaml:"ttl" env:"TTL" doc:"how long a copy is assumed to exist without another HEAD of the bucket"`
	VerifyEvery     time.Duration `yaml:"verify_every" env:"VERIFY_EVERY" doc:"how often, at most, front ends HEAD the bucket in the background for a copy that clients are redirected to, to notice one that was deleted there; 0 disables this"`
	ExpiryMargin    time.Duration `yaml:"expiry_margin" env:"EXPIRY_MARGIN" doc:"stop redirecting to a copy this long before the bucket deletes it"`
	Lease           time.Duration `yaml:"lease" env:"LEASE" doc:"how long a copy may make no progress before the next request restarts it; at most 60s"`
	NegativeTTL     time.Duration `yaml:"negative_ttl" env:"NEGATIVE_TTL" doc:"how long a permanent error, such as the source's 404, is answered from the cache"`
	UnmirrorableTTL time.Duration `yaml:"unmirrorable_ttl" env:"UNMIRRORABLE_TTL" doc:"how long an object is not copied again, and its clients are redirected to the source at once, after three copies in a row failed because of how the source answers (for example truncated bodies or wrong digests)"`
	RetryAfter      time.Duration `yaml:"retry_after" env:"RETRY_AFTER" doc:"how soon after a transient failure a request restarts the copy; doubles with each consecutive failure, with jitter"`
	RetryMax        time.Duration `yaml:"retry_max" env:"RETRY_MAX" doc:"upper limit of the doubled retry_after"`
}

// SQS configures the copy-request queue.
type SQS struct {
	Queue             string        `yaml:"queue" env:"QUEUE" doc:"name of the queue; the dead-letter queue is this name followed by _dead"`
	Region            string        `yaml:"region" env:"REGION" doc:"region of the queue; if empty, that of the AWS default chain"`
	Endpoint          string        `yaml:"endpoint" env:"ENDPOINT" doc:"base URL of a server that is not AWS"`
	VisibilityTimeout time.Duration `yaml:"visibility_timeout" env:"VISIBILITY_TIMEOUT" doc:"how long SQS hides a message that a bridge could not delete or move. A message that waits for Temporal is hidden for 10 s at a time"`
	Timeout           time.Duration `yaml:"timeout" env:"TIMEOUT" doc:"how long SQS may take to answer a call. A receive has 20s more, in which it waits for messages"`
	MaxReceives       int           `yaml:"max_receives" env:"MAX_RECEIVES" doc:"receives after which a message becomes a dead letter"`
}

// S3 configures all pools.
type S3 struct {
	BucketBase   string        `yaml:"bucket_base" env:"BUCKET_BASE" doc:"buckets are named BUCKET_BASE-REGION unless a pool sets bucket"`
	BucketOwner  string        `yaml:"bucket_owner" env:"BUCKET_OWNER" doc:"id of the AWS account that must own the buckets: 12 digits, in quotes. Every request names it, and S3 refuses a request to the bucket of another account. If empty, any account may own them"`
	LifespanDays int           `yaml:"lifespan_days" env:"LIFESPAN_DAYS" doc:"days after which the bucket deletes a copy (a lifecycle rule that setup creates); 0 keeps copies"`
	Refresh      bool          `yaml:"refresh" env:"REFRESH" doc:"have the bucket keep a copy that clients use in the last quarter of its life, by a copy onto itself; otherwise it is fetched from the source again"`
	CORS         bool          `yaml:"cors" env:"CORS" doc:"let scripts of every site read copies (a CORS rule that setup creates); false removes only that rule"`
	PartSize     Size          `yaml:"part_size" env:"PART_SIZE" doc:"size of a part, at least 5MiB. Objects of up to 8MiB are one request; objects of more than 10,000 parts have larger parts"`
	Timeout      time.Duration `yaml:"timeout" env:"TIMEOUT" doc:"how long S3 may take to send the head of a response. Copies by the server and completions of uploads may take minutes"`
	PresignFor   time.Duration `yaml:"presign_for" env:"PRESIGN_FOR" doc:"longest validity of a redirect to a private bucket; at most 168h, and never longer than the credentials'"`
}

// Worker configures the copies and the bridge.
type Worker struct {
	AdminListen     string        `yaml:"admin_listen" env:"ADMIN_LISTEN" doc:"address for /healthz, /readyz, /metrics and the [page for people](OPERATORS.md#the-page-for-people)"`
	Copy            bool          `yaml:"copy" env:"COPY" doc:"make copies (the Temporal worker)"`
	Pools           []string      `yaml:"pools" env:"POOLS" envSeparator:" " doc:"pools that this worker copies into, e.g. s3_us-west-2; all if empty. Run a worker in each region"`
	Concurrency     int           `yaml:"concurrency" env:"CONCURRENCY" doc:"copies of small objects that run at the same time, per pool; those of large objects come in addition"`
	HostShare       int           `yaml:"host_share" env:"HOST_SHARE" doc:"percent of a pool's slots, and of memory and spool_limit, that copies from one source host keep while copies from other hosts wait. Otherwise they can use all"`
	Memory          Size          `yaml:"memory" env:"MEMORY" doc:"memory for the parts of all copies together. A quarter is for objects of up to 8MiB; the rest limits how many larger objects are copied at the same time"`
	Parts           int           `yaml:"parts" env:"PARTS" doc:"parts of one copy that are read and stored at the same time"`
	SpoolDir        string        `yaml:"spool_dir" env:"SPOOL_DIR" doc:"folder for the parts of huge objects (by default those above 1.22TiB), two of each at a time; if empty, the system's folder for temporary files"`
	SpoolLimit      Size          `yaml:"spool_limit" env:"SPOOL_LIMIT" doc:"disk space in spool_dir for these parts; further parts wait. It must hold the largest part, of max_size / 10,000 and at most 5GiB"`
	Bridge          bool          `yaml:"bridge" env:"BRIDGE" doc:"start workflows for the queue's messages (the SQS bridge)"`
	Receivers       int           `yaml:"receivers" env:"RECEIVERS" doc:"receives that the bridge makes at the same time, of up to 10 messages each; it starts 10 workflows at the same time for each of them"`
	Intake          int           `yaml:"intake" env:"INTAKE" doc:"received messages that the bridge holds in memory until it starts their workflows, from 10 to 10000. Their source hosts take turns, purges come first, and lists of copies last. Messages beyond it wait in SQS, in the order of SQS. A killed bridge delays those that it holds by 10 s"`
	PayloadKeys     []string      `yaml:"payload_keys" env:"PAYLOAD_KEYS" envSeparator:" " secret:"true" doc:"keys, as id=key or key, that encrypt what Temporal stores of workflows. The first key encrypts, each key decrypts; none as the first entry encrypts nothing; empty is off. Generate a key with openssl rand -base64 32"`
	CodecListen     string        `yaml:"codec_listen" env:"CODEC_LISTEN" doc:"address of the codec server, by which Temporal's Web UI and CLI decrypt payloads; empty is none. It has no TLS"`
	CodecTokensFile string        `yaml:"codec_tokens_file" env:"CODEC_TOKENS_FILE" doc:"file of the tokens for the codec server, with the scope codec; **required** with codec_listen"`
	CodecOrigin     string        `yaml:"codec_origin" env:"CODEC_ORIGIN" doc:"origin of the Web UI whose scripts may use the codec server, e.g. https://temporal.example.com; if empty, only programs may"`
	CheckEvery      time.Duration `yaml:"check_every" env:"CHECK_EVERY" doc:"how often the worker checks that Temporal answers. If Temporal, or every receive from SQS, has failed for three times as long, /readyz answers 503"`
}

// Pool configures one service in one region.
type Pool struct {
	Service     string `yaml:"service" doc:"s3"`
	Region      string `yaml:"region" doc:"**required**; e.g. us-west-2"`
	Bucket      string `yaml:"bucket" doc:"name of the bucket, if not BUCKET_BASE-REGION"`
	BucketOwner string `yaml:"bucket_owner" doc:"id of the AWS account that must own the bucket, if not s3.bucket_owner; any if any account may. Write it in quotes"`
	Endpoint    string `yaml:"endpoint" doc:"base URL of an S3-compatible server that is not AWS"`
	KeyEndpoint string `yaml:"key_endpoint" doc:"endpoint that redis keys name instead of endpoint, if processes reach one bucket by several, such as a VPC endpoint. It must be the same for all of them"`
	PathStyle   bool   `yaml:"path_style" doc:"put the bucket in the path of the URL, as most S3-compatible servers require"`
	Checksum    string `yaml:"checksum" doc:"crc64nvme, which setup probes, or md5 for a server without it"`
	// The zero values suit AWS and most servers.
	SignPayload     bool `yaml:"sign_payload" doc:"sign a hash of each upload's payload, for a server that requires it over plain http"`
	Overwrite       bool `yaml:"overwrite" doc:"no conditional writes, for a server that refuses them. A worker that was frozen for minutes could then replace a newer copy with an old one"`
	AllowUnverified bool `yaml:"allow_unverified" doc:"copy objects that a source sends with neither length nor chunking, although nothing proves them complete. Such copies are marked cloud-mirror-unverified"`
	MaxSize         Size `yaml:"max_size" doc:"largest object that is copied into the pool, if not source.max_size"`
	MaxParts        int  `yaml:"max_parts" doc:"parts of all copies that are read and stored at the same time in the pool, per process"`

	DownloadActive bool `yaml:"download_active" doc:"store active content (HTML, SVG, other XML, scripts, missing or malformed types) with Content-Disposition: attachment, so that browsers download it instead of running its scripts. Copies then differ from the source in this header. Existing copies keep theirs until they are purged or expire"`

	PublicURL string `yaml:"public_url" doc:"base URL at which the bucket is publicly readable; redirects then go there unsigned. Its host must be in a domain that nothing else uses: see [Public buckets](#public-buckets)"`
}

// defaultPool returns the defaults of a pool.
func defaultPool() Pool { return Pool{Service: "s3", Checksum: "crc64nvme", MaxParts: 128} }

func (p *Pool) complete() {
	d := defaultPool()
	p.Service, p.Checksum, p.MaxParts = cmp.Or(p.Service, d.Service), cmp.Or(p.Checksum, d.Checksum), cmp.Or(p.MaxParts, d.MaxParts)
}

// Default returns the configuration of an empty file and environment. A required setting has no
// default.
func Default() Config {
	return Config{
		Log: Log{Level: "info", Format: "json"},
		Frontend: Frontend{
			Listen: ":8080", AdminListen: "127.0.0.1:8081", MaxWait: 28 * time.Second, MaxWaitLimit: 5 * time.Minute,
			MaxWaiters: 20_000, MaxWaitersPerObject: 10_000, CacheEntries: 200_000, CacheMemory: 256 << 20, WarmRate: 50,
			ColdRate: 50, ColdBurst: 500, ColdRatePerHost: 200, ColdBurstPerHost: 2000, StatusRate: 10, StatusBurst: 100, MaxBacklog: 10_000, MaxBacklogAge: 2 * time.Minute,
			AtLimit:  frontend.AtLimitSource,
			MaxLists: 8, MaxConns: 25_000, MaxConnsPerClient: 10_000, ClientTimeout: 30 * time.Second,
		},
		Region: Region{Reload: time.Hour},
		Mirror: Mirror{Wait: 10 * time.Second, MinSize: 1 << 20, AuditEvery: 1000},
		Redis:  Redis{Timeout: 50 * time.Millisecond, Prefix: cache.DefaultPrefix},
		Source: Source{
			EnsureSSL: true, RedirectLimit: 30, Timeout: 10 * time.Second, StallTimeout: 30 * time.Second, MinRate: 1 << 10,
			MinAverageRate: 64 << 10, MaxSize: 1 << 40, MaxConnsPerHost: 64, UserAgent: "cloud-mirror/1",
		},
		Cache: Cache{
			TTL: 24 * time.Hour, VerifyEvery: 10 * time.Minute, ExpiryMargin: 3 * time.Hour, Lease: time.Minute,
			NegativeTTL: 30 * time.Second, UnmirrorableTTL: time.Hour, RetryAfter: 10 * time.Second, RetryMax: 5 * time.Minute,
		},
		SQS: SQS{Queue: "cloud-mirror", VisibilityTimeout: 30 * time.Second, Timeout: 10 * time.Second, MaxReceives: 10},
		S3:  S3{LifespanDays: 30, Refresh: true, CORS: true, PartSize: 8 << 20, Timeout: time.Minute, PresignFor: time.Hour},
		Worker: Worker{
			AdminListen: "127.0.0.1:8082", Copy: true, Concurrency: 64, HostShare: 25, Memory: 1 << 30, SpoolLimit: 16 << 30, Parts: 6, Bridge: true, Receivers: 4, Intake: 1000,
			CheckEvery: 15 * time.Second,
		},
		Prices: defaultPrices(),
	}
}
