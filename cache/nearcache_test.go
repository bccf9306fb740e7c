package cache_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// maxStale is the bound that package cache documents. The near cache itself keeps to 80 ms: see
// maxStale in track.go.
const maxStale = 100 * time.Millisecond

// newNearCache returns a near cache that the redis at url keeps coherent.
func newNearCache(t *testing.T, url string, edit ...func(*cache.NearCacheOptions)) (n *cache.NearCache, down *atomic.Int64) {
	t.Helper()
	r, err := cache.Open(url, cache.Options{Undecodable: func() {}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	down = new(atomic.Int64)
	up := make(chan struct{}, 100)
	o := cache.NearCacheOptions{Entries: 100, Bytes: 1 << 20, OnChange: func(isUp bool, _ error) {
		if isUp {
			up <- struct{}{}
		} else {
			down.Add(1)
		}
	}}
	for _, f := range edit {
		f(&o)
	}
	n = cache.NewNearCache(r, o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	receive(t, up)
	return n, down
}

// hold puts an entry into redis and waits until the near cache remembers it.
func hold(t *testing.T, n *cache.NearCache, c *cache.Redis, name string) (key string) {
	t.Helper()
	key = cachetest.Key(name + time.Now().String())
	require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
	remember(t, n, key)
	return key
}

func remember(t *testing.T, n *cache.NearCache, key string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := n.Get(t.Context(), key)
		return err == nil && held(n, key)
	}, 5*time.Second, time.Millisecond, "not remembered")
}

func held(n *cache.NearCache, key string) bool {
	_, ok := n.Remembered(key, time.Now())
	return ok
}

func TestNearCacheContract(t *testing.T) {
	n, _ := newNearCache(t, realRedis(t))
	// Redis invalidates our own writes like any other, so the near cache may briefly return the
	// earlier entry. The contract does not allow that.
	cachetest.Run(t, delayed{n})
}

// delayed waits after every Put until the near cache must know of it.
type delayed struct{ *cache.NearCache }

func (w delayed) Put(ctx context.Context, key string, generation int64, e cache.Entry) error {
	// An entry that is not fresh now may be fresh again before its invalidation.
	before, _ := w.Remembered(key, time.Now().Add(-time.Minute))
	err := w.NearCache.Put(ctx, key, generation, e)
	for start := time.Now(); before.State != cache.Absent && time.Since(start) < maxStale; {
		if now, _ := w.Remembered(key, time.Now().Add(-time.Minute)); now != before {
			break
		}
	}
	return err
}

func TestNearCacheDropsChangedEntries(t *testing.T) {
	n, _ := newNearCache(t, realRedis(t))
	c, _ := open(t)
	r := raw(t)
	for name, change := range map[string]func(key string) error{
		"SET":     func(key string) error { return r.Set(t.Context(), key, `pending {"d":99999999999999}`, 0).Err() },
		"DEL":     func(key string) error { return r.Del(t.Context(), key).Err() },
		"FLUSHDB": func(string) error { return r.FlushDB(t.Context()).Err() },
		"purge":   func(key string) error { _, err := c.Purge(t.Context(), key); return err },
		"a script": func(key string) error {
			return c.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{Expires: time.Now().Add(30 * time.Minute)}))
		},
		"RENAME": func(key string) error { return r.Rename(t.Context(), key, "elsewhere").Err() },
		"EXPIRE": func(key string) error { return r.PExpire(t.Context(), key, -1).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			key := hold(t, n, c, t.Name())
			before, _ := n.Remembered(key, time.Now())
			require.NoError(t, change(key))
			changed := time.Now()
			for {
				e, ok := n.Remembered(key, time.Now())
				if !ok || e != before {
					return
				}
				require.Less(t, time.Since(changed), maxStale, "the old entry is still served")
			}
		})
	}
}

func TestNearCacheDropsOwnPurgesAtOnce(t *testing.T) {
	n, _ := newNearCache(t, realRedis(t))
	c, _ := open(t)
	key := hold(t, n, c, t.Name())
	_, err := n.Purge(t.Context(), key)
	require.NoError(t, err)
	require.False(t, held(n, key), "still held after our own purge")
}

func TestNearCacheHonoursDeadlines(t *testing.T) {
	n, _ := newNearCache(t, realRedis(t))
	key := cachetest.Key(t.Name() + time.Now().String())
	deadline := time.Now().Add(time.Second).Truncate(time.Millisecond)
	// In redis it has no expiry, so redis never invalidates it.
	value, err := cache.Encode(key, cache.Entry{State: cache.Present, Deadline: deadline})
	require.NoError(t, err)
	require.NoError(t, raw(t).Set(t.Context(), key, value, 0).Err())
	remember(t, n, key)
	for now := time.Now(); now.Before(deadline.Add(maxStale)); now = time.Now() {
		if _, ok := n.Remembered(key, now); ok {
			require.True(t, now.Before(deadline), "served after its deadline")
		}
	}
	e, err := n.Get(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, cache.Absent, e.State)
}

func TestNearCacheKeepsFinalEntries(t *testing.T) {
	n, _ := newNearCache(t, realRedis(t))
	now := time.Now()
	for name, tc := range map[string]struct {
		entry cache.Entry
		kept  bool
	}{
		"present":         {cachetest.Rules().Present(now, cache.Copy{}), true},
		"permanent error": {cachetest.Rules().Failed(now, cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true}), true},
		"transient error": {cachetest.Rules().Transient(now, 1, cache.Reason{Class: "x"}), false},
		"pending":         {cachetest.Rules().Pending(now, "a", 0, -1), false},
	} {
		key := cachetest.Key(t.Name() + name + now.String())
		require.NoError(t, n.Put(t.Context(), key, 0, tc.entry))
		if tc.kept {
			remember(t, n, key)
			continue
		}
		_, err := n.Get(t.Context(), key)
		require.NoError(t, err)
		require.False(t, held(n, key), name)
	}
}

func TestNearCacheIsBounded(t *testing.T) {
	for name, o := range map[string]cache.NearCacheOptions{
		"in entries": {Entries: 50, Bytes: 1 << 30},
		"in bytes":   {Entries: 1 << 20, Bytes: 50 * 220},
	} {
		t.Run(name, func(t *testing.T) {
			n, _ := newNearCache(t, realRedis(t), func(to *cache.NearCacheOptions) { to.Entries, to.Bytes = o.Entries, o.Bytes })
			c, _ := open(t)
			for i := range 500 {
				key := cachetest.Key(fmt.Sprint(t.Name(), i))
				require.NoError(t, c.Put(t.Context(), key, cache.AnyGeneration, cachetest.Rules().Present(time.Now(), cache.Copy{})))
				_, err := n.Get(t.Context(), key)
				require.NoError(t, err)
			}
			// It evicts shortly after an insertion, not before.
			require.Eventually(t, func() bool { return n.Len() <= 60 }, 5*time.Second, time.Millisecond, n.Len())
			hold(t, n, c, t.Name())
		})
	}
}

func TestNearCacheDisabled(t *testing.T) {
	c, _ := open(t)
	n := cache.NewNearCache(c, cache.NearCacheOptions{})
	n.Run(t.Context()) // returns at once
	require.Zero(t, n.Len())
	cachetest.Run(t, n)
}

// A reply from before a change must not be kept if it arrives after the change. The freezer holds
// the reply until redis has sent the invalidation.
func TestNearCacheDropsReadsThatAChangeOvertook(t *testing.T) {
	c, _ := open(t)
	for name, change := range map[string]func(t *testing.T, key string) error{
		"purge":   func(t *testing.T, key string) error { _, err := c.Purge(t.Context(), key); return err },
		"FLUSHDB": func(t *testing.T, _ string) error { return raw(t).FlushDB(t.Context()).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFreezer(t, raw(t).Options().Addr)
			f.only = "present {"
			n, _ := newNearCache(t, "redis://"+f.Addr().String())
			witness, fence := hold(t, n, c, t.Name()+"witness"), hold(t, n, c, t.Name()+"fence")
			// On a busy machine the cache is sometimes not fresh, and serves nothing. It was fresh then.
			then := time.Now()
			kept := func(key string) bool { _, ok := n.Remembered(key, then); return ok }
			// Invalidations come in their order. After this one no earlier write drops the witness.
			_, err := c.Purge(t.Context(), fence)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return !kept(fence) }, 5*time.Second, time.Millisecond)
			remember(t, n, witness)
			key := cachetest.Key(t.Name() + "key" + time.Now().String())
			require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
			f.held = make(chan struct{}, 1)
			f.frozen.Store(true)
			var read sync.WaitGroup
			var late cache.Entry
			read.Go(func() { late, _ = n.Get(context.Background(), key) })
			receive(t, f.held)
			require.NoError(t, change(t, key))
			if name == "purge" {
				_, err := c.Purge(t.Context(), witness)
				require.NoError(t, err)
			}
			require.Eventually(t, func() bool { return !kept(witness) }, 5*time.Second, time.Millisecond)
			f.thaw()
			read.Wait()
			require.Equal(t, cache.Present, late.State, "the reply was not late, so this test proves nothing")
			require.False(t, kept(key))
			e, err := n.Get(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, cache.Absent, e.State)
		})
	}
}

func TestNearCacheServesNothingWithoutItsConnection(t *testing.T) {
	c, _ := open(t)
	r := raw(t)
	t.Run("connection cut", func(t *testing.T) {
		n, down := newNearCache(t, realRedis(t))
		key := hold(t, n, c, t.Name())
		require.NoError(t, r.ClientKillByFilter(t.Context(), "TYPE", "normal").Err())
		require.Eventually(t, func() bool { return down.Load() == 1 && n.Len() == 0 }, 5*time.Second, time.Millisecond, "not emptied")
		remember(t, n, key)
	})
	t.Run("redis hung", func(t *testing.T) {
		f := newFreezer(t, r.Options().Addr)
		n, _ := newNearCache(t, "redis://"+f.Addr().String())
		key := hold(t, n, c, t.Name())
		f.frozen.Store(true)
		at := time.Now()
		require.Eventually(t, func() bool { return !held(n, key) }, time.Second, time.Millisecond)
		// It must be bypassed within maxStale. The control is that it was served before.
		require.Less(t, time.Since(at), maxStale+50*time.Millisecond)
		f.frozen.Store(false)
	})
}

// The near cache works without a server that can track, such as one without RESP3.
func TestNearCacheWithoutTracking(t *testing.T) {
	said := make(chan error, 10)
	r, err := cache.Open(realRedis(t)+"?protocol=2", cache.Options{Undecodable: func() {}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	n := cache.NewNearCache(r, cache.NearCacheOptions{Entries: 10, Bytes: 1 << 20, OnChange: func(_ bool, err error) { said <- err }})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	require.Error(t, <-said)
	cachetest.Run(t, n)
	require.Zero(t, n.Len())
	require.Empty(t, said, "reported more than once")
}

func TestConcurrentReadsAreShared(t *testing.T) {
	f := newFreezer(t, raw(t).Options().Addr)
	f.only = "present {"
	r, err := cache.Open("redis://"+f.Addr().String(), cache.Options{Undecodable: func() {}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	n := cache.NewNearCache(r, cache.NearCacheOptions{})
	key := cachetest.Key(t.Name() + time.Now().String())
	require.NoError(t, n.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
	f.held = make(chan struct{}, 100)
	f.frozen.Store(true)
	var all sync.WaitGroup
	var present atomic.Int64
	for range 100 {
		all.Go(func() {
			if e, err := n.Get(context.Background(), key); err == nil && e.State == cache.Present {
				present.Add(1)
			}
		})
	}
	receive(t, f.held)
	f.thaw()
	all.Wait()
	require.EqualValues(t, 100, present.Load())
	require.LessOrEqual(t, len(f.held), 1, "more than two reads")
}

// A waiter that a change wakes must not get the result of a read that started before the change.
func TestReadStartsAfterTheCall(t *testing.T) {
	c, _ := open(t)
	f := newFreezer(t, raw(t).Options().Addr)
	f.only = "pending {"
	n, _ := newNearCache(t, "redis://"+f.Addr().String())
	key := cachetest.Key(t.Name() + time.Now().String())
	require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Pending(time.Now(), "a", 0, -1)))
	f.held = make(chan struct{}, 10)
	f.frozen.Store(true)
	var early sync.WaitGroup
	var before cache.Entry
	early.Go(func() { before, _ = n.Get(context.Background(), key) })
	receive(t, f.held)
	require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
	e, err := n.Read(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, cache.Present, e.State)
	f.thaw()
	early.Wait()
	require.Equal(t, cache.Pending, before.State, "the reply was not late, so this test proves nothing")
	remember(t, n, key)
}
