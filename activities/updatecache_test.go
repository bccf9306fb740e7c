package activities_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

func TestUpdateCachePublishes(t *testing.T) {
	b := newFixture(t)
	c := b.stored(t)
	_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{Source: b.source, CopyID: "run/1", Copy: &c})
	require.NoError(t, err)
	require.Equal(t, cache.Present, b.entry(t).State)
	require.EqualValues(t, len(body), b.entry(t).Size)
}

// stored makes a copy, and returns the result of its StreamCopy.
func (b *fixture) stored(t *testing.T) activities.Copy {
	t.Helper()
	c, err := b.streamCopy(t, 0)
	require.NoError(t, err)
	return c
}

// TestUpdateCachePublishesOnlyWhatTheBucketHas completes StreamCopy in place of a worker. The last
// cases are the controls: copies of earlier builds, and a usable copy of another run.
func TestUpdateCachePublishesOnlyWhatTheBucketHas(t *testing.T) {
	for name, tc := range map[string]struct {
		missing    bool
		generation int64
		copyID     string
		copy       activities.Copy
		class      string
	}{
		"no object, empty result":  {true, 0, "run/1", activities.Copy{}, activities.ClassCopyMissing},
		"no object, right size":    {true, 0, "run/1", activities.Copy{Size: 5, Way: copier.WayRequest}, activities.ClassCopyMissing},
		"no object, found":         {true, 0, "run/1", activities.Copy{Size: 5, Way: activities.WayFound}, activities.ClassCopyMissing},
		"no object, earlier build": {true, 0, "", activities.Copy{Size: 5, Way: copier.WayRequest}, activities.ClassCopyMissing},
		"another size":             {false, 0, "run/1", activities.Copy{Size: 6, Way: copier.WayRequest}, activities.ClassCopyMissing},
		"another copy":             {false, 0, "run/2", activities.Copy{Size: 5, Way: copier.WayRequest}, activities.ClassCopyMissing},
		"found, of a former purge": {false, -1, "run/2", activities.Copy{Size: 5, Way: activities.WayFound}, activities.ClassCopyMissing},
		"this copy":                {false, 0, "run/1", activities.Copy{Size: 5, Way: copier.WayRequest}, ""},
		"this copy, found":         {false, 0, "run/1", activities.Copy{Size: 5, Way: activities.WayFound}, ""},
		"another copy, found":      {false, 0, "run/2", activities.Copy{Size: 5}, ""},
		"earlier build":            {false, 0, "", activities.Copy{Size: 5, Way: copier.WayRequest}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			if tc.generation < 0 { // The purge did not delete the object.
				g, err := b.cache.Purge(t.Context(), b.key())
				require.NoError(t, err)
				tc.generation = g
			}
			if !tc.missing {
				b.stored(t)
			}
			heads := b.bucket.Heads
			_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
				Source: b.source, Generation: tc.generation, Known: true, CopyID: tc.copyID, Copy: &tc.copy,
			})
			require.Equal(t, 1, b.bucket.Heads-heads)
			if tc.class == "" {
				require.NoError(t, err)
				require.Equal(t, cache.Present, b.entry(t).State)
				return
			}
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.Equal(t, tc.class, app.Type())
			require.True(t, app.NonRetryable())
			require.Equal(t, cache.Absent, b.entry(t).State)
		})
	}
}

// TestUpdateCacheWaitsForTheBucket has the bucket fail the HEAD of the copy. The attempt changes no
// entry, and the next attempt publishes the copy.
func TestUpdateCacheWaitsForTheBucket(t *testing.T) {
	b := newFixture(t)
	c := b.stored(t)
	update := func() error {
		_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{Source: b.source, CopyID: "run/1", Copy: &c})
		return err
	}
	for _, down := range []error{errors.New("403 Forbidden"), context.DeadlineExceeded} {
		b.bucket.Err = down
		requireFailure(t, update(), activities.ClassStorage, false)
		require.Equal(t, cache.Absent, b.entry(t).State)
	}
	b.bucket.Err = nil
	require.NoError(t, update())
	require.Equal(t, cache.Present, b.entry(t).State)
}

// TestUpdateCacheKeepsANewerObject publishes a copy that another copy replaced after a purge. The
// newer object stays, and so does its entry.
func TestUpdateCacheKeepsANewerObject(t *testing.T) {
	b := newFixture(t)
	generation, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	c, err := b.streamCopy(t, generation)
	require.NoError(t, err)
	update := func(id string, generation int64) error {
		_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
			Source: b.source, Generation: generation, Known: true, CopyID: id, Copy: &c,
		})
		return err
	}
	require.NoError(t, update("run/1", generation))
	requireFailure(t, update("run/0", 0), activities.ClassPurged, true)
	require.Equal(t, cache.Present, b.entry(t).State)
	_, ok := b.bucket.Body(b.object.Key())
	require.True(t, ok, "the newer object is deleted")
}

// TestFailedDiscardFreesTheClients purges an object whose bucket is down. Clients that wait for the
// copy are woken at the first attempt. Once the bucket answers, the copy is deleted.
func TestFailedDiscardFreesTheClients(t *testing.T) {
	b := newFixture(t)
	b.stored(t)
	_, err := b.cache.Purge(t.Context(), b.key())
	require.NoError(t, err)
	_, _, err = b.cache.Acquire(t.Context(), b.key(), cachetest.Rules().Pending(time.Now(), "a client", 0, -1))
	require.NoError(t, err)
	record := func() error {
		_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
			Source: b.source, Known: true, Failure: &activities.Failure{Class: activities.ClassPurged, Permanent: true},
		})
		return err
	}
	b.bucket.Err = errors.New("down")
	requireFailure(t, record(), activities.ClassStorage, false)
	require.Equal(t, cache.Absent, b.entry(t).State, "clients wait for a copy that won't come")
	b.bucket.Err = nil
	require.NoError(t, record())
	_, ok := b.bucket.Body(b.object.Key())
	require.False(t, ok, "the purged copy still exists")
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
	b.bucket.Lifespan = time.Second
	c := b.stored(t)
	_, _, err := b.cache.Acquire(t.Context(), b.key(), cachetest.Rules().Pending(time.Now(), "me", 0, -1))
	require.NoError(t, err)
	_, err = b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{Source: b.source, CopyID: "run/1", Copy: &c})
	require.NoError(t, err)
	e := b.entry(t)
	require.Equal(t, activities.ClassExpired, e.Class)
	require.True(t, e.Final(), "a client waits")
}

func TestPublishedDigest(t *testing.T) {
	b := newFixture(t)
	b.stored(t)
	_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
		Source: b.source, CopyID: "run/1", Copy: &activities.Copy{Size: 5, SHA256: helloSHA256},
	})
	require.NoError(t, err)
	require.Equal(t, helloSHA256, b.entry(t).SHA256)
}

// TestDigestOfACopyThatIsFoundAgain keeps the digest that only the cache has, as long as it is the same
// copy.
func TestDigestOfACopyThatIsFoundAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		way     string
		another bool
		want    string
	}{
		"by HeadSource": {"", false, helloSHA256},
		"by StreamCopy": {activities.WayFound, false, helloSHA256},
		"another copy":  {"", true, ""},
		"a new copy":    {copier.WayRanges, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			b.bucket.Lifespan = 24 * time.Hour
			b.stored(t)
			publish := func(c activities.Copy) {
				t.Helper()
				_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{Source: b.source, Copy: &c})
				require.NoError(t, err)
			}
			publish(activities.Copy{Size: 5, Way: copier.WayRanges, SHA256: helloSHA256})
			if tc.another {
				b.bucket.Age(b.object.Key(), time.Hour)
			}
			publish(activities.Copy{Size: 5, Way: tc.way})
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
	// In vain: no client should wait for the next try, because the last try failed in the same way.
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
	c := b.stored(t)
	_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{Source: b.source, Copy: &c})
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
			counted := tc.class
			if tc.class == activities.ClassCancelled || tc.class == activities.ClassPurged {
				counted = "" // The copy did not fail
			}
			require.Equal(t, counted, b.seen.failed)
		})
	}
}
