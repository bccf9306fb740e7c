package system_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/system"
)

// configuration is a deployment with nothing behind it: no server listens on port 1.
const configuration = `
frontend: {listen: "127.0.0.1:0", admin_listen: "127.0.0.1:0"}
source: {allowed_patterns: ["^https://example\\.com/"]}
redis: {url: "redis://127.0.0.1:1"}
sqs: {region: us-west-2, endpoint: "http://127.0.0.1:1"}
pools: [{region: us-west-2, bucket: mirror, endpoint: "http://127.0.0.1:1"}]
`

func load(t *testing.T, environ ...string) config.Config {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true",
		"GOGC":                      "100", // keep the test's own GC policy
	} {
		t.Setenv(name, value)
	}
	file := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
	require.NoError(t, os.WriteFile(file, []byte(configuration), 0o600))
	cfg, err := config.Load(file, environ)
	require.NoError(t, err)
	return cfg
}

// messages receives the message of each log line.
type messages chan string

func (m messages) Write(line []byte) (int, error) {
	var event struct{ Message string }
	err := json.Unmarshal(line, &event)
	m <- event.Message
	return len(line), err
}

// runFrontend runs a front end until it has started, and then stops it. It returns whether the
// front end started.
func runFrontend(t *testing.T, cfg config.Config) (started bool, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	log, done := make(messages, 100), make(chan error, 1)
	go func() { done <- system.RunFrontend(ctx, cfg, zerolog.New(log), "test") }()
	for {
		select {
		case message := <-log:
			if message == "frontend started" {
				started = true
				cancel()
			}
		case err := <-done:
			require.NotErrorIs(t, ctx.Err(), context.DeadlineExceeded)
			return started, err
		}
	}
}

func TestIPRangesAtTheStart(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	good := `{"prefixes": [{"ip_prefix": "10.0.0.0/8", "region": "us-west-2"}], "ipv6_prefixes": []}`
	for name, tc := range map[string]struct {
		source string
		want   string // in the error; empty if the front end starts
	}{
		"no list":                  {"", ""},
		"file":                     {write("good.json", good), ""},
		"missing file":             {filepath.Join(dir, "missing.json"), "missing.json: no such file or directory"},
		"file that is not JSON":    {write("bad.json", "hello"), "bad.json: "},
		"folder":                   {dir, "is a directory"},
		"URL that refuses":         {"http://127.0.0.1:1/ip-ranges.json", ""},
		"URL that does not answer": {slow.URL, ""},
	} {
		t.Run(name, func(t *testing.T) {
			started, err := runFrontend(t, load(t, "CLOUD_MIRROR_REGION_IP_RANGES="+tc.source))
			if tc.want == "" {
				require.NoError(t, err)
				require.True(t, started)
				return
			}
			require.False(t, started, "started without the list")
			require.ErrorContains(t, err, tc.want)
			require.Regexp(t, `^region\.ip_ranges: [^\n]*$`, err.Error())
		})
	}
}

func TestMistakesStopTheStartWithTheirKey(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for name, tc := range map[string]struct {
		environ string
		worker  bool
		want    string
	}{
		"address for clients taken":   {"CLOUD_MIRROR_FRONTEND_LISTEN=" + taken.Addr().String(), false, "frontend.listen: "},
		"address for operators taken": {"CLOUD_MIRROR_FRONTEND_ADMIN_LISTEN=" + taken.Addr().String(), false, "frontend.admin_listen: "},
		"URL of redis is not one":     {"CLOUD_MIRROR_REDIS_URL=localhost", false, "redis.url: "},
		"worker without a key":        {"", true, "worker.query_keys: "},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := load(t, tc.environ)
			var err error
			if tc.worker {
				err = system.RunWorker(t.Context(), cfg, zerolog.Nop(), "test")
			} else {
				_, err = runFrontend(t, cfg)
			}
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestVersion(t *testing.T) {
	require.Equal(t, "v1.2.3", system.Version("v1.2.3"))
}
