package system_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
		"no reply": {0, "1"}, // Control
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
			// A breaker writes its log line after its metric.
			require.Eventually(t, func() bool { return f.logged("circuit breaker open") >= changes }, 20*time.Second, time.Millisecond)
			require.Equal(t, changes, f.logged("circuit breaker open"))
		})
	}
}
