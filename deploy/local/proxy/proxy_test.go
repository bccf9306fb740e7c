package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/proxy"
)

// TestWays has a client before a proxy that fails in each way, and then works again.
func TestWays(t *testing.T) {
	var handled atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		handled.Add(1)
		_, _ = io.WriteString(w, "body")
	}))
	defer server.Close()
	p, err := proxy.NewServer().New("test", strings.TrimPrefix(server.URL, "http://"))
	require.NoError(t, err)
	defer p.Close()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	get := func() (time.Duration, error) {
		start := time.Now()
		resp, err := client.Get("http://" + p.Addr())
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil {
			require.Equal(t, "body", string(body))
		}
		return time.Since(start), err
	}
	for _, way := range []proxy.Way{proxy.Refuse, proxy.Hang, proxy.Slow, proxy.Cut, proxy.Lose} {
		t.Run(string(way), func(t *testing.T) {
			_, err := get()
			require.NoError(t, err, "control: before")
			before := handled.Load()
			require.NoError(t, p.Fail(way))
			switch way {
			case proxy.Slow:
				took, err := get()
				require.NoError(t, err)
				require.GreaterOrEqual(t, took, 200*time.Millisecond)
			case proxy.Lose:
				// The server handles a request, and the client gets no reply.
				replies := int64(0)
				require.Eventually(t, func() bool {
					if _, err := get(); err == nil {
						replies++
					}
					return handled.Load()-before > replies
				}, 20*time.Second, time.Millisecond)
			default:
				_, err := get()
				require.Error(t, err)
			}
			require.NoError(t, p.Restore(t.Context()))
			_, err = get()
			require.NoError(t, err, "after")
		})
	}
}
