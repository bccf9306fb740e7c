package frontend_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// replace stores another copy of the mirrored object behind an entry with the same times. That is
// so after a purge if the bucket deletes copies at midnight, and within the entry's TTL.
func (f *fixture) replace(t *testing.T, like cache.Entry, body string) {
	t.Helper()
	o := objectOf(mirrored)
	require.NoError(t, f.bucket.Delete(t.Context(), o.Key()))
	_, err := f.bucket.Put(t.Context(), storage.ObjectSpec{Key: o.Key()}, f.bucket.Checksum().Body([]byte(body)))
	require.NoError(t, err)
	like.Size = int64(len(body))
	require.NoError(t, f.cache.Put(t.Context(), cacheKey(mirrored), cache.AnyGeneration, like))
}

func TestMirrorHeadOfACopyWithTheSameTimes(t *testing.T) {
	f := newFixture(t, mirroring)
	expires := time.Now().Add(24 * time.Hour).Truncate(time.Second)
	e := cache.Entry{State: cache.Present, Deadline: expires.Add(-3 * time.Hour), Expires: expires}
	f.replace(t, e, "four")
	require.Equal(t, "4", f.ask(t, "HEAD", mirrorPath).header.Get("Content-Length"), "control")
	f.replace(t, e, "seven..")
	require.Equal(t, "7", f.ask(t, "HEAD", mirrorPath).header.Get("Content-Length"))
	e.SHA256 = strings.Repeat("1", 64)
	f.replace(t, e, "SEVEN..")
	tag := f.ask(t, "HEAD", mirrorPath).header.Get("ETag")
	require.Equal(t, f.etag(t), tag)
}

// etag returns the ETag of the mirrored object's copy.
func (f *fixture) etag(t *testing.T) string {
	t.Helper()
	stored, err := f.bucket.Head(t.Context(), objectOf(mirrored).Key())
	require.NoError(t, err)
	return stored.ETag
}

// A HEAD never costs a HEAD of the bucket each time: neither if that fails, nor as an absolute URL.
func TestMirrorHeadsAreFewInTheBucket(t *testing.T) {
	for name, tc := range map[string]struct {
		target string
		err    error
		edit   func(*options)
		status int
	}{
		"control":               {target: mirrorPath, status: 200},
		"an absolute URL":       {target: "http://mirror.example" + mirrorPath, status: 200},
		"a missing copy":        {target: mirrorPath, err: storage.ErrNotFound, status: 302},
		"a bucket that is down": {target: mirrorPath, err: errors.New("down"), status: 302},
		"the client's own region, as an absolute URL": {
			target: "http://mirror.example" + strings.Replace(mirrorPath, "us-west-2", "auto", 1), status: 200,
			edit: func(o *options) { o.RegionOf = func(*http.Request) (string, bool) { return "us-west-2", true } },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &headedBucket{Memory: &storagetest.Memory{}, err: tc.err}
			f := newFixture(t, mirroring, func(o *options) {
				o.flight.Pools[0].Bucket = b
				if tc.edit != nil {
					tc.edit(o)
				}
			})
			f.bucket = b.Memory
			f.copied(t, mirrored)
			for range 20 {
				a := f.ask(t, "HEAD", tc.target)
				require.Equal(t, tc.status, a.status)
				if tc.status == 302 {
					require.Equal(t, mirrored, a.location)
				}
			}
			require.EqualValues(t, 1, b.heads.Load())
		})
	}
}

// Clients that HEAD a copy at the same time share one HEAD of the bucket.
func TestMirrorHeadsAtTheSameTime(t *testing.T) {
	for name, err := range map[string]error{"that succeeds": nil, "that fails": errors.New("down")} {
		t.Run(name, func(t *testing.T) {
			b := &headedBucket{Memory: &storagetest.Memory{}, err: err, free: make(chan struct{})}
			f := newFixture(t, mirroring, func(o *options) { o.flight.Pools[0].Bucket = b })
			f.bucket = b.Memory
			f.copied(t, mirrored)
			require.Equal(t, copyOf(mirrored), f.ask(t, "GET", mirrorPath).location) // The path is known now.
			var all sync.WaitGroup
			var started sync.WaitGroup
			for range 50 {
				started.Add(1)
				all.Go(func() {
					started.Done()
					w := httptest.NewRecorder()
					f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodHead, mirrorPath, nil))
					assert.Equal(t, map[bool]int{true: 200, false: 302}[err == nil], w.Code)
				})
			}
			started.Wait()
			require.Eventually(t, func() bool { return b.heads.Load() > 0 }, 5*time.Second, time.Millisecond)
			close(b.free)
			all.Wait()
			require.EqualValues(t, 1, b.heads.Load())
		})
	}
}

// A client that only HEADs finds a missing copy too. It then GETs the source, so no GET of it
// would.
func TestMirrorHeadOfAMissingCopyRequestsItAgain(t *testing.T) {
	b := &headedBucket{Memory: &storagetest.Memory{}}
	f := newFixture(t, mirroring, verifying(b))
	e := aged()
	require.NoError(t, f.cache.Put(t.Context(), cacheKey(mirrored), cache.AnyGeneration, e))
	require.Equal(t, mirrored, f.ask(t, "HEAD", mirrorPath).location)
	require.Eventually(t, func() bool {
		e, err := f.cache.Get(t.Context(), cacheKey(mirrored))
		return err == nil && e.State == cache.Absent
	}, 5*time.Second, time.Millisecond)
	f.endVerifications()
}

// describedBucket has every object, with that Content-Disposition.
type describedBucket struct {
	*storagetest.Memory
	disposition string
}

func (b describedBucket) Head(context.Context, string) (storage.Stored, error) {
	return storage.Stored{
		Size: 5000, ETag: fmt.Sprintf("%q", time.Now()),
		Headers: storage.Headers{ContentType: "application/zip", ContentDisposition: strings.Clone(b.disposition), LastModified: time.Now()},
	}, nil
}

// Kept headers stay within the budget of kept redirects.
func TestKeptHeadersStayWithinTheirMemory(t *testing.T) {
	const budget, margin, requests = 8 << 20, 4 << 20, 5_000
	for name, disposition := range map[string]string{
		"short": "attachment", "of a long name": "attachment; filename=" + strings.Repeat("x", 900), "long": "attachment; filename=" + strings.Repeat("x", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			b := describedBucket{&storagetest.Memory{}, disposition}
			f := newFixture(t, mirroring, func(o *options) {
				o.Log, o.CacheEntries, o.CacheMemory = zerolog.Nop(), 100_000, budget
				o.flight.Pools[0].Bucket = b
				o.Entries = remembering{entry: cachetest.Rules().Present(time.Now(), cache.Copy{})}
			})
			before := heap()
			for i := range requests {
				for _, method := range []string{http.MethodHead, http.MethodGet} {
					w := httptest.NewRecorder()
					f.handler.ServeHTTP(w, httptest.NewRequest(method, fmt.Sprint(mirrorPath, i), nil))
					require.Equal(t, map[string]int{"HEAD": 200, "GET": 302}[method], w.Code)
				}
			}
			var retained int64
			within := assert.Eventually(t, func() bool {
				retained = heap() - before
				return retained <= budget+margin
			}, 5*time.Second, 50*time.Millisecond)
			require.True(t, within, "%d KiB are retained", retained>>10)
			require.Greater(t, retained, int64(budget/8), "little is kept")
			runtime.KeepAlive(f)
		})
	}
}
