package frontend_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// presigning has every object. Its locations have the form of presigned ones.
type presigning struct {
	describedBucket
	session, public string
}

func (b presigning) Location(_ context.Context, method, key string, _ time.Time) (storage.Location, error) {
	if b.public != "" {
		return storage.Location{URL: b.public + "/" + key}, nil
	}
	now := time.Now().UTC()
	query := url.Values{
		"X-Amz-Algorithm": {"AWS4-HMAC-SHA256"}, "X-Amz-Credential": {now.Format("AKIAIOSFODNN7EXAMPLE/20060102/us-west-2/s3/aws4_request")},
		"X-Amz-Date": {now.Format("20060102T150405Z")}, "X-Amz-Expires": {"3600"}, "X-Amz-SignedHeaders": {"host"}, "x-id": {method + "Object"},
	}
	if b.session != "" {
		query.Set("X-Amz-Security-Token", b.session)
	}
	signature := fmt.Sprintf("&X-Amz-Signature=%x", sha256.Sum256([]byte(method+key)))
	return storage.Location{
		URL: "https://bucket.s3.us-west-2.amazonaws.com/" + key + "?" + query.Encode() + signature, Until: now.Add(time.Hour),
	}, nil
}

// newPresigning returns a bucket that signs with a session token, or with static credentials. A
// bucket with a public URL does not sign.
func newPresigning(session, public string) presigning {
	return presigning{describedBucket{&storagetest.Memory{}, "attachment"}, session, public}
}

// keyBytes is the memory of a key. The near cache counts it, and the known target keeps it too.
const keyBytes = 80

// maxKept is the bound of a kept redirect without its entry, in bytes: the near cache has a third
// of the memory. With garbage, a million redirects then take less than 1.2 GiB.
const maxKept = 1288*100/175*2/3 + keyBytes

// The estimates of kept redirects are within a fifth of the memory that they hold.
func TestSizeOfKeptRedirects(t *testing.T) {
	const n = 20_000
	short := func(i int) string {
		return fmt.Sprintf("https://example.com/files/%035d/public/build/target.tar.gz", i)
	}
	long := func(i int) string { return short(i) + strings.Repeat("/and-more", 100) }
	redirect := func(of func(int) string) func(int) string {
		return func(i int) string { return "/v1/redirect/s3/us-west-2/" + url.QueryEscape(of(i)) }
	}
	mirror := func(i int) string { return "/v1/mirror/s3/us-west-2/" + strings.TrimPrefix(short(i), "https://") }
	static, get := newPresigning("", ""), []string{http.MethodGet}
	for name, tc := range map[string]struct {
		bucket  presigning
		path    func(i int) string
		methods []string
		max     int64
	}{
		"presigned":              {static, redirect(short), get, maxKept},
		"with a session token":   {newPresigning(strings.Repeat("token+/=", 150), ""), redirect(short), get, maxKept},
		"public":                 {newPresigning("", "https://cdn.example"), redirect(short), get, maxKept},
		"for HEAD too":           {static, redirect(short), []string{http.MethodGet, http.MethodHead}, maxKept + 64},
		"long URLs":              {static, redirect(long), get, maxKept + 1100},
		"the mirror route":       {static, mirror, get, maxKept},
		"HEADs of the mirror":    {static, mirror, []string{http.MethodHead}, 3000},
		"locations that are odd": {newPresigning("", "https://cdn.example/\""), redirect(short), get, maxKept},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, mirroring, func(o *options) {
				o.Log, o.CacheEntries, o.CacheMemory = zerolog.Nop(), 100*n, n*tc.max*3/2
				o.flight.Pools[0].Bucket = tc.bucket
				o.Entries = remembering{entry: cachetest.Rules().Present(time.Now(), cache.Copy{Expires: time.Now().Add(24 * time.Hour)})}
			})
			w := discard{http.Header{}}
			request := func(i int) {
				for _, method := range tc.methods {
					f.handler.ServeHTTP(w, httptest.NewRequest(method, tc.path(i), nil))
				}
			}
			request(n)
			clear(w.header)
			before := heap()
			weightBefore, _ := f.handler.KnownWeight()
			for i := range n {
				request(i)
			}
			clear(w.header)
			measured := (heap() - before) / n
			weight, kept := f.handler.KnownWeight()
			require.Equal(t, n+1, kept, "some were evicted")
			estimate := int64(weight-weightBefore)/n + keyBytes
			t.Logf("%d bytes each, estimated as %d", measured, estimate)
			require.InEpsilon(t, measured, estimate, 0.2)
			require.LessOrEqual(t, measured, tc.max)
			runtime.KeepAlive(f)
		})
	}
}
