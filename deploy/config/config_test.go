package config_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

var update = flag.Bool("update", false, "write settings and defaults into deploy/README.md")

const minimal = `
source: {allowed: ["https://example.com/"]}
redis: {url: "redis://:hunter2@localhost:6379/0"}
s3: {bucket_base: mirror}
pools:
  - {region: us-west-2}
  - {region: us-east-1, bucket: other, endpoint: "http://localhost:9000", path_style: true}
`

func load(t *testing.T, text string, environ ...string) (config.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return config.Load(file, environ)
}

func TestFileOverridesDefaultsAndEnvironmentOverridesFile(t *testing.T) {
	c, err := load(t, minimal+"frontend: {max_wait: 5s}\n",
		"CLOUD_MIRROR_FRONTEND_MAX_WAIT=7s", "CLOUD_MIRROR_S3_PART_SIZE=8MiB", "CLOUD_MIRROR_WORKER_POOLS=s3_us-west-2 s3_us-east-1",
		"CLOUD_MIRROR_SOURCE_ALLOWED_NETWORKS=10.0.0.0/8", "CLOUD_MIRROR_SOURCE_ENSURE_SSL=false", "OTHER=x",
		`CLOUD_MIRROR_SOURCE_ALLOWED=https://a/x,y/ https://b/`, "CLOUD_MIRROR_SOURCE_DENIED_NETWORKS=10.1.0.0/16 fd00::/8",
		"CLOUD_MIRROR_SERVICE_HOST=10.0.0.1", "CLOUD_MIRROR_PORT_8080_TCP=tcp://10.0.0.1:8080", "CLOUD_MIRROR_FRONTEND_SERVICE_PORT=80")
	require.NoError(t, err)
	require.Equal(t, 7*time.Second, c.Frontend.MaxWait)
	require.Equal(t, time.Minute, c.Cache.Lease)
	require.EqualValues(t, 8<<20, c.S3.PartSize)
	require.Equal(t, []string{"s3_us-west-2", "s3_us-east-1"}, c.Worker.Pools)
	require.False(t, c.Source.EnsureSSL)
	require.Equal(t, []string{"https://a/x,y/", "https://b/"}, c.Source.Allowed, "a comma is part of an entry")
	require.Equal(t, c.Source.DeniedNetworks, c.Origin().DeniedNetworks)
	require.Len(t, c.Source.DeniedNetworks, 2)
	require.Equal(t, "10.0.0.0/8", c.Source.AllowedNetworks[0].String())
	pools := c.StoragePools()
	require.Equal(t, "mirror-us-west-2", pools[0].Bucket)
	require.Equal(t, "other", pools[1].Bucket)
	require.Equal(t, 30*24*time.Hour, pools[1].Lifespan)
	require.True(t, pools[0].CORS && pools[1].CORS)

	c, err = load(t, minimal, "CLOUD_MIRROR_S3_CORS=false")
	require.NoError(t, err)
	require.False(t, c.StoragePools()[0].CORS || c.StoragePools()[1].CORS)
}

func TestErrorIsOneLineThatNamesTheKey(t *testing.T) {
	for name, tc := range map[string]struct {
		edit    func(string) string
		environ string
		want    string
	}{
		"misspelt key":              {add("frontend: {max_wiat: 5s}"), "", `unknown key "max_wiat"`},
		"misspelt section":          {add("fronted: {max_wait: 5s}"), "", `unknown key "fronted"`},
		"misspelt key of a pool":    {replace("path_style", "pathstyle"), "", `unknown key "pathstyle"`},
		"duplicate key":             {add("redis: {url: x}"), "", `"redis"`},
		"not YAML":                  {add("a: [hunter2"), "", "line "},
		"wrong type":                {add("frontend: {max_wait: hunter2}"), "", "frontend.max_wait: want a duration such as 5s"},
		"wrong type of a size":      {replace("bucket_base: mirror", "part_size: hunter2"), "", "s3.part_size: want a size such as 32MiB"},
		"wrong type of a list":      {replace("source: {", "source: {query_keys: {a: hunter2}, "), "", "source.query_keys: want a list"},
		"former key":                {add("worker: {query_keys: [hunter2]}"), "", "worker.query_keys: is source.query_keys now"},
		"former variable":           {nil, "CLOUD_MIRROR_WORKER_QUERY_KEYS=hunter2", "environment: CLOUD_MIRROR_WORKER_QUERY_KEYS: is source.query_keys now"},
		"wrong type of a pool":      {replace("path_style: true", "path_style: hunter2"), "", "pools[1].path_style: want true or false"},
		"no source":                 {replace(`["https://example.com/"]`, "[]"), "", "source.allowed: is empty"},
		"empty source":              {replace(`https://example.com/`, ""), "", `source.allowed: "" is empty: write a URL such as`},
		"source without a slash":    {replace(`https://example.com/`, `^https://a\\.example\\.com`), "", "would also allow https://a.example.com.evil.test/: write https://a.example.com/"},
		"variable of a source":      {nil, "CLOUD_MIRROR_SOURCE_ALLOWED=.*", "source.allowed: `.*` is a regular expression that would also allow https://x.invalid/"},
		"patterns":                  {replace("allowed:", "allowed_patterns:"), "", "source.allowed_patterns: is now source.allowed"},
		"variable of patterns":      {nil, "CLOUD_MIRROR_SOURCE_ALLOWED_PATTERNS=hunter2", "environment: CLOUD_MIRROR_SOURCE_ALLOWED_PATTERNS: is now source.allowed"},
		"bad denied network":        {nil, "CLOUD_MIRROR_SOURCE_DENIED_NETWORKS=hunter2", "environment: CLOUD_MIRROR_SOURCE_DENIED_NETWORKS: want "},
		"root that is not literal":  {add("mirror: {upstreams: [{url: 'https://github.com/a(b)/'}]}"), "", "mirror.upstreams: \"https://github.com/a(b)/\" has a path with one of"},
		"no redis":                  {replace("redis://:hunter2@localhost:6379/0", ""), "", "redis.url: is not set"},
		"no pools":                  {func(s string) string { s, _, _ = strings.Cut(s, "pools:"); return s }, "", "pools: is empty"},
		"duplicate pool":            {replace("region: us-east-1", "region: us-west-2"), "", "pools[1].region: s3_us-west-2 is configured twice"},
		"bad region":                {replace("us-east-1", "us_east"), "", `pools[1].region: "us_east" is not the name of a region`},
		"region all":                {replace("us-east-1", "all"), "", `pools[1].region: "all" is not the name of a region`},
		"bad service":               {replace("{region: us-west-2}", "{region: us-west-2, service: gcs}"), "", `pools[0].service: "gcs" is not s3`},
		"bad bucket":                {replace("bucket: other", "bucket: Other_"), "", `pools[1].bucket: "Other_" is not a bucket's name`},
		"no bucket":                 {replace("bucket_base: mirror", "lifespan_days: 3"), "", "pools[0].bucket: is not set, and neither is s3.bucket_base"},
		"duplicate bucket":          {replace("bucket: other, endpoint: \"http://localhost:9000\", path_style: true", "bucket: mirror-us-west-2"), "", `pools[1].bucket: "mirror-us-west-2" is already the bucket of another pool`},
		"FIFO queue":                {nil, "CLOUD_MIRROR_SQS_QUEUE=x.fifo", `sqs.queue: "x.fifo" is not the name of a standard queue`},
		"alias":                     {add("frontend: {tokens_file: *hunter2}"), "", "line "},
		"token of earlier builds":   {add("frontend: {purge_token: hunter2}"), "", "frontend.purge_token: is replaced by frontend.tokens_file"},
		"its variable":              {nil, "CLOUD_MIRROR_FRONTEND_PURGE_TOKEN=hunter2", "environment: CLOUD_MIRROR_FRONTEND_PURGE_TOKEN: is replaced by frontend.tokens_file"},
		"bad endpoint":              {replace("http://localhost:9000", "localhost:9000"), "", "pools[1].endpoint: is not a URL"},
		"lease too long":            {add("cache: {lease: 2m}"), "", "cache.lease: 2m0s is not between 1s and 1m0s"},
		"verified too often":        {nil, "CLOUD_MIRROR_CACHE_VERIFY_EVERY=999ms", "cache.verify_every: 999ms is neither 0 nor between 1s and 168h0m0s"},
		"verified too rarely":       {nil, "CLOUD_MIRROR_CACHE_VERIFY_EVERY=169h", "cache.verify_every: 169h0m0s is neither 0 nor between 1s and 168h0m0s"},
		"part too small":            {add("worker: {}\n"), "CLOUD_MIRROR_S3_PART_SIZE=1MiB", "s3.part_size: 1048576 is not between"},
		"not enough memory":         {nil, "CLOUD_MIRROR_WORKER_MEMORY=31MiB", "worker.memory: 32505856 bytes are too few"},
		"unknown pool of a worker":  {nil, "CLOUD_MIRROR_WORKER_POOLS=s3_mars-1", `worker.pools: "s3_mars-1" is not the id of a configured pool`},
		"worker with nothing to do": {add("worker: {copy: false, bridge: false}"), "", "worker.bridge: is off, and so is worker.copy"},
		"region auto":               {replace("us-east-1", "auto"), "", `pools[1].region: "auto" is not the name of a region`},
		"default without a pool":    {add("region: {ip_ranges: x.json, default: mars-1}"), "", `region: default region: "mars-1" has no pool`},
		"nearest without a pool":    {add("region: {ip_ranges: x.json}"), "CLOUD_MIRROR_REGION_NEAREST=us-west-1=mars-1", `region: nearest pool of us-west-1: "mars-1" has none`},
		"no share of a host":        {add("worker: {host_share: 0}"), "", "worker.host_share: 0 is not between 1 and 100"},
		"more than the whole":       {add("worker: {host_share: 101}"), "", "worker.host_share: 101 is not between 1 and 100"},
		"no size":                   {replace("source: {", "source: {max_size: 0, "), "", "source.max_size: 0 is not between 1 and"},
		"more than S3 stores":       {replace("source: {", "source: {max_size: 49TiB, "), "", "source.max_size: 53876069761024 is not between"},
		"size of a pool":            {replace("us-west-2}", "us-west-2, max_size: 49TiB}"), "", "pools[0].max_size: 53876069761024 is not between"},
		"no room for a part":        {replace("us-west-2}", "us-west-2, max_size: 40TiB}"), "CLOUD_MIRROR_WORKER_SPOOL_LIMIT=4GiB", "worker.spool_limit: 4294967296 bytes don't hold a part of an object of max_size, 4398776320 bytes"},
		"average rate":              {replace("source: {", "source: {min_average_rate: -1, "), "", "source.min_average_rate"},
		"waiters of one object":     {add("frontend: {max_waiters: 5}"), "", "frontend.max_waiters_per_object: 10000 is not between 1 and 5"},
		"a long drain":              {nil, "CLOUD_MIRROR_FRONTEND_DRAIN=1h", "frontend.drain: 1h0m0s is not between 0s and 10m0s"},
		"no timeout of clients":     {nil, "CLOUD_MIRROR_FRONTEND_CLIENT_TIMEOUT=0s", "frontend.client_timeout: 0s is not between 1s and 1h0m0s"},
		"negative connections":      {add("frontend: {max_conns: -1}"), "", "frontend.max_conns: -1 is not between 0 and"},
		"fewer connections":         {nil, "CLOUD_MIRROR_FRONTEND_MAX_CONNS=20000", "frontend.max_conns: 20000 is neither 0 nor greater than frontend.max_waiters, 20000"},
		"negative lists":            {add("frontend: {max_lists: -1}"), "", "frontend.max_lists: -1 is not between 0 and"},
		"waiters of one client":     {add("frontend: {max_waiters: 5, max_waiters_per_object: 5, max_waiters_per_client: 6}"), "", "frontend.max_waiters_per_client: 6 is not between 0 and 5"},
		"cold rate":                 {nil, "CLOUD_MIRROR_FRONTEND_COLD_RATE=-1", "frontend.cold_rate: -1 is not between 0 and 1000000"},
		"no cold burst":             {nil, "CLOUD_MIRROR_FRONTEND_COLD_BURST=0", "frontend.cold_burst: 0 is not between 1 and 1000000"},
		"cold rate of a host":       {nil, "CLOUD_MIRROR_FRONTEND_COLD_RATE_PER_HOST=-1", "frontend.cold_rate_per_host: -1 is not between 0 and 1000000"},
		"no cold burst of a host":   {nil, "CLOUD_MIRROR_FRONTEND_COLD_BURST_PER_HOST=0", "frontend.cold_burst_per_host: 0 is not between 1 and 1000000"},
		"rate of statuses":          {nil, "CLOUD_MIRROR_FRONTEND_STATUS_RATE=-1", "frontend.status_rate: -1 is not between 0 and 1000000"},
		"no burst of statuses":      {nil, "CLOUD_MIRROR_FRONTEND_STATUS_BURST=0", "frontend.status_burst: 0 is not between 1 and 1000000"},
		"backlog":                   {nil, "CLOUD_MIRROR_FRONTEND_MAX_BACKLOG=-1", "frontend.max_backlog: -1 is not between 0 and 1000000000"},
		"age of the backlog":        {nil, "CLOUD_MIRROR_FRONTEND_MAX_BACKLOG_AGE=10ms", "frontend.max_backlog_age: 10ms is neither 0 nor between 1s and 24h0m0s"},
		"answer at a limit":         {nil, "CLOUD_MIRROR_FRONTEND_AT_LIMIT=drop", `frontend.at_limit: "drop" is not source or refuse`},
		"zero timeout of redis":     {replace("redis: {", "redis: {timeout: 0s, "), "", "redis.timeout: 0s is not between 1ms and 10s"},
		"no prefix in redis":        {replace("redis: {", "redis: {prefix: '', "), "", `redis.prefix: "" is not 1 to 16 letters, digits, '.', '_' and '-'`},
		"long prefix in redis":      {nil, "CLOUD_MIRROR_REDIS_PREFIX=a-name-of-17-byte", `redis.prefix: "a-name-of-17-byte" is not 1 to 16`},
		"braces in redis' prefix":   {nil, "CLOUD_MIRROR_REDIS_PREFIX={cm}", `redis.prefix: "{cm}" is not 1 to 16`},
		"bad log level":             {add("log: {level: loud}"), "", `log.level: "loud" is not`},
		"misspelt variable":         {nil, "CLOUD_MIRROR_FRONTEND_MAX_WIAT=hunter2", "environment: CLOUD_MIRROR_FRONTEND_MAX_WIAT is not a setting"},
		"variable of wrong type":    {nil, "CLOUD_MIRROR_FRONTEND_MAX_WAIT=hunter2", "environment: CLOUD_MIRROR_FRONTEND_MAX_WAIT: want a duration such as 5s"},
		"margin beyond lifespan":    {add("cache: {expiry_margin: 720h}"), "", "cache.expiry_margin: 720h0m0s is not less than s3.lifespan_days, 30"},
	} {
		t.Run(name, func(t *testing.T) {
			text := minimal
			if tc.edit != nil {
				text = tc.edit(text)
				require.NotEqual(t, minimal, text)
			}
			_, err := load(t, text, tc.environ)
			require.Error(t, err)
			require.Contains(t, err.Error(), tc.want)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "hunter2", "the error repeats a value")
		})
	}
	_, err := config.Load("/does/not/exist.yaml", nil)
	require.ErrorContains(t, err, "/does/not/exist.yaml")
}

func TestVerificationCanBeDisabled(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 10 * time.Minute, "0s": 0, "1s": time.Second} {
		var environ []string
		if value != "" {
			environ = append(environ, "CLOUD_MIRROR_CACHE_VERIFY_EVERY="+value)
		}
		c, err := load(t, minimal, environ...)
		require.NoError(t, err)
		require.Equal(t, want, c.FlightOptions().VerifyEvery)
	}
}

func TestProxiesMayHaveAnyNumberOfConnections(t *testing.T) {
	for hops, want := range map[string]int{"0": 7, "1": 0} {
		c, err := load(t, minimal, "CLOUD_MIRROR_REGION_TRUSTED_HOPS="+hops, "CLOUD_MIRROR_FRONTEND_MAX_CONNS_PER_CLIENT=7")
		require.NoError(t, err)
		require.Equal(t, want, c.FrontendOptions().MaxConnsPerClient)
		require.Equal(t, 25_000, c.FrontendOptions().MaxConns)
	}
}

// TestMaxSizeOfAPool: a pool's own limit wins, and the copiers get it.
func TestMaxSizeOfAPool(t *testing.T) {
	c, err := load(t, strings.Replace(minimal, "us-west-2}", "us-west-2, max_size: 5GiB}", 1))
	require.NoError(t, err)
	all := c.Copiers(nil, make([]*storage.Bucket, len(c.Pools)))
	require.EqualValues(t, 5<<30, all[0].MaxSize)
	require.EqualValues(t, 1<<40, all[1].MaxSize, "the default")
	require.EqualValues(t, 64<<10, all[0].MinAverageRate)
	require.Same(t, all[0].Spool, all[1].Spool, "one disk")
	require.NotSame(t, all[0].Slots, all[1].Slots)
}

func add(line string) func(string) string { return func(s string) string { return s + line } }

func replace(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}

// TestOperatorsPageIsCurrent compares the page with the code: the table of settings, and the
// default in parentheses behind each setting of the limits.
func TestOperatorsPageIsCurrent(t *testing.T) {
	const file, begin, end = "../README.md", "<!-- settings -->\n", "<!-- /settings -->"
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(data), begin)
	require.True(t, ok)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok)

	defaults := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?`) \\| .*? \\| (`.*?`) \\|").FindAllStringSubmatch(config.Table(), -1) {
		defaults[row[1]] = row[2]
	}
	limit := regexp.MustCompile("(`[a-z0-9_]+\\.[a-z0-9_]+`) \\(`[^`]*`\\)")
	require.Greater(t, len(limit.FindAllString(after, -1)), 20, "defaults of the limits")
	after = limit.ReplaceAllStringFunc(after, func(text string) string {
		key := limit.FindStringSubmatch(text)[1]
		require.Contains(t, defaults, key)
		return key + " (" + defaults[key] + ")"
	})

	page := before + begin + config.Table() + end + after
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(page), 0o600))
		return
	}
	if page != string(data) { // require.Equal would print the whole page.
		t.Error("deploy/README.md is not current, run: go test ./deploy/config -update")
	}
}

func TestMemoryLimitsLargeSlots(t *testing.T) {
	pools := func(n int) []config.Pool {
		return []config.Pool{{Service: "s3", Region: "a"}, {Service: "s3", Region: "b"}, {Service: "s3", Region: "c"}}[:n]
	}
	for name, tc := range map[string]struct {
		memory, part config.Size
		pools        int
		only         []string
		want         int
	}{
		"three quarters of 1GiB":                 {1 << 30, 8 << 20, 1, nil, 96},
		"shared by three pools":                  {1 << 30, 8 << 20, 3, nil, 32},
		"not shared with pools of other workers": {1 << 30, 8 << 20, 3, []string{"s3_b"}, 96},
		"a part takes a power of two":            {1 << 30, 9 << 20, 1, nil, 48},
		"one for the smallest memory":            {32 << 20, 8 << 20, 3, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := config.Default()
			c.Worker.Memory, c.S3.PartSize, c.Pools, c.Worker.Pools = tc.memory, tc.part, pools(tc.pools), tc.only
			require.Equal(t, tc.want, c.LargeSlots())
		})
	}
}

func TestMemoryLimitOfFrontEnd(t *testing.T) {
	for _, tc := range []struct {
		lists, conns int
		want         config.Size
	}{{0, 0, 320 << 20}, {8, 0, 480 << 20}, {8, 10_240, 680 << 20}} {
		c := config.Default()
		c.Frontend.CacheMemory, c.Frontend.MaxLists = 256<<20, tc.lists
		require.EqualValues(t, tc.want, c.FrontendMemoryLimit(tc.conns), "%d lists, %d connections", tc.lists, tc.conns)
	}
	size, err := config.Size(frontend.MaxListMemory).MarshalText()
	require.NoError(t, err)
	require.Contains(t, config.Table(), "A list takes up to "+string(size))
}

func TestClientsBehindTrustedProxies(t *testing.T) {
	for hops, want := range map[string]string{"0": "192.0.2.1", "1": "198.51.100.7", "2": "203.0.113.9", "3": "192.0.2.1"} {
		c, err := load(t, minimal, "CLOUD_MIRROR_REGION_TRUSTED_HOPS="+hops)
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "192.0.2.1:567"
		r.Header.Set("X-Forwarded-For", "203.0.113.9, 198.51.100.7")
		require.Equal(t, want, c.FrontendOptions().ClientOf(r).String(), "%s hops", hops)
	}
}

func TestDefaultLimits(t *testing.T) {
	c, err := load(t, minimal)
	require.NoError(t, err)
	o := c.FlightOptions()
	require.Equal(t, []int{50, 500, 200, 2000}, []int{o.ColdRate, o.ColdBurst, o.ColdRatePerHost, o.ColdBurstPerHost})
	require.Equal(t, []int{10, 100}, []int{o.StatusRate, o.StatusBurst})
	require.Zero(t, o.MaxWaitersPerClient, "a fifth of max_waiters")
	require.Equal(t, frontend.AtLimitSource, c.FrontendOptions().AtLimit)
	refuses, err := load(t, minimal+"frontend: {at_limit: refuse}\n")
	require.NoError(t, err)
	require.Equal(t, frontend.AtLimitRefuse, refuses.FrontendOptions().AtLimit)
	gate := c.GateOptions()
	require.Equal(t, 10_000, gate.MaxTasks)
	require.Equal(t, 2*time.Minute, gate.MaxAge)
}
