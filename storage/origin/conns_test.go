package origin_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// TestCrowdedSourceServesEveryRange: a source that serves one range at a time, and refuses all
// others, serves every range to a caller that retries while the source is crowded.
func TestCrowdedSourceServesEveryRange(t *testing.T) {
	const ranges = 64 // More than it takes until the limit grows again
	const limit = 16
	object := strings.Repeat(content, ranges)
	var busy atomic.Bool
	var arrived, refusals atomic.Int64
	wave, rest := make(chan struct{}), make(chan struct{})
	server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		if arrived.Add(1) == limit {
			close(wave)
		}
		select {
		case <-wave: // The first wave arrives before any response
		case <-r.Context().Done():
		}
		if !busy.CompareAndSwap(false, true) {
			w.WriteHeader(http.StatusServiceUnavailable)
			if refusals.Add(1) == limit-1 {
				close(rest)
			}
			return
		}
		select {
		case <-rest: // The first range ends after all others of its wave
		case <-r.Context().Done():
		}
		busy.Store(false) // Before the client can know it
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(object))
	})
	client := newClient(t, func(cfg *origin.Config) { cfg.MaxConnsPerHost = limit })
	meta := contentMeta
	meta.Size = int64(len(object))
	ctx, url := testContext(t), server.URL+"/?"+secret

	var crowded atomic.Int64
	failures := make(chan error, ranges)
	var all sync.WaitGroup
	for i := range int64(ranges) {
		all.Go(func() {
			for {
				body, err := client.GetRange(ctx, url, meta, 10*i, 10)
				if failure, ok := errors.AsType[*origin.Error](err); ok && failure.Crowded {
					assert.Equal(t, origin.ClassRangeRefused, failure.Class)
					assert.Equal(t, http.StatusServiceUnavailable, failure.Status)
					assert.True(t, failure.Retry())
					crowded.Add(1)
					continue
				}
				if err == nil {
					var got []byte
					got, err = io.ReadAll(body)
					assert.Equal(t, content, string(got))
					_ = body.Close()
				}
				failures <- err
				return
			}
		})
	}
	all.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
	t.Logf("%d ranges took %d requests", ranges, server.hits.Load())
	assert.GreaterOrEqual(t, crowded.Load(), int64(limit-1), "all of the first wave except one")
	assert.Equal(t, refusals.Load(), crowded.Load(), "every refusal was of a crowd")
	assert.Equal(t, refusals.Load()+ranges, server.hits.Load())
}

// TestBusyLargeObjectsDoNotDelayFirstRequests has as many ranges in flight as the default limit
// allows, and one more that waits.
func TestBusyLargeObjectsDoNotDelayFirstRequests(t *testing.T) {
	const limit = 64
	free := make(chan struct{})
	var ranges atomic.Int64
	server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			ranges.Add(1)
			<-free
		}
		serveContent(w, r)
	})
	client := newClient(t, func(cfg *origin.Config) { cfg.Timeout = 20 * time.Second })
	ctx, url := testContext(t), server.URL+"/"
	var all sync.WaitGroup
	var served atomic.Int64
	for range limit + 1 {
		all.Go(func() {
			body, err := client.GetRange(ctx, url, contentMeta, 2, 3)
			if assert.NoError(t, err) {
				served.Add(1)
				assert.NoError(t, body.Close())
			}
		})
	}
	require.Eventually(t, func() bool { return ranges.Load() == limit }, 10*time.Second, time.Millisecond)

	for range 3 {
		started := time.Now()
		body, err := client.First(ctx, url)
		require.NoError(t, err)
		requireBody(t, body, err, content, "")
		assert.Less(t, time.Since(started), 10*time.Second)
	}
	assert.EqualValues(t, limit, ranges.Load(), "the last range waits")
	assert.Zero(t, served.Load(), "all ranges are in flight")
	close(free)
	all.Wait()
	assert.EqualValues(t, limit+1, ranges.Load())
	assert.EqualValues(t, limit+1, served.Load())
}

// TestRefusalsAreCrowdedOrNot: only a status that may come from the crowd counts, and only if other
// ranges are in flight.
func TestRefusalsAreCrowdedOrNot(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		crowded      bool
	}{
		{"503", "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", true},
		{"429", "HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n", true},
		{"403", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", true},
		{"an empty reply", "", true},
		{"a head cut short", "HTTP/1.1 206 P\r\n", true},
		{"a malformed response", "SECRET\r\n\r\n", false},
		{"the whole object", "HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nContent-Length: 10\r\n\r\n0123456789", false},
		{"another etag", "HTTP/1.1 206 P\r\nETag: \"v2\"\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\n\r\n234", false},
	} {
		for _, others := range []bool{true, false} {
			name := map[bool]string{true: ", beside another range", false: ", alone"}[others]
			t.Run(tt.name+name, func(t *testing.T) {
				server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/other" {
						serveContent(w, r)
						return
					}
					conn, _, err := http.NewResponseController(w).Hijack()
					if assert.NoError(t, err) {
						_, _ = io.WriteString(conn, tt.answer)
						_ = conn.Close()
					}
				})
				client := newClient(t, nil)
				if others {
					body, err := client.GetRange(testContext(t), server.URL+"/other", contentMeta, 2, 3)
					require.NoError(t, err)
					defer func() { require.NoError(t, body.Close()) }() // In flight until then
				}
				_, err := client.GetRange(testContext(t), server.URL+"/?"+secret, contentMeta, 2, 3)
				failure := requireFailure(t, err, origin.ClassRangeRefused, false)
				assert.Equal(t, tt.crowded && others, failure.Crowded)
			})
		}
	}
}
