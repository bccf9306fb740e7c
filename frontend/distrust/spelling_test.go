package distrust_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestAnotherSpellingOfASmallObject plants the entry of an object that was too small for another
// request, as a later build could write it: with one more field. The object's copy is requested as
// after the entry that this build writes, which is the control.
func TestAnotherSpellingOfASmallObject(t *testing.T) {
	f := newFixture(t, deployment{fmt.Sprint("t", time.Now().UnixNano()%1e12), "", "mirror-us-west-2"})
	for i, spelling := range []string{"{", `{"later":1,`, `{ `} {
		source := "https://example.com/" + fmt.Sprint(i)
		key := f.key(source)
		require.NoError(t, f.cache.Put(t.Context(), key, 0, cachetest.Rules().TooSmall(time.Now(), 5)))
		value := strings.Replace(f.redis.Get(t.Context(), key).Val(), "{", spelling, 1)
		require.NoError(t, f.redis.Set(t.Context(), key, value, time.Hour).Err())
		w := f.redirect(t, source)
		require.Equal(t, http.StatusFound, w.Code)
		require.Equal(t, i+1, f.queue.count(), spelling)
		e, err := f.cache.Get(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, cache.Pending, e.State, spelling)
	}
	require.Zero(t, f.undecodable.Load())
}
