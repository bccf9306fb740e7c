package system_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/system"
)

// runningFrontend is a front end that runs until the test ends.
type runningFrontend struct {
	listen, admin string

	mu  sync.Mutex
	log []string // messages
}

// Write receives log lines.
func (f *runningFrontend) Write(line []byte) (int, error) {
	var event struct{ Message, Listen, Admin string }
	err := json.Unmarshal(line, &event)
	f.mu.Lock()
	defer f.mu.Unlock()
	if event.Message == "frontend started" {
		f.listen, f.admin = event.Listen, event.Admin
	}
	f.log = append(f.log, event.Message)
	return len(line), err
}

// logged counts the log lines with a message that starts with prefix.
func (f *runningFrontend) logged(prefix string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.log {
		if strings.HasPrefix(m, prefix) {
			n++
		}
	}
	return n
}

func startFrontend(t *testing.T, cfg config.Config) *runningFrontend {
	t.Helper()
	f := &runningFrontend{}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- system.RunFrontend(ctx, cfg, zerolog.New(f), "test") }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	require.Eventually(t, func() bool { return f.logged("frontend started") == 1 }, 20*time.Second, time.Millisecond)
	return f
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
func (f *runningFrontend) metric(t *testing.T, name string) string {
	t.Helper()
	_, body := get(t, "http://"+f.admin+"/metrics")
	match := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindStringSubmatch(body)
	require.NotNil(t, match, "no metric %s", name)
	return match[1]
}

// TestRepliesOfAWSLeaveTheBreakersClosed has S3 and SQS reply with errors. Only a server that does
// not reply opens a breaker, and each change is logged once.
func TestRepliesOfAWSLeaveTheBreakersClosed(t *testing.T) {
	base := load(t)
	for name, tc := range map[string]struct {
		status int // 0 sends no reply
		open   string
	}{
		"400":      {400, "0"},
		"403":      {403, "0"},
		"429":      {429, "0"},
		"500":      {500, "0"},
		"503":      {503, "0"},
		"no reply": {0, "1"}, // control
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var heads atomic.Int64
			aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if r.Method == http.MethodHead {
					heads.Add(1)
				}
				if tc.status == 0 {
					<-r.Context().Done()
					return
				}
				w.WriteHeader(tc.status)
			}))
			t.Cleanup(aws.Close)
			cfg := base
			cfg.SQS.Endpoint, cfg.Pools = aws.URL, slices.Clone(base.Pools)
			cfg.Pools[0].Endpoint = aws.URL
			f := startFrontend(t, cfg)
			object := url.QueryEscape("https://example.com/file")
			require.Eventually(t, func() bool {
				status, body := get(t, "http://"+f.listen+"/v1/redirect/s3/us-west-2/"+object+"?max_wait=0")
				require.Equal(t, http.StatusFound, status, body)
				return heads.Load() >= 4 && f.metric(t, `cloud_mirror_breaker_open{dependency="sqs"}`) == tc.open &&
					f.metric(t, `cloud_mirror_breaker_open{dependency="s3_us-west-2"}`) == tc.open
			}, 20*time.Second, 600*time.Millisecond) // Long enough for an open breaker to try again.
			changes := 1 // Redis is down.
			if tc.open == "1" {
				changes += 2
			}
			require.Equal(t, changes, f.logged("circuit breaker open"))
		})
	}
}
