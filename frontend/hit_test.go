package frontend_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/conns"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// signer numbers its locations and bounds their validity.
type signer struct {
	*storagetest.Memory
	made  int
	works time.Duration
	err   error
}

func (s *signer) Location(_ context.Context, method, _ string, _ time.Time) (storage.Location, error) {
	if s.err != nil {
		return storage.Location{}, s.err
	}
	s.made++
	l := storage.Location{URL: fmt.Sprintf("https://bucket.example/%s/%d?X-Amz-Signature=a&b=<>", method, s.made)}
	if s.works > 0 {
		l.Until = time.Now().Add(s.works)
	}
	return l, nil
}

func TestLocationsAreReused(t *testing.T) {
	for name, tc := range map[string]struct {
		works   time.Duration
		targets int
		made    int // For five requests.
	}{
		"signed for an hour":     {time.Hour, 100, 1},
		"public, without expiry": {0, 100, 1},
		"already expired":        {time.Nanosecond, 100, 5},
		"caching disabled":       {time.Hour, 0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := &signer{Memory: &storagetest.Memory{}, works: tc.works}
			f := newFixture(t, func(o *options) { o.flight.Pools[0].Bucket, o.CacheEntries = s, tc.targets })
			f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			for i := range 5 {
				a := f.ask(t, "GET", path(""))
				want := fmt.Sprintf("https://bucket.example/GET/%d?X-Amz-Signature=a&b=<>", min(i+1, tc.made))
				require.Equal(t, want, a.location)
				require.Equal(t, map[string]any{"status": "present", "url": want}, a.body)
			}
			require.Equal(t, tc.made, s.made)
		})
	}
}

func TestCopyThatCannotBePresigned(t *testing.T) {
	s := &signer{Memory: &storagetest.Memory{}, err: errors.New("no credentials")}
	var log bytes.Buffer
	f := newFixture(t, func(o *options) { o.flight.Pools[0].Bucket, o.Log = s, zerolog.New(&log) })
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	for range 2 { // By the router, and from memory
		log.Reset()
		a := f.ask(t, "GET", path(""), requestid.Header, given)
		require.Equal(t, 302, a.status)
		require.Equal(t, source, a.location)
		require.Equal(t, map[string]any{"url": source, "msg": "Cached copy could not be presigned"}, a.body)
		require.Equal(t, given, a.header.Get(requestid.Header))
		require.Contains(t, log.String(), given)
	}
}

func TestLocationsBelongToTheirMethodAndCopy(t *testing.T) {
	s := &signer{Memory: &storagetest.Memory{}, works: time.Hour}
	f := newFixture(t, func(o *options) { o.flight.Pools[0].Bucket = s })
	expires := time.Now().Add(5 * time.Hour)
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{Expires: expires}))
	get, head := f.ask(t, "GET", path("")).location, f.ask(t, "HEAD", path("")).location
	require.Contains(t, get, "/GET/1")
	require.Contains(t, head, "/HEAD/2")
	require.Equal(t, get, f.ask(t, "GET", path("?max_wait=3s")).location, "from memory")
	require.Equal(t, head, f.ask(t, "HEAD", path("")).location)

	// The copy was made again, and expires at another time.
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{Expires: expires.Add(-time.Hour)}))
	require.Contains(t, f.ask(t, "GET", path("")).location, "/GET/3")
}

func TestHitThatIsPurged(t *testing.T) {
	f := newFixture(t)
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	for range 3 {
		require.Equal(t, copyURL("GET"), f.ask(t, "GET", path("")).location)
	}
	_, err := f.cache.Purge(t.Context(), key())
	require.NoError(t, err)
	require.Equal(t, source, f.ask(t, "GET", path("")).location)
}

// discard is a client that reads nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func (d discard) WriteString(s string) (int, error) { return len(s), nil }

// remembering is a cache that has one entry in memory.
type remembering struct {
	*cachetest.Memory
	entry cache.Entry
}

func (r remembering) Remembered(string, time.Time) (cache.Entry, bool) { return r.entry, true }

// onConnection returns the request as if it came on a connection of its own.
func onConnection(r *http.Request) *http.Request { return r.WithContext(conns.WithBuffer(r.Context())) }

func TestHitAllocatesNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		entry cache.Entry
		heads int64
		want  string // Matches the location.
		edit  func(*options)
	}{
		"a new copy":               {cachetest.Rules().Present(time.Now(), cache.Copy{}), 0, "^" + regexp.QuoteMeta(copyURL("GET")) + "$", nil},
		"a copy that was verified": {aged(), 1, "^" + regexp.QuoteMeta(copyURL("GET")) + "$", nil},
		"a presigned copy": {cachetest.Rules().Present(time.Now(), cache.Copy{}), 0, "/" + object().Key() + `\?X-Amz-.*&X-Amz-Signature=[0-9a-f]{64}$`, func(o *options) {
			o.flight.Pools[0].Bucket = newPresigning("", "")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bucket := &headedBucket{Memory: &storagetest.Memory{}}
			f := newFixture(t, verifying(bucket), func(o *options) {
				o.Log = zerolog.Nop()
				o.Entries = remembering{entry: tc.entry}
				if tc.edit != nil {
					tc.edit(o)
				}
			})
			f.put(t, tc.entry)
			r := onConnection(httptest.NewRequest(http.MethodGet, path(""), nil))
			w := discard{http.Header{}}
			f.handler.ServeHTTP(w, r)
			require.Regexp(t, tc.want, w.header.Get("Location"))
			require.Eventually(t, func() bool { return bucket.heads.Load() == tc.heads }, 5*time.Second, time.Millisecond)
			f.endVerifications() // They allocate.
			require.Zero(t, testing.AllocsPerRun(100, func() { f.handler.ServeHTTP(w, r) }))
		})
	}
}

// BenchmarkHit compares the handler, with the entry in memory, to a bare router with the same
// answer. The copy was verified before.
func BenchmarkHit(b *testing.B) {
	f := newFixture(b, verifying(&headedBucket{Memory: &storagetest.Memory{}}), func(o *options) {
		o.Log = zerolog.Nop()
		o.Entries = remembering{entry: aged()}
	})
	body := []byte(f.ask(b, "GET", path("")).raw)
	bare := httprouter.New()
	bare.GET("/v1/redirect/:service/:region/*url", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		w.Header().Set("Location", copyURL("GET"))
		w.WriteHeader(http.StatusFound)
		_, _ = w.Write(body)
	})
	for name, handler := range map[string]http.Handler{"front end": f.handler, "bare router": bare} {
		b.Run(name, func(b *testing.B) {
			r := onConnection(httptest.NewRequest(http.MethodGet, path(""), nil))
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(w, r)
			}
		})
	}
}
