package flight_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// oomError is an error reply of redis.
type oomError struct{}

func (oomError) Error() string { return "OOM command not allowed" }
func (oomError) RedisError()   {}

// fullCache is a redis that answers reads and refuses writes.
type fullCache struct{ *cachetest.Memory }

func (fullCache) Acquire(context.Context, string, cache.Entry) (cache.Entry, bool, error) {
	return cache.Entry{}, false, oomError{}
}

func (c fullCache) Put(ctx context.Context, key string, generation int64, _ cache.Entry) error {
	if purged, err := c.Generation(ctx, key); err != nil || purged > generation {
		return cache.ErrPurged
	}
	return oomError{}
}

// TestAFullRedis requests objects while redis refuses writes.
func TestAFullRedis(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(*testing.T, *fixture)
		want    cache.State
		sent    []queue.Request
	}{
		"an entry is present": {func(t *testing.T, f *fixture) {
			require.NoError(t, f.cache.Put(t.Context(), f.target.Key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
		}, cache.Present, nil},
		"a copy is in the bucket": {func(t *testing.T, f *fixture) { f.store(t) }, cache.Present, nil},
		"a purged copy is in the bucket": {func(t *testing.T, f *fixture) {
			_, err := f.cache.Purge(t.Context(), f.target.Key)
			require.NoError(t, err)
			f.store(t)
		}, cache.Pending, []queue.Request{put("")}},
		"there is no copy": {func(*testing.T, *fixture) {}, cache.Pending, []queue.Request{put("")}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *flight.Options) { o.Cache = fullCache{o.Cache.(*cachetest.Memory)} })
			tc.prepare(t, f)
			out := f.Await(t.Context(), f.target, "", flight.Wait{Until: time.Now()})
			require.Equal(t, tc.want, out.Entry.State)
			require.Equal(t, tc.sent, f.queue.requests())
		})
	}
}
