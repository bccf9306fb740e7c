package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clientAt returns a client with an address, such as 127.0.0.2. It follows no redirects.
func clientAt(t *testing.T, address string) *http.Client {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// latencies are the times of all cold requests, and the number of those that did not lead to a copy.
type latencies struct {
	mu     sync.Mutex
	took   []time.Duration
	failed int
}

func (l *latencies) add(took time.Duration, isCopy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !isCopy {
		l.failed++
	}
	l.took = append(l.took, took)
}

func (l *latencies) quantile(q float64) time.Duration {
	slices.Sort(l.took)
	return l.took[int(q*float64(len(l.took)-1))]
}

func (l *latencies) String() string {
	return fmt.Sprintf("%d requests, p50 %s, p90 %s, max %s, %d without a copy",
		len(l.took), l.quantile(.5), l.quantile(.9), l.quantile(1), l.failed)
}

// requestEvery requests new objects of s at the front end, one in each period, and waits for all
// answers.
func requestEvery(t *testing.T, c *http.Client, frontEnd *process, s *source, period time.Duration, n int) *latencies {
	t.Helper()
	var all sync.WaitGroup
	l := &latencies{}
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for range n {
		<-ticker.C
		all.Go(func() {
			target := frontEnd.redirectURL(west, s.object(), "")
			start := time.Now()
			resp, err := c.Get(target)
			if err != nil {
				l.add(time.Since(start), false)
				return
			}
			resp.Body.Close()
			l.add(time.Since(start), strings.HasPrefix(resp.Header.Get("Location"), sys.S3Endpoint(west)))
		})
	}
	all.Wait()
	return l
}

// TestColdFloodOfOneClient has one client request 250 variants of one URL a second, for 10 s. Another
// client requests new objects meanwhile, and must get all their copies. make bench-neighbours measures
// its latency.
func TestColdFloodOfOneClient(t *testing.T) {
	const (
		variants = 2500
		during   = 10 * time.Second
		// A part of the 40 copies a second that this stack can make. The defaults suit larger ones.
		rate, burst = 10, 20
	)
	waitEmptyQueue(t)
	for _, w := range workers() {
		pause(t, w)
	}
	binary := plainBinary(t)
	config := editedConfig(t, func(settingsTree) {})
	quietLog := "CLOUD_MIRROR_LOG_LEVEL=info"
	worker := startProcess(t, "flooded-worker", binary, strings.Fields("worker --pool s3_"+west+" --config "+config), quietLog)
	frontEnd := startProcess(t, "flooded-frontend", binary, strings.Fields("frontend --config "+config), quietLog,
		fmt.Sprintf("CLOUD_MIRROR_FRONTEND_COLD_RATE=%d", rate), fmt.Sprintf("CLOUD_MIRROR_FRONTEND_COLD_BURST=%d", burst))
	flooded, other := newSource(t, 1000, nil), newSource(t, 1000, nil)
	flooder, neighbour := clientAt(t, "127.0.0.2"), clientAt(t, "127.0.0.3")

	alone := requestEvery(t, neighbour, frontEnd, other, 250*time.Millisecond, 10)
	t.Logf("alone: %s", alone)
	require.Zero(t, alone.failed)

	ctx, cancel := context.WithTimeout(t.Context(), during+deadline)
	defer cancel()
	var flood sync.WaitGroup
	var errors, number atomic.Int64
	object := flooded.object()
	start := time.Now()
	for range 50 {
		flood.Go(func() {
			period := time.NewTicker(during / (variants / 50))
			defer period.Stop()
			for range variants / 50 {
				<-period.C
				n := number.Add(1)
				target := frontEnd.redirectURL(west, fmt.Sprintf("%s&n=%d", object, n), "?max_wait=0")
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
				if err != nil {
					errors.Add(1)
					return
				}
				resp, err := flooder.Do(req)
				if err != nil {
					errors.Add(1)
					continue
				}
				resp.Body.Close()
			}
		})
	}
	beside := requestEvery(t, neighbour, frontEnd, other, 250*time.Millisecond, 40)
	flood.Wait()
	took := time.Since(start)
	limited := metricAt(t, "cloud_mirror_limited_requests_total", "http://"+frontEnd.admin)
	t.Logf("beside the flood of %s: %s; %v of %d variants limited, %d errors", took, beside, limited, variants, errors.Load())
	require.Zero(t, beside.failed, "the other client did not get its copies")
	require.Zero(t, errors.Load())
	require.Positive(t, limited)
	eventually(t, func() bool {
		handled := metricAt(t, "cloud_mirror_messages_total", "http://"+worker.admin)
		return handled == float64(flooded.count(http.MethodGet)+other.count(http.MethodGet))
	}, "all that is requested is copied")
	copies := float64(flooded.count(http.MethodGet))
	require.LessOrEqual(t, copies, burst+rate*took.Seconds()+1)
	require.GreaterOrEqual(t, copies, float64(burst), "control: requests within the limit are copied")
}
