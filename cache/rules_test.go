package cache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

func TestPresentNeverOutlivesTheObject(t *testing.T) {
	now := time.Now()
	r := cache.Rules{TTL: 24 * time.Hour, Margin: time.Hour}
	for name, tc := range map[string]struct {
		expires  time.Time
		deadline time.Time
	}{
		"never expires":         {time.Time{}, now.Add(24 * time.Hour)},
		"expires late":          {now.Add(100 * time.Hour), now.Add(24 * time.Hour)},
		"expires soon":          {now.Add(5 * time.Hour), now.Add(4 * time.Hour)},
		"expires in the margin": {now.Add(time.Hour), time.Time{}},
		"has expired":           {now.Add(-time.Hour), time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			e := r.Present(now, tc.expires)
			require.Equal(t, tc.deadline, e.Deadline)
			require.Equal(t, tc.deadline.IsZero(), e.State == cache.Absent)
		})
	}
}

func TestErrorsHaveTheirOwnTimes(t *testing.T) {
	now := time.Now()
	r := cache.Rules{NegativeTTL: time.Minute, RetryAfter: time.Second}
	require.Equal(t, now.Add(time.Minute), r.Failed(now, "BadHTTPStatus", 404, true, "").Deadline)
	require.Equal(t, now.Add(time.Second), r.Failed(now, "SourceUnreachable", 0, false, "").Deadline)
	require.Len(t, r.Failed(now, "x", 0, true, strings.Repeat("x", 1<<20)).Text, 1024)
}

func TestKeyIsInjective(t *testing.T) {
	seen := map[string]bool{}
	for _, pool := range []string{"s3_us-west-2", "s3_us-west", "s3_us-west-21"} {
		for _, hash := range []string{"2/a", "a", "1", "aa"} {
			key := cache.Key(pool, hash)
			require.False(t, seen[key], key)
			seen[key] = true
		}
	}
}
