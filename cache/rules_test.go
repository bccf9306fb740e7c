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
	r := cache.Rules{TTL: 24 * time.Hour, ExpiryMargin: time.Hour}
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
			e := r.Present(now, cache.Copy{Expires: tc.expires})
			require.Equal(t, tc.deadline, e.Deadline)
			require.Equal(t, tc.deadline.IsZero(), e.State == cache.Absent)
		})
	}
}

func TestPermanentErrorDeadline(t *testing.T) {
	now := time.Now()
	r := cache.Rules{NegativeTTL: time.Minute}
	why := cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true, Text: strings.Repeat("x", 1<<20)}
	e := r.Failed(now, why)
	require.Equal(t, now.Add(time.Minute), e.Deadline)
	require.True(t, e.Final())
	require.False(t, e.Unmirrorable)
	require.Len(t, e.Text, 1024)
	why.Text = e.Text
	require.Equal(t, why, e.Reason)
}

func TestUnmirrorableDeadline(t *testing.T) {
	now := time.Now()
	r := cache.Rules{NegativeTTL: time.Minute, UnmirrorableTTL: time.Hour}
	e := r.Unmirrorable(now, cache.Reason{Class: "SourceTruncated"})
	require.Equal(t, now.Add(time.Hour), e.Deadline)
	require.True(t, e.Final())
	require.True(t, e.Unmirrorable)
	require.Greater(t, r.FailuresTTL(), time.Hour, "the next failure continues the row")
}

func TestTransientErrorsBackOffWithJitter(t *testing.T) {
	now := time.Now()
	r := cache.Rules{RetryAfter: time.Second, RetryMax: 5 * time.Second}
	for failures, longest := range map[int64]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 5 * time.Second, 1 << 40: 5 * time.Second,
	} {
		seen := map[time.Duration]bool{}
		for range 200 {
			e := r.Transient(now, failures, cache.Reason{Class: "SourceUnreachable"})
			require.False(t, e.Permanent)
			backoff := e.Deadline.Sub(now)
			require.GreaterOrEqual(t, backoff, longest/2)
			require.LessOrEqual(t, backoff, longest)
			seen[backoff] = true
		}
		require.Greater(t, len(seen), 100, "no jitter")
	}
}
