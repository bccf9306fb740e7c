package frontend_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// A known path keeps no URL. It leads to the same object again, whatever its form.
func TestKnownPathLeadsToItsObjectAgain(t *testing.T) {
	base64Of := base64.RawURLEncoding.EncodeToString([]byte(source))
	for name, path := range map[string]string{
		"percent-encoded":         path(""),
		"base64":                  "/v1/redirect/s3/us-west-2/" + base64Of,
		"padded base64":           "/v1/redirect/s3/us-west-2/" + base64Of + "===",
		"with a fragment":         "/v1/redirect/s3/us-west-2/" + url.QueryEscape(source+"#part"),
		"another spelling":        "/v1/redirect/s3/us-west-2/" + url.QueryEscape(strings.Replace(source, "https://example.com", "HTTPS://Example.COM:443", 1)),
		"the client's own region": strings.Replace(path(""), "/us-west-2/", "/auto/", 1),
		"an absolute URL":         "http://mirror.example" + path(""),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *options) {
				o.RegionOf = func(*http.Request) (string, bool) { return "us-west-2", true }
			})
			f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			require.Equal(t, copyURL("GET"), f.ask(t, "GET", path).location)
			_, err := f.cache.Purge(t.Context(), key())
			require.NoError(t, err)
			for range 2 {
				a := f.ask(t, "GET", path+"?max_wait=0")
				require.Equal(t, 302, a.status)
				require.Equal(t, source, a.location)
			}
			require.Equal(t, 1, f.queue.requests(queue.Put))
			require.Equal(t, source, f.queue.sent[0].URL)
		})
	}
}

// No client is led to another object if the policy for sources changes its mind.
func TestKnownPathThatLeadsElsewhere(t *testing.T) {
	for name, tc := range map[string]struct {
		admit  func(string) (string, error)
		status int
	}{
		"control":        {func(string) (string, error) { return source, nil }, 302},
		"refused":        {func(string) (string, error) { return "", errors.New("no longer allowed") }, 403},
		"another object": {func(string) (string, error) { return "https://example.com/other", nil }, 503},
	} {
		t.Run(name, func(t *testing.T) {
			admit := func(string) (string, error) { return source, nil }
			f := newFixture(t, func(o *options) { o.Admit = func(url string) (string, error) { return admit(url) } })
			f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			require.Equal(t, copyURL("GET"), f.ask(t, "GET", path("")).location)
			admit = tc.admit
			require.Equal(t, copyURL("GET"), f.ask(t, "GET", path("")).location, "a hit is not resolved again")
			_, err := f.cache.Purge(t.Context(), key())
			require.NoError(t, err)
			require.Equal(t, tc.status, f.ask(t, "GET", path("?max_wait=0")).status)
		})
	}
}

// Answers on one connection share a buffer. A client that pipelines gets each answer as it was.
func TestPipelinedHitsKeepTheirLocations(t *testing.T) {
	b := newPresigning("", "")
	f := newFixture(t, func(o *options) {
		o.flight.Pools[0].Bucket = b
		o.Entries = remembering{entry: cachetest.Rules().Present(time.Now(), cache.Copy{})}
	})
	address := f.serve(t)
	object := func(i int) (path, key string) {
		source := fmt.Sprintf("https://example.com/%d/%s", i, strings.Repeat("x", 1+i%90))
		return "/v1/redirect/s3/us-west-2/" + url.QueryEscape(source), objectOf(source).Key()
	}
	var clients sync.WaitGroup
	for n := range 4 {
		c := dial(t, address)
		clients.Go(func() {
			const burst = 50
			var lines strings.Builder
			for i := range burst {
				path, _ := object(n*burst + i)
				lines.WriteString(request("GET", path))
			}
			c.send(t, lines.String())
			seen := map[string]bool{}
			for i := range burst {
				_, key := object(n*burst + i)
				a, body := c.receive(t, "GET", 10*time.Second)
				location := a.Header.Get("Location")
				assert.True(t, strings.HasPrefix(location, "https://bucket.s3.us-west-2.amazonaws.com/"+key+"?X-Amz-"), location)
				assert.Equal(t, `{"status":"present","url":"`+location+"\"}\n", body)
				seen[location] = true
			}
			assert.Len(t, seen, burst)
		})
	}
	clients.Wait()
}
