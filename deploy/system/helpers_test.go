package system_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
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
source: {allowed: ["https://example.com/"], query_keys: ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]}
redis: {url: "redis://127.0.0.1:1"}
sqs: {region: us-west-2, endpoint: "http://127.0.0.1:1"}
pools: [{region: us-west-2, bucket: mirror, endpoint: "http://127.0.0.1:1"}]
`

func load(t *testing.T, environ ...string) config.Config {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true",
		"GOGC":                      "100", // Keep the test's own GC policy
	} {
		t.Setenv(name, value)
	}
	file := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
	require.NoError(t, os.WriteFile(file, []byte(configuration), 0o600))
	cfg, err := config.Load(file, environ)
	require.NoError(t, err)
	return cfg
}

// startLimit bounds the start of a front end.
const startLimit = 30 * time.Second

// frontEnd is a front end that runs, and its log.
type frontEnd struct {
	started       chan struct{} // Closed after listen and admin are set
	ended         chan error
	listen, admin string

	mu  sync.Mutex
	log []string // Messages
	raw []string // Lines
}

// run runs a front end until ctx ends.
func run(ctx context.Context, cfg config.Config) *frontEnd {
	f := &frontEnd{started: make(chan struct{}), ended: make(chan error, 1)}
	go func() { f.ended <- system.RunFrontend(ctx, cfg, zerolog.New(f), "test") }()
	return f
}

// Write receives log lines.
func (f *frontEnd) Write(line []byte) (int, error) {
	var event struct{ Message, Listen, Admin string }
	err := json.Unmarshal(line, &event)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log, f.raw = append(f.log, event.Message), append(f.raw, string(line))
	if event.Message == "frontend started" {
		f.listen, f.admin = event.Listen, event.Admin
		close(f.started)
	}
	return len(line), err
}

// logged counts the log lines with a message that starts with prefix.
func (f *frontEnd) logged(prefix string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.log {
		if strings.HasPrefix(m, prefix) {
			n++
		}
	}
	return n
}

// line returns the log line with a message.
func (f *frontEnd) line(t *testing.T, message string) string {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.Index(f.log, message)
	require.GreaterOrEqual(t, i, 0, "no line %q", message)
	return f.raw[i]
}

// startFrontend runs a front end until the test ends, and waits until it has started.
func startFrontend(t *testing.T, cfg config.Config) *frontEnd {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	f := run(ctx, cfg)
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-f.ended)
	})
	select {
	case <-f.started:
	case <-time.After(startLimit):
		require.Fail(t, "the front end does not start")
	}
	return f
}

// runFrontend runs a front end until it has started, and then stops it. It returns whether the
// front end started.
func runFrontend(t *testing.T, cfg config.Config) (started bool, err error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), startLimit)
	defer stop()
	f := run(ctx, cfg)
	select {
	case <-f.started:
		stop()
		err = <-f.ended
	case err = <-f.ended:
	}
	require.NotErrorIs(t, ctx.Err(), context.DeadlineExceeded)
	return f.logged("frontend started") > 0, err
}

// get returns the body of a response with any status, without following redirects.
func get(t *testing.T, target string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	require.NoError(t, err)
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(data)
}

// metric returns the value of a metric with labels.
func (f *frontEnd) metric(t *testing.T, name string) string {
	t.Helper()
	_, body := get(t, "http://"+f.admin+"/metrics")
	match := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindStringSubmatch(body)
	require.NotNil(t, match, "no metric %s", name)
	return match[1]
}
