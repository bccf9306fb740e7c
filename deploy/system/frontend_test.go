package system_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/system"
)

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
		want   string // In the error; empty if the front end starts
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
	short := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(short, []byte("# tokens\nci purge hunter2\n"), 0o600))
	for name, tc := range map[string]struct {
		environ string
		worker  bool
		want    string
	}{
		"address for clients taken":   {"CLOUD_MIRROR_FRONTEND_LISTEN=" + taken.Addr().String(), false, "frontend.listen: "},
		"address for operators taken": {"CLOUD_MIRROR_FRONTEND_ADMIN_LISTEN=" + taken.Addr().String(), false, "frontend.admin_listen: "},
		"no file of tokens":           {"CLOUD_MIRROR_FRONTEND_TOKENS_FILE=" + t.TempDir() + "/missing", false, "frontend.tokens_file: "},
		"file of short tokens":        {"CLOUD_MIRROR_FRONTEND_TOKENS_FILE=" + short, false, "tokens: line 2: the token has fewer than 32 random characters"},
		"URL of redis is not one":     {"CLOUD_MIRROR_REDIS_URL=localhost", false, "redis.url: "},
		"worker without a key":        {"", true, "source.query_keys: no key"},
		"front end without a key":     {"", false, "source.query_keys: no key"},
		"payload key that is not one": {"CLOUD_MIRROR_WORKER_PAYLOAD_KEYS=hunter2", true, "worker.payload_keys: key 1 is not"},
		"key that is not one":         {"CLOUD_MIRROR_SOURCE_QUERY_KEYS=hunter2", false, "source.query_keys: key 1 is not"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := load(t, tc.environ)
			if strings.HasSuffix(tc.want, "no key") {
				cfg.Source.QueryKeys = nil
			}
			var err error
			if tc.worker {
				err = system.RunWorker(t.Context(), cfg, zerolog.Nop(), "test")
			} else {
				_, err = runFrontend(t, cfg)
			}
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestVersion(t *testing.T) {
	require.Equal(t, "v1.2.3", system.Version("v1.2.3"))
}
