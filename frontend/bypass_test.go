package frontend_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// bypassList stands in for redis.
type bypassList []cache.Bypass

func (l bypassList) Bypasses(context.Context) (cache.BypassList, error) {
	return cache.BypassList{ID: cache.NamelessBypasses, All: l}, nil
}

func (bypassList) RestoreBypasses(context.Context, cache.BypassList) error { return nil }

// switchOff returns bypasses with these names.
func switchOff(t *testing.T, names ...string) *cache.Bypasses {
	t.Helper()
	var list bypassList
	for _, n := range names {
		list = append(list, cache.Bypass{Name: n, Until: time.Now().Add(time.Hour)})
	}
	read := make(chan struct{}, 1)
	b := &cache.Bypasses{OnChange: func([]string) { read <- struct{}{} }}
	go b.Run(t.Context(), list)
	<-read
	return b
}

// TestSwitchedOff asks for a copy that exists and for one that does not, on each route.
func TestSwitchedOff(t *testing.T) {
	for name, of := range map[string]string{"host": cache.BypassOfHost("example.com"), "pool": cache.BypassOfPool("s3_us-west-2")} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, mirroring, func(o *options) { o.Bypasses = switchOff(t, of) })
			f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			f.copied(t, mirrored)
			const cold = "/v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2Fcold"
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				for range 2 { // The second time, the path is known.
					for path, source := range map[string]string{path(""): source, cold: "https://example.com/cold", mirrorPath: mirrored} {
						a := f.ask(t, method, path)
						require.Equal(t, http.StatusFound, a.status)
						require.Equal(t, source, a.location)
						require.Equal(t, `cloud-mirror; fwd=bypass; detail="switched off"`, a.header.Get("Cache-Status"))
					}
				}
			}
			_, lines := f.warm(t, `{"url":"https://example.com/cold","regions":["us-west-2"]}`, token)
			require.Equal(t, "ServiceUnavailable", lines["1 https://example.com/cold us-west-2"].Error.Code)
			require.Zero(t, f.queue.requests(queue.Put))
			require.Equal(t, http.StatusBadRequest, f.ask(t, http.MethodGet, path("?max_wait=x")).status, "a bad request stays one")
		})
	}
}

func TestOthersAreNotSwitchedOff(t *testing.T) {
	f := newFixture(t, func(o *options) {
		o.Bypasses = switchOff(t, cache.BypassOfHost("other.com"), cache.BypassOfPool("s3_us-east-1"))
	})
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	a := f.ask(t, http.MethodGet, path(""))
	require.Equal(t, copyURL(http.MethodGet), a.location)
	require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
}
