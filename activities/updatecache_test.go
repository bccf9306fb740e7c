package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

func TestUpdateCachePublishes(t *testing.T) {
	b := newFixture(t)
	_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
		Source: b.source, Copy: &activities.Copy{Size: 5},
	})
	require.NoError(t, err)
	require.Equal(t, cache.Present, b.entry(t).State)
}

func TestUpdateCacheRefusesAPurgedCopy(t *testing.T) {
	b := newFixture(t)
	_, err := b.streamCopy(t, 0)
	require.NoError(t, err)
	generation, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	publish := func(generation int64) error {
		_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
			Source: b.source, Generation: generation, Copy: &activities.Copy{Size: 5},
		})
		return err
	}
	requireFailure(t, publish(0), activities.ClassPurged, true)
	require.Equal(t, cache.Absent, b.entry(t).State)
	_, ok := b.bucket.Body(b.object.Key())
	require.False(t, ok, "the purged copy still exists")

	// A copy from after the purge stays.
	_, err = b.streamCopy(t, generation)
	require.NoError(t, err)
	requireFailure(t, publish(0), activities.ClassPurged, true)
	_, ok = b.bucket.Body(b.object.Key())
	require.True(t, ok)
	require.NoError(t, publish(generation))
}

func TestCancelledCopyIsDeletedAfterAPurge(t *testing.T) {
	b := newFixture(t)
	_, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	_, err = b.streamCopy(t, 0) // Stored after the purge deleted the object
	require.NoError(t, err)
	_, err = b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
		Source: b.source, Known: true, Failure: &activities.Failure{Class: activities.ClassCancelled},
	})
	require.NoError(t, err)
	_, ok := b.bucket.Body(b.object.Key())
	require.False(t, ok)
}

// TestExpiringCopyFreesItsClients sends clients to the source. Otherwise each would request a copy that
// expires as soon, one after the other.
func TestExpiringCopyFreesItsClients(t *testing.T) {
	b := newFixture(t)
	_, _, err := b.cache.Acquire(t.Context(), b.key(), cachetest.Rules().Pending(time.Now(), "me", 0, -1))
	require.NoError(t, err)
	_, err = b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
		Source: b.source, Copy: &activities.Copy{Size: 5, Expires: time.Now().Add(time.Second)},
	})
	require.NoError(t, err)
	e := b.entry(t)
	require.Equal(t, activities.ClassExpired, e.Class)
	require.True(t, e.Final(), "a client waits")
}

func TestPublishedDigest(t *testing.T) {
	b := newFixture(t)
	_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
		Source: b.source, Copy: &activities.Copy{Size: 5, SHA256: helloSHA256},
	})
	require.NoError(t, err)
	require.Equal(t, helloSHA256, b.entry(t).SHA256)
}

// TestDigestOfACopyThatIsFoundAgain keeps the digest that only the cache has, as long as it is the same
// copy.
func TestDigestOfACopyThatIsFoundAgain(t *testing.T) {
	expires := time.Now().Add(24 * time.Hour).Truncate(time.Second)
	for name, tc := range map[string]struct {
		way     string
		expires time.Time
		want    string
	}{
		"by HeadSource": {"", expires, helloSHA256},
		"by StreamCopy": {activities.WayFound, expires, helloSHA256},
		"another copy":  {"", expires.Add(time.Hour), ""},
		"a new copy":    {copier.WayRanges, expires, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			publish := func(c activities.Copy) {
				t.Helper()
				_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{Source: b.source, Copy: &c})
				require.NoError(t, err)
			}
			publish(activities.Copy{Size: 5, Way: copier.WayRanges, SHA256: helloSHA256, Expires: expires})
			publish(activities.Copy{Size: 5, Way: tc.way, Expires: tc.expires})
			require.Equal(t, tc.want, b.entry(t).SHA256)
		})
	}
}

// TestCancelledCopyIsNotRestarted tells waiting clients at once that an operator cancelled the copy.
func TestCancelledCopyIsNotRestarted(t *testing.T) {
	b := newFixture(t)
	_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
		Source: b.source, Failure: &activities.Failure{Class: activities.ClassCancelled},
	})
	require.NoError(t, err)
	require.True(t, b.entry(t).Final(), "a client waits for the end of the back-off, and restarts the copy")
}

func TestRepeatedFailuresBackOffLonger(t *testing.T) {
	b := newFixture(t)
	b.Cache = &manyRuns{Memory: b.cache}
	b.Rules.RetryAfter, b.Rules.RetryMax = time.Second, time.Hour
	// In vain: no client should wait for the next try, because the last one failed in the same way.
	fail := func(vain bool) time.Duration {
		t.Helper()
		_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
			Source: b.source, Failure: &activities.Failure{Class: "SourceUnreachable"},
		})
		require.NoError(t, err)
		require.Equal(t, vain, b.entry(t).Permanent)
		return time.Until(b.entry(t).Deadline)
	}
	require.LessOrEqual(t, fail(false), time.Second)
	for range 4 {
		fail(true)
	}
	require.Greater(t, fail(true), 15*time.Second, "at least half of 32 s")
	_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{Source: b.source, Copy: &activities.Copy{Size: 5}})
	require.NoError(t, err)
	_, err = b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	_, err = b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
		Source: b.source, Generation: cache.AnyGeneration, Failure: &activities.Failure{Class: "SourceUnreachable"},
	})
	require.NoError(t, err)
	require.LessOrEqual(t, time.Until(b.entry(t).Deadline), time.Second)
	require.False(t, b.entry(t).Permanent)
}

func TestUpdateCacheRecordsFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		class  string
		known  bool
		purged bool
		want   cache.State
	}{
		"the source failed":                           {"BadHTTPStatus", true, false, cache.Error},
		"the source failed before a purge":            {"BadHTTPStatus", true, true, cache.Absent},
		"it failed before its generation was known":   {"StorageFailed", false, true, cache.Error},
		"an operator cancelled":                       {activities.ClassCancelled, true, false, cache.Error},
		"an operator cancelled before a purge":        {activities.ClassCancelled, true, true, cache.Absent},
		"an operator cancelled before HeadSource ran": {activities.ClassCancelled, false, true, cache.Error},
		"a purge ended it":                            {activities.ClassPurged, true, true, cache.Absent},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			if tc.purged {
				_, err := b.cache.Purge(t.Context(), b.key())
				require.NoError(t, err)
			}
			_, _, err := b.cache.Acquire(t.Context(), b.key(), cachetest.Rules().Pending(time.Now(), "a client that asked again", 0, -1))
			require.NoError(t, err)
			_, err = b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
				Source: b.source, Known: tc.known, Failure: &activities.Failure{Class: tc.class, Status: 404, Permanent: true, Text: "private"},
			})
			require.NoError(t, err)
			require.Equal(t, tc.want, b.entry(t).State)
			require.Equal(t, tc.class, b.seen.failed)
		})
	}
}
