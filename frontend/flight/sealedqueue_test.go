package flight_test

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
)

// sealer returns a sealer with a key that repeats one byte.
func sealer(t *testing.T, key byte) *seal.Sealer {
	t.Helper()
	bytes := make([]byte, seal.KeySize)
	for i := range bytes {
		bytes[i] = key
	}
	s, err := seal.New([]string{base64.StdEncoding.EncodeToString(bytes)})
	require.NoError(t, err)
	return s
}

// TestMessagesHoldNoQuery has a group send every kind of message about an object with a query. The
// control is the host, which they hold.
func TestMessagesHoldNoQuery(t *testing.T) {
	for action, send := range map[queue.Action]func(t *testing.T, f *fixture, target *flight.Target){
		queue.Put: func(t *testing.T, f *fixture, target *flight.Target) {
			_, err := f.Warm(t.Context(), target, nil)
			require.NoError(t, err)
		},
		queue.Cancel: func(t *testing.T, f *fixture, target *flight.Target) {
			_, err := f.Purge(t.Context(), target)
			require.NoError(t, err)
		},
		queue.Delete: func(t *testing.T, f *fixture, target *flight.Target) {
			f.bucket.Err = errors.New("down")
			deferred, err := f.Purge(t.Context(), target)
			require.NoError(t, err)
			require.True(t, deferred)
		},
		queue.Refresh: func(_ *testing.T, f *fixture, target *flight.Target) {
			f.Served(target, cache.Entry{State: cache.Present, Expires: time.Now().Add(time.Minute)}, time.Now())
		},
	} {
		for kind, url := range map[string]string{
			"query":            source + "?X-Amz-Signature=hunter2",
			"of a nested path": source + "/https%3A%2F%2Fexample.net%2Fa%253FX-Amz-Signature=hunter2",
		} {
			t.Run(string(action)+" "+kind, func(t *testing.T) {
				f := newFixture(t, func(o *flight.Options) {
					o.Refresh, o.Pools[0].Lifespan = true, 24*time.Hour
				})
				t.Cleanup(f.Stop)
				target := flight.NewTarget(f.Pools()[0], url)
				send(t, f, target)
				require.Eventually(t, func() bool { return len(f.queue.requests()) == 1 }, 5*time.Second, time.Millisecond)
				r := f.queue.requests()[0]
				require.Equal(t, action, r.Action)
				body, err := queue.Encode(r)
				require.NoError(t, err)
				require.Contains(t, body, `"version":2`)
				require.Contains(t, body, "example.com/a/b.zip")
				require.NotContains(t, body, "X-Amz-Signature")
				require.NotContains(t, body, "hunter2")

				sealed := seal.Object{Service: "s3", Region: "us-west-2", URL: r.URL, Query: r.SealedQuery, Hash: r.Hash}
				opened, err := sealer(t, 0).Open(sealed)
				require.NoError(t, err)
				require.Equal(t, url, opened.URL)
				_, err = sealer(t, 1).Open(sealed)
				require.ErrorIs(t, err, seal.ErrSealed)
			})
		}
	}
}
