package distrust_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestEntriesOfAnotherBucketAreNoHits has a second front end on the redis of the first: another
// deployment, or the same one after its bucket has changed. The copy of the first is not in the
// second's bucket, so a hit would lead to 404.
func TestEntriesOfAnotherBucketAreNoHits(t *testing.T) {
	prefix := fmt.Sprint("t", time.Now().UnixNano()%1e12)
	for name, second := range map[string]deployment{
		"two deployments with one prefix": {prefix, "", "other-us-west-2"},
		"a changed bucket_base":           {prefix, "", "mirror2-us-west-2"},
		"a changed endpoint":              {prefix, "https://s3.example.com", "mirror-us-west-2"},
		"a prefix of its own":             {prefix + "b", "", "mirror-us-west-2"},
	} {
		t.Run(name, func(t *testing.T) {
			source := "https://example.com/" + t.Name()
			a, b := newFixture(t, deployment{prefix, "", "mirror-us-west-2"}), newFixture(t, second)
			a.store(t, source)
			require.NoError(t, a.cache.Put(t.Context(), a.key(source), 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))

			w := b.redirect(t, source)
			require.Equal(t, http.StatusFound, w.Code)
			require.Equal(t, source, w.Header().Get("Location"))
			require.Equal(t, 1, b.queue.count(), "it requests a copy of its own")

			w = a.redirect(t, source)
			require.Equal(t, a.location(source), w.Header().Get("Location"), "control: a hit of the first")
			require.True(t, a.has(t, w.Header().Get("Location")))
			require.Zero(t, a.queue.count())

			b.store(t, source)
			require.NoError(t, b.cache.Put(t.Context(), b.key(source), 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
			w = b.redirect(t, source)
			require.Equal(t, b.location(source), w.Header().Get("Location"))
			require.True(t, b.has(t, w.Header().Get("Location")))

			_, err := b.cache.Purge(t.Context(), b.key(source))
			require.NoError(t, err)
			w = a.redirect(t, source)
			require.Equal(t, a.location(source), w.Header().Get("Location"), "a purge of the second is none of the first")
		})
	}
}
