package activities_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// heldCall is a call to redis or to the bucket. Like a call in flight, it ignores its context.
type heldCall struct{ reached, release chan struct{} }

func (h heldCall) hold() {
	close(h.reached)
	<-h.release
}

// heldCache holds one call, and counts the writes.
type heldCache struct {
	*cachetest.Memory
	held   heldCall
	call   string
	writes atomic.Int64
}

func (c *heldCache) Generation(ctx context.Context, key string) (int64, error) {
	if c.call == "generation" {
		c.held.hold()
	}
	return c.Memory.Generation(context.WithoutCancel(ctx), key)
}

func (c *heldCache) Failures(ctx context.Context, key, class, run string, ttl time.Duration) (cache.Row, error) {
	if c.call == "failures" {
		c.held.hold()
	}
	return c.Memory.Failures(context.WithoutCancel(ctx), key, class, run, ttl)
}

func (c *heldCache) Put(ctx context.Context, key string, generation int64, e cache.Entry) error {
	c.writes.Add(1)
	err := c.Memory.Put(context.WithoutCancel(ctx), key, generation, e)
	if c.call == "put" {
		c.held.hold()
	}
	return err
}

func (c *heldCache) Abandon(ctx context.Context, key string) error {
	c.writes.Add(1)
	return c.Memory.Abandon(context.WithoutCancel(ctx), key)
}

// heldBucket holds its only Head.
type heldBucket struct {
	*storagetest.Memory
	held heldCall
}

func (b heldBucket) Head(ctx context.Context, key string) (storage.Stored, error) {
	b.held.hold()
	return b.Memory.Head(context.WithoutCancel(ctx), key)
}

// TestLocalAttemptThatTimedOutStoresNothing holds a call of a local attempt until Temporal has
// given the attempt up. Temporal does not wait for its end. The attempt then writes nothing more,
// because its run may have ended. The log tells of it. The attempts that end in time are the
// controls.
func TestLocalAttemptThatTimedOutStoresNothing(t *testing.T) {
	type attempt func(ctx context.Context, b *fixture, c activities.Copy) error
	look := func(ctx context.Context, b *fixture, _ activities.Copy) error {
		_, err := b.HeadSource(ctx, activities.HeadSourceInput{Source: b.source})
		return err
	}
	publish := func(ctx context.Context, b *fixture, c activities.Copy) error {
		return b.UpdateCache(ctx, activities.UpdateCacheInput{Source: b.source, CopyID: "run/1", Copy: &c})
	}
	fail := func(class string) attempt {
		return func(ctx context.Context, b *fixture, _ activities.Copy) error {
			return b.UpdateCache(ctx, activities.UpdateCacheInput{Source: b.source, Known: true, Failure: &activities.Failure{Class: class}})
		}
	}
	for name, tc := range map[string]struct {
		call   string
		run    attempt
		purged bool
		writes [2]int64 // In time, and too late
		fails  int      // Too late
	}{
		"HeadSource reads the generation":     {"generation", look, false, [2]int64{1, 0}, 1},
		"UpdateCache HEADs the copy":          {"head", publish, false, [2]int64{1, 0}, 1},
		"UpdateCache counts a failure":        {"failures", fail(activities.ClassStalled), false, [2]int64{1, 0}, 1},
		"UpdateCache learns that it is late":  {"put", fail(activities.ClassStalled), true, [2]int64{2, 1}, 1},
		"UpdateCache records a cancelled run": {"put", fail(activities.ClassCancelled), false, [2]int64{1, 1}, 0},
	} {
		for late, writes := range tc.writes {
			t.Run(name+[]string{", in time", ", too late"}[late], func(t *testing.T) {
				b := newFixture(t)
				c := b.stored(t)
				if tc.purged {
					_, err := b.cache.Purge(t.Context(), b.key())
					require.NoError(t, err)
				}
				held := heldCall{make(chan struct{}), make(chan struct{})}
				store := &heldCache{Memory: b.cache, held: held, call: tc.call}
				b.Cache = store
				if tc.call == "head" {
					b.Bucket = heldBucket{b.bucket, held}
				}
				b.env.SetTestTimeout([]time.Duration{time.Minute, 50 * time.Millisecond}[late])
				ended := make(chan struct{})
				result := make(chan error, 1)
				go func() {
					_, err := b.env.ExecuteLocalActivity(func(ctx context.Context) error {
						defer close(ended)
						return tc.run(ctx, b, c)
					})
					result <- err
				}()
				<-held.reached
				if late == 1 {
					require.ErrorContains(t, <-result, "deadline exceeded")
				}
				close(held.release)
				<-ended
				if late == 0 {
					require.NoError(t, <-result)
				}
				require.Equal(t, writes, store.writes.Load())
				require.Equal(t, []int{0, tc.fails}[late], strings.Count(b.log.String(), `"class":"TimedOut"`), b.log.String())
			})
		}
	}
}

// TestCopyIDOfALocalAttempt differs from that of an ordinary activity of the same number.
func TestCopyIDOfALocalAttempt(t *testing.T) {
	b := newFixture(t)
	ordinary, err := b.headSource(t)
	require.NoError(t, err)
	v, err := b.env.ExecuteLocalActivity(b.HeadSource, activities.HeadSourceInput{Source: b.source})
	require.NoError(t, err)
	var local activities.HeadSourceResult
	require.NoError(t, v.Get(&local))
	require.Contains(t, local.CopyID, "/local-")
	require.NotContains(t, ordinary.CopyID, "/local-")
}
