package cache_test

import (
	"bytes"
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
)

// realRedis returns the URL of the redis that `make test` starts. Without a real redis these tests
// would prove nothing, so they fail.
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

// freezer forwards connections to redis until it is frozen. Then they stay open, and redis's
// replies are dropped.
type freezer struct {
	net.Listener
	frozen atomic.Bool

	// If only is set, a frozen freezer keeps just the replies that contain it, and sends each to
	// held. Then thaw forwards them.
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

func receive(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(5 * time.Second):
		require.Fail(t, "nothing received within 5 s")
	}
}
