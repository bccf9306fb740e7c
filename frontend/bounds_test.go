package frontend_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// lateAfter is how long after a client's wait an answer may come.
const lateAfter = 900 * time.Millisecond

// laggard makes calls of dependencies slow, and ends them with their context.
type laggard struct {
	*storagetest.Memory
	entries
	read, head, location time.Duration
}

// entries is the part of the cache that a front end reads.
type entries interface {
	Remembered(key string, now time.Time) (cache.Entry, bool)
	Get(ctx context.Context, key string) (cache.Entry, error)
}

func lag(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (l *laggard) Get(ctx context.Context, key string) (cache.Entry, error) {
	if err := lag(ctx, l.read); err != nil {
		return cache.Entry{}, err
	}
	return l.entries.Get(ctx, key)
}

func (l *laggard) Head(ctx context.Context, key string) (storage.Stored, error) {
	if err := lag(ctx, l.head); err != nil {
		return storage.Stored{}, err
	}
	return l.Memory.Head(ctx, key)
}

func (l *laggard) Location(ctx context.Context, method, key string, expires time.Time) (storage.Location, error) {
	if err := lag(ctx, l.location); err != nil {
		return storage.Location{}, err
	}
	return l.Memory.Location(ctx, method, key, expires)
}

// TestSlowStepsTogetherAreBounded has several dependencies that are slow at once. No step exceeds
// its own bound. The answer still comes within the wait and a second.
func TestSlowStepsTogetherAreBounded(t *testing.T) {
	const most = 650 * time.Millisecond // Below every bound of a single step, so that no breaker opens
	down := errors.New("redis is down")
	for name, tc := range map[string]struct {
		method, target string
		wait           time.Duration
		slow           laggard
		redisDown      bool
	}{
		"control: quick": {method: "GET", target: path("?max_wait=0")},
		"redis has no free connection, and S3 is slow": {
			method: "GET", target: path("?max_wait=0"), slow: laggard{read: 2 * time.Second, head: most},
		},
		"S3 is slow, and so are credentials": {
			method: "GET", target: path("?max_wait=0"), slow: laggard{head: most, location: most}, redisDown: true,
		},
		"the same after a wait": {
			method: "GET", target: path("?max_wait=300ms"), wait: 300 * time.Millisecond,
			slow: laggard{head: 890 * time.Millisecond, location: 790 * time.Millisecond}, redisDown: true,
		},
		"S3 is slow twice": {method: "HEAD", target: mirrorPath, slow: laggard{head: most}, redisDown: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := tc.slow
				f := newFixture(t, mirroring, func(o *options) {
					slow.Memory, slow.entries = o.flight.Pools[0].Bucket.(*storagetest.Memory), o.Entries
					o.flight.Pools[0].Bucket, o.Entries = &slow, &slow
				})
				f.store(t, "0")
				f.copied(t, mirrored)
				if tc.redisDown {
					f.cache.Fail(down)
				}
				start := time.Now()
				a := f.ask(t, tc.method, tc.target, "Prefer", "wait=0")
				took := time.Since(start)
				require.LessOrEqual(t, took, tc.wait+lateAfter)
				require.Equal(t, 302, a.status)
				if tc.slow == (laggard{}) {
					require.Equal(t, copyURL("GET"), a.location)
				}
				t.Log(took)
				_ = lag(t.Context(), time.Minute) // Calls in the background end, in the bubble's time
			})
		})
	}
}

// TestStatusOfSlowDependenciesIsBounded has a client without a token, and one that pays no limit.
func TestStatusOfSlowDependenciesIsBounded(t *testing.T) {
	status := "/v1/status" + strings.TrimPrefix(path(""), "/v1/redirect")
	for name, tc := range map[string]struct {
		slow   laggard
		header []string
		status int
	}{
		"control: quick": {status: 200},
		"redis and S3":   {slow: laggard{read: 600 * time.Millisecond, head: 600 * time.Millisecond}, status: 503},
		"redis and S3, an operator": {
			slow:   laggard{read: 600 * time.Millisecond, head: 600 * time.Millisecond},
			header: []string{"Authorization", "Bearer " + token}, status: 503,
		},
		"redis has no connection": {slow: laggard{read: 2 * time.Second}, status: 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := tc.slow
				f := newFixture(t, func(o *options) {
					slow.Memory, slow.entries = o.flight.Pools[0].Bucket.(*storagetest.Memory), o.Entries
					o.flight.Pools[0].Bucket, o.Entries = &slow, &slow
				})
				f.store(t, "0")
				start := time.Now()
				a := f.ask(t, "GET", status, tc.header...)
				require.LessOrEqual(t, time.Since(start), lateAfter)
				require.Equal(t, tc.status, a.status, a.raw)
				_ = lag(t.Context(), time.Minute) // Calls in the background end, in the bubble's time
			})
		})
	}
}
