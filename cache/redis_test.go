package cache_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// realRedis is the redis of `make test`; without one these tests would prove nothing.
func realRedis(t *testing.T) string {
	t.Helper()
	url := os.Getenv("CM_TEST_REDIS_URL")
	require.NotEmpty(t, url, "this test needs a real redis: run `make test`, or set CM_TEST_REDIS_URL")
	return url
}

func open(t *testing.T) (c *cache.Redis, undecodable *atomic.Int64) {
	t.Helper()
	undecodable = new(atomic.Int64)
	c, err := cache.Open(realRedis(t), cache.Options{Undecodable: func() { undecodable.Add(1) }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c, undecodable
}

func raw(t *testing.T) *redis.Client {
	t.Helper()
	opt, err := redis.ParseURL(realRedis(t))
	require.NoError(t, err)
	c := redis.NewClient(opt)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestContract(t *testing.T) {
	t.Run("memory", func(t *testing.T) { cachetest.Run(t, &cachetest.Memory{}) })
	t.Run("redis", func(t *testing.T) {
		c, _ := open(t)
		cachetest.Run(t, c)
	})
}

func TestUndecodableEntriesAreAbsentRemovedAndCounted(t *testing.T) {
	c, undecodable := open(t)
	r := raw(t)
	for name, value := range map[string]string{
		"not ours":        "hello",
		"no JSON":         "present {",
		"unknown state":   `gone {"d":99999999999999}`,
		"no deadline":     "pending {}",
		"binary":          "\x00\xff",
		"the whole state": "present",
	} {
		t.Run(name, func(t *testing.T) {
			key := cache.Key("s3_test", t.Name()+time.Now().String())
			require.NoError(t, r.Set(t.Context(), key, value, time.Minute).Err())
			before := undecodable.Load()
			e, err := c.Get(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, cache.Absent, e.State)
			require.Equal(t, before+1, undecodable.Load())
			require.Zero(t, r.Exists(t.Context(), key).Val())

			// It must not keep anybody from the lease either.
			require.NoError(t, r.Set(t.Context(), key, value, time.Minute).Err())
			_, mine, err := c.Acquire(t.Context(), key, "me", time.Minute)
			require.NoError(t, err)
			require.True(t, mine)
		})
	}
}

func TestKeysInRedisExpire(t *testing.T) {
	c, _ := open(t)
	key := cache.Key("s3_test", t.Name()+time.Now().String())
	require.NoError(t, c.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), time.Time{})))
	ttl := raw(t).PTTL(t.Context(), key).Val()
	require.Greater(t, ttl, 59*time.Minute)
	require.LessOrEqual(t, ttl, time.Hour)
}

func TestDeadlineIsTheEntrysOwn(t *testing.T) {
	c, _ := open(t)
	// Redis may keep a key beyond its time, or for ever: here it does.
	key := cache.Key("s3_test", t.Name()+time.Now().String())
	for value, want := range map[string]cache.State{
		`present {"d":1}`: cache.Absent, `present {"d":99999999999999}`: cache.Present,
	} {
		require.NoError(t, raw(t).Set(t.Context(), key, value, 0).Err())
		e, err := c.Get(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, want, e.State, value)
	}
}

func TestPurgesAreRememberedLongerThanCopiesTake(t *testing.T) {
	c, _ := open(t)
	key := cache.Key("s3_test", t.Name()+time.Now().String())
	_, err := c.Purge(t.Context(), key)
	require.NoError(t, err)
	require.Greater(t, raw(t).PTTL(t.Context(), key+":generation").Val(), 6*24*time.Hour)
}

func TestBadURLIsNotRepeated(t *testing.T) {
	for _, url := range []string{"redis://:hunter2/x@localhost:6379/0", "redis://:hunter2%zz@localhost/", "hunter2://x"} {
		_, err := cache.Open(url, cache.Options{Undecodable: func() {}})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestRedisThatIsAwayCostsLittle(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0") // which never answers
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, hung.Close()) })
	for name, address := range map[string]string{"dead": "127.0.0.1:1", "hung": hung.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			c, err := cache.Open("redis://"+address, cache.Options{Timeout: 50 * time.Millisecond, Undecodable: func() {}})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, c.Close()) })
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err = c.Get(ctx, "key")
			require.Error(t, err)
			require.NoError(t, ctx.Err(), "waited for it, or tried again and again")
		})
	}
}

// freezer forwards connections to redis until it is frozen: then they stay open and nothing comes back any more.
type freezer struct {
	net.Listener
	frozen atomic.Bool

	// With only, what has it in it is held back instead, and nothing else; held is told, and thaw lets it go.
	only string
	held chan struct{}

	mu    sync.Mutex
	later []func()
}

func (f *freezer) thaw() {
	f.frozen.Store(false)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, write := range f.later {
		write()
	}
	f.later = nil
}

func newFreezer(t *testing.T, target string) *freezer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f := &freezer{Listener: l}
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				_ = in.Close()
				continue
			}
			t.Cleanup(func() { _, _ = in.Close(), out.Close() })
			go func() { _, _ = io.Copy(out, in) }()
			go f.back(in, out)
		}
	}()
	return f
}

func (f *freezer) back(in io.Writer, out io.Reader) {
	buf := make([]byte, 4<<10)
	for {
		n, err := out.Read(buf)
		if err != nil {
			return
		}
		switch frozen := f.frozen.Load(); {
		case !frozen || f.only != "" && !bytes.Contains(buf[:n], []byte(f.only)):
			_, _ = in.Write(buf[:n])
		case f.only != "":
			data := bytes.Clone(buf[:n])
			f.mu.Lock()
			f.later = append(f.later, func() { _, _ = in.Write(data) })
			f.mu.Unlock()
			f.held <- struct{}{}
		}
	}
}

func TestWatcherNoticesARedisThatHangs(t *testing.T) {
	f := newFreezer(t, raw(t).Options().Addr)
	c, err := cache.Open("redis://"+f.Addr().String(), cache.Options{Undecodable: func() {}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	w := cache.NewWatcher(func(bool) {})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx, c) }()
	t.Cleanup(func() { cancel(); <-ended })
	require.Eventually(t, w.Up, 5*time.Second, time.Millisecond)
	changed, stop := w.Wait("key")
	defer stop()

	f.frozen.Store(true)
	receive(t, changed) // so that waiters look for themselves
	require.False(t, w.Up())
	f.frozen.Store(false)
	require.Eventually(t, w.Up, 5*time.Second, time.Millisecond)
}

func TestWatcherWakes(t *testing.T) {
	c, _ := open(t)
	var changes atomic.Int64
	w := cache.NewWatcher(func(bool) { changes.Add(1) })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx, c) }()
	t.Cleanup(func() { cancel(); <-ended })
	require.Eventually(t, w.Up, 5*time.Second, time.Millisecond)

	present := cachetest.Rules().Present(time.Now(), time.Time{})
	key := cache.Key("s3_test", t.Name()+time.Now().String())
	changed, stop := w.Wait(key)
	defer stop()
	other, stopOther := w.Wait(key + "other")
	defer stopOther()

	// Pending would only send them back to wait; what follows it in the same connection's order must be what wakes.
	require.NoError(t, c.Put(ctx, key, 0, cachetest.Rules().Pending(time.Now(), "a", 0, -1)))
	require.NoError(t, c.Put(ctx, key, 0, present))
	receive(t, changed)
	require.Equal(t, cache.Present, func() cache.State { e, _ := c.Get(ctx, key); return e.State }())
	_, err := c.Purge(ctx, key)
	require.NoError(t, err)
	receive(t, changed)
	require.Empty(t, other, "woken for somebody else's object")

	// A connection that is cut wakes everybody, for what may have been missed, and comes back.
	require.NoError(t, raw(t).ClientKillByFilter(ctx, "TYPE", "pubsub").Err())
	receive(t, other)
	require.Eventually(t, w.Up, 5*time.Second, time.Millisecond)
	require.EqualValues(t, 3, changes.Load(), "up, down, up")
	stopOther()
	require.NoError(t, c.Put(ctx, key, cache.AnyGeneration, present))
	receive(t, changed)
}

func receive(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(5 * time.Second):
		require.Fail(t, "not woken")
	}
}
