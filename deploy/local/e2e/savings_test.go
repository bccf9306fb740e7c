package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// s3Tariff counts a bucket's requests as S3 bills them.
type s3Tariff struct {
	*httptest.Server
	mu         sync.Mutex
	puts, gets int
}

// newS3Tariff forwards to the S3 of a region. It does not count the requests of clients, whose
// queries are signed.
func newS3Tariff(t *testing.T, region string) *s3Tariff {
	t.Helper()
	to, err := url.Parse(sys.S3Endpoint(region))
	require.NoError(t, err)
	c := &s3Tariff{}
	c.Server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if !r.In.URL.Query().Has("X-Amz-Signature") {
				c.count(r.In)
			}
			r.SetURL(to)
			r.Out.Host = r.In.Host // The signature covers it
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	t.Cleanup(c.Close)
	return c
}

// count knows the prices of requests: PUT, COPY, POST and LIST have one, GET and all others have
// another, and DELETE is free.
func (c *s3Tariff) count(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case r.Method == http.MethodPut, r.Method == http.MethodPost, r.URL.Query().Has("list-type"), r.URL.Query().Has("uploads"):
		c.puts++
	case r.Method != http.MethodDelete:
		c.gets++
	}
}

func (c *s3Tariff) take() (puts, gets int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	puts, gets = c.puts, c.gets
	c.puts, c.gets = 0, 0
	return puts, gets
}

// actionsOf counts the events of a history that Temporal Cloud bills. Heartbeats are no events.
func actionsOf(events []*history.HistoryEvent) (n int) {
	for _, e := range events {
		switch e.GetEventType() {
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enums.EVENT_TYPE_ACTIVITY_TASK_STARTED, enums.EVENT_TYPE_TIMER_STARTED,
			enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, enums.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, enums.EVENT_TYPE_MARKER_RECORDED:
			n++
		}
	}
	return n
}

// TestCostOfACopy measures the defaults of prices.copy_puts, copy_gets and copy_actions, which are
// those of a small copy. A copy in parts takes a PUT for each part, four more to start, look for and
// complete the upload, and no other one.
func TestCostOfACopy(t *testing.T) {
	counted := newS3Tariff(t, west)
	config := editedConfig(t, func(c settingsTree) { c.setEndpoint(t, west, counted.URL) })
	pause(t, stack.WorkerName(west))
	startProcess(t, "billed-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --no-bridge --config "+config))
	front := startProcess(t, "billed-frontend", sys.Binary(), strings.Fields("frontend --config "+config))
	for name, tc := range map[string]struct{ size, puts, gets, actions int }{
		"small":          {100_000, 1, 2, 4},
		"of three parts": {20 * mib, 4 + 3, 2, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t, tc.size, nil)
			object := s.object()
			counted.take()
			a, err := request(http.MethodGet, front.redirectURL(west, object, ""), "")
			require.NoError(t, err)
			require.True(t, a.isCopy())
			w := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
			puts, gets := counted.take()
			require.Equal(t, tc.puts, puts, "PUT requests")
			require.Equal(t, tc.gets, gets, "GET requests")
			require.Equal(t, tc.actions, actionsOf(events(t, w)))
		})
	}
}
