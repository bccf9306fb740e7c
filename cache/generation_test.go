package cache_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

const day = 24 * time.Hour

// TestTombstonesOutliveObjects purges an object, and moves the expiry of redis's key back as time
// does. A zombie is an object of an older generation that its copy stored after the purge.
func TestTombstonesOutliveObjects(t *testing.T) {
	for name, tc := range map[string]struct {
		lifespan time.Duration
		after    time.Duration
		refused  bool
	}{
		"8 days later":                             {30 * day, 8 * day, true},
		"at the end of the zombie's life":          {30 * day, 30 * day, true},
		"a copy that ran for a week, and its life": {30 * day, 37 * day, true},
		"control: long after the zombie's life":    {30 * day, 40 * day, false},
		"a short life":                             {day, 8 * day, true},
		"no end of life, almost a year":            {0, 364 * day, true},
		"control: no end of life, over a year":     {0, 366 * day, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, server, _ := openOwn(t, cache.Options{Lifespan: tc.lifespan})
			key := cachetest.Key(name)
			zombie, err := c.Generation(t.Context(), key)
			require.NoError(t, err)
			purged, err := c.Purge(t.Context(), key)
			require.NoError(t, err)
			left := server.PTTL(t.Context(), key+":generation").Val()
			require.NoError(t, server.PExpire(t.Context(), key+":generation", left-tc.after).Err())

			present := cachetest.Rules().Present(time.Now(), cache.Copy{})
			err = c.Put(t.Context(), key, zombie, present)
			e, getErr := c.Get(t.Context(), key)
			require.NoError(t, getErr)
			if !tc.refused {
				require.NoError(t, err)
				require.Equal(t, cache.Present, e.State)
				return
			}
			require.ErrorIs(t, err, cache.ErrPurged)
			require.Equal(t, cache.Absent, e.State)
			require.NoError(t, c.Put(t.Context(), key, purged, present), "control: a copy from after the purge")
		})
	}
}
